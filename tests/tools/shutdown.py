# shutdown.py [--table] [--jobs N] [--only TEXT] PART... - end a pipe in every order in which its stages can end.
#
# Parts: stages (each stage of `consume --group | prompt | invoke | ack` x TERM, INT, TERM twice, KILL x idle, busy, its reader
# stopped, its writer stopped), group (a signal to all at once), foreign (jq or head between two stages), publish
# (`consume | publish` and `consume --group | publish | ack`). Each case has a store of its own. Checked: every stage ends in time
# and with the status that its page names; a new run then starts at once, and brings each profile's version to the number of its
# events: nothing lost, nothing twice.
import argparse
import collections
import concurrent.futures
import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

BIN = os.environ.get('RECAGENT') or os.path.join(os.path.dirname(__file__), '../../build/recagent')
GROUP = 'recs'
USERS = 25
GRACE = 1.0
SLACK = 40 if os.environ.get('SANITIZER') else 8  # a second for the watch, the rest for a busy machine
PIPE = ['consume', 'prompt', 'invoke', 'ack']
TERM, INT, KILL = signal.SIGTERM, signal.SIGINT, signal.SIGKILL
SOME, LEASE_LOST, READER_GONE, NO_END = 1, 7, 8, 9
PAD = 'x' * 2000  # thirty lines fill a pipe


class Wrong(Exception):
    pass


class World:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='recagent-shutdown.')
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(('AWS_', 'RECAGENT_'))}
        self.env['RECAGENT_LOCAL'] = os.path.join(self.dir, 'store')
        self.log = open(os.path.join(self.dir, 'stderr'), 'ab')
        self.sent = collections.Counter()
        for more in ([], ['--stream', 'other']):
            subprocess.run([BIN, 'setup', '--group', GROUP, '--shards', '2', *more], env=self.env, check=True, stderr=self.log,
                           stdout=self.log)

    def start(self, command, **more):
        return subprocess.Popen(command, env=self.env, stderr=self.log, **more)

    def put(self, n):
        lines = []
        for i in range(n):
            user = 'u%d' % (i % USERS)
            self.sent[user] += 1
            lines.append(json.dumps({'user_id': user, 'event_id': '%s-%d' % (user, self.sent[user]), 'item_id': 'i%d' % (i % 7),
                                     'event_type': 'click', 'metadata': {'pad': PAD}}))
        subprocess.run([BIN, 'publish', '-q'], input=('\n'.join(lines) + '\n').encode(), env=self.env, check=True, stderr=self.log,
                       stdout=self.log)

    def close(self):
        self.log.close()
        shutil.rmtree(self.dir)


def command(name, grace):
    own = {'consume': ['--group', GROUP, '--idle-mark', '50ms'], 'prompt': ['--history', '0', '--min-events', '1', '-j', '4'],
           'invoke': ['-j', '4'], 'ack': ['--interval', '30ms'], 'ack-tee': ['--tee', '--interval', '30ms'],
           'source': ['--idle-mark', '50ms'], 'publish': ['other']}
    word = {'ack-tee': 'ack', 'source': 'consume'}.get(name, name)
    if name in own:
        return [BIN, word, *own[name], '--grace', '%gs' % grace]
    return {'jq': ['jq', '-c', '--unbuffered', '.'], 'head': ['head', '-n', '3'], 'cat': ['cat']}[name]


class Pipe:
    """Stages in a process group of their own; names may repeat for foreign filters."""

    def __init__(self, w, names, grace=GRACE):
        self.w, self.names, self.v, self.ended = w, names, [], {}
        group, before = 0, subprocess.DEVNULL
        for i, name in enumerate(names):
            last = i == len(names) - 1
            p = w.start(command(name, grace), stdin=before, stdout=subprocess.DEVNULL if last else subprocess.PIPE,
                        process_group=group)
            if i:
                before.close()
            before, group = p.stdout, group or p.pid
            self.v.append(p)

    def ready(self):
        for p, name in zip(self.v, self.names):
            until = time.monotonic() + 20
            while name not in ('jq', 'head', 'cat') and p.poll() is None and time.monotonic() < until:
                with open('/proc/%d/status' % p.pid) as f:
                    caught = next((x.split()[1] for x in f if x.startswith('SigCgt')), '0')
                if int(caught, 16) >> TERM - 1 & 1:
                    break
                time.sleep(0.005)

    def statuses(self):
        return {n: p.poll() for n, p in zip(self.names, self.v)}

    def wait(self, which, seconds, since):
        """Those of that number end within so many seconds of `since`."""
        for i in which:
            try:
                self.v[i].wait(max(0.05, since + seconds - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise Wrong('%s still runs %.1f s after what should end it: %s' %
                            (self.names[i], time.monotonic() - since, self.statuses())) from None

    def kill(self):
        for p in self.v:
            if p.poll() is None:
                p.send_signal(signal.SIGCONT)
                p.kill()
            p.wait()


def settled(w):
    """The positions of the group are at the tip."""
    db = sqlite3.connect(os.path.join(w.dir, 'store/recagent.db'), timeout=10)
    try:
        rows = {json.loads(i)['leaseKey']['S']: json.loads(i)['checkpoint']['S'] for i, in db.execute(
            'SELECT i.item FROM item i JOIN tbl t ON t.id = i.tbl WHERE t.name = ?', (GROUP,))}
        tips = dict(db.execute('SELECT h.name, max(r.seq) FROM record r JOIN shard h ON h.id = r.shard '
                               'JOIN stream s ON s.id = h.stream WHERE s.name = ? GROUP BY h.id', ('user-interactions',)))
        return all(rows.get(k) == str(v) for k, v in tips.items())
    finally:
        db.close()


def await_settled(w, pipe):
    if 'source' in pipe.names:
        return time.sleep(1)  # nothing is committed
    until = time.monotonic() + 30
    while not settled(w):
        if time.monotonic() > until:
            raise Wrong('the pipe does not get to the tip')
        time.sleep(0.02)


# ---- moments: what the pipe does when it is hit; a stopped stage is returned ----

def idle(w, pipe, x):
    w.put(30)
    await_settled(w, pipe)
    time.sleep(0.15)


def busy(w, pipe, x):
    w.put(300)
    time.sleep(0.1)


def await_full(p):
    """Nothing more goes into the standard output of that process."""
    fd = os.open('/proc/%d/fd/1' % p.pid, os.O_WRONLY | os.O_NONBLOCK)
    try:
        full = select.poll()
        full.register(fd, select.POLLOUT)
        began = since = time.monotonic()
        while time.monotonic() - since < 0.4:
            if full.poll(0):
                since = time.monotonic()
            if since - began > 30:
                raise Wrong('its pipe does not get full')
            time.sleep(0.01)
    finally:
        os.close(fd)


def reader_stopped(w, pipe, x):
    pipe.v[x + 1].send_signal(signal.SIGSTOP)
    w.put(600)
    await_full(pipe.v[x])
    return x + 1


def writer_stopped(w, pipe, x):
    w.put(60)
    await_settled(w, pipe)  # stopped in the middle of a write it would hold the store's lock
    time.sleep(0.1)
    pipe.v[x - 1].send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    return x - 1


MOMENTS = {'idle': idle, 'busy': busy, 'reader stopped': reader_stopped, 'writer stopped': writer_stopped}


def hit(pipe, x, how):
    p = pipe.v[x]
    if how == 'TERM twice':
        p.send_signal(TERM)
        time.sleep(0.35)
        p.send_signal(TERM)
    elif how != 'nothing':
        p.send_signal({'TERM': TERM, 'INT': INT, 'KILL': KILL}[how])


# ---- what each page says ----

def status_of_hit(name, how, moment):
    if how == 'KILL':
        return {-KILL}
    n = 128 + (INT if how == 'INT' else TERM)
    if how == 'TERM twice':
        # A source on a silent pipe, or one without leases to drain, is through before the second comes.
        return {n, 0} if name in ('consume', 'source') and moment != 'reader stopped' else {n}
    if moment == 'reader stopped':
        return {n}
    return {0} if name in ('consume', 'source') else {NO_END}


def status_of_others(name, before, hit_name, how, moment):
    """Of a stage in front of (before) or behind the one that was hit."""
    clean = hit_name in ('consume', 'source') and how in ('TERM', 'INT') and moment != 'reader stopped'
    if hit_name in ('consume', 'source') and how == 'TERM twice':
        return {0, SOME, NO_END}
    if clean:
        return {0}
    if before:
        # An ack that leaves its input gives up the leases: its consume may see that first.
        return {READER_GONE, LEASE_LOST} if name == 'consume' and hit_name.startswith('ack') else {READER_GONE}
    # Whether the mark "end" or a group's line had come through, and whether a line was cut, is a matter of the moment.
    return {0, SOME, NO_END} if name.startswith('ack') else {0, SOME}


def check_statuses(pipe, x, how, moment):
    wrong = []
    for i, (name, p) in enumerate(zip(pipe.names, pipe.v)):
        if name in ('jq', 'cat', 'head'):
            continue
        want = status_of_hit(name, how, moment) if i == x else status_of_others(name, i < x, pipe.names[x], how, moment)
        if p.returncode not in want:
            wrong.append('%s ended with %d, not %s' % (name, p.returncode, sorted(want)))
    if wrong:
        raise Wrong('; '.join(wrong))


def check_world(w):
    """The next run starts at once and leaves everything as it must be."""
    names = ['consume', 'prompt', 'invoke', 'ack']
    commands = [command(n, 30) for n in names]
    commands[0].append('--end')
    v, before = [], subprocess.DEVNULL
    for i, c in enumerate(commands):
        v.append(w.start(c, stdin=before, stdout=subprocess.PIPE if i < 3 else subprocess.DEVNULL))
        if i:
            before.close()
        before = v[-1].stdout
    try:
        got = [p.wait(30) for p in v]
    except subprocess.TimeoutExpired:
        raise Wrong('the next run does not end') from None
    finally:
        for p in v:
            p.kill()
    if any(got):
        raise Wrong('the next run ended with %s' % got)
    w.log.flush()
    with open(os.path.join(w.dir, 'stderr'), errors='replace') as f:
        if 'waiting for shards' in f.read():
            raise Wrong('the next run had to wait for leases of the dead')
    db = sqlite3.connect(os.path.join(w.dir, 'store/recagent.db'))
    profiles = {k: json.loads(i) for k, i in db.execute(
        "SELECT i.key, i.item FROM item i JOIN tbl t ON t.id = i.tbl WHERE t.name = 'user-profiles'")}
    db.close()
    for user, n in w.sent.items():
        p = profiles.get(user)
        ids = [e['M']['event_id']['S'] for e in p['history']['L']] if p else []
        if not p or int(p['version']['N']) != n or ids != ['%s-%d' % (user, i + 1) for i in range(n)]:
            raise Wrong('%s: version %s and %d events in its history, %d sent' % (user, p and p['version']['N'], len(ids), n))


# ---- the parts ----

def one(names, x, how, moment, check=check_world):
    w = World()
    pipe = Pipe(w, names)
    try:
        pipe.ready()
        stopped = MOMENTS[moment](w, pipe, x)
        began = time.monotonic()
        hit(pipe, x, how)
        pipe.wait([x], GRACE + SLACK, began)
        took = time.monotonic() - began
        if stopped is not None:
            pipe.v[stopped].send_signal(signal.SIGCONT)
        began = time.monotonic()
        pipe.wait(range(len(names)), GRACE + SLACK + 3, began)
        check_statuses(pipe, x, how, moment)
        check(w)
        return '%s in %.1f s' % (pipe.v[x].returncode, took), ' '.join(str(p.returncode) for p in pipe.v)
    except Exception:
        pipe.kill()
        w.log.flush()
        with open(os.path.join(w.dir, 'stderr'), errors='replace') as f:
            sys.stderr.writelines(f.readlines()[-8:])
        raise
    finally:
        pipe.kill()
        w.close()


def stages():
    for x, name in enumerate(PIPE):
        for moment in MOMENTS:
            if moment == 'writer stopped' and x == 0:
                continue
            names = PIPE[:3] + ['ack-tee', 'cat'] if name == 'ack' and moment == 'reader stopped' else PIPE
            for how in 'TERM', 'INT', 'TERM twice', 'KILL':
                yield '%s, %s, %s' % (name, how, moment), lambda a=(names, x, how, moment): one(*a)


def one_group(how, moment, stop=None):
    w = World()
    pipe = Pipe(w, PIPE, 20 if stop is None else GRACE)
    try:
        pipe.ready()
        if stop is None:
            MOMENTS[moment](w, pipe, 0)
        else:
            reader_stopped(w, pipe, stop - 1)
        began = time.monotonic()
        os.killpg(pipe.v[0].pid, {'TERM': TERM, 'INT': INT, 'TERM twice': TERM, 'TERM at once twice': TERM}[how])
        if how == 'TERM at once twice':
            os.killpg(pipe.v[0].pid, TERM)
        if how == 'TERM twice':
            time.sleep(0.35)
            os.killpg(pipe.v[0].pid, TERM)
        running = [i for i in range(4) if i != stop]
        pipe.wait(running, (20 if stop is None else GRACE) + SLACK, began)
        if stop is not None:
            pipe.v[stop].send_signal(signal.SIGCONT)
            pipe.wait([stop], GRACE + SLACK, time.monotonic())
        got = [p.returncode for p in pipe.v]
        n = 128 + (INT if how == 'INT' else TERM)
        for i, status in enumerate(got):
            want = {0}
            if how == 'TERM twice':
                want = {0, n, READER_GONE, NO_END}
            elif stop is not None:
                want = {n} if i == stop - 1 else {0, n, NO_END} if i < stop else {0, READER_GONE, NO_END, n} if i == stop else {NO_END, READER_GONE, 0}
            if status not in want:
                raise Wrong('%s ended with %d, not %s' % (PIPE[i], status, sorted(want)))
        check_world(w)
        return '', ' '.join(map(str, got))
    finally:
        pipe.kill()
        w.close()


def group():
    for how in 'TERM', 'INT', 'TERM at once twice', 'TERM twice':
        for moment in 'idle', 'busy':
            yield 'all, %s, %s' % (how, moment), lambda a=(how, moment): one_group(*a)
    for stop in 1, 2, 3:
        yield 'all, TERM, %s stopped' % PIPE[stop], lambda a=('TERM', '', stop): one_group(*a)


def foreign():
    for at in 1, 2, 3:
        names = PIPE[:at] + ['jq'] + PIPE[at:]
        for x, name in enumerate(names):
            for how in ('KILL', 'TERM') if name != 'jq' else ('KILL',):
                yield ' | '.join(names) + ': %s, %s, idle' % (name, how), lambda a=(names, x, how): one(*a, 'idle')
    for at in 1, 2, 3:
        names = PIPE[:at] + ['head'] + PIPE[at:]
        yield ' | '.join(names) + ', busy', lambda a=(names, at, 'nothing', 'busy'): one(*a)


def check_copied(w):
    """Each event is in the other stream at least once, after a run to the tip."""
    p = w.start([BIN, 'consume', '--group', GROUP, '--end'], stdout=subprocess.PIPE)
    q = w.start([BIN, 'publish', 'other', '-q'], stdin=p.stdout, stdout=subprocess.PIPE)
    a = w.start([BIN, 'ack'], stdin=q.stdout)
    p.stdout.close()
    q.stdout.close()
    got = [a.wait(30), q.wait(30), p.wait(30)]
    if any(got):
        raise Wrong('the next run ended with %s' % got)
    lines = subprocess.run([BIN, 'consume', 'other', '--end', '--no-marks'], env=w.env, check=True, stdout=subprocess.PIPE).stdout
    ids = {json.loads(x)['event_id'] for x in lines.splitlines()}
    lost = sum(w.sent.values()) - len(ids)
    if lost:
        raise Wrong('%d events lost' % lost)


def nothing_more(w):
    pass


def publish():
    for names, check in ((['consume', 'publish', 'ack'], check_copied), (['source', 'publish'], nothing_more)):
        for x, name in enumerate(names):
            for how in 'TERM', 'INT', 'KILL':
                for moment in 'busy', 'reader stopped', 'writer stopped':
                    if (moment == 'writer stopped' and x == 0) or (moment == 'reader stopped' and x == len(names) - 1):
                        continue
                    yield ' | '.join(names) + ': %s, %s, %s' % (name, how, moment), \
                        lambda a=(names, x, how, moment, check): one(*a)


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--table', action='store_true')
    a.add_argument('--jobs', type=int, default=8)
    a.add_argument('--only', default='')
    a.add_argument('parts', nargs='+')
    a = a.parse_args()
    cases = [c for part in a.parts for c in globals()[part]() if a.only in c[0]]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        runs = [(name, pool.submit(run)) for name, run in cases]
        for name, f in runs:
            try:
                own, all_of_them = f.result()
                if a.table:
                    print('%-60s %-14s %s' % (name, own, all_of_them), flush=True)
            except Exception as e:
                failed += 1
                print('%s: %s: %s' % (name, type(e).__name__, e), flush=True)
    print('# %d orders, %d wrong' % (len(cases), failed))
    return 1 if failed or not cases else 0


if __name__ == '__main__':
    sys.exit(main())
