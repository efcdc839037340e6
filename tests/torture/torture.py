#!/usr/bin/env python3
"""torture.py [--some N] [--seed S] [--only TEXT] [--kind KIND] [--at N] [--keep] - one call fails, once, in turn.

Each scenario is one command on a store (or servers) of its own. It runs once without trouble, and the calls of each kind
are counted: allocations, opens, reads, writes, syncs, renames, truncations, sends, receives, threads; calls that are cut short
and calls that a signal interrupts. Then it runs once for each of them, with that one call failing (fail.c). Never
may it crash, hang, leak (under AddressSanitizer), end with a status that the manual does not have, end well without having done
its work, say that something is done that is not, or leave a store that the next run can't go on with.

--some N: at most N points of a kind of a scenario, chosen by the seed. LEAKS=1: the binary has AddressSanitizer (its allocator
can't be made to fail this way; leaks after other failures are found). --net: on the servers of tests/aws/servers.sh.
Prints the fail points tried; exit status 1 when one of them found something, or when a scenario or a kind that should have
some had none."""
import argparse
import collections
import concurrent.futures
import gzip
import json
import mmap
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.abspath(os.environ.get('RECAGENT') or os.path.join(HERE, '../../build/recagent'))
LIB = os.path.join(os.path.dirname(BIN), 'torture/fail.so')
KINDS = ['alloc', 'open', 'read', 'write', 'fsync', 'rename', 'truncate', 'send', 'recv', 'thread', 'short', 'intr']
HARMLESS = {'short', 'intr'}  # what a system does on a good day: nothing may change
DOCUMENTED = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12}
PATIENCE = 30
LEAKS = os.environ.get('LEAKS') == '1'
EVENTS = 8
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(('AWS_', 'RECAGENT_'))}


def objects(data):
    """The complete lines of an output."""
    return [json.loads(line) for line in data.split(b'\n')[:-1]]


class Result:
    def __init__(self, status, out, err, hit, counts):
        self.status, self.out, self.err, self.hit, self.counts = status, out, err, hit, counts


class Scenario:
    """args: of the command. files: name to content in its folder. stdin, out: names there. make: commands that prepare the store.
    alone: it has neither a store nor servers."""

    def __init__(self, name, args, check=None, stdin=None, make=(), files=None, env=None, out=None, alone=False):
        self.name, self.args, self.check, self.stdin = name, args, check, stdin
        self.make, self.files, self.env, self.out, self.alone = make, files or {}, env or {}, out, alone
        self.template = None
        self.base = None

    def place(self, where):
        return {} if self.alone else {'RECAGENT_LOCAL': 'store'}

    def run(self, where, args, stdin=None, extra=None, out=None):
        env = {**CLEAN, 'AWS_EC2_METADATA_DISABLED': 'true', 'ASAN_OPTIONS': 'detect_leaks=1:exitcode=99:verify_asan_link_order=0',
               **self.place(where), **self.env, **(extra or {})}
        args = [env['GROUP'] if a == 'recs' and 'GROUP' in env else a for a in args]
        fd = open(os.path.join(where, stdin), 'rb') if stdin else subprocess.DEVNULL
        to = open(os.path.join(where, out), 'wb') if out else subprocess.PIPE
        p = subprocess.Popen([BIN, *args], cwd=where, env=env, stdin=fd, stdout=to, stderr=subprocess.PIPE)
        hangs = False
        try:
            text, err = p.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            hangs = True
            p.kill()
            text, err = p.communicate()
        for f in (fd, to):
            if not isinstance(f, int):
                f.close()
        if out:
            with open(os.path.join(where, out), 'rb') as f:
                text = f.read()
        return 'hang' if hangs else p.returncode, text, err

    def good(self, where, *args, stdin=None):
        status, out, err = self.run(where, args, stdin)
        if status != 0:
            raise AssertionError('afterwards %s ends with %s: %s' % (' '.join(args), status, err.decode()[-300:]))
        return objects(out) if out.startswith(b'{') else out

    def prepare(self, root):
        self.template = os.path.join(root, 'template.' + self.name)
        os.mkdir(self.template)
        for name, content in self.files.items():
            os.makedirs(os.path.dirname(os.path.join(self.template, name)), exist_ok=True)
            with open(os.path.join(self.template, name), 'wb') as f:
                f.write(content if isinstance(content, bytes) else content.encode())
        self.furnish(self.template)

    def furnish(self, where):
        for args, stdin, stdout in self.make:
            status, out, err = self.run(where, args, stdin)
            if status not in (0, 9):
                raise SystemExit('%s: %s: %s' % (self.name, args, err.decode()))
            if stdout:
                with open(os.path.join(where, stdout), 'wb') as f:
                    f.write(out)

    def copy(self, where):
        shutil.copytree(self.template, where)

    def tortured(self, where, kind, at):
        """The command with the at-th call of a kind failing."""
        self.copy(where)
        control = os.path.join(where, 'torture')
        with open(control, 'wb') as f:
            f.write(struct.pack('%dQ' % (3 + len(KINDS)), kind, at, 0, *[0] * len(KINDS)))
        status, out, err = self.run(where, self.args, self.stdin, {'TORTURE': control, 'LD_PRELOAD': LIB}, self.out)
        with open(control, 'rb') as f:
            numbers = struct.unpack('%dQ' % (3 + len(KINDS)), f.read())
        return Result(status, out, err, numbers[2], numbers[3:])


class Remote(Scenario):
    """As Scenario, on servers: with names of its own for each run, furnished anew, unless the command only reads."""

    def __init__(self, *args, reads=False, **more):
        super().__init__(*args, **more)
        self.reads = reads

    def place(self, where):
        name = 't%d-%s' % (os.getpid(), self.name if self.reads else os.path.basename(where).replace('.', '-'))
        url = os.environ
        return {'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE', 'AWS_SECRET_ACCESS_KEY': 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
                'AWS_REGION': 'us-east-1', 'AWS_CONFIG_FILE': '/nonexistent', 'AWS_SHARED_CREDENTIALS_FILE': '/nonexistent',
                'AWS_ENDPOINT_URL_KINESIS': url['KINESALITE_URL'], 'AWS_ENDPOINT_URL_DYNAMODB': url['MOTO_URL'],
                'AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME': url['BEDROCK_URL'], 'NO_PROXY': '127.0.0.1',
                'RECAGENT_STREAM': name, 'PROFILES_TABLE': name + '-profiles', 'REC_CACHE_TABLE': name + '-cache', 'GROUP': name,
                'BEDROCK_AGENT_ID': 'AGENT12345', 'BEDROCK_AGENT_ALIAS': 'ALIAS12345'}

    def furnish(self, where):
        if self.reads or where != self.template:
            super().furnish(where)

    def copy(self, where):
        super().copy(where)
        if not self.reads:
            self.furnish(where)


def sound(where):
    """The store is one that SQLite finds nothing wrong with."""
    path = os.path.join(where, 'store/recagent.db')
    if not os.path.exists(path):
        return
    db = sqlite3.connect(path)
    try:
        verdict = db.execute('PRAGMA integrity_check').fetchall()
    except sqlite3.DatabaseError as e:
        verdict = e
    finally:
        db.close()
    assert verdict == [('ok',)], 'the store is damaged: %s' % verdict


def judge(s, where, r, kind):
    """Raises AssertionError with what is wrong."""
    text = r.err.decode(errors='replace')
    assert r.status != 'hang', 'hangs'
    assert r.status >= 0, 'crashed by signal %s' % -r.status
    assert r.status != 99 and 'Sanitizer' not in text, 'the sanitizer complains: ' + text[:1500]
    assert r.status in DOCUMENTED, 'status %s' % r.status
    if r.status not in (0, 8) and KINDS[kind] != 'write':
        assert text.strip(), 'status %s without a word' % r.status
    if KINDS[kind] in HARMLESS or KINDS[kind] in ('send', 'recv'):
        assert r.status == s.base.status, 'status %s: %s' % (r.status, text)
    sound(where)
    if r.status == 0:
        assert r.out.endswith(b'\n') or not r.out, 'the last line is cut, and the status 0'
        assert r.out.count(b'\n') == s.base.out.count(b'\n'), 'status 0, but %d lines, not %d' % (
            r.out.count(b'\n'), s.base.out.count(b'\n'))
    if s.check:
        s.check(s, where, r)


# ---- what is true whatever has failed

def event(i):
    user = 'u%d' % (i % 2)
    return {'event_id': 'e%d' % i, 'user_id': user, 'item_id': 'i%d' % (i % 3), 'event_type': 'click',
            'timestamp': '2026-11-01T00:00:%02d.000000Z' % i, 'metadata': {'category': 'c%d' % (i % 2)}}


def ndjson(values):
    return ''.join(json.dumps(v) + '\n' for v in values)


ALL = [event(i) for i in range(EVENTS)]
IDS = [v['event_id'] for v in ALL]
IN = ndjson(ALL)
SETUP = (['setup', '--group', 'recs'], None, None)
FILLED = [SETUP, (['publish'], 'in', None)]


def events_in(values):
    return [v['event_id'] for v in values if 'event_id' in v]


def in_order(ids):
    """Per user, without gaps from the first on, as consume must give them (from the last repeat on)."""
    for user in '01':
        mine = [int(i[1:]) for i in ids if int(i[1:]) % 2 == int(user)]
        assert mine == list(range(int(user), int(user) + 2 * len(mine), 2)), 'out of order or with a gap: %s' % ids


def check_publish(s, where, r):
    stored = collections.Counter(events_in(s.good(where, 'consume', '-e', '--no-marks')))
    told = [v['event_id'] for v in objects(r.out) if v.get('sequence_number')]
    for event_id in told:
        assert stored[event_id], '%s has a receipt and is not stored' % event_id
    if r.status == 0:
        assert sorted(stored) == sorted(IDS), 'status 0, stored: %s' % stored
    s.good(where, 'publish', stdin='in')
    after = collections.Counter(events_in(s.good(where, 'consume', '-e', '--no-marks')))
    assert all(after[i] == stored[i] + 1 for i in IDS), 'a second run did not store: %s' % after


def check_consume(s, where, r):
    got = events_in(objects(r.out))
    in_order(got)
    if r.status == 0:
        assert sorted(got) == IDS, 'status 0, but not all events'
    assert sorted(events_in(s.good(where, *s.args))) == IDS, 'the next run does not give all'


def check_profiles(s, where, r):
    objects(r.out)
    s.good(where, *s.args, stdin=s.stdin)
    for user in ('u0', 'u1'):
        profile = s.good(where, 'profile', 'get', user)[0]
        ids = [h.get('event_id') for h in profile['history']] if 'history' in profile else None
        want = [i for i in IDS if int(i[1:]) % 2 == int(user[1])]
        assert profile['version'] == len(want), '%s has version %s: %s' % (user, profile['version'], profile)
        if ids and ids[0]:
            assert ids == want, 'history %s' % ids


def check_invoke(s, where, r):
    for v in objects(r.out):
        if v.get('status') == 'stored':
            entry = s.good(where, 'cache-get', v['user_id'])[0]
            assert entry['source'] == 'cache', 'said stored, and is not: %s' % entry
    s.good(where, *s.args, stdin=s.stdin)
    for user in ('u0', 'u1'):
        assert s.good(where, 'cache-get', user)[0]['source'] == 'cache', 'not cached afterwards'


def check_ack(s, where, r):
    left = events_in(s.good(where, 'consume', '--group', 'recs', '-e', '--failover', '200ms', '--grace', '10ms'))
    if r.status == 0:
        assert not left, 'status 0, but %s not committed' % left
    s_left = [int(i[1:]) for i in left]
    assert len(set(s_left)) == len(s_left), 'doubled'


def check_same(s, where, r):
    if r.status == 0:
        assert r.out == s.base.out, 'status 0 and another output'


def check_part(s, where, r):
    got = events_in(objects(r.out))
    assert got == IDS[:len(got)], 'not in order: %s' % got
    if r.status == 0:
        assert got == IDS, 'status 0, but not all'


def check_dead(s, where, r):
    path = os.path.join(where, 'dead')
    dead = objects(open(path, 'rb').read()) if os.path.exists(path) else []
    if r.status in (0, 1):
        assert [v['data'] for v in dead] == ['not json'], 'status %s, but the dead letter is not there: %s' % (r.status, dead)
    if os.path.exists(path):
        os.remove(path)
    status, _, err = s.run(where, s.args, s.stdin)
    assert status == 1, 'afterwards: %s %s' % (status, err)


def check_ledger(s, where, r):
    check_publish(s, where, r)
    path = os.path.join(where, 'ledger')
    if r.status == 0:
        v = objects(open(path, 'rb').read())[0]
        assert v['in'] == v['out'] + v['refused'] + v['failed'], v


def check_setup(s, where, r):
    s.good(where, *s.args)
    s.good(where, 'publish', stdin='in')


def check_reshard(s, where, r):
    s.good(where, *s.args)
    s.good(where, 'publish', stdin='in')
    got = collections.Counter(events_in(s.good(where, 'consume', '-e', '--no-marks')))
    assert got == collections.Counter(IDS * 2), 'afterwards there is %s' % got


def check_spool(s, where, r):
    kept = [v['event_id'] for v in objects(r.out) if v.get('spooled')]
    if r.status == 0:
        raise AssertionError('status 0, and the stream is dead')
    status, _, err = s.run(where, ['publish', '--spool', 'sp', '--grace', '10ms', '--spool-after', '1ms', '--give-up', '1ms'])
    text = err.decode()
    left = [int(w) for w in text.split('recagent publish: ')[-1].split() if w.isdigit()] if 'left in the spool' in text else [0]
    assert left[0] >= len(kept), '%d receipts say spooled, afterwards: %s %s' % (len(kept), status, text)
    assert status in ((12,) if kept else (0, 12)), 'afterwards status %s: %s' % (status, text)


def check_auto(s, where, r):
    got = events_in(objects(r.out))
    in_order(got)
    if r.status == 0:
        assert sorted(got) == IDS, 'status 0, but not all events'
    with open(os.path.join(where, 'out'), 'rb') as f:
        kept = f.read()
    status, _, err = s.run(where, s.args, out='more')
    assert status == 0, 'afterwards %s %s' % (status, err)
    with open(os.path.join(where, 'more'), 'rb') as f:
        more = events_in(objects(f.read()))
    assert set(got) | set(more) == set(IDS), 'lost: %s, then %s' % (got, more)
    if r.status == 0:
        assert not more, 'status 0, and %s comes again' % more


def check_reset(s, where, r):
    if r.status == 0:
        left = events_in(s.good(where, 'consume', '--group', 'recs', '-e', '--failover', '200ms', '--grace', '10ms'))
        assert sorted(left) == IDS, 'reset, and then there is %s' % left
    else:
        s.good(where, *s.args)
        left = events_in(s.good(where, 'consume', '--group', 'recs', '-e', '--failover', '200ms', '--grace', '10ms'))
        assert sorted(left) == IDS, 'reset at the second try, and then there is %s' % left


def check_set(s, where, r):
    profile = s.run(where, ['profile', 'get', 'u0'])
    if r.status == 0:
        assert b'"genre":"thriller"' in profile[1].replace(b' ', b''), 'status 0, and not set: %s' % (profile,)
    s.good(where, *s.args)


def check_forget(s, where, r):
    if r.status == 0:
        status, out, _ = s.run(where, ['profile', 'get', 'u0'])
        assert b'"history":[{' not in out.replace(b' ', b''), 'forgotten? %s' % out
    s.run(where, s.args)


def check_lookup(s, where, r):
    for v in objects(r.out):
        assert v['recommendations'] and v['source'] in ('cache', 'stale', 'fallback'), 'no answer: %s' % v
    if r.status == 0 and b'unavailable' not in r.err:
        assert r.out.count(b'\n') == 3


PREFS = '{"genre":"thriller"}'
TO_EVENTS = FILLED + [(['consume', '-e', '--no-marks'], None, 'events')]
TO_GROUP = FILLED + [(['consume', '--group', 'recs', '-e', '--failover', '200ms', '--grace', '10ms'],
                        None, 'events')]
TO_PROMPTS = TO_EVENTS + [(['prompt', '--min-events', '1'], 'events', 'prompts')]
TO_CACHE = TO_PROMPTS + [(['invoke'], 'prompts', None)]
FILES = {'in': IN}
GZ = {'in': IN, 'archive/2026/11/01/a.gz': gzip.compress(ndjson(ALL[:4]).encode()),
      'archive/2026/11/01/b': ndjson(ALL[4:])}

SCENARIOS = [
    Scenario('version', ['version'], check_same),
    Scenario('help', ['publish', '--help'], check_same),
    Scenario('completion', ['completion', 'bash'], check_same),
    Scenario('setup', ['setup', '--group', 'recs'], check_setup, files=FILES),
    Scenario('publish', ['publish'], check_publish, stdin='in', make=[SETUP], files=FILES),
    Scenario('publish-ledger', ['publish', '--order', 'key', '--ledger', 'ledger', '-j', '2'], check_ledger, stdin='in',
             make=[SETUP], files=FILES),
    Scenario('publish-dead', ['publish', '--dead-letter', 'dead'], check_dead, stdin='bad', make=[SETUP],
             files={'bad': 'not json\n' + IN}),
    Scenario('consume', ['consume', '-e', '--no-marks'], check_consume, make=FILLED, files=FILES),
    Scenario('consume-group', ['consume', '--group', 'recs', '-e', '--failover', '200ms', '--grace', '300ms'], check_consume,
             make=FILLED, files=FILES),
    Scenario('prompt', ['prompt', '--min-events', '1'], check_profiles, stdin='events', make=TO_EVENTS, files=FILES),
    Scenario('invoke', ['invoke', '-j', '4'], check_invoke, stdin='prompts', make=TO_PROMPTS, files=FILES),
    Scenario('ack', ['ack'], check_ack, stdin='events', make=TO_GROUP, files=FILES),
    Scenario('cache-get', ['cache-get', 'u0', 'u1', 'nobody'], check_lookup, make=TO_CACHE, files=FILES),
    Scenario('replay', ['replay', 'archive/'], check_part, files=GZ),
    Scenario('replay-s3', ['replay', 's3://bucket/archive/'], check_part, make=[],
             files={'in': IN, 'store/s3/bucket/archive/a.gz': gzip.compress(ndjson(ALL[:4]).encode()),
                    'store/s3/bucket/archive/b': ndjson(ALL[4:])}),
    Scenario('replay-letters', ['replay', '-d', './dead'], check_part,
             files={'dead': ndjson({'command': 'publish', 'line': 1, 'reason': 'r', 'class': 'failed', 'data': json.dumps(v)} for v in ALL)}),
    Scenario('replay-stream', ['replay', 'user-interactions', '--since', 'trim-horizon'], check_consume, make=FILLED, files=FILES),
    Scenario('publish-aggregate', ['publish', '--aggregate'], check_publish, stdin='in', make=[SETUP], files=FILES),
    Scenario('publish-spool', ['publish', '--spool', 'sp', '--spool-after', '1ms', '--give-up', '1ms', '--grace', '10ms', '--max-attempts', '1'],
             check_spool, stdin='in', files=FILES, alone=True,
             env={'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE', 'AWS_SECRET_ACCESS_KEY': 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
                  'AWS_REGION': 'us-east-1', 'AWS_ENDPOINT_URL': 'http://127.0.0.1:1', 'AWS_CONFIG_FILE': '/nonexistent',
                  'AWS_SHARED_CREDENTIALS_FILE': '/nonexistent'}),
    Scenario('consume-auto', ['consume', '--group', 'recs', '-e', '--commit', 'auto', '--failover', '200ms', '--grace', '300ms'],
             check_auto, make=FILLED, files=FILES, out='out'),
    Scenario('positions-show', ['positions', 'show', '--group', 'recs', '-f', 'json'], None, make=TO_GROUP + [(['ack'], 'events', None)],
             files=FILES),
    Scenario('positions-reset', ['positions', 'reset', '--group', 'recs', '--to', 'trim-horizon'], check_reset,
             make=TO_GROUP + [(['ack'], 'events', None)], files=FILES),
    Scenario('audit', ['audit', '--all', 'consume=events', 'prompt=prompts'], check_same, make=TO_PROMPTS, files=FILES),
    Scenario('reshard', ['setup', '--reshard', '2'], check_reshard, make=FILLED, files=FILES),
    Scenario('profile-get', ['profile', 'get', 'u0'], check_same, make=TO_PROMPTS, files=FILES),
    Scenario('profile-set', ['profile', 'set', 'u0', PREFS], check_set, make=TO_PROMPTS, files=FILES),
    Scenario('profile-forget', ['profile', 'forget', 'u0'], check_forget, make=TO_PROMPTS, files=FILES),
]

REMOTE = [
    Remote('net-setup', ['setup', '--group', 'recs'], check_setup, files=FILES),
    Remote('net-publish', ['publish'], check_publish, stdin='in', make=[SETUP], files=FILES),
    Remote('net-consume', ['consume', '-e', '--no-marks'], check_consume, make=FILLED, files=FILES, reads=True),
    Remote('net-consume-group', ['consume', '--group', 'recs', '-e', '--failover', '200ms', '--grace', '300ms'], check_consume,
           make=FILLED, files=FILES),
    Remote('net-prompt', ['prompt', '--min-events', '1'], check_profiles, stdin='events', make=TO_EVENTS, files=FILES),
    Remote('net-invoke', ['invoke', '-j', '4'], check_invoke, stdin='prompts', make=TO_PROMPTS, files=FILES),
    Remote('net-ack', ['ack'], check_ack, stdin='events', make=TO_GROUP, files=FILES),
    Remote('net-cache-get', ['cache-get', 'u0', 'u1', 'nobody'], check_lookup, make=TO_CACHE, files=FILES, reads=True),
]


def one(s, root, kind, at, keep):
    where = os.path.join(root, '%s.%s.%d' % (s.name, KINDS[kind], at))
    try:
        r = s.tortured(where, kind, at)
        if not r.hit:
            return 'missed', None
        judge(s, where, r, kind)
        return 'fine', None
    except (AssertionError, ValueError, KeyError) as e:
        return 'bad', '%s: %s\n    %s' % (os.path.basename(where), e, r.err.decode(errors='replace')[-400:].replace('\n', '\n    '))
    finally:
        if not keep:
            shutil.rmtree(where, ignore_errors=True)


def points(s, some, rng, only_kind):
    for kind, name in enumerate(KINDS):
        if only_kind and name != only_kind or LEAKS and name == 'alloc':
            continue
        n = s.base.counts[kind]
        chosen = range(1, n + 1)
        if some and n > some:
            chosen = sorted(rng.sample(chosen, some))
        for at in chosen:
            yield kind, at


def untried(o, tried):
    """Kinds of calls of which not one has failed, in a run that has not left them out itself."""
    expected = set(KINDS) - ({'fsync', 'rename', 'truncate'} if o.net else {'send', 'recv'})
    if LEAKS:
        expected.discard('alloc')
    if o.only or o.kind or o.at:
        return [] if sum(tried.values()) else ['any kind']
    return sorted(k for k in expected if not tried[k])


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--some', type=int, default=0)
    p.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    p.add_argument('--only', default='')
    p.add_argument('--kind', default='')
    p.add_argument('--at', type=int, default=0)
    p.add_argument('--jobs', type=int, default=os.cpu_count())
    p.add_argument('--keep', action='store_true')
    p.add_argument('--net', action='store_true', help='on the servers of tests/aws/servers.sh, whose env is set')
    o = p.parse_args()
    for f in (BIN, LIB):  # the loader only warns of a library that is not there, and then nothing fails
        if not os.path.exists(f):
            raise SystemExit('%s is missing' % f)
    rng = random.Random(o.seed)
    root = tempfile.mkdtemp(prefix='recagent-torture.')
    tried, bad = collections.Counter(), 0
    print('# seed %d' % o.seed)
    try:
        for s in REMOTE if o.net else SCENARIOS:
            if o.only and o.only not in s.name:
                continue
            s.prepare(root)
            where = os.path.join(root, 'base.' + s.name)
            s.base = s.tortured(where, 0, 0)
            if s.base.status not in (0, 1, 12):
                raise SystemExit('%s: %s' % (s.name, s.base.err.decode()))
            if not sum(s.base.counts):
                raise SystemExit('%s: no call was counted: is %s loaded?' % (s.name, LIB))
            todo = [(KINDS.index(o.kind), o.at)] if o.at else list(points(s, o.some, rng, o.kind))
            mine, found = collections.Counter(), 0
            with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
                for (kind, at), (what, why) in zip(todo, pool.map(lambda k: one(s, root, k[0], k[1], o.keep), todo)):
                    mine[KINDS[kind]] += what != 'missed'
                    if what == 'bad':
                        found += 1
                        print('not ok %s' % why, flush=True)
            tried.update(mine)
            bad += found
            print('%s %s (status %s): %s' % ('not ok' if found else 'ok', s.name, s.base.status,
                                           ' '.join('%s %d' % k for k in mine.items()) or 'no calls'), flush=True)
    finally:
        if o.keep:
            print('# kept %s' % root)
        else:
            shutil.rmtree(root, ignore_errors=True)
    print('# %d fail points (%s), %d found something' % (sum(tried.values()), ', '.join('%s %d' % k for k in tried.items()), bad))
    missing = untried(o, tried)
    if missing:
        print('not ok no fail point of %s was tried' % ', '.join(missing))
    return 1 if bad or missing else 0


if __name__ == '__main__':
    sys.exit(main())
