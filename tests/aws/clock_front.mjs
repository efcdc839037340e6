// clock_front.mjs --port N --to URL: passes requests on to URL, but refuses, as AWS does and test servers do not, those
// whose X-Amz-Date is more than five minutes off. GET /__stats: {"refused", "passed"}.
import { createServer, request } from 'node:http';

const arg = name => process.argv[process.argv.indexOf(name) + 1];
const to = new URL(arg('--to'));
const stats = { refused: 0, passed: 0 };

function skewed(stamp) {
	const m = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp ?? '');
	return !m || Math.abs(Date.UTC(m[1], m[2] - 1, m[3], m[4], m[5], m[6]) - Date.now()) > 300_000;
}

createServer((req, res) => {
	if (req.url === '/__stats') return res.end(JSON.stringify(stats) + '\n');
	const got = [];
	req.on('data', d => got.push(d)).on('end', () => {
		if (skewed(req.headers['x-amz-date'])) {
			stats.refused++;
			res.writeHead(403, { 'content-type': 'application/x-amz-json-1.0' });
			return res.end(JSON.stringify({ __type: 'com.amazon.coral.service#InvalidSignatureException',
				message: `Signature not yet current: ${req.headers['x-amz-date']}` }));
		}
		stats.passed++;
		const out = request({ host: to.hostname, port: to.port, method: req.method, path: req.url, headers: req.headers }, up => {
			res.writeHead(up.statusCode, up.headers);
			up.pipe(res);
		});
		out.on('error', () => res.destroy());
		out.end(Buffer.concat(got));
	});
}).listen(Number(arg('--port')), '127.0.0.1');
