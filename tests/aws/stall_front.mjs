// stall_front.mjs - servers that stand before others and spoil what passes, as they are told while they run.
//
//   node stall_front.mjs CONTROL_PORT
//
// GET /new?to=URL            a new front before URL: {"port"}
// GET /mode?port=P&mode=M    from now on it does M, to requests under way as well:
//   pass         hands on
//   hole         takes requests, answers nothing; what comes goes nowhere
//   refuse       closes each connection at once, those that are open too
//   drip         the true answer, a byte a second (every DRIP_MS)
//   slowheaders  a header without end, a byte every DRIP_MS
//   cut:N        the first N bytes of the true answer (with a %: of its length), then the connection ends
//   reset:N      the same, but with RST
//   truncate     half of the true body as if it were whole
//   portal       200 and a page of HTML in the place of every answer
//   garbage      bytes that are no HTTP
//   redirect     302 to a page to log in at
//   huge         a terabyte
//   busy         503
//   throttle     a throttle by the name that Kinesis and DynamoDB give it
//   expired:ID   requests signed with that access key id: ExpiredTokenException; others pass
//   skew:S       the server's clock is S seconds ahead: who signs for another time is refused, and told by Date
//   iterators    those handed out so far are gone (ExpiredIteratorException); others pass
// GET /stats?port=P          {"requests", "spoiled"}
import { createServer, request } from 'node:http';

const DRIP_MS = Number(process.env.DRIP_MS ?? 100);
const fronts = new Map();

function send(res, status, headers, text) {
	res.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', ...headers, 'content-length': Buffer.byteLength(text) });
	res.end(text);
}

function upstream(front, req, body, then) {
	const headers = { ...req.headers, connection: 'close' };
	const out = request({ host: front.to.hostname, port: front.to.port, method: req.method, path: req.url, headers }, up => {
		const got = [];
		up.on('data', d => got.push(d)).on('error', () => {}).on('end', () => {
			const all = Buffer.concat(got), h = { ...up.headers };
			delete h['transfer-encoding'];
			delete h.connection;
			h['content-length'] = all.length;
			if (req.method === 'HEAD') h['content-length'] = up.headers['content-length'] ?? 0;
			then(up.statusCode, h, all);
		});
	});
	out.on('error', () => req.socket.destroy());
	out.end(body);
}

function raw(status, headers, body) {
	const head = `HTTP/1.1 ${status} Whatever\r\n` + Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`).join('') + '\r\n';
	return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

function drip(socket, bytes, front) {
	let i = 0;
	const timer = setInterval(() => {
		if (socket.destroyed || front.mode === 'pass') {
			clearInterval(timer);
			return socket.destroy(); // who has waited that long asks again
		}
		socket.write(bytes(i++));
	}, DRIP_MS);
}

// Iterators that an answer hands out.
const iteratorsOf = text => [...text.matchAll(/"(?:Next)?ShardIterator": ?"([^"]+)"/g)].map(m => m[1]);

const spoil = {
	hole() {},
	refuse: (front, req) => req.socket.destroy(),
	drip: (front, req, res, body) => upstream(front, req, body, (s, h, all) => {
		const bytes = raw(s, h, all);
		drip(req.socket, i => bytes.subarray(i, i + 1), front);
	}),
	slowheaders: (front, req) => drip(req.socket, i => (i === 0 ? 'HTTP/1.1 200 OK\r\nx-filler: ' : 'x'), front),
	cut: (front, req, res, body, n) => upstream(front, req, body, (s, h, all) => {
		const bytes = raw(s, h, all), at = n.endsWith('%') ? Math.floor(bytes.length * parseInt(n) / 100) : Number(n);
		req.socket.end(bytes.subarray(0, at));
	}),
	reset: (front, req, res, body, n) => upstream(front, req, body, (s, h, all) => {
		const bytes = raw(s, h, all), at = n.endsWith('%') ? Math.floor(bytes.length * parseInt(n) / 100) : Number(n);
		if (!at) return req.socket.resetAndDestroy();
		req.socket.write(bytes.subarray(0, at), () => setTimeout(() => req.socket.resetAndDestroy(), 20));
	}),
	truncate: (front, req, res, body) => upstream(front, req, body, (s, h, all) => {
		const half = all.subarray(0, all.length >> 1);
		delete h['x-amz-crc32'];
		req.socket.end(raw(s, { ...h, 'content-length': half.length }, half));
	}),
	portal: (front, req, res) => send(res, 200, { 'content-type': 'text/html' }, '<!doctype html><html><body>Welcome</body></html>'),
	garbage: (front, req) => req.socket.end('\x16\x03\x01 no HTTP at all \x00\xff'),
	redirect: (front, req, res) => send(res, 302, { location: 'http://portal.invalid/login' }, ''),
	huge(front, req, res) {
		const block = Buffer.alloc(1 << 16, ' ');
		res.writeHead(200, { 'content-type': 'application/x-amz-json-1.1', 'content-length': 1e12 });
		const more = () => { while (!res.destroyed && res.write(block)); };
		res.on('drain', more);
		more();
	},
	busy: (front, req, res) => send(res, 503, {}, '{"__type":"ServiceUnavailableException","message":"busy"}'),
	throttle: (front, req, res) => send(res, 400, {}, '{"__type":"com.amazonaws#ProvisionedThroughputExceededException","message":"Rate exceeded"}'),
	expired(front, req, res, body, id) {
		if (!(req.headers.authorization ?? '').includes(`Credential=${id}/`)) return pass(front, req, res, body);
		front.spoiled++;
		send(res, 400, {}, '{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"The security token included in the request is expired"}');
	},
	skew(front, req, res, body, seconds) {
		const now = Date.now() + Number(seconds) * 1000, date = { date: new Date(now).toUTCString() };
		const m = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(req.headers['x-amz-date'] ?? '');
		if (!m || Math.abs(Date.UTC(m[1], m[2] - 1, m[3], m[4], m[5], m[6]) - now) > 300_000) {
			front.spoiled++;
			return send(res, 403, date, '{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature expired"}');
		}
		pass(front, req, res, body, date);
	},
	iterators(front, req, res, body) {
		const text = body.toString();
		if (/GetRecords$/.test(req.headers['x-amz-target'] ?? '') && front.gone.has(JSON.parse(text).ShardIterator)) {
			front.spoiled++;
			return send(res, 400, {}, '{"__type":"ExpiredIteratorException","message":"Iterator expired"}');
		}
		pass(front, req, res, body);
	},
};
const COUNT_THEMSELVES = ['skew', 'iterators', 'expired'];

function pass(front, req, res, body, more) {
	upstream(front, req, body, (status, headers, all) => {
		for (const it of iteratorsOf(all.toString('latin1'))) front.issued.add(it);
		if (res.destroyed) return;
		res.writeHead(status, { ...headers, ...more });
		res.end(all);
	});
}

function handle(front, req, res) {
	const got = [];
	req.on('data', d => got.push(d)).on('error', () => {}).on('end', () => {
		const [mode, arg] = front.mode.split(/:(.*)/s), body = Buffer.concat(got);
		front.requests++;
		if (mode === 'pass') return pass(front, req, res, body);
		if (!COUNT_THEMSELVES.includes(mode)) front.spoiled++;
		spoil[mode](front, req, res, body, arg);
	});
}

function newFront(to, then) {
	const front = { to: new URL(to), mode: 'pass', requests: 0, spoiled: 0, sockets: new Set(), issued: new Set(), gone: new Set() };
	const server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => handle(front, req, res));
	server.on('connection', s => {
		front.sockets.add(s);
		s.on('close', () => front.sockets.delete(s)).on('error', () => {});
		if (front.mode !== 'refuse') return;
		front.spoiled++;
		s.resetAndDestroy();
	});
	server.listen(0, '127.0.0.1', () => {
		fronts.set(server.address().port, front);
		then(server.address().port);
	});
}

createServer((req, res) => {
	const u = new URL(req.url, 'http://x'), q = u.searchParams, front = fronts.get(Number(q.get('port')));
	if (u.pathname === '/new') return newFront(q.get('to'), port => res.end(JSON.stringify({ port })));
	if (u.pathname === '/mode') {
		front.mode = q.get('mode');
		if (front.mode === 'refuse') for (const s of front.sockets) s.resetAndDestroy();
		if (front.mode === 'iterators') front.gone = new Set(front.issued);
	}
	res.end(JSON.stringify(front ? { requests: front.requests, spoiled: front.spoiled } : {}));
}).listen(Number(process.argv[2]), '127.0.0.1');
