// liar.mjs - a service that answers every request with one body, or what it is told to do to PutRecords' answers.
//
//   node liar.mjs PORT STATUS BODY      always this
//   node liar.mjs PORT entry JSON       PutRecords: this entry for each record
import { createServer } from 'node:http';

const [port, how, what] = process.argv.slice(2);
createServer((req, res) => {
	let text = '';
	req.on('data', (d) => { text += d; });
	req.on('end', () => {
		if (how !== 'entry') res.writeHead(Number(how), { 'content-type': 'application/x-amz-json-1.1' }).end(what);
		else {
			const Records = JSON.parse(text).Records.map(() => JSON.parse(what));
			res.end(JSON.stringify({ FailedRecordCount: 0, Records }));
		}
	});
}).listen(Number(port), '127.0.0.1');
