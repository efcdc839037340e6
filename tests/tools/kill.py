# kill.py [--seed S] [--rounds N | --seconds T] [--keep] - kill the stages of a pipeline at random and look what became of the events.
#
# A publisher puts events while `consume --group | prompt --history 0 --min-events 1 | invoke | ack` runs on an embedded store of
# its own; each round ends the pipe in some way (SIGKILL, SIGTERM, SIGSTOP, to a stage, to all, with a second pipe at
# work, with a line cut in its middle). After every few rounds a clean run to the tip, and then: each event with a receipt is in
# its user's history exactly once and in order, nothing else is, the cache answers the last prompt, the leases are
# free and at the tip, every ledger balances, and nobody ended in a way that its round does not explain.
import argparse
import collections
import datetime
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

BIN = os.environ.get('RECAGENT') or os.path.join(os.path.dirname(__file__), '../../build/recagent')
GROUP = 'recs'
USERS = 12
ROUNDS_A_STORE = 12
PATIENCE = 40  # seconds for what must end by itself
LEASE_LOST, READER_GONE, NO_END = 7, 8, 9


class Trouble(Exception):
    pass


class World:
    """One store, what was published to it, and what is known about it."""

    def __init__(self, rng):
        self.rng = rng
        self.dir = tempfile.mkdtemp(prefix='recagent-kill.')
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(('AWS_', 'RECAGENT_'))}
        self.env['RECAGENT_LOCAL'] = os.path.join(self.dir, 'store')
        self.log = open(os.path.join(self.dir, 'stderr'), 'ab')
        self.ledger = os.path.join(self.dir, 'ledger')
        self.sent = collections.Counter()   # user: events made
        self.receipts = set()               # event_id
        self.waiting = collections.deque()  # (event_id, line) not known to be stored
        self.lock = threading.Lock()
        self.run('setup', '--group', GROUP, stdout=subprocess.DEVNULL)

    def run(self, *args, **more):
        subprocess.run([BIN, *args], env=self.env, check=True, stderr=self.log, **more)

    def start(self, *args, **more):
        return subprocess.Popen(args, env=self.env, stderr=self.log, **more)

    def event(self):
        user = 'u%d' % int(min(self.rng.random(), self.rng.random()) * USERS)
        self.sent[user] += 1
        event_id = '%s-%d' % (user, self.sent[user])
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        event = {'user_id': user, 'event_id': event_id, 'item_id': 'i%d' % self.rng.randrange(40), 'event_type': 'click',
                 'timestamp': now, 'metadata': {'category': 'c%d' % self.rng.randrange(5),
                                                'pad': 'x' * self.rng.randrange(20, 400)}}
        return event_id, json.dumps(event) + '\n'


class Publisher:
    """One `publish`: first what earlier ones left without a receipt, then new events until it is stopped."""

    def __init__(self, world, count):
        self.world, self.count, self.lines, self.stopped = world, count, [], False
        self.p = world.start(BIN, 'publish', '--ledger', world.ledger, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.writer = threading.Thread(target=self.write)
        self.reader = threading.Thread(target=self.read)
        self.writer.start()
        self.reader.start()

    def write(self):
        pauses = random.Random(len(self.world.receipts))
        todo = collections.deque(self.world.waiting)
        try:
            for _ in range(len(todo) + self.count):
                if self.stopped:
                    break
                item = todo.popleft() if todo else self.world.event()
                with self.world.lock:
                    self.lines.append(item)
                self.p.stdin.write(item[1].encode())
                if pauses.random() < 0.1:
                    self.p.stdin.flush()
                    time.sleep(pauses.random() * 0.01)
            self.p.stdin.close()
        except BrokenPipeError:
            pass

    def read(self):
        for line in self.p.stdout:
            if not line.endswith(b'\n'):
                break  # cut by a kill: no receipt
            receipt = json.loads(line)
            with self.world.lock:
                event_id = self.lines[receipt['line'] - 1][0]
            if receipt.get('event_id') != event_id or 'sequence_number' not in receipt:
                raise Trouble('receipt of %s: %s' % (event_id, line))
            self.world.receipts.add(event_id)

    def end(self, sig=None):
        self.stopped = sig is not None
        if sig:
            self.p.send_signal(sig)
        self.writer.join(PATIENCE)
        self.reader.join(PATIENCE)
        status = self.p.wait(PATIENCE)
        left = [x for x in self.lines if x[0] not in self.world.receipts]
        given = {x[0] for x in self.lines}
        self.world.waiting = collections.deque(
            left + [x for x in self.world.waiting if x[0] not in given and x[0] not in self.world.receipts])
        if sig is None and (status or left):
            raise Trouble('publish ended with %d, %d lines without a receipt' % (status, len(left)))


class Pipe:
    """The stages of one pipeline in a process group of their own."""

    def __init__(self, world, *source_options, foreign=None):
        common = ['--ledger', world.ledger, '--grace', '30s']  # hundreds of syncs on a busy disk
        commands = [
            [BIN, 'consume', '--group', GROUP, '--failover', '600ms', '--idle-mark', '100ms', *source_options, *common,
             '--grace', '3s'],
            [BIN, 'prompt', '--history', '0', '--min-events', '1', '-j', '4', *common],
            [BIN, 'invoke', '-j', '4', *common],
            [BIN, 'ack', '--interval', '30ms', *common]]
        names = ['consume', 'prompt', 'invoke', 'ack']
        if foreign is not None and shutil.which('jq'):
            commands.insert(foreign, ['jq', '-c', '--unbuffered', '.'])
            names.insert(foreign, 'jq')
        self.names, self.v, self.hit = names, [], {}
        group, before = 0, subprocess.DEVNULL
        for i, command in enumerate(commands):
            last = i == len(commands) - 1
            p = world.start(*command, stdin=before, stdout=subprocess.DEVNULL if last else subprocess.PIPE,
                            process_group=group)
            if i:
                before.close()
            before, group = p.stdout, group or p.pid
            self.v.append(p)

    def __getitem__(self, name):
        return self.v[self.names.index(name)]

    def ready(self):
        """All stages take SIGTERM by themselves: one that is still being started would just die of it."""
        for p, name in zip(self.v, self.names):
            until = time.monotonic() + PATIENCE
            while name != 'jq' and p.poll() is None and time.monotonic() < until:
                with open('/proc/%d/status' % p.pid) as f:
                    caught = next((x.split()[1] for x in f if x.startswith('SigCgt')), '0')
                if int(caught, 16) >> signal.SIGTERM - 1 & 1:
                    break
                time.sleep(0.005)

    def signal(self, sig, *names):
        if sig == signal.SIGTERM:
            self.ready()
        for name in names or self.names:
            if self[name].poll() is None:
                self[name].send_signal(sig)
            self.hit[name] = sig

    def group(self, sig):
        self.ready()
        os.killpg(self.v[0].pid, sig)

    def wait(self):
        until = time.monotonic() + PATIENCE
        for p, name in zip(self.v, self.names):
            try:
                p.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise Trouble('%s (pid %d) does not end; so far %s' % (name, p.pid, self.statuses())) from None
        return self.statuses()

    def statuses(self):
        return {n: p.returncode for n, p in zip(self.names, self.v)}

    def clean(self):
        got = self.wait()
        if any(got.values()):
            raise Trouble('clean end expected, not %s' % got)

    def broken(self, *more):
        """Ended by what was done to it: any status that says so, but no crash and no store error."""
        for name, status in self.wait().items():
            fine = {0, 1, LEASE_LOST, READER_GONE, NO_END, *more}
            if name in self.hit:
                fine |= {-self.hit[name], 128 + self.hit[name]}
            if name == 'jq':
                fine |= {2, 4, 5, -signal.SIGPIPE}
            if status not in fine:
                raise Trouble('%s ended with %d' % (name, status))

    def kill(self):
        for p in self.v:
            if p.poll() is None:
                p.kill()
            p.wait()


# ---- rounds; each gets a running pipe and ends it ----

def kill_one(w, pipe):
    pipe.signal(signal.SIGKILL, w.rng.choice(pipe.names))
    pipe.broken()


def kill_some(w, pipe):
    for name in w.rng.sample(pipe.names, 2):
        pipe.signal(signal.SIGKILL, name)
        time.sleep(w.rng.random() * 0.05)
    pipe.broken()


def kill_all(w, pipe):
    pipe.signal(signal.SIGKILL)
    pipe.broken()


def term_source(w, pipe):
    pipe.signal(signal.SIGTERM, 'consume')
    pipe.clean()


def term_group(w, pipe):
    if 'jq' in pipe.names:
        return term_source(w, pipe)
    pipe.group(signal.SIGTERM)
    if w.rng.random() < 0.5:
        pipe.group(signal.SIGTERM)  # as timeout(1) does
    pipe.clean()


def term_filters_first(w, pipe):
    for name in w.rng.sample(['prompt', 'invoke', 'ack'], 2):
        pipe.signal(signal.SIGTERM, name)
    time.sleep(w.rng.random() * 0.3)
    pipe.signal(signal.SIGTERM, 'consume')
    pipe.clean()


def term_twice(w, pipe):
    name = w.rng.choice([n for n in pipe.names if n != 'jq'])
    pipe.signal(signal.SIGTERM, name)
    time.sleep(0.35)
    pipe.signal(signal.SIGTERM, name)
    if name != 'consume':
        pipe.signal(signal.SIGTERM, 'consume')
    pipe.broken()


def stop_and_go(w, pipe):
    name = w.rng.choice(pipe.names)
    pipe.signal(signal.SIGSTOP, name)
    time.sleep(w.rng.random() * 1.2)
    pipe.signal(signal.SIGCONT, name)
    time.sleep(w.rng.random() * 0.2)
    pipe.signal(signal.SIGTERM, 'consume')
    pipe.clean()


def cut_line(w, pipe):
    """A stage writes against a full pipe and dies in the middle of a line; the next one reads what is there."""
    at = w.rng.randrange(len(pipe.names) - 1)
    writer, reader = pipe.names[at], pipe.names[at + 1]
    pipe.signal(signal.SIGSTOP, reader)
    time.sleep(0.3 + w.rng.random() * 0.3)
    pipe.signal(signal.SIGKILL, writer)
    pipe.signal(signal.SIGCONT, reader)
    pipe.broken()


def kill_in_drain(w, pipe):
    """The source has been asked to end, and waits for commits that its pipe may not live to make."""
    pipe.signal(signal.SIGTERM, 'consume')
    time.sleep(w.rng.random() * 0.05)
    pipe.signal(signal.SIGKILL, w.rng.choice([n for n in pipe.names if n != 'consume']))
    pipe.broken()


def take_over(w, pipe):
    """A second pipe takes the shards of a source that has stood still, or died with lines under way."""
    pipe.signal(signal.SIGSTOP, w.rng.choice(['invoke', 'prompt']))
    if w.rng.random() < 0.5:
        time.sleep(w.rng.random() * 0.3)
        pipe.signal(signal.SIGKILL, 'consume')
    else:
        pipe.signal(signal.SIGSTOP, 'consume')
    second = Pipe(w)
    try:
        time.sleep(0.8 + w.rng.random())
        pipe.signal(signal.SIGCONT)
        time.sleep(w.rng.random() * 0.5)
        for p in pipe, second:
            p.signal(signal.SIGTERM, 'consume')
        pipe.hit['consume'] = signal.SIGKILL
        pipe.broken()
        second.broken()
    finally:
        second.kill()


ROUNDS = [kill_one, kill_one, kill_some, kill_all, term_source, term_group, term_filters_first, term_twice, stop_and_go, cut_line,
          cut_line, kill_in_drain, take_over]


def one_round(w):
    act = w.rng.choice(ROUNDS)
    foreign = w.rng.randrange(1, 4) if w.rng.random() < 0.2 else None
    pipe = Pipe(w, foreign=foreign)
    publisher = Publisher(w, w.rng.randrange(50, 400))
    try:
        time.sleep(w.rng.random() * 0.6)
        act(w, pipe)
    except Trouble as e:
        raise Trouble('%s%s: %s' % (act.__name__, ' with jq' if foreign else '', e)) from None
    finally:
        pipe.kill()
        publisher.end(w.rng.choice([None, None, signal.SIGKILL]))
    return act.__name__


# ---- what must hold at the end ----

def plain(v):
    (kind, x), = v.items()
    if kind == 'M':
        return {k: plain(y) for k, y in x.items()}
    if kind == 'L':
        return [plain(y) for y in x]
    return int(x) if kind == 'N' and x.lstrip('-').isdigit() else x


def tables(w):
    out = collections.defaultdict(dict)
    db = sqlite3.connect(os.path.join(w.dir, 'store/recagent.db'))
    for table, key, item in db.execute('SELECT t.name, i.key, i.item FROM item i JOIN tbl t ON t.id = i.tbl'):
        out[table][key] = {k: plain(v) for k, v in json.loads(item).items()}
    tips = dict(db.execute('SELECT h.name, max(r.seq) FROM record r JOIN shard h ON h.id = r.shard GROUP BY h.id'))
    db.close()
    return out, tips


def check(w):
    wrong = []
    got, tips = tables(w)
    for user in w.sent:
        profile = got['user-profiles'].get(user, {'history': [], 'version': 0})
        ids = [e['event_id'] for e in profile['history']]
        numbers = [int(i.split('-')[1]) for i in ids]
        must = {i for i in w.receipts if i.split('-')[0] == user}
        if must - set(ids):
            wrong.append('%s: lost %s' % (user, sorted(must - set(ids))))
        if len(ids) != len(set(ids)):
            wrong.append('%s: twice %s' % (user, [i for i, n in collections.Counter(ids).items() if n > 1]))
        if numbers != sorted(numbers):
            wrong.append('%s: order %s' % (user, numbers))
        if profile['version'] != len(ids):
            wrong.append('%s: version %d with %d events' % (user, profile['version'], len(ids)))
        version = got['rec-cache'].get(user, {}).get('version', 0)
        if version != profile['version']:
            wrong.append('%s: cache of version %d, profile of %d' % (user, version, profile['version']))
    for shard, row in got[GROUP].items():
        if 'leaseOwner' in row:
            wrong.append('%s: still owned by %s' % (shard, row['leaseOwner']))
        if shard in tips and row['checkpoint'] != str(tips[shard]):
            wrong.append('%s: at %s, tip %d' % (shard, row['checkpoint'], tips[shard]))
    for line in open(w.ledger):
        if line.strip() and not json.loads(line)['balances']:
            wrong.append('ledger: ' + line)
    if wrong:
        raise Trouble('; '.join(wrong))


def finish(w):
    Publisher(w, 5).end()
    pipe = Pipe(w, '--end')
    try:
        pipe.clean()
    finally:
        pipe.kill()
    check(w)


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'))
    a.add_argument('--rounds', type=int)
    a.add_argument('--seconds', type=float)
    a.add_argument('--keep', action='store_true', help='the last store stays, also when all is well')
    a = a.parse_args()
    rng, began, done, events, seen = random.Random(a.seed), time.monotonic(), 0, 0, collections.Counter()

    def more():
        return done < a.rounds if a.rounds else time.monotonic() - began < (a.seconds or 15)

    print('# kill.py --seed %d' % a.seed, flush=True)
    while more():
        w = World(rng)
        try:
            first = done
            while more() and done - first < ROUNDS_A_STORE:
                seen[one_round(w)] += 1
                done += 1
            finish(w)
        except (Trouble, subprocess.SubprocessError) as e:
            w.log.flush()
            print('round %d, seed %d: %s\nwhat is left is in %s' % (done, a.seed, e, w.dir))
            with open(os.path.join(w.dir, 'stderr'), errors='replace') as f:
                sys.stdout.writelines(f.readlines()[-20:])
            return 1
        events += len(w.receipts)
        w.log.close()
        if a.keep and not more():
            print('# the store is in ' + w.dir)
        else:
            shutil.rmtree(w.dir)
    print('# %d rounds, %d events with receipts: %s' % (done, events, ', '.join('%s %d' % x for x in sorted(seen.items()))))
    return 0


sys.exit(main())
