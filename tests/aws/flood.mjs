// flood.mjs --port N [--size BYTES] - a stream that never ends: every GetRecords is answered at once with as much as the real service
// gives (10 MiB, or Limit records). No server at hand is as fast. Four shards; the size is that of a record.
import http from 'node:http';
import { parseArgs } from 'node:util';

const { values: o } = parseArgs({ options: { port: { type: 'string' }, size: { type: 'string', default: '1000' } } });
const size = Number(o.size), most = Math.floor((10 << 20) / size);
const filling = 'x'.repeat(size - 60);
let sequence = 1000;

const record = () => ({
	SequenceNumber: String(++sequence), PartitionKey: 'k', ApproximateArrivalTimestamp: 1700000000,
	Data: Buffer.from(`{"event_id":"e${sequence}","user_id":"u","x":"${filling}"}`).toString('base64'),
});
const answers = {
	ListShards: () => ({ Shards: [0, 1, 2, 3].map(k => ({
		ShardId: `shardId-00000000000${k}`, HashKeyRange: { StartingHashKey: String(k), EndingHashKey: String(k) },
		SequenceNumberRange: { StartingSequenceNumber: '1' } })) }),
	GetShardIterator: () => ({ ShardIterator: 'i' }),
	GetRecords: i => ({ Records: Array.from({ length: Math.min(most, i.Limit ?? 10000) }, record),
		NextShardIterator: 'i', MillisBehindLatest: 1000 }),
};

http.createServer((request, response) => {
	const parts = [];
	request.on('data', d => parts.push(d));
	request.on('end', () => {
		const name = (request.headers['x-amz-target'] ?? '.').split('.')[1];
		const known = name in answers;
		const body = JSON.stringify(known ? answers[name](JSON.parse(Buffer.concat(parts))) : { __type: 'UnknownOperationException' });
		response.writeHead(known ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1', 'content-length': Buffer.byteLength(body) });
		response.end(body);
	});
}).listen(Number(o.port), '127.0.0.1');
