// throttle.mjs --port N: a Kinesis of four shards that PutRecords fills, and that does as it is told by GET /mode/MODE:
//   ok, 503, hang (no answer), reset, lost (stores, then resets; every other call), throttle (refuses every entry),
//   shard-N (shard 1 takes N records a second), long (refuses every entry with the longest message, once for each record)
// GET /stats: {"calls", "refused", "stored", "shards": [records of each]}; GET /stored: the records' data, a line each.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const port = Number(process.argv[process.argv.indexOf('--port') + 1]);
const space = 1n << 128n, quarter = space / 4n;
let mode = 'ok', tokens = 0, filled = Date.now(), calls = 0, refused = 0;
const stored = [], shards = [0, 0, 0, 0], told = new Set();

function takes(shard, rate) {
	if (shard !== 1) return true;
	const now = Date.now();
	tokens = Math.min(rate, tokens + (now - filled) * rate / 1000);
	filled = now;
	if (tokens < 1) return false;
	tokens--;
	return true;
}

function entry(r) {
	const hash = r.ExplicitHashKey ? BigInt(r.ExplicitHashKey) : BigInt('0x' + createHash('md5').update(r.PartitionKey).digest('hex'));
	const shard = Number(hash / quarter), data = Buffer.from(r.Data, 'base64').toString();
	const no = mode === 'throttle' || (mode.startsWith('shard-') && !takes(shard, Number(mode.slice(6)))) || (mode === 'long' && !told.has(data));
	if (no) {
		refused++;
		told.add(data);
		return { ErrorCode: 'ProvisionedThroughputExceededException',
			ErrorMessage: mode === 'long' ? ('"\\é\u0001' + 'x'.repeat(4096)).slice(0, 4096) : `Rate exceeded for shard ${shard}` };
	}
	shards[shard]++;
	return { ShardId: `shardId-00000000000${shard}`, SequenceNumber: String(stored.push(data) + 1000) };
}

function answer(res, status, body) {
	const text = JSON.stringify(body);
	res.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'content-length': Buffer.byteLength(text) });
	res.end(text);
}

function post(req, res, body) {
	if (req.headers['x-amz-target'].endsWith('ListShards'))
		return answer(res, 200, { Shards: shards.map((_, i) => ({ ShardId: `shardId-00000000000${i}`,
			HashKeyRange: { StartingHashKey: String(quarter * BigInt(i)), EndingHashKey: String(quarter * BigInt(i + 1) - 1n) },
			SequenceNumberRange: { StartingSequenceNumber: '1' } })) });
	calls++;
	if (mode === '503') return answer(res, 503, { __type: 'ServiceUnavailableException' });
	if (mode === 'reset') return req.socket.destroy();
	if (mode === 'hang') return;
	const Records = body.Records.map(entry);
	if (mode === 'lost' && calls % 2) return req.socket.destroy();
	answer(res, 200, { FailedRecordCount: Records.filter(r => r.ErrorCode).length, Records });
}

createServer((req, res) => {
	if (req.method === 'GET') {
		if (req.url.startsWith('/mode/')) mode = req.url.slice(6);
		return res.end(req.url === '/stored' ? stored.map(s => s + '\n').join('')
			: JSON.stringify({ calls, refused, stored: stored.length, shards }) + '\n');
	}
	const got = [];
	req.on('data', d => got.push(d)).on('end', () => post(req, res, JSON.parse(Buffer.concat(got))));
}).listen(port, '127.0.0.1');
