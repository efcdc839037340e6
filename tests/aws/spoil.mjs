// spoil.mjs PORT URL - in front of a Kinesis: of the records in an answer, those with "spoil-data" in them come with data that is
// no base64, those with "spoil-key" with a partition key that holds U+0000.
import http from 'node:http';

const [port, url] = process.argv.slice(2);
http.createServer((req, res) => {
	const onward = http.request(new URL(req.url, url), { method: req.method, headers: req.headers }, (answer) => {
		const got = [];
		answer.on('data', (d) => got.push(d)).on('end', () => {
			let body = Buffer.concat(got);
			if (/\.GetRecords$/.test(req.headers['x-amz-target'])) {
				const o = JSON.parse(body.toString());
				for (const r of o.Records ?? []) {
					const text = Buffer.from(r.Data, 'base64').toString();
					if (text.includes('spoil-data')) r.Data = '%%% /no\n base64 "\u001b[31m';
					if (text.includes('spoil-key')) r.PartitionKey = 'a\u0000b';
				}
				body = Buffer.from(JSON.stringify(o));
			}
			const headers = { ...answer.headers, 'content-length': body.length };
			delete headers['transfer-encoding'];
			delete headers['x-amz-crc32'];
			res.writeHead(answer.statusCode, headers).end(body);
		});
	});
	onward.on('error', () => res.destroy());
	req.pipe(onward);
}).listen(Number(port), '127.0.0.1');
