// no_list.mjs PORT URL - in front of a Kinesis, with the rights of a producer that may put records and nothing else.
import http from 'node:http';

const [port, url] = process.argv.slice(2);
http.createServer((req, res) => {
	if (!/\.(PutRecords|PutRecord)$/.test(req.headers['x-amz-target'] ?? '')) {
		req.resume();
		req.on('end', () => res.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' })
			.end('{"__type":"AccessDeniedException","message":"not authorized to perform: kinesis:ListShards"}'));
		return;
	}
	const onward = http.request(new URL(req.url, url), { method: req.method, headers: req.headers }, (answer) => {
		res.writeHead(answer.statusCode, answer.headers);
		answer.pipe(res);
	});
	onward.on('error', () => res.destroy());
	req.pipe(onward);
}).listen(Number(port), '127.0.0.1');
