# stalls.py [--table] [--jobs N] [--only TEXT] - every network command x every fault of a service, in the midst of its work.
#
# Each case runs a command against true servers behind fronts of its own (stall_front.mjs). When it has done some of its work the
# fault begins; more is given to it; the fault lasts until the command has said that it holds, or two seconds; then it goes. What
# then holds: the command recovers by itself, said the outage once and its end once, ends with 0, all its work is done, each thing
# once where once is promised, in order, with little CPU and few requests.
# Environment: MOTO_URL, KINESALITE_URL, BEDROCK_URL, RECAGENT.
import argparse
import base64
import concurrent.futures
import json
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get('RECAGENT') or os.path.join(HERE, '../../build/recagent')
URLS = {'KINESIS': os.environ['KINESALITE_URL'], 'DYNAMODB': os.environ['MOTO_URL'], 'S3': os.environ['MOTO_URL'],
        'BEDROCK_AGENT_RUNTIME': os.environ['BEDROCK_URL']}
READ_MS = 700
PATIENCE = 60
FAULTS = ['hole', 'refuse', 'drip', 'slowheaders', 'cut:0', 'cut:40', 'cut:90%', 'reset:0', 'reset:60%', 'truncate', 'portal', 'garbage',
          'redirect', 'huge', 'busy', 'throttle']
CPU_S = 2.5  # a core is shared with fronts and servers; a spin of two seconds on an own core would show
REQUESTS = 120
AGAIN_S = 150  # how long cases may have a second try
RUN = '%x' % random.getrandbits(32)


class Wrong(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Control:
    def __init__(self):
        self.port = free_port()
        self.p = subprocess.Popen(['node', os.path.join(HERE, 'stall_front.mjs'), str(self.port)])
        until = time.monotonic() + 20
        while True:
            try:
                return socket.create_connection(('127.0.0.1', self.port)).close()
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def ask(self, path, **q):
        url = 'http://127.0.0.1:%d/%s?%s' % (self.port, path, urllib.parse.urlencode(q))
        with urllib.request.urlopen(url, timeout=20) as r:
            return json.load(r)


class World:
    """Fronts, names and a folder of one case. patience: all its times are so many times as long."""

    def __init__(self, control, name, patience=1):
        self.control, self.patience = control, patience
        self.dir = tempfile.mkdtemp(prefix='recagent-stalls.')
        self.name = 't%s-%s' % (RUN, ''.join(c if c.isalnum() else '-' for c in name))
        self.true = {k: v for k, v in os.environ.items() if not k.startswith(('AWS_', 'RECAGENT_', 'BEDROCK_AGENT'))}
        self.true.update(AWS_ACCESS_KEY_ID='AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY='wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
                         AWS_REGION='us-east-1', AWS_EC2_METADATA_DISABLED='true', NO_PROXY='127.0.0.1', no_proxy='127.0.0.1',
                         AWS_CONFIG_FILE=self.dir + '/config', AWS_SHARED_CREDENTIALS_FILE=self.dir + '/credentials',
                         PROFILES_TABLE='t%s-profiles' % RUN, REC_CACHE_TABLE='t%s-rec' % RUN,
                         BEDROCK_AGENT_ID='AGENT12345', BEDROCK_AGENT_ALIAS='ALIAS12345')
        self.true.update({'AWS_ENDPOINT_URL_' + k: v for k, v in URLS.items()})
        self.fronts = {k: control.ask('new', to=v)['port'] for k, v in URLS.items()}
        self.env = dict(self.true)
        self.env.update({'AWS_ENDPOINT_URL_' + k: 'http://127.0.0.1:%d' % p for k, p in self.fronts.items()})
        self.running = []

    def mode(self, m):
        return [self.control.ask('mode', port=p, mode=m) for p in self.fronts.values()]

    def stats(self, what):
        return sum(self.control.ask('stats', port=p)[what] for p in self.fronts.values())

    def run(self, *args, **more):
        """Straight to the servers, which must work."""
        r = subprocess.run([BIN, *args], env=self.true, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE, **more)
        if r.returncode:
            raise Wrong('%s: status %d: %s' % (args[0], r.returncode, r.stderr.decode(errors='replace')))
        return r.stdout

    def publish(self, n, first=0):
        lines = ''.join(event(i) + '\n' for i in range(first, first + n))
        self.run('publish', '-q', self.name, input=lines.encode())

    def close(self):
        for c in self.running:
            c.end()
        shutil.rmtree(self.dir)


def event(i, user=None):
    return json.dumps({'user_id': user or 'u%d' % (i % 2), 'event_id': 'e%d' % i, 'item_id': 'i%d' % i, 'event_type': 'click'})


class Command:
    """A command behind the fronts; its lines as they come."""

    def __init__(self, w, *args, stdin=None, env=None, times=None):
        self.w, self.lines, self.errors = w, [], []
        if times is None:
            times = ['--read-timeout', '%dms' % (READ_MS * w.patience), '--connect-timeout', '%ds' % w.patience, '--max-attempts', '2']
        self.p = subprocess.Popen([BIN, *args, *times], env=dict(w.env, **(env or {})), stdin=stdin or subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.gate = threading.Event()  # clear: its output is not read
        self.gate.set()
        self.threads = [threading.Thread(target=self.read, args=x, daemon=True)
                        for x in ((self.p.stdout, self.lines), (self.p.stderr, self.errors))]
        for t in self.threads:
            t.start()
        w.running.append(self)

    def read(self, f, to):
        for line in f:
            if to is self.lines:
                self.gate.wait()
            to.append(line.decode(errors='replace').rstrip('\n'))

    def send(self, *lines):
        self.p.stdin.write(''.join(x + '\n' for x in lines).encode())
        self.p.stdin.flush()

    def await_lines(self, n, what=lambda x: '"mark"' not in x):
        until = time.monotonic() + PATIENCE
        while sum(map(what, self.lines)) < n:
            if time.monotonic() > until or (self.p.poll() is not None and not self.threads[0].is_alive()):
                raise Wrong('%d lines of %d came, status %s; it said: %s' %
                            (sum(map(what, self.lines)), n, self.p.poll(), self.errors[-3:]))
            time.sleep(0.01)

    def said(self, text):
        return sum(text in x for x in self.errors)

    def finish(self, sig=None, seconds=PATIENCE):
        if self.p.stdin:
            try:
                self.p.stdin.close()
            except BrokenPipeError:
                pass
        if sig:
            self.p.send_signal(sig)
        until = time.monotonic() + seconds
        while True:  # wait4 tells of this child's CPU alone
            pid, status, usage = os.wait4(self.p.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > until:
                raise Wrong('does not end; it said: %s' % self.errors[-3:])
            time.sleep(0.01)
        self.p.returncode = os.waitstatus_to_exitcode(status)
        for t in self.threads:
            t.join(5)
        self.cpu = usage.ru_utime + usage.ru_stime
        return self.p.returncode

    def end(self):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()


def must(cond, text, *args):
    if not cond:
        raise Wrong(text % args)


def begin(w, fault):
    """The fault begins. Requests under way are caught, too."""
    w.before = w.stats('requests')
    w.mode(fault)


def until_noticed(w, *commands):
    """Until every command has said that it holds; what recovers inside a call says nothing."""
    until = time.monotonic() + 4 * w.patience
    while time.monotonic() < until and not all(c.said('unavailable, holding') for c in commands):
        time.sleep(0.02)
    n = w.stats('requests') - w.before
    must(n <= REQUESTS * w.patience, '%d requests while the fault lasted', n)
    must(w.stats('spoiled') > 0, 'the fault met nothing')


def check_said(*commands):
    for c in commands:
        begun, over = c.said('unavailable, holding'), c.said('available again')
        # What is looked at now and then only, as the list of shards, may be out still when all is done.
        must(over <= begun <= 4 and (over or not begun), 'outage said %d times, its end %d times: %s', begun, over, c.errors)
        per_thing = [x.split(':')[1] for x in c.errors if 'unavailable, holding' in x]
        must(len(per_thing) == len(set(per_thing)), 'an outage said twice: %s', c.errors)
        must(c.cpu < CPU_S * c.w.patience, '%.1f s of CPU', c.cpu)


def ids(lines, key='event_id'):
    return [json.loads(x)[key] for x in lines if '"mark"' not in x]


def in_order(got, user_of=lambda i: i % 2):
    """First appearances, by user, are in the order of their numbers."""
    for u in 0, 1:
        mine = [int(x[1:]) for x in dict.fromkeys(got) if user_of(int(x[1:])) == u]
        must(mine == sorted(mine), 'out of order: %s', mine)


def whole(c, n):
    """So many events, each once."""
    got = ids(c.lines)
    must(len(got) == n and set(got) == {'e%d' % i for i in range(n)}, 'lines: %s', got)
    in_order(got)


# ---- the commands; each returns what is to be said in the table ----

def publish(w, fault):
    w.run('setup', '--stream', w.name, '--shards', '1')
    c = Command(w, 'publish', w.name, '--linger', '5ms', '--give-up', '60s')
    c.send(*map(event, range(10)))
    c.await_lines(10)
    begin(w, fault)
    c.send(*map(event, range(10, 20)))
    until_noticed(w, c)
    w.mode('pass')
    c.await_lines(20)
    c.send(*map(event, range(20, 25)))
    must(c.finish() == 0, 'status %d: %s', c.p.returncode, c.errors)
    check_said(c)
    must([json.loads(x)['line'] for x in c.lines] == list(range(1, 26)), 'receipts: %s', c.lines)
    must(all('sequence_number' in x for x in c.lines), 'receipts: %s', c.lines)
    got = ids(w.run('consume', w.name, '--end', '--no-marks').decode().splitlines())
    must(set(got) == {'e%d' % i for i in range(25)}, 'lost: %s', {'e%d' % i for i in range(25)} - set(got))
    in_order(got)
    return '%d twice by lost replies' % (len(got) - 25)


def consume(w, fault):
    w.run('setup', '--stream', w.name, '--shards', '1')
    w.publish(10)
    c = Command(w, 'consume', w.name, '--poll', '50ms', stdin=subprocess.DEVNULL)
    c.await_lines(10)
    begin(w, fault)
    w.publish(10, 10)
    until_noticed(w, c)
    w.mode('pass')
    c.await_lines(20)
    must(c.finish(signal.SIGTERM) == 0, 'status %d: %s', c.p.returncode, c.errors)
    check_said(c)
    whole(c, 20)


def pipe(w, fault):
    """consume --group | ack: stream, leases and commits."""
    w.run('setup', '--stream', w.name, '--shards', '1', '--group', w.name)
    w.publish(10)
    c = Command(w, 'consume', w.name, '--group', w.name, '--poll', '50ms', '--idle-mark', '100ms', '--failover', '%ds' % (2 * w.patience),
                stdin=subprocess.DEVNULL)
    a = Command(w, 'ack', '--tee', '--interval', '100ms')
    stop = threading.Event()

    def feed():
        n = 0
        while not stop.is_set() or n < len(c.lines):
            if n < len(c.lines):
                a.send(c.lines[n])
                n += 1
            else:
                time.sleep(0.01)
    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    a.await_lines(10)
    begin(w, fault)
    w.publish(10, 10)
    until_noticed(w, c, a)
    w.mode('pass')
    a.await_lines(20)
    must(c.finish(signal.SIGTERM) == 0, 'consume: status %d: %s', c.p.returncode, c.errors)
    stop.set()
    feeder.join(10)
    must(a.finish() == 0, 'ack: status %d: %s', a.p.returncode, a.errors)
    check_said(c, a)
    whole(a, 20)
    rest = ids(w.run('consume', w.name, '--group', w.name, '--end', '--failover', '500ms', '--grace', '0s').decode().splitlines())
    must(rest == [], 'not committed: %s', rest)


def prompt(w, fault):
    user = w.name
    c = Command(w, 'prompt', '--min-events', '1', '--give-up', '60s')
    c.send(*(event(i, user) for i in range(3)))
    c.await_lines(3)
    begin(w, fault)
    c.send(*(event(i, user) for i in range(3, 6)))
    until_noticed(w, c)
    w.mode('pass')
    c.await_lines(6)
    must(c.finish() == 0, 'status %d: %s', c.p.returncode, c.errors)
    check_said(c)
    must(ids(c.lines) == ['e%d' % i for i in range(6)], 'lines: %s', ids(c.lines))
    must([json.loads(x)['version'] for x in c.lines] == [1, 2, 3, 4, 5, 6], 'versions: %s', c.lines)
    profile = json.loads(w.run('profile', 'get', user))
    must([e['event_id'] for e in profile['history']] == ['e%d' % i for i in range(6)], 'history: %s', profile)


def ask(i, user):
    return json.dumps({'user_id': '%s-%d' % (user, i), 'prompt': 'item=i%d' % i, 'event_id': 'e%d' % i, 'version': 1})


def invoke(w, fault):
    c = Command(w, 'invoke', '--give-up', '60s', '--timeout', '%ds' % (2 * w.patience))
    c.send(*(ask(i, w.name) for i in range(3)))
    c.await_lines(3)
    begin(w, fault)
    c.send(*(ask(i, w.name) for i in range(3, 6)))
    until_noticed(w, c)
    w.mode('pass')
    c.await_lines(6)
    must(c.finish() == 0, 'status %d: %s', c.p.returncode, c.errors)
    check_said(c)
    must(ids(c.lines) == ['e%d' % i for i in range(6)], 'lines: %s', ids(c.lines))
    must(all(json.loads(x)['status'] in ('stored', 'outdated') for x in c.lines), 'lines: %s', c.lines)
    for i in range(6):
        must(json.loads(w.run('cache-get', '%s-%d' % (w.name, i)))['source'] == 'cache', '%d is not in the cache', i)


def cache_get(w, fault):
    w.run('invoke', input=(ask(0, w.name) + '\n').encode())
    limit = 0.4 * w.patience
    c = Command(w, 'cache-get', '-', '--timeout', '%dms' % (1000 * limit), times=[])
    took = []
    for n, mode in enumerate(['pass', fault, fault, 'pass', 'pass']):
        if n in (1, 3):
            begin(w, mode)
        began = time.monotonic()
        c.send(w.name + '-0')
        c.await_lines(n + 1)
        took.append(time.monotonic() - began)
    must(c.finish() == 0, 'status %d: %s', c.p.returncode, c.errors)
    must(c.cpu < CPU_S * c.w.patience, '%.1f s of CPU', c.cpu)
    must(w.stats('spoiled') > 0, 'the fault met nothing')
    source = [json.loads(x)['source'] for x in c.lines]
    must(source[0] == source[-1] == 'cache' and set(source[1:3]) == {'fallback'}, 'sources: %s', source)
    must(max(took) < limit + 1.5 * w.patience, 'a line took %.1f s', max(took))
    return 'at most %.1f s' % max(took)


def replay_stream(w, fault):
    w.run('setup', '--stream', w.name, '--shards', '1')
    w.publish(10)
    w.before = 0
    w.mode(fault)
    c = Command(w, 'replay', 'kinesis:' + w.name, stdin=subprocess.DEVNULL)
    until_noticed(w, c)
    w.mode('pass')
    must(c.finish() == 0, 'status %d: %s', c.p.returncode, c.errors)
    check_said(c)
    whole(c, 10)


OBJECTS, RECORDS = 4, 60
bucket_made = threading.Lock()


def make_archive():
    import gzip
    def put(path, data=b''):
        # moto checks no signature here
        auth = 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0'
        r = urllib.request.Request(URLS['S3'] + path, data=data, method='PUT', headers={'Authorization': auth, 'Content-Type': 'application/octet-stream'})
        urllib.request.urlopen(r, timeout=20).close()
    put('/stalls-%s' % RUN)
    rng = random.Random(1)
    for o in range(OBJECTS):
        lines = ''.join(json.dumps({'user_id': 'u', 'event_id': 'e%d' % (o * RECORDS + i), 'pad':
                                    base64.b64encode(rng.randbytes(3000)).decode()}) + '\n' for i in range(RECORDS))
        data = lines.encode()
        put('/stalls-%s/o%d%s' % (RUN, o, '.gz' if o % 2 else ''), gzip.compress(data) if o % 2 else data)


def replay_archive(w, fault):
    c = Command(w, 'replay', 's3://stalls-%s/' % RUN, stdin=subprocess.DEVNULL)
    c.gate.clear()  # it blocks on its pipe with most of the archive before it
    time.sleep(0.3)
    begin(w, fault)
    c.gate.set()
    until_noticed(w, c)
    w.mode('pass')
    must(c.finish() == 0, 'status %d: %s', c.p.returncode, c.errors)
    check_said(c)
    must(ids(c.lines) == ['e%d' % i for i in range(OBJECTS * RECORDS)], '%d lines', len(c.lines))


def setup(w, fault):
    w.before = 0
    w.mode(fault)
    c = Command(w, 'setup', '--stream', w.name, stdin=subprocess.DEVNULL)
    status = c.finish(seconds=10 * w.patience)
    must(status == 5 and len(c.errors) == 1, 'status %d: %s', status, c.errors)
    w.mode('pass')
    c = Command(w, 'setup', '--stream', w.name, '--shards', '1', stdin=subprocess.DEVNULL)
    must(c.finish() == 0, 'status %d: %s', c.p.returncode, c.errors)
    return 'status 5, then 0'


def gone_iterators(w):
    """A laptop that slept: iterators have run out."""
    return consume(w, 'iterators')


COMMANDS = [publish, consume, pipe, prompt, invoke, cache_get, replay_stream, replay_archive, setup]


# ---- credentials and clocks ----

def new_keys(w, key_id):
    with open(w.dir + '/keys.new', 'w') as f:
        json.dump({'Version': 1, 'AccessKeyId': key_id, 'SecretAccessKey': 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'}, f)
    os.rename(w.dir + '/keys.new', w.dir + '/keys')


def by_process(w):
    """Credentials come from a program that prints a file."""
    with open(w.dir + '/config', 'w') as f:
        f.write('[default]\ncredential_process = /bin/cat %s/keys\n' % w.dir)
    for k in 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY':
        del w.env[k]
    new_keys(w, 'AKIDEXAMPLE')


def expired_renewed(run):
    """The service calls them expired; there are new ones: nobody notices."""
    def case(w):
        by_process(w)
        real = w.mode
        def mode(m):
            if m == 'expired:AKIDEXAMPLE':
                new_keys(w, 'AKIAIOSFODNN7EXAMPLE')
            return real(m)
        w.mode = mode
        return run(w, 'expired:AKIDEXAMPLE')
    return case


def expired_held(run):
    """There are none yet: it holds until there are."""
    def case(w):
        by_process(w)
        real = w.mode
        def mode(m):
            if m == 'pass' and getattr(w, 'before', None) is not None:
                new_keys(w, 'AKIAIOSFODNN7EXAMPLE')
                return None
            return real(m)
        w.mode = mode
        return run(w, 'expired:AKIDEXAMPLE')
    return case


def cases():
    for run in COMMANDS:
        for fault in FAULTS:
            if run is replay_archive and fault in ('throttle', 'truncate'):
                continue  # not how S3 says it; half an object with a length that fits is an object
            if run is cache_get and fault == 'cut:90%':
                continue  # moto's answers are short: what is missing then may be the blank behind the JSON
            yield '%s, %s' % (run.__name__, fault), lambda w, a=(run, fault): a[0](w, a[1])
    yield 'consume, iterators gone', gone_iterators
    for run in publish, consume, pipe, prompt, invoke, replay_archive:
        for s in '3600', '-3600':
            yield '%s, clock %s s' % (run.__name__, s), lambda w, a=(run, 'skew:' + s): a[0](w, a[1])
    for run in publish, consume, pipe, prompt, replay_archive:
        yield '%s, credentials expire, renewed' % run.__name__, expired_renewed(run)
        yield '%s, credentials expire, renewed late' % run.__name__, expired_held(run)


def one(control, name, run, patience=1):
    w = World(control, name, patience)
    began = time.monotonic()
    try:
        said = run(w)
        commands = [c for c in w.running if c.p.args[1] != 'setup']
        held = max(c.said('unavailable, holding') for c in commands) if commands else 0
        return '%s%s, %.1f s' % ('held' if held else 'not noticed', ', ' + said if said else '', time.monotonic() - began)
    finally:
        w.close()


def again(control, name, run, why):
    """A busy machine makes true servers look like stalled ones: by itself and with more time it must come right."""
    for patience in 3, 10:
        try:
            return one(control, '%s %d' % (name, patience), run, patience)
        except Exception as e:
            why = e
    raise why


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--table', action='store_true')
    a.add_argument('--jobs', type=int, default=10)
    a.add_argument('--only', default='')
    a = a.parse_args()
    control = Control()
    failed = 0
    try:
        first = World(control, 'first')
        first.run('setup', '--stream', 't%s-first' % RUN)
        first.close()
        make_archive()
        todo = [c for c in cases() if a.only in c[0]]
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
            runs = [(name, pool.submit(one, control, name, run)) for name, run in todo]
        until = time.monotonic() + AGAIN_S
        for (name, run), (_, f) in zip(todo, runs):
            try:
                why = f.exception()
                if why and time.monotonic() < until:
                    got = again(control, name, run, why) + ', at the second try'
                else:
                    got = f.result()
                if a.table:
                    print('%-45s %s' % (name, got), flush=True)
            except Exception as e:
                failed += 1
                print('%s: %s: %s' % (name, type(e).__name__, e), flush=True)
        print('# %d cases, %d wrong' % (len(todo), failed))
    finally:
        control.p.kill()
        control.p.wait()
    return 1 if failed or not todo else 0


sys.exit(main())
