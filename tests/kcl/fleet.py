# fleet.py handover|mixed [--kcl 2|3] [--seed S] [--seconds T] [--keep] - KCL workers and recagent's share one lease table.
#
# handover: one worker at a time, of one kind and then of the other; each must begin where the last one ended, with nothing
# twice, in the midst of a batch or an aggregate of the Kinesis Producer Library, too. mixed: workers of both kinds come and go (SIGTERM, SIGKILL, SIGSTOP) while events are published and shards split and
# merge. A watcher reads the table all the time. Then, from the receipts of publish and the notes of all workers:
#   - every accepted record was processed, and none that was not accepted
#   - per shard the first occurrences are in order without a gap; a child begins after the end of its parents
#   - no checkpoint was ever ahead of what had been processed
#   - who took a shard began no earlier than behind the checkpoint that stood there, so what is doubled was in flight
#   - in the end each closed shard's row is SHARD_END or gone, each open one's at its last record
# A note of a worker: microseconds, tenure, shard, sequence number, subsequence number, data; tab-separated.
import argparse
import bisect
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import boto3
import botocore.config

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get('RECAGENT') or os.path.join(HERE, '../../build/recagent')
CLASSES = os.environ.get('KCL_CLASSES') or os.path.join(HERE, '../../build/kcl')
FAILOVER_MS = 2000
COMMIT_MS = 300
IN_FLIGHT = 200  # at most, of one shard: a batch of the KCL's, or what a pipe holds and ack has not committed yet
PATIENCE = 120  # seconds for what must come true by itself
LEASE_LOST, READER_GONE, NO_END = 7, 8, 9


def now_us():
    return time.time_ns() // 1000


class Trouble(Exception):
    pass


class Kcl:
    kind = 'kcl'

    def __init__(self, world, version, name, records=None):
        self.name, self.world, self.began = name, world, time.monotonic()
        self.notes = os.path.join(world.dir, name + '.notes')
        self.err = os.path.join(world.dir, name + '.err')
        open(self.notes, 'w').close()
        lib = os.path.join(HERE, 'lib-%s' % version)
        self.p = world.start(
            'java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m', '-Xshare:auto',
            '-Dorg.slf4j.simpleLogger.defaultLogLevel=' + os.environ.get('KCL_LOG', 'warn'),
            '-Dorg.slf4j.simpleLogger.showDateTime=true', '-cp', '%s/%s:%s/*' % (CLASSES, version, lib),
            'KclWorker', world.stream, world.table, name, self.notes,
            env=dict(world.env, RECORDS=str(records)) if records else world.env, stderr=open(self.err, 'w'), stdin=subprocess.DEVNULL)

    def owns(self, owner):
        return owner == self.name

    def begun(self):
        with open(self.err) as f:
            return ' begins ' in f.read()

    def signal(self, sig, stage=None):
        self.p.send_signal(sig)

    def stages(self):
        return ['all']

    def running(self):
        return self.p.poll() is None

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        self.p.wait(PATIENCE)
        if self.p.returncode not in (0, 143):  # 143: there was no handler yet
            raise Trouble('%s: exit status %d' % (self.name, self.p.returncode))

    def kill(self, stage=None):
        self.p.kill()
        self.p.wait()


class Rec:
    kind = 'rec'

    def __init__(self, world, name, records=None):
        self.name, self.world, self.began = name, world, time.monotonic()
        self.notes = os.path.join(world.dir, name + '.notes')
        open(self.notes, 'w').close()
        self.err = os.path.join(world.dir, name + '.err')
        err = open(self.err, 'w')
        self.consume = world.start(BIN, 'consume', '--group', world.table, '--failover', '%dms' % FAILOVER_MS,
                                   '--poll', '250ms', '-v', *(['-n', str(records)] if records else []), world.stream,
                                   stdout=subprocess.PIPE, stderr=err,
                                   stdin=subprocess.DEVNULL)
        self.note = world.start(sys.executable, '-S', os.path.join(HERE, 'note.py'), self.notes,
                                stdin=self.consume.stdout, stdout=subprocess.PIPE, stderr=err)
        self.ack = world.start(BIN, 'ack', '--interval', '%dms' % COMMIT_MS, stdin=self.note.stdout, stderr=err)
        self.consume.stdout.close()
        self.note.stdout.close()

    def owns(self, owner):
        return (':%d:' % self.consume.pid) in owner

    def begun(self):
        return os.path.getsize(self.notes) > 0

    def all(self):
        return (self.consume, self.note, self.ack)

    def signal(self, sig, stage=None):
        for p in self.all():
            if stage in (None, 'all', p.args[1] if p is not self.note else 'note'):
                p.send_signal(sig)

    def stages(self):
        return ['all', 'consume', 'note', 'ack']

    def running(self):
        return any(p.poll() is None for p in self.all())

    def wait(self):
        until = time.monotonic() + PATIENCE
        for p in self.all():
            p.wait(max(0.1, until - time.monotonic()))

    def stop(self):
        self.consume.send_signal(signal.SIGTERM)
        self.wait()
        ends = [p.returncode for p in self.all()]
        # A lease that was stolen shows at the next commit.
        if ends[0] or ends[1] or ends[2] not in (0, LEASE_LOST):
            raise Trouble('%s: exit statuses %s' % (self.name, ends))

    def kill(self, stage='all'):
        self.signal(signal.SIGKILL, stage)
        self.wait()


class World:
    def __init__(self, what, kcl, seed, keep):
        self.rng = random.Random('%s %s' % (kcl, seed))
        self.kcl, self.seed, self.keep = kcl, seed, keep
        self.dir = tempfile.mkdtemp(prefix='recagent-kcl.')
        self.stream = self.table = 'kcl%s-%s-%d' % (kcl, seed, os.getpid())
        # Beside workers that know 2.x only, KCL 3 is to share leases out as they do; else its leader does it alone.
        self.compatible = kcl == '3' and seed % 2 == 1
        self.env = dict(os.environ, FAILOVER_MS=str(FAILOVER_MS), CLIENT_VERSION='CLIENT_VERSION_CONFIG_' + (
            'COMPATIBLE_WITH_2X' if self.compatible else '3X'))
        if seed % 3 == 0:
            self.env['CLEANUP_MS'] = '2000'
        self.t0 = time.monotonic()
        self.log = open(os.path.join(self.dir, 'log'), 'w')
        config = botocore.config.Config(retries={'max_attempts': 5}, read_timeout=30)
        self.kinesis = boto3.client('kinesis', endpoint_url=os.environ['KINESIS_URL'], config=config)
        self.dynamodb = boto3.client('dynamodb', endpoint_url=os.environ['DYNAMODB_URL'], config=config)
        self.workers, self.gone, self.processes = [], [], []
        self.count = collections.Counter()
        self.samples = []     # (us before, us after, {shard: (owner, checkpoint, counter)})
        self.watching = True
        self.setup()
        self.aggregate = what == 'handover' or seed % 2 == 0
        self.publisher = self.start(BIN, 'publish', '--linger', '50ms', *(['--aggregate'] if self.aggregate else []),
                                    self.stream, stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, stderr=open(self.path('publish.err'), 'w'))
        # Into a pipe receipts are flushed one by one.
        self.start('cat', stdin=self.publisher.stdout, stdout=open(self.path('receipts'), 'w'))
        self.publisher.stdout.close()
        self.made = 0
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def path(self, name):
        return os.path.join(self.dir, name)

    def say(self, *what):
        print('%7.2f' % (time.monotonic() - self.t0), *what, file=self.log, flush=True)

    def start(self, *args, **more):
        p = subprocess.Popen(args, **{'env': self.env, **more})
        self.processes.append(p)
        return p

    def setup(self):
        subprocess.run([BIN, 'setup', '--stream', self.stream, '--group', self.table], env=self.env, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # ---- events ----

    def publish(self, n):
        lines = []
        for _ in range(n):
            self.made += 1
            lines.append('{"event_id":"e%d","user_id":"u%d","item_id":"i%d","event_type":"click","timestamp":"2026-01-02T03:04:05Z"}\n'
                         % (self.made, self.rng.randrange(500), self.made))
        self.publisher.stdin.write(''.join(lines).encode())
        self.publisher.stdin.flush()

    def receipts(self):
        out = {}
        with open(self.path('receipts')) as f:
            for line in f:
                if not line.endswith('\n'):
                    break
                r = json.loads(line)
                if 'sequence_number' in r:
                    out[(r['shard_id'], int(r['sequence_number']), r.get('subsequence_number', 0))] = r['event_id']
                elif 'error' in r:
                    raise Trouble('publish: ' + line)
        return out

    def published(self):
        self.wait_for('receipts', lambda: len(self.receipts()) == self.made)

    # ---- shards ----

    def shards(self):
        return self.kinesis.list_shards(StreamName=self.stream)['Shards']

    def open_shards(self):
        out = [s for s in self.shards() if 'EndingSequenceNumber' not in s['SequenceNumberRange']]
        return sorted(out, key=lambda s: int(s['HashKeyRange']['StartingHashKey']))

    def split(self):
        s = self.rng.choice(self.open_shards())
        low, high = int(s['HashKeyRange']['StartingHashKey']), int(s['HashKeyRange']['EndingHashKey'])
        self.say('split', s['ShardId'])
        self.kinesis.split_shard(StreamName=self.stream, ShardToSplit=s['ShardId'],
                                 NewStartingHashKey=str((low + high) // 2 + 1))
        self.active()

    def merge(self):
        shards = self.open_shards()
        i = self.rng.randrange(len(shards) - 1)
        self.say('merge', shards[i]['ShardId'], shards[i + 1]['ShardId'])
        self.kinesis.merge_shards(StreamName=self.stream, ShardToMerge=shards[i]['ShardId'],
                                  AdjacentShardToMerge=shards[i + 1]['ShardId'])
        self.active()

    def active(self):
        self.count['reshards'] += 1
        while self.kinesis.describe_stream_summary(StreamName=self.stream)[
                'StreamDescriptionSummary']['StreamStatus'] != 'ACTIVE':
            time.sleep(0.05)

    # ---- the table ----

    def rows(self, kind='LEASE'):
        out = {}
        for page in self.dynamodb.get_paginator('scan').paginate(TableName=self.table, ConsistentRead=True):
            for item in page['Items']:
                if item.get('entityType', {}).get('S', 'LEASE') == kind:
                    out[item['leaseKey']['S']] = item
        return out

    def watch(self):
        last = None
        with open(self.path('rows'), 'w') as f:
            while self.watching:
                before = now_us()
                try:
                    rows = self.rows()
                except Exception as e:  # the table's server is gone: the run ends otherwise
                    self.say('watch:', e)
                    time.sleep(0.5)
                    continue
                self.samples.append((before, now_us(), {
                    k: (v.get('leaseOwner', {}).get('S', ''), v['checkpoint']['S'],
                        int(v['checkpointSubSequenceNumber']['N'])) for k, v in rows.items()}))
                if rows != last:
                    print(before, json.dumps(rows, sort_keys=True), file=f, flush=True)
                last = rows
                time.sleep(0.1)

    def at_tip(self):
        """Is the last record of each open shard committed, and each closed one's row ended or gone?"""
        tip, rows = {}, self.rows()
        for shard, seq, sub in self.receipts():
            tip[shard] = max(tip.get(shard, (0, 0)), (seq, sub))
        for s in self.shards():
            shard, row = s['ShardId'], rows.get(s['ShardId'])
            cp = row['checkpoint']['S'] if row else None
            if 'EndingSequenceNumber' in s['SequenceNumberRange']:
                if cp not in (None, 'SHARD_END'):
                    return False
            elif shard in tip and (not cp or not cp.isdigit() or
                                   (int(cp), int(row['checkpointSubSequenceNumber']['N'])) < tip[shard]):
                return False
            elif not row:
                return False
        return True

    def wait_for(self, what, cond, patience=PATIENCE):
        until = time.monotonic() + patience
        while not cond():
            if time.monotonic() > until:
                raise Trouble('no %s within %d s' % (what, patience))
            time.sleep(0.1)

    # ---- workers ----

    def add(self, kind, records=None):
        self.count[kind] += 1
        name = '%s%d' % (kind, self.count[kind])
        self.say('start', name)
        w = Kcl(self, self.kcl, name, records) if kind == 'kcl' else Rec(self, name, records)
        self.workers.append(w)
        return w

    def remove(self, w, how, stage=None):
        self.say(how, w.name, stage or '')
        self.count[how] += 1
        w.stop() if how == 'stop' else w.kill(stage)
        self.say('gone', w.name)
        self.workers.remove(w)
        self.gone.append(w)

    def close(self):
        self.watching = False
        self.watcher.join(10)
        for p in self.processes:
            if p.poll() is None:
                p.kill()
            p.wait()
        if not self.keep:
            shutil.rmtree(self.dir)

    # ---- the verdict ----

    def judge(self):
        j = Judge(self)
        for check in (j.all_processed, j.in_order, j.parents_first, j.checkpoints_behind, j.tenures_begin, j.rows_in_the_end):
            check()
        return j.summary()


class Judge:
    def __init__(self, world):
        self.w = world
        self.receipts = world.receipts()
        self.by_shard = collections.defaultdict(list)
        for shard, *seq in self.receipts:
            self.by_shard[shard].append(tuple(seq))
        for seqs in self.by_shard.values():
            seqs.sort()
        self.notes = []  # (us, worker, tenure, shard, (sequence, subsequence number))
        for w in world.gone + world.workers:
            with open(w.notes) as f:
                for line in f:
                    us, tenure, shard, seq, sub, data = line.rstrip('\n').split('\t')
                    at = int(seq), int(sub)
                    if (shard, *at) not in self.receipts:
                        raise Trouble('%s processed what was not published: %s' % (w.name, line))
                    if json.loads(data)['event_id'] != self.receipts[(shard, *at)]:
                        raise Trouble('%s got another record: %s' % (w.name, line))
                    self.notes.append((int(us), w, tenure, shard, at))
        self.notes.sort(key=lambda n: n[0])
        self.first = {}
        for us, _, _, shard, seq in self.notes:
            self.first.setdefault((shard, seq), us)
        self.worst = 0

    def all_processed(self):
        missing = [(s, q) for s, qs in self.by_shard.items() for q in qs if (s, q) not in self.first]
        if missing:
            raise Trouble('%d of %d were skipped, as %s' % (len(missing), len(self.receipts), missing[:3]))

    def in_order(self):
        at = collections.Counter()  # shard: index of the next first occurrence
        seen = set()
        for _, w, _, shard, seq in self.notes:
            if (shard, seq) in seen:
                continue
            seen.add((shard, seq))
            if self.by_shard[shard][at[shard]] != seq:
                raise Trouble('%s: %s came to %s before %s' % (w.name, shard, seq, self.by_shard[shard][at[shard]]))
            at[shard] += 1

    def parents_first(self):
        for s in self.w.shards():
            mine = self.by_shard.get(s['ShardId'])
            for p in (s.get('ParentShardId'), s.get('AdjacentParentShardId')):
                if p and mine and self.by_shard.get(p) and \
                        self.first[(p, self.by_shard[p][-1])] > self.first[(s['ShardId'], mine[0])]:
                    raise Trouble('%s began before its parent %s had ended' % (s['ShardId'], p))

    def index(self, shard, checkpoint, sub):
        """How many records of the shard a checkpoint covers."""
        if checkpoint == 'SHARD_END':
            return len(self.by_shard.get(shard, []))
        return bisect.bisect_right(self.by_shard.get(shard, []), (int(checkpoint), sub)) if checkpoint.isdigit() else 0

    def checkpoints_behind(self):
        last = {}
        for _, after, rows in self.w.samples:
            for shard, (_, checkpoint, sub) in rows.items():
                n = self.index(shard, checkpoint, sub)
                if n < last.get(shard, 0):
                    raise Trouble('%s: the checkpoint went back to %s' % (shard, checkpoint))
                last[shard] = n
                if n and self.first[(shard, self.by_shard[shard][n - 1])] > after:
                    raise Trouble('%s: the checkpoint %s was ahead of what was processed' % (shard, checkpoint))

    def tenures_begin(self):
        """Each tenure's first record is behind the checkpoint that the last sample saw before its worker had the lease."""
        prev, self.tenures, again = {}, 0, collections.Counter()
        times = [s[0] for s in self.w.samples]
        for us, w, tenure, shard, seq in self.notes:
            i = bisect.bisect_left(self.by_shard[shard], seq)
            key, was = (w.name, shard), prev.get((w.name, shard))
            prev[key] = (tenure, i)
            if self.first[(shard, seq)] != us:
                again[(w.name, shard, self.tenures)] += 1
            if was and was == (tenure, i - 1):
                continue
            self.tenures += 1
            k = bisect.bisect_left(times, us) - 1
            # It may have lost the lease already, and process a last batch.
            for had in (False, True):
                while k >= 0 and w.owns(self.w.samples[k][2].get(shard, ('',))[0]) == had:
                    k -= 1
            if k < 0:
                continue
            row = self.w.samples[k][2].get(shard)
            if row and i < self.index(shard, *row[1:]):
                raise Trouble('%s began %s at %s, before its checkpoint %s' % (w.name, shard, seq, row[1]))
        self.worst = max(again.values(), default=0)
        if self.worst > IN_FLIGHT:
            raise Trouble('%d records of one shard were processed again at once' % self.worst)

    def rows_in_the_end(self):
        if not self.w.at_tip():
            raise Trouble('the rows are not at the end of the stream')

    def summary(self):
        owners, takes = {}, 0
        for _, _, rows in self.w.samples:
            for shard, (owner, _, _) in rows.items():
                if owner and owners.get(shard) not in (None, owner):
                    takes += 1
                if owner:
                    owners[shard] = owner
        gone = {s['ShardId'] for s in self.w.shards()} - set(self.w.samples[-1][2])
        by = collections.Counter(n[1].kind for n in self.notes)
        return {'version': self.w.kcl, 'seed': self.w.seed, 'events': len(self.receipts), 'shards': len(self.w.shards()),
                'by_kcl': by['kcl'], 'by_rec': by['rec'], 'doubled': len(self.notes) - len(self.first),
                'doubled_at_once': self.worst, 'aggregate': self.w.aggregate, 'rows_gone': len(gone), 'owner_changes': takes,
                'tenures': self.tenures, **{k: v for k, v in sorted(self.w.count.items())},
                'seconds': round(time.monotonic() - self.w.t0)}


def notes_of(w):
    with open(w.notes) as f:
        return sum(1 for _ in f)


def run_alone(w, kind, pending, most=None):
    p = w.add(kind, most)
    if most:
        w.wait_for('end of ' + p.name, lambda: not p.running())
        w.workers.remove(p)
        w.gone.append(p)
    else:
        w.wait_for('end of the stream, for ' + p.name, w.at_tip)
        w.remove(p, 'stop')
    if notes_of(p) != (most or pending):
        raise Trouble('%s processed %d records, not %d of the %d behind the checkpoints'
                      % (p.name, notes_of(p), most or pending, pending))


def handover(w):
    """Each worker has ended before the next one begins: each record exactly once."""
    kinds = ['rec', 'kcl'] if w.seed % 2 else ['kcl', 'rec']
    pending = 120
    w.publish(pending)
    w.published()
    for i, kind in enumerate(kinds * 2):
        if i:
            w.split() if i % 2 else w.merge()
            w.publish(60)
            w.published()
            pending += 60
        most = w.rng.randrange(pending // 3, pending // 2) if i < 2 else None
        run_alone(w, kind, pending, most)
        pending -= most or pending


def choose(w, paused):
    """Something that may be done now."""
    kinds = collections.Counter(p.kind for p in w.workers)
    ripe = [p for p in w.workers if p not in paused and p.begun() and time.monotonic() - p.began > 4]
    acts = []
    if kinds['rec'] < 2:
        acts += ['add rec'] * 3
    if kinds['kcl'] < 2:
        acts += ['add kcl'] * (3 if not kinds['kcl'] else 1)
    if ripe and len(w.workers) - len(paused) > 1:
        acts += ['stop', 'kill', 'kill', 'pause']
    acts += ['split'] * 2 if len(w.open_shards()) < 7 else []
    acts += ['merge'] * 2 if len(w.open_shards()) > 3 else []
    return w.rng.choice(acts), w.rng.choice(ripe) if ripe else None


def act(w, paused):
    what, who = choose(w, paused)
    if what.startswith('add'):
        w.add(what.split()[1])
    elif what == 'split':
        w.split()
    elif what == 'merge':
        w.merge()
    elif what == 'stop':
        w.remove(who, 'stop')
    elif what == 'kill':
        w.remove(who, 'kill', w.rng.choice(who.stages()))
    elif what == 'pause':
        w.say('pause', who.name)
        w.count['pause'] += 1
        who.signal(signal.SIGSTOP)
        paused[who] = time.monotonic() + w.rng.uniform(1, 3) * FAILOVER_MS / 1000


def begin(w):
    """One worker of each kind, at work."""
    for kind in w.rng.sample(['rec', 'kcl'], 2):
        w.add(kind)
    kcl, rec = sorted(w.workers, key=lambda p: p.kind)
    w.wait_for('worker', rec.begun)
    if w.kcl == '3' and not w.compatible:
        # Its leader takes nothing from a worker that lives: to get its first leases one must die.
        w.wait_for('metrics of a worker', lambda: w.rows('WORKER_METRIC_STATS'))
        w.remove(rec, 'kill', w.rng.choice(rec.stages()))
    w.wait_for('KCL worker', kcl.begun)


def publish_steadily(w, stop):
    try:
        while not stop.is_set():
            w.publish(w.rng.randrange(1, 9))
            stop.wait(0.1)
    except BrokenPipeError:
        pass


def mixed(w, seconds):
    paused, stop = {}, threading.Event()
    pub = threading.Thread(target=publish_steadily, args=(w, stop), daemon=True)
    pub.start()
    begin(w)
    until = time.monotonic() + seconds
    next_act = time.monotonic()
    while time.monotonic() < until:
        time.sleep(0.1)
        now = time.monotonic()
        for p in [p for p, t in paused.items() if t <= now]:
            w.say('go on', p.name)
            p.signal(signal.SIGCONT)
            del paused[p]
        for p in w.workers:
            if not p.running():
                raise Trouble('%s ended by itself' % p.name)
        if now >= next_act:
            act(w, paused)
            next_act = time.monotonic() + w.rng.uniform(1, 4)
    for p in paused:
        w.say('go on', p.name)
        p.signal(signal.SIGCONT)
    stop.set()
    pub.join()
    w.published()
    w.say('published', w.made)
    w.wait_for('end of the stream', w.at_tip)
    for p in list(w.workers):
        w.remove(p, 'stop')
    for kind in ('rec', 'kcl'):
        if not sum(notes_of(p) for p in w.gone if p.kind == kind):
            raise Trouble('%s processed nothing' % kind)
    # What is left is a table that each kind can go on from: only what is new reaches them.
    for kind in w.rng.sample(['rec', 'kcl'], 2):
        w.publish(30)
        w.published()
        run_alone(w, kind, 30)


def main():
    a = argparse.ArgumentParser()
    a.add_argument('what', choices=['handover', 'mixed'])
    a.add_argument('--kcl', default='2', choices=['2', '3'])
    a.add_argument('--seed', type=int, default=1)
    a.add_argument('--seconds', type=float, default=25)
    a.add_argument('--keep', action='store_true')
    o = a.parse_args()
    w = World(o.what, o.kcl, o.seed, o.keep)
    try:
        handover(w) if o.what == 'handover' else mixed(w, o.seconds)
        print(json.dumps({'what': o.what, **w.judge()}))
    except (Trouble, subprocess.TimeoutExpired) as e:
        w.keep = True
        print('fleet.py %s --kcl %s --seed %d: %s (see %s)' % (o.what, o.kcl, o.seed, e, w.dir), file=sys.stderr)
        return 1
    finally:
        w.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
