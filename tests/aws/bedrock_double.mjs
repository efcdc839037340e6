// bedrock_double.mjs - a stand-in for bedrock-agent-runtime: InvokeAgent with event-stream answers, framed by
// @smithy/eventstream-codec, with faults on demand and the signature checked.
//
//   node bedrock_double.mjs --port N [--OPTION VALUE ...]
//
// Options, also changed while running by POST /__config {"option": value}:
//   latency-ms 0, latency-spread 0   before the first byte: latency-ms, times a lognormal factor of that sigma
//   chunks 3, chunk-ms 0             chunk events per answer, and the pause between them
//   malformed, prose, empty, throttle, exception, cut   shares (0..1) of answers that: are cut-off JSON; have prose around;
//                                    have no chunk; are 429; end in an exception after half the chunks; lose their connection
//   exception-name internalServerException
//   split-utf8 false                 chunk borders inside multi-byte characters
//   max-concurrency 0                more at once are throttled (0: no limit)
//   conflict true                    two at once in one session: 409 ConflictException
//   verify true                      check SigV4 with id/secret below; false: only its form
//   seed 1                           of the shares' random sequence
// POST /__script ["throttle", "cut", {"exception": "throttlingException"}, "ok", ...]: what the next requests meet, in
//   order, before the shares apply again. Words: ok malformed prose empty throttle exception cut return-control trace http-ok
//   error-500 html-502 hang.
// GET /__stats: counters. POST /__reset: counters to zero. GET /__prompts: the prompts since the reset, by session.
// An answer is five items; each one's `reasoning` names the last `item=` of the prompt, so a test sees what it reflects.
import { createServer } from 'node:http';
import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventStreamCodec } from '@smithy/eventstream-codec';

const KEYS = {
	AKIDEXAMPLE: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
	AKIAIOSFODNN7EXAMPLE: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const options = {
	port: 0, 'latency-ms': 0, 'latency-spread': 0, chunks: 3, 'chunk-ms': 0,
	malformed: 0, prose: 0, empty: 0, throttle: 0, exception: 0, cut: 0,
	'exception-name': 'internalServerException', 'split-utf8': false, 'max-concurrency': 0,
	conflict: true, verify: true, seed: 1,
};
const SHARES = ['throttle', 'malformed', 'prose', 'empty', 'exception', 'cut'];

function setOption(name, value) {
	if (!(name in options)) throw new Error(`no option ${name}`);
	const kind = typeof options[name];
	options[name] = kind === 'number' ? Number(value) : kind === 'boolean' ? String(value) === 'true' : String(value);
	if (name === 'seed') state = options.seed >>> 0;
}

// xorshift32: enough for shares that repeat with the same seed.
let state = 1;
function random() {
	state ^= state << 13; state >>>= 0;
	state ^= state >>> 17;
	state ^= state << 5; state >>>= 0;
	return state / 4294967296;
}

let script = [], stats, prompts;
const busy = new Map(); // session -> requests under way
let inFlight = 0;
function reset() {
	stats = { requests: 0, ok: 0, refused_signature: 0, conflict: 0, aborted: 0, max_in_flight: 0, max_per_session: 0, faults: {} };
	prompts = {};
}
reset();
for (let i = 2; i + 1 < process.argv.length; i += 2) setOption(process.argv[i].replace(/^--/, ''), process.argv[i + 1]);

// --- Signature Version 4 -------------------------------------------------------------------------------------
const sha = data => createHash('sha256').update(data).digest('hex');
const mac = (key, data) => createHmac('sha256', key).update(data).digest();
const escape = s => encodeURIComponent(s).replace(/[!'()*]/g, c => '%' + c.charCodeAt(0).toString(16).toUpperCase());

function signatureError(req, body) {
	const auth = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/
		.exec(req.headers.authorization ?? '');
	if (!auth) return ['IncompleteSignatureException', 'Authorization is missing or malformed'];
	const [, id, day, region, service, signed, given] = auth, when = req.headers['x-amz-date'] ?? '';
	if (service !== 'bedrock') return ['InvalidSignatureException', `Credential should be scoped to correct service: bedrock, not ${service}`];
	if (!when.startsWith(day)) return ['InvalidSignatureException', 'date of the scope and of the request differ'];
	if (!options.verify) return null;
	if (!(id in KEYS)) return ['UnrecognizedClientException', 'The security token included in the request is invalid.'];
	const names = signed.split(';');
	if (!names.includes('host') || !names.includes('x-amz-date')) return ['InvalidSignatureException', 'host and x-amz-date must be signed'];
	const [path, query = ''] = req.url.split('?');
	const canonical = [req.method, path.split('/').map(escape).join('/'), query,
		...names.map(n => `${n}:${String(req.headers[n] ?? '').trim().replace(/\s+/g, ' ')}`), '', signed, sha(body)].join('\n');
	const scope = `${day}/${region}/${service}/aws4_request`;
	let key = 'AWS4' + KEYS[id];
	for (const part of [day, region, service, 'aws4_request']) key = mac(key, part);
	const want = mac(key, `AWS4-HMAC-SHA256\n${when}\n${scope}\n${sha(canonical)}`);
	return timingSafeEqual(want, Buffer.from(given, 'hex')) ? null
		: ['InvalidSignatureException', 'The request signature we calculated does not match the signature you provided.'];
}

// --- Answers -------------------------------------------------------------------------------------------------
const codec = new EventStreamCodec(b => Buffer.from(b).toString('utf8'), s => Buffer.from(s, 'utf8'));
const str = value => ({ type: 'string', value });
const message = (headers, payload) => Buffer.from(codec.encode({ headers, body: Buffer.from(JSON.stringify(payload)) }));
const event = (type, payload) => message(
	{ ':message-type': str('event'), ':event-type': str(type), ':content-type': str('application/json') }, payload);
const exception = (type, text) => message(
	{ ':message-type': str('exception'), ':exception-type': str(type), ':content-type': str('application/json') }, { message: text });

function answerTo(prompt) {
	const seen = [...prompt.matchAll(/\bitem=("(?:[^"\\]|\\.)*"|\S+)/g)].map(m => m[1]);
	const last = seen.at(-1) ?? 'nothing', taste = /category=(\S+)/g;
	const categories = [...prompt.matchAll(taste)].map(m => m[1]);
	return JSON.stringify([0, 1, 2, 3, 4].map(i => ({
		item_id: `pick_${seen.length}_${i}`,
		category: categories.at(-1 - i) ?? 'drama',
		reasoning: `After ${last.replaceAll('"', '')}${options['split-utf8'] ? ', así que — 映画 🎬' : ''}.`,
		confidence_score: (95 - 10 * i) / 100,
	})));
}

function pieces(bytes, n) {
	const at = [0];
	for (let i = 1; i < n; i++) at.push(Math.round((bytes.length * i) / n));
	if (options['split-utf8']) // move each border into the nearest character of several bytes behind it
		for (let i = 1; i < n; i++)
			for (let j = at[i]; j < bytes.length; j++)
				if ((bytes[j] & 0xc0) === 0x80) { at[i] = j; break; }
	at.push(bytes.length);
	return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

function refuse(res, status, type, text, extra = {}) {
	const body = JSON.stringify({ message: text });
	res.writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': `${type}:http://internal/`,
		'x-amzn-requestid': randomUUID(), 'content-length': Buffer.byteLength(body), ...extra });
	res.end(body);
}

function fate() {
	const next = script.shift();
	if (next !== undefined) return typeof next === 'string' ? { kind: next } : { kind: 'exception', name: next.exception };
	for (const share of SHARES) if (random() < options[share]) return { kind: share };
	return { kind: 'ok' };
}

async function stream(res, session, prompt, met) {
	let text = answerTo(prompt);
	if (met.kind === 'malformed') text = text.slice(0, Math.floor(text.length * 0.6));
	if (met.kind === 'prose') text = `Certainly [here they are]:\n\`\`\`json\n${text}\n\`\`\`\nEnjoy {all} of them!`;
	res.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream', 'x-amzn-requestid': randomUUID(),
		'x-amzn-bedrock-agent-content-type': 'application/json', 'x-amz-bedrock-agent-session-id': session });
	if (met.kind === 'empty') return res.end();
	if (met.kind === 'return-control')
		return res.end(event('returnControl', { invocationId: randomUUID(), invocationInputs: [] }));
	if (met.kind === 'trace') res.write(event('trace', { sessionId: session, trace: { orchestrationTrace: {} } }));
	const parts = pieces(Buffer.from(text), Math.max(1, options.chunks));
	for (let i = 0; i < parts.length; i++) {
		const frame = event('chunk', { bytes: parts[i].toString('base64') });
		if (i >= parts.length / 2 && met.kind === 'exception')
			return res.end(exception(met.name ?? options['exception-name'], 'it stopped half way'));
		if (i >= parts.length / 2 && met.kind === 'cut') {
			res.write(frame.subarray(0, frame.length - 9));
			await sleep(5);
			return res.destroy();
		}
		res.write(frame);
		if (options['chunk-ms']) await sleep(options['chunk-ms']);
	}
	stats.ok++;
	res.end();
}

async function invoke(req, res, body) {
	const path = /^\/agents\/([0-9a-zA-Z]{1,10})\/agentAliases\/([0-9a-zA-Z]{1,10})\/sessions\/([^/?]+)\/text$/.exec(req.url);
	if (req.method !== 'POST' || !path) return refuse(res, 404, 'UnknownOperationException', `${req.method} ${req.url}`);
	const bad = signatureError(req, body);
	if (bad) { stats.refused_signature++; return refuse(res, 403, ...bad); }
	const session = decodeURIComponent(path[3]);
	let input;
	try { input = JSON.parse(body); } catch { return refuse(res, 400, 'SerializationException', 'the body is no JSON'); }
	if (!/^[0-9a-zA-Z._:-]{2,100}$/.test(session)) return refuse(res, 400, 'ValidationException', `sessionId '${session}' is not legal`);
	if (typeof input.inputText !== 'string') return refuse(res, 400, 'ValidationException', 'inputText is missing');
	const now = (busy.get(session) ?? 0) + 1;
	stats.requests++;
	busy.set(session, now);
	inFlight++;
	stats.max_in_flight = Math.max(stats.max_in_flight, inFlight);
	stats.max_per_session = Math.max(stats.max_per_session, now);
	res.on('close', () => {
		if (!res.writableFinished) stats.aborted++;
		inFlight--;
		busy.get(session) > 1 ? busy.set(session, busy.get(session) - 1) : busy.delete(session);
	});
	if (options.conflict && now > 1) { stats.conflict++; return refuse(res, 409, 'ConflictException', `session ${session} is busy`); }
	const met = options['max-concurrency'] && inFlight > options['max-concurrency'] ? { kind: 'throttle' } : fate();
	if (met.kind !== 'ok') stats.faults[met.kind] = (stats.faults[met.kind] ?? 0) + 1;
	(prompts[session] ??= []).push(input.inputText);
	const spread = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
	await sleep(options['latency-ms'] * Math.exp(options['latency-spread'] * spread));
	if (res.destroyed) return;
	switch (met.kind) {
	case 'throttle': return refuse(res, 429, 'ThrottlingException', 'Too many requests');
	case 'error-500': return refuse(res, 500, 'InternalServerException', 'it broke');
	case 'html-502': res.writeHead(502, { 'content-type': 'text/html' }); return res.end('<html><body>Bad gateway</body></html>');
	case 'http-ok': res.writeHead(200, { 'content-type': 'text/html' }); return res.end('<html>sign in to this network</html>');
	case 'hang': return;
	default: await stream(res, session, input.inputText, met);
	}
}

function control(req, res, body) {
	const say = o => { res.setHeader('content-type', 'application/json'); res.end(JSON.stringify(o) + '\n'); };
	try {
		switch (req.url) {
		case '/__stats': return say({ ...stats, in_flight: inFlight, sessions: Object.keys(prompts).length, options });
		case '/__prompts': return say(prompts);
		case '/__reset': reset(); script = []; return say({});
		case '/__script': script = JSON.parse(body); return say({});
		case '/__config': for (const [k, v] of Object.entries(JSON.parse(body))) setOption(k, v); return say(options);
		default: res.statusCode = 404; return say({});
		}
	} catch (e) {
		res.statusCode = 400;
		say({ error: String(e) });
	}
}

const server = createServer((req, res) => {
	const got = [];
	req.on('data', d => got.push(d));
	req.on('end', () => {
		const body = Buffer.concat(got);
		if (req.url.startsWith('/__')) control(req, res, body.toString());
		else invoke(req, res, body).catch(e => { console.error(e); res.destroy(); });
	});
});
server.keepAliveTimeout = 60000;
server.listen(options.port, '127.0.0.1', 1024, () => console.log(server.address().port));
