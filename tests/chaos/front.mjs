// front.mjs --seed N NAME=URL [NAME=URL ...]: fault proxies (mockttp) in front of servers, one for each, and a control port.
//
// Prints {"control": URL, NAME: URL, ...}. NAME= with a `!` behind it (tables!=URL) sends the server one request at a time, for
// one that does not do a conditional write in one step. POST /faults {NAME: {FAULT: SHARE, ...}} sets the shares (0..1) of
// requests that meet a fault, {} none. GET /stats counts them. What the n-th request of an operation meets follows from seed,
// name, operation and n alone.
//
//   slow      up to 300 ms before it is passed on      hang     no answer at all for HANG ms, half of them after it was done
//   throttle  400 with the service's throttling error  busy     500 or 503
//   reset     RST, nothing was done                    lost     it is done, and then an RST instead of the answer
//   closed    it is done, and the connection closed    cut      it is done; half of the answer, then closed
//   twice     it is done twice, the second answer counts        late  done, answered; and done once more up to 400 ms later
//   partial   PutRecords: some records are refused, the others stored       expired  GetRecords: ExpiredIteratorException
import { createServer, request, Agent } from 'node:http';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRequire } from 'node:module';

const mockttp = createRequire(new URL('../aws/', import.meta.url))('mockttp');
const HANG = 3500;
const FAULTS = ['throttle', 'busy', 'reset', 'lost', 'closed', 'cut', 'twice', 'late', 'hang', 'partial', 'expired', 'slow'];
const THROTTLE = { kinesis: ['ProvisionedThroughputExceededException', 'LimitExceededException'],
	tables: ['ProvisionedThroughputExceededException', 'ThrottlingException', 'RequestLimitExceeded'], model: ['ThrottlingException'] };

const seed = process.argv[process.argv.indexOf('--seed') + 1];
const shares = {}, stats = {}, seen = new Map();

// Numbers in [0, 1) that belong to one request.
function dice(name, op) {
	const n = (seen.get(name + op) ?? 0) + 1;
	seen.set(name + op, n);
	const hash = createHash('sha256').update(`${seed} ${name} ${op} ${n}`).digest();
	let at = 0;
	return () => hash.readUInt32BE(4 * (at++ % 8)) / 4294967296;
}

function fate(name, op, roll) {
	let x = roll();
	for (const fault of FAULTS) {
		if ((fault === 'partial' && op !== 'PutRecords') || (fault === 'expired' && op !== 'GetRecords')) continue;
		x -= shares[name]?.[fault] ?? 0;
		if (x < 0) return fault;
	}
	return 'none';
}

function upstream(to, agent, req, body) {
	return new Promise((resolve, reject) => {
		const headers = { ...req.headers, 'content-length': body.length };
		delete headers.connection;
		const out = request({ agent, host: to.hostname, port: to.port, method: req.method, path: req.path, headers }, res => {
			const got = [];
			res.on('data', d => got.push(d)).on('error', reject).on('end', () => {
				const kept = { ...res.headers };
				for (const h of ['transfer-encoding', 'connection', 'keep-alive', 'content-length']) delete kept[h];
				const rawBody = Buffer.concat(got);
				resolve({ statusCode: res.statusCode, headers: { ...kept, 'content-length': String(rawBody.length) }, rawBody });
			});
		});
		out.on('error', reject);
		out.end(body);
	});
}

function refusal(statusCode, type) {
	const rawBody = Buffer.from(JSON.stringify({ __type: type, message: 'the harness says so' }));
	return { statusCode, rawBody, headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': type,
		'x-amzn-requestid': 'chaos', 'content-length': String(rawBody.length) } };
}

// Store some of the records, and say of the others that they were refused.
async function partial(ask, body, roll) {
	const all = JSON.parse(body), share = 0.1 + 0.8 * roll(), salt = String(roll());
	const passes = all.Records.map((_, i) => createHash('md5').update(salt + i).digest()[0] / 256 > share);
	const records = all.Records.filter((_, i) => passes[i]);
	const error = roll() < 0.7 ? 'ProvisionedThroughputExceededException' : 'InternalFailure';
	let stored = [];
	if (records.length) {
		const answer = await ask(Buffer.from(JSON.stringify({ ...all, Records: records })));
		if (answer.statusCode !== 200) return answer;
		stored = JSON.parse(answer.rawBody).Records;
	}
	const Records = passes.map(ok => (ok ? stored.shift() : { ErrorCode: error, ErrorMessage: 'the harness says so' }));
	const rawBody = Buffer.from(JSON.stringify({ FailedRecordCount: Records.filter(r => r.ErrorCode).length, Records }));
	return { statusCode: 200, rawBody, headers: { 'content-type': 'application/x-amz-json-1.1', 'content-length': String(rawBody.length) } };
}

const pick = (list, x) => list[Math.floor(x * list.length)];

async function spoil(fault, name, ask, body, roll) {
	switch (fault) {
	case 'slow': await sleep(300 * roll()); return ask(body);
	case 'throttle': return refusal(name === 'model' ? 429 : 400, pick(THROTTLE[name], roll()));
	case 'busy': return pick([refusal(500, 'InternalFailure'), refusal(503, 'ServiceUnavailable')], roll());
	case 'expired': return refusal(400, 'ExpiredIteratorException');
	case 'reset': return 'reset';
	case 'lost': await ask(body); return 'reset';
	case 'closed': await ask(body); return 'close';
	case 'twice': await ask(body); return ask(body);
	case 'late': setTimeout(() => ask(body).catch(() => {}), 400 * roll()); return ask(body);
	case 'partial': return partial(ask, body, roll);
	case 'hang': {
		if (roll() < 0.5) await ask(body);
		await sleep(HANG);
		return 'close';
	}
	case 'cut': {
		const answer = await ask(body);
		answer.headers.connection = 'close';
		return { ...answer, rawBody: answer.rawBody.subarray(0, Math.floor(answer.rawBody.length * roll())) };
	}
	default: return ask(body);
	}
}

async function open(name, to, serial) {
	const server = mockttp.getLocal({ recordTraffic: false, suggestChanges: false });
	const agent = new Agent({ keepAlive: true, maxSockets: serial ? 1 : Infinity });
	await server.start();
	await server.forAnyRequest().thenCallback(async req => {
		const op = (req.headers['x-amz-target'] ?? 'InvokeAgent').split('.').at(-1), roll = dice(name, op);
		const fault = fate(name, op, roll), counts = (stats[name] ??= {});
		counts[fault] = (counts[fault] ?? 0) + 1;
		try {
			return await spoil(fault, name, b => upstream(to, agent, req, b), req.body.buffer, roll);
		} catch {
			return 'close'; // the server behind has closed an idle connection, or is gone
		}
	});
	return `http://127.0.0.1:${server.port}`;
}

process.on('unhandledRejection', () => {});
const urls = {};
for (const arg of process.argv.slice(2)) {
	const [, name, serial, to] = /^(\w+)(!?)=(.*)$/.exec(arg) ?? [];
	if (name) urls[name] = await open(name, new URL(to), serial === '!');
}
const control = createServer((req, res) => {
	const got = [];
	req.on('data', d => got.push(d)).on('end', () => {
		if (req.url === '/faults') for (const name of Object.keys(urls)) shares[name] = JSON.parse(Buffer.concat(got))[name] ?? {};
		res.end(JSON.stringify(stats));
	});
}).listen(0, '127.0.0.1', () => console.log(JSON.stringify({ control: `http://127.0.0.1:${control.address().port}`, ...urls })));
