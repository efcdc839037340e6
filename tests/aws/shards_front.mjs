// shards_front.mjs --port N --to URL [--page N] [--limit N]: passes requests on to a Kinesis, and makes of it one with many
// shards and bad days. ListShards comes in pages of N, shards in no order. GetRecords asks for at most --limit records.
//   GET /__sleep             six minutes have passed: every iterator and page token handed out so far has expired
//   GET /__tokens?n=N        the next N page tokens that are used have expired
//   GET /__throttle?n=N      the next N listings are throttled
//   GET /__hide?id=SHARD     its retention has passed: not listed, and not found when asked for
//   GET /__cut?how=length|close&n=N   each answer with records is cut once, N bytes later than the one before, until there
//                            are no more; "close": by a server that gives no length
//   GET /__stats             {"pages", "expired_tokens", "throttled", "expired_iterators", "cuts", "turn", "reads"}
import { createServer, request } from 'node:http';

const arg = (name, or) => process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : or;
const to = new URL(arg('--to')), page = Number(arg('--page', 1000)), limit = Number(arg('--limit', 0));
const stats = { pages: 0, expired_tokens: 0, throttled: 0, expired_iterators: 0, cuts: 0, turn: 0, reads: 0 };
const hidden = new Set(), iterators = new Map(), tokens = new Map(), cut_before = new Set();
let born = 0, step = 1, epoch = 0, bad_tokens = 0, throttles = 0, how = 'no';

const refuse = (res, code) => {
	res.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' });
	res.end(JSON.stringify({ __type: code, message: `${code} by the test` }));
};

function upstream(headers, body) {
	return new Promise((resolve, reject) => {
		const out = request({ host: to.hostname, port: to.port, method: 'POST', path: '/',
			headers: { ...headers, 'content-length': Buffer.byteLength(body), 'accept-encoding': 'identity' } }, up => {
			const got = [];
			up.on('data', d => got.push(d)).on('end', () => resolve({ status: up.statusCode, headers: up.headers, body: Buffer.concat(got) }));
		});
		out.on('error', reject);
		out.end(body);
	});
}

async function list(req, q, res) {
	stats.pages++;
	if (throttles > 0) { throttles--; stats.throttled++; return refuse(res, 'LimitExceededException'); }
	let rest;
	if (q.NextToken) {
		const t = tokens.get(q.NextToken);
		if (q.StreamName) return refuse(res, 'InvalidArgumentException');
		if (!t || t.epoch < epoch || bad_tokens > 0) {
			if (bad_tokens > 0) bad_tokens--;
			stats.expired_tokens++;
			return refuse(res, 'ExpiredNextTokenException');
		}
		rest = t.rest;
	} else {
		const a = await upstream(req.headers, JSON.stringify(q));
		if (a.status !== 200) return answer(res, a);
		rest = JSON.parse(a.body).Shards.filter(s => !hidden.has(s.ShardId));
		for (let i = rest.length - 1; i > 0; i--) {
			const k = Math.floor(Math.random() * (i + 1));
			[rest[i], rest[k]] = [rest[k], rest[i]];
		}
	}
	const out = { Shards: rest.slice(0, page) };
	if (rest.length > page) {
		out.NextToken = `token-${++born}`;
		tokens.set(out.NextToken, { rest: rest.slice(page), epoch });
	}
	res.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' });
	res.end(JSON.stringify(out));
}

function answer(res, a) {
	const headers = { ...a.headers, 'content-length': a.body.length };
	delete headers['transfer-encoding'];
	res.writeHead(a.status, headers);
	res.end(a.body);
}

// The whole answer as it stands on the wire, up to the byte whose turn it is.
function answer_cut(req, a, it) {
	const length = how === 'length' ? `content-length: ${a.body.length}\r\n` : 'connection: close\r\n';
	const all = Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\n${length}\r\n`), a.body]);
	if (stats.turn >= all.length) return false;
	cut_before.add(it);
	stats.cuts++;
	req.socket.end(all.subarray(0, stats.turn));
	stats.turn += step;
	return true;
}

async function records(req, q, res) {
	stats.reads++;
	const it = q.ShardIterator, then = epoch; // of an answer that is under way when six minutes pass
	if ((iterators.get(it) ?? epoch) < epoch) {
		stats.expired_iterators++;
		return refuse(res, 'ExpiredIteratorException');
	}
	if (limit) q.Limit = limit;
	const a = await upstream(req.headers, JSON.stringify(q));
	if (a.status === 200) {
		const r = JSON.parse(a.body);
		if (r.NextShardIterator) iterators.set(r.NextShardIterator, then);
		if (how !== 'no' && r.Records.length && !cut_before.has(it) && answer_cut(req, a, it)) return;
	}
	answer(res, a);
}

async function iterator(req, q, res) {
	if (hidden.has(q.ShardId)) return refuse(res, 'ResourceNotFoundException');
	const a = await upstream(req.headers, JSON.stringify(q));
	if (a.status === 200) iterators.set(JSON.parse(a.body).ShardIterator, epoch);
	answer(res, a);
}

function control(url, res) {
	const n = Number(url.searchParams.get('n'));
	switch (url.pathname) {
	case '/__sleep': epoch++; break;
	case '/__tokens': bad_tokens = n; break;
	case '/__throttle': throttles = n; break;
	case '/__hide': hidden.add(url.searchParams.get('id')); break;
	case '/__cut': how = url.searchParams.get('how'); step = n; break;
	}
	res.end(JSON.stringify(stats) + '\n');
}

createServer((req, res) => {
	if (req.method === 'GET') return control(new URL(req.url, 'http://x'), res);
	const got = [];
	req.on('data', d => got.push(d)).on('end', async () => {
		const body = Buffer.concat(got), what = (req.headers['x-amz-target'] ?? '').split('.')[1];
		const mine = { ListShards: list, GetRecords: records, GetShardIterator: iterator }[what];
		try {
			if (mine) await mine(req, JSON.parse(body), res);
			else answer(res, await upstream(req.headers, body));
		} catch { req.socket.destroy(); }
	});
}).listen(Number(arg('--port')), '127.0.0.1');
