// fault_front.mjs --port N --to URL --fault KIND:COUNT [--fault ...]: passes requests on to URL, but spoils answers, the
// first COUNT of each kind, in the order given:
//   status-503, html-502, empty-500, throttle  answered here instead        crc  a wrong x-amz-crc32 on the true answer
//   reset   the connection is closed without an answer                 cut  half of the true answer's body, then closed
//   unprocessed  BatchGetItem gives nothing back, all in UnprocessedKeys     expired  403 ExpiredTokenException
//   stale  ExpiredIteratorException, to GetRecords only
//   redirect  301 with x-amz-bucket-region eu-west-1           retry-after  503 with x-amz-retry-after: 700
// GET /__stats: {"requests", "faults"}; GET /__log: method, path and some headers of each request, a line of JSON each.
import { createServer, request } from 'node:http';

const faults = [];
let port, to;
for (let i = 2; i + 1 < process.argv.length; i += 2) {
	const value = process.argv[i + 1];
	if (process.argv[i] === '--port') port = Number(value);
	if (process.argv[i] === '--to') to = new URL(value);
	if (process.argv[i] === '--fault') for (let n = Number(value.split(':')[1]); n > 0; n--) faults.push(value.split(':')[0]);
}
const stats = { requests: 0, faults: 0 };
const log = [];
const answers = {
	'status-503': [503, { 'content-type': 'application/x-amz-json-1.1' }, '{"__type":"ServiceUnavailableException"}'],
	'html-502': [502, { 'content-type': 'text/html' }, '<!DOCTYPE html><html><body>Bad gateway</body></html>'],
	'empty-500': [500, {}, ''],
	throttle: [400, {}, '{"__type":"com.amazonaws#ProvisionedThroughputExceededException","message":"Rate exceeded"}'],
	expired: [400, {}, '{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"The security token included in the request is expired"}'],
	stale: [400, {}, '{"__type":"ExpiredIteratorException","message":"Iterator expired"}'],
	redirect: [301, { 'content-type': 'application/xml', 'x-amz-bucket-region': 'eu-west-1' },
		'<?xml version="1.0"?><Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>'],
	'retry-after': [503, { 'x-amz-retry-after': '700' }, ''],
};

function pass(req, res, body, fault) {
	const out = request({ host: to.hostname, port: to.port, method: req.method, path: req.url, headers: req.headers }, up => {
		const got = [];
		up.on('data', d => got.push(d)).on('end', () => {
			const all = Buffer.concat(got), headers = { ...up.headers };
			delete headers['transfer-encoding'];
			headers['content-length'] = all.length;
			if (fault === 'crc') headers['x-amz-crc32'] = '1';
			res.writeHead(up.statusCode, headers);
			if (fault !== 'cut') return res.end(all);
			res.write(all.subarray(0, all.length >> 1), () => setTimeout(() => res.destroy(), 10));
		});
	});
	out.on('error', () => res.destroy());
	out.end(body);
}

createServer((req, res) => {
	if (req.url === '/__stats') return res.end(JSON.stringify(stats));
	if (req.url === '/__log') return res.end(log.map(l => JSON.stringify(l) + '\n').join(''));
	const got = [];
	req.on('data', d => got.push(d)).on('end', () => {
		const body = Buffer.concat(got), h = req.headers;
		const fault = faults[0] === 'stale' && !/GetRecords$/.test(h['x-amz-target']) ? undefined : faults.shift();
		stats.requests++;
		log.push({ method: req.method, url: req.url, host: h.host, target: h['x-amz-target'], range: h.range, auth: h.authorization,
			invocation: h['amz-sdk-invocation-id'], attempt: h['amz-sdk-request'], agent: h['user-agent'], ms: Date.now() });
		if (fault) stats.faults++;
		if (fault === 'reset') return req.socket.destroy();
		if (fault === 'unprocessed') return res.end(JSON.stringify({ Responses: {}, UnprocessedKeys: JSON.parse(body).RequestItems }));
		if (fault in answers) {
			const [status, headers, text] = answers[fault];
			res.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) });
			return res.end(text);
		}
		pass(req, res, body, fault);
	});
}).listen(port, '127.0.0.1');
