# chaos.py [--form local|servers|both] [--seed S] [--rounds N | --seconds T] [--keep] - the whole system under kills, stops,
# resharding and faults, round after round; `make chaos` runs it, with FORM=, SEED=, N= and SECONDS=.
#
# A round makes a stream and tables of its own: on the embedded store, or on servers (kinesis-mock, moto or DynamoDB Local, the
# Bedrock double) behind fault proxies (front.mjs). Producers publish their users' events in order; workers of one group each
# run `consume | prompt | invoke | ack`. For some seconds processes are killed, stopped, ended and started again (actors.py),
# shards split and merged, and requests throttled, lost, cut, doubled, delayed. Then the faults end, everything must
# drain by itself within two minutes, and judge.py compares the stream, the profiles, the cache, the leases and the ledgers.
#
# Round n has the seed S + n: a round that failed is repeated by SEED=that N=1 FORM=its form. The seed decides sizes, options,
# what is done to whom and when, and which request meets which fault; what the scheduler makes of it differs from
# run to run, so a rare failure may need the seed several times. What a failed round leaves is kept: `log` has all that was
# started and done, *.err the messages and *.ledger the balance of each process, stream all that was in it.
import argparse
import collections
import datetime
import os
import shutil
import signal
import sys
import threading
import time
import traceback

import judge
from actors import CONT, KILL, PATIENCE, STAGES, STOP, TERM, Producer, Trouble, Worker
from aws import AwsError
from world import GROUP, Embedded, Servers

FORMS = {'local': [Embedded], 'servers': [Servers], 'both': [Embedded, Servers]}
SKEWS = ['', '', '', '7000s', '-7000s', '90s', '-400ms']
LIVE_KEYS = 60  # of one key without a receipt: more than 64 behind, a profile of the default window knows an event no more


class Plan:
    """What a round is made of."""

    def __init__(self, world):
        rng, servers = world.rng, world.name == 'servers'
        self.spool = servers and rng.random() < 0.3
        self.aggregate = rng.random() < 0.3
        self.whole = self.spool or rng.random() < 0.6  # a crash may send any part of a spool again
        self.ordered = rng.random() < 0.6
        self.shards = rng.randrange(1, 5)
        self.workers = rng.randrange(2, 5) if not servers else rng.randrange(2, 4)
        self.producers = rng.randrange(1, 4)
        self.events = rng.randrange(80, 300) if servers else rng.randrange(200, 1500)
        self.users = rng.randrange(2 + 3 * servers, 10)  # of each producer; a call takes one record of a key with --order key
        self.seconds = rng.uniform(3, 6) if servers else rng.uniform(2, 4)
        self.storm = rng.choice([0, 0.005, 0.01, 0.03]) if servers else 0
        self.skews = rng.choice([[''], SKEWS])
        self.reshards = rng.randrange(0, 4)
        # Of those who end at the same time one may hand a lease to another who has just gone.
        self.in_turn = rng.random() < 0.6
        self.sleeper = rng.random() < 0.4
        self.least = 1 if self.whole else 3
        group = world.renamed[GROUP] if servers else GROUP
        common = ['--grace', '30s', *world.read_timeout]
        self.publish = ['--order', 'key' if self.ordered else 'batch', '--lanes', str(rng.choice([1, 4, 8])), '--give-up', '2m',
                        '--batch-records', str(rng.choice([500, 50, 7])), '--linger', rng.choice(['5ms', '50ms']),
                        *(['--aggregate'] if self.aggregate else []), *common]
        self.stages = {
            'consume': ['--group', group, '--failover', world.failover, '--idle-mark', '100ms', '--poll', '100ms',
                        '--grace', '3s', *world.read_timeout],
            'prompt': ['-j', '4', *(['--history', '0', '--min-events', '1'] if self.whole else []), *common],
            'invoke': ['-j', str(rng.choice([1, 4, 16])), '--ttl', '24h', *common],
            'ack': ['--interval', rng.choice(['30ms', '300ms']), *common]}

    def spool_options(self, world, n):
        """Each producer has a spool of its own, as only one process at a time may."""
        return ['--spool', os.path.join(world.dir, 'spool%d' % n), '--spool-after', '300ms'] if self.spool else []

    def __str__(self):
        return '%d workers, %d shards and %d changes, %d producers with %d users, %d events%s%s, storm %g%s' % (
            self.workers, self.shards, self.reshards, self.producers, self.users, self.events,
            ' in order' * self.ordered + ', aggregated' * self.aggregate + ', spool' * self.spool, ', all kept' if self.whole else ', window', self.storm,
            ', skewed clocks' if len(self.skews) > 1 else '')


def make_events(world, producer, plan, count):
    rng = world.fork('events %d' % producer)
    made, out, now = collections.Counter(), [], time.time() - 10
    for _ in range(count):
        user = 'u%d-%d' % (producer, int(min(rng.random(), rng.random()) * plan.users))
        made[user] += 1
        now += 0.001
        e = {'user_id': user, 'event_id': '%s-%d' % (user, made[user]), 'item_id': 'i%d' % rng.randrange(40), 'event_type': 'click'}
        at = now - rng.random() * 80000 if rng.random() < 0.05 else now
        if rng.random() < 0.95:
            e['timestamp'] = datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat()
        e['metadata'] = {'category': 'c%d' % rng.randrange(5), 'pad': 'x' * rng.randrange(20, 400)}
        out.append(e)
    return out


def storm(share):
    """The same share of each fault for every server; hangs take long, so they are rarer."""
    v = {f: share for f in ['throttle', 'busy', 'reset', 'lost', 'closed', 'cut', 'twice', 'slow', 'partial', 'expired']}
    v.update(hang=share / 5, late=share)
    if v['partial']:
        v['partial'] = max(0.1, 4 * share)
    # A second, late copy of a question is one that the model is asked beside the next: its session would be busy.
    return {'kinesis': v, 'tables': dict(v, late=0), 'model': dict(v, twice=0, late=0)}


class Round:
    def __init__(self, world):
        self.world, self.rng = world, world.fork('acts')
        self.plan = p = Plan(world)
        world.note('%s: %s', world.name, p)
        world.setup(p.shards)
        self.events = [make_events(world, n, p, p.events // p.producers) for n in range(p.producers)]
        self.producers = [Producer(world, 'producer%d' % n, v, p.publish + p.spool_options(world, n), p.seconds, p.skews,
                                   None if p.whole else LIVE_KEYS) for n, v in enumerate(self.events)]
        self.workers = [Worker(world, 'worker%d' % n, p.stages, p.skews) for n in range(p.workers)]
        self.later = []  # (time, what to do)
        self.changes, self.rng_shards = [], world.fork('shards')
        self.acts = collections.Counter()

    # ---- what is done to whom ----

    def kill_stage(self):
        return self.rng.choice(self.workers).signal(KILL, self.rng.choice(STAGES))

    def kill_some(self):
        return self.rng.choice(self.workers).signal(KILL, *self.rng.sample(STAGES, 2))

    def kill_pipe(self):
        return self.rng.choice(self.workers).signal(KILL)

    def end_source(self):
        return self.rng.choice(self.workers).signal(TERM, 'consume')

    def end_all_stages(self):
        return self.rng.choice(self.workers).signal(TERM)

    def end_filter(self):
        """A filter is asked before the source is."""
        w = self.rng.choice(self.workers)
        self.after(self.rng.random() * 0.4, lambda: w.signal(TERM, 'consume'))
        return w.signal(TERM, self.rng.choice(STAGES[1:]))

    def kill_in_drain(self):
        w = self.rng.choice(self.workers)
        self.after(self.rng.random() * 0.05, lambda: w.signal(KILL, self.rng.choice(STAGES[1:])))
        return w.signal(TERM, 'consume')

    def stop_stage(self):
        w, names = self.rng.choice(self.workers), [self.rng.choice(STAGES)]
        self.after(self.rng.random() * 2, lambda: w.signal(CONT, *names))
        return w.signal(STOP, *names)

    def stop_pipe(self):
        """Longer than the failover: it wakes up among those who have taken its shards."""
        w = self.rng.choice(self.workers)
        seconds = float(self.world.failover[:-2]) / 1000
        self.after(seconds * self.rng.uniform(0.8, 1.8), lambda: w.signal(CONT))
        return w.signal(STOP)

    def cut_line(self):
        """A stage writes against a full pipe and dies in the middle of a line; the next one reads what is there."""
        w, at = self.rng.choice(self.workers), self.rng.randrange(3)
        self.after(0.5, lambda: w.signal(KILL, STAGES[at]))
        self.after(0.51, lambda: w.signal(CONT, STAGES[at + 1]))
        return w.signal(STOP, STAGES[at + 1])

    def kill_producer(self):
        self.rng.choice(self.producers).kill()

    def end_producer(self):
        self.rng.choice(self.producers).term()

    def weather(self):
        v = storm(self.plan.storm * self.rng.choice([0, 1, 1, 3]))
        if self.rng.random() < 0.3:
            v[self.rng.choice(list(v))] = {self.rng.choice(['busy', 'reset', 'throttle']): 1}  # nothing goes through at all
        self.world.faults(v)

    def reshard(self):
        """In a thread: it waits for the store, which a process may hold that only this thread wakes up again."""
        def change():
            try:
                self.world.note('reshard: %s', self.world.reshard(self.rng_shards))
            except (AwsError, Trouble) as e:
                self.world.note('reshard: %s', e)  # another change was still under way
        self.changes.append(threading.Thread(target=change, daemon=True))
        self.changes[-1].start()

    def after(self, seconds, what):
        self.later.append((time.monotonic() + seconds, what))

    def due(self, everything=False):
        now = time.monotonic()
        ready = [x for x in self.later if everything or x[0] <= now]
        self.later = [x for x in self.later if x not in ready]
        for _, what in sorted(ready, key=lambda x: x[0]):
            what()

    def disturb(self):
        p, begin = self.plan, time.monotonic()
        acts = [self.kill_stage] * 3 + [self.kill_some, self.kill_pipe, self.kill_pipe, self.end_source, self.end_source,
                self.end_all_stages, self.end_filter, self.kill_in_drain, self.stop_stage, self.stop_pipe, self.cut_line,
                self.kill_producer, self.kill_producer, self.end_producer]
        if p.storm:
            acts += [self.weather] * 2
            self.world.faults(storm(p.storm))
        for _ in range(p.reshards):
            self.after(self.rng.uniform(0.1, p.seconds), self.do(self.reshard))
        pause = self.rng.choice([0.1, 0.3, 0.6])
        while time.monotonic() - begin < p.seconds:
            self.after(0, self.do(self.rng.choice(acts)))
            until = time.monotonic() + self.rng.expovariate(1 / pause)
            while time.monotonic() < min(until, begin + p.seconds):
                self.due()
                self.failed()
                time.sleep(0.005)

    def do(self, act):
        def done():
            self.acts[act.__name__] += 1
            self.world.note('%s %s', act.__name__, act() or '')
        return done

    # ---- and then ----

    def failed(self):
        for x in self.producers + self.workers:
            if x.error:
                raise x.error

    def await_(self, what, done):
        until = time.monotonic() + PATIENCE
        while not done():
            self.failed()
            if time.monotonic() > until:
                raise Trouble(what())
            if self.world.rng.random() < 0.1:
                self.world.note(what())
            time.sleep(0.2)
        self.failed()

    def orphans(self):
        """Leases that nobody has, or that a process has which is gone: others must take them."""
        living = {str(w.stages['consume'].p.pid) for w in self.workers if w.stages and w.stages['consume'].p.poll() is None}
        return ['%s: %s' % (r['leaseKey'], r.get('leaseOwner')) for r in self.world.table(GROUP)
                if r['checkpoint'] != 'SHARD_END' and r.get('leaseOwner', ':').split(':')[1] not in living]

    def sleeper(self):
        """Somebody falls asleep with lines under way and wakes up when others have dealt with them. On the embedded store it
        may sleep in a transaction that they wait for; then it wakes up earlier."""
        w, names = self.rng.choice(self.workers), self.rng.choice([STAGES, ['consume', 'invoke'], ['consume', 'prompt', 'ack']])
        self.world.note('%s sleeps: %s', w.name, w.signal(STOP, *names))
        done = threading.Event()

        def wake():
            if not done.is_set():
                done.set()
                self.world.note('%s wakes up: %s', w.name, w.signal(CONT, *names))
        alarm = threading.Timer(4 if self.world.name == 'local' else PATIENCE / 2, wake)
        alarm.daemon = True
        alarm.start()
        return wake

    def run(self):
        for x in self.producers + self.workers:
            x.start()
        self.disturb()
        self.due(everything=True)
        wake = self.sleeper() if self.plan.sleeper else lambda: None
        self.world.faults({})
        for x in self.producers:
            x.hurry = True
        self.world.note('calm')
        self.await_(lambda: 'resharding does not end', lambda: not any(x.is_alive() for x in self.changes))
        self.await_(lambda: 'producers do not end', lambda: not any(x.is_alive() for x in self.producers))
        self.world.note('all is published')
        tips = self.world.tips()
        self.await_(lambda: 'not drained: ' + '; '.join(judge.lagging(self.world, tips)),
                    lambda: not judge.lagging(self.world, tips))
        self.world.note('drained')
        wake()
        self.await_(lambda: 'leases of the dead: ' + '; '.join(self.orphans()), lambda: not self.orphans())
        self.world.note('each lease has a living owner')
        for w in self.workers:
            w.end()
            if self.plan.in_turn:
                self.await_(lambda w=w: w.name + ' does not end', lambda w=w: not w.is_alive())
        self.await_(lambda: 'workers do not end', lambda: not any(x.is_alive() for x in self.workers))
        self.world.note('all have ended')
        return self.judge()

    def judge(self):
        w, sent, receipts = self.world, collections.defaultdict(list), set()
        for e in (e for v in self.events for e in v):
            sent[e['user_id']].append(e['event_id'])
        for x in self.producers:
            receipts |= set(x.receipts)
        got = judge.check(w, sent, receipts, self.plan.in_turn, self.plan.ordered, self.plan.whole, self.plan.least)
        w.recagent('positions', 'show', '--group', self.plan.stages['consume'][1], '--max-lag', '30s', env=w.direct)
        again = w.recagent('consume', '--group', self.plan.stages['consume'][1], '-e', '--grace', '0', env=w.direct)
        if b'event_id' in again:
            raise Trouble('delivered once more: %s' % again[:300])
        return got

    def destroy(self):
        for x in self.workers:
            x.destroy()
        for x in self.producers:
            x.todo.clear()
            x.kill()
        for x in self.workers + self.producers:
            if x.is_alive():
                x.join(PATIENCE)


def one_round(kind, seed, keep):
    world, r, kept = kind(seed), None, keep
    began = time.monotonic()
    try:
        r = Round(world)
        events, doubles = r.run()
    except BaseException as e:
        kept = True
        if r:
            r.destroy()
        print('not ok: %s, seed %d%s' % (world.name, seed, ', ' + str(r.plan) if r else ''))
        print('  %s' % (e if isinstance(e, Trouble) else traceback.format_exc()))
        for f, line in list(world.messages())[-12:]:
            print('  %s: %s' % (f, line.rstrip()))
        print('  what is left is in %s; again: make chaos FORM=%s SEED=%d N=1' % (world.dir, world.name, seed), flush=True)
        raise
    finally:
        world.close()
        if not kept:
            shutil.rmtree(world.dir)
    print('ok %s %d: %.1f s, %d events and %d doubles, %s; %s' % (
        world.name, seed, time.monotonic() - began, events, doubles, r.plan,
        ', '.join('%s %d' % x for x in sorted(r.acts.items()))), flush=True)
    return r, events


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--form', choices=FORMS, default='both')
    a.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'))
    a.add_argument('--rounds', type=int)
    a.add_argument('--seconds', type=float)
    a.add_argument('--keep', action='store_true', help='also what is left of rounds that went well')
    a.add_argument('--go-on', action='store_true', help='after a failure, too')
    a = a.parse_args()
    began, n, bad, events, acts = time.monotonic(), 0, [], 0, collections.Counter()
    signal.signal(TERM, lambda *_: sys.exit(1))
    print('# chaos.py --form %s --seed %d' % (a.form, a.seed), flush=True)
    while n < a.rounds if a.rounds else time.monotonic() - began < (a.seconds or 25):
        for kind in FORMS[a.form]:
            try:
                r, count = one_round(kind, a.seed + n, a.keep)
                events += count
                acts += r.acts
            except Exception:
                bad.append('%s %d' % (kind.name, a.seed + n))
                if not a.go_on:
                    return 1
        n += 1
    print('# %d rounds of %s in %.0f s, %d events; %s; failed: %s' % (n, a.form, time.monotonic() - began, events, ', '.join(
        '%s %d' % x for x in sorted(acts.items())), ', '.join(bad) or 'none'))
    if not events or not sum(acts.values()):
        print('not ok: nothing was tried')
    return 1 if bad or not events or not sum(acts.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
