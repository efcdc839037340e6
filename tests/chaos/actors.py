# actors.py - those whom the harness disturbs: producers with their `publish`, workers with a whole pipe each.
import collections
import json
import os
import signal
import subprocess
import threading
import time

BIN = os.path.abspath(os.environ.get('RECAGENT') or os.path.join(os.path.dirname(__file__), '../../build/recagent'))
PATIENCE = 120  # seconds for what must end by itself
STAGES = ['consume', 'prompt', 'invoke', 'ack']
LEASE_LOST, READER_GONE, NO_END, SPOOLED = 7, 8, 9, 12
KILL, TERM, STOP, CONT = signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGCONT


class Trouble(Exception):
    pass


def handles_term(p):
    """A process that is still being started would just die of SIGTERM."""
    until = time.monotonic() + PATIENCE
    while p.poll() is None and time.monotonic() < until:
        try:
            with open('/proc/%d/status' % p.pid) as f:
                caught = next((x.split()[1] for x in f if x.startswith('SigCgt')), '0')
        except OSError:
            return  # it has just ended
        if int(caught, 16) >> TERM - 1 & 1:
            return
        time.sleep(0.005)


class Process:
    """One command, its ledger, its messages, and what was done to it."""

    def __init__(self, world, name, args, offset, **more):
        self.name, self.hit = name, collections.Counter()
        self.ledger = os.path.join(world.dir, name + '.ledger')
        env = dict(world.env, **({'RECAGENT_CLOCK_OFFSET': offset} if offset else {}))
        with open(os.path.join(world.dir, name + '.err'), 'ab') as err:
            self.p = subprocess.Popen([BIN, *args, '--ledger', self.ledger], env=env, stderr=err, **more)
        world.note('%s: pid %d%s: %s', name, self.p.pid, ', clock ' + offset if offset else '', ' '.join(args))

    def signal(self, sig):
        if self.p.poll() is not None:
            return False
        if sig == TERM and self.hit[STOP] > self.hit[CONT]:
            return False  # it may not have got as far as handling it, and will not while it stands
        if sig == TERM:
            handles_term(self.p)
        self.hit[sig] += 1
        self.p.send_signal(sig)
        return True

    def wait(self, seconds=PATIENCE):
        try:
            return self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Trouble('%s (pid %d) does not end' % (self.name, self.p.pid)) from None

    def settle(self, *fine):
        """Ended in one of these ways or by what was done to it; and who ended by himself has balanced his books."""
        status = self.wait()
        # Who sleeps through his --grace ends as by a second signal.
        at_once = self.hit[TERM] > 1 or (self.hit[TERM] and self.hit[STOP])
        fine = {0, *fine, *([-KILL] if self.hit[KILL] else []), *([128 + TERM] if at_once else [])}
        if status not in fine:
            raise Trouble('%s ended with %d' % (self.name, status))
        if 0 <= status < 128:
            with open(self.ledger) as f:
                lines = [json.loads(line) for line in f]
            if len(lines) != 1:
                raise Trouble('%s ended with %d and %d ledger lines' % (self.name, status, len(lines)))
            x = lines[0]
            if x['in'] != x['out'] + x['refused'] + x['failed'] + x.get('spooled', 0) or not x['balances'] or x['exit_status'] != status:
                raise Trouble('%s ended with %d: ledger %s' % (self.name, status, x))
        return status


class Producer(threading.Thread):
    """Publishes its users' events in order, life after life of `publish`, until each has its receipt."""

    def __init__(self, world, name, events, options, seconds, offsets, key_limit=None):
        super().__init__(name=name, daemon=True)
        self.world, self.options, self.offsets, self.key_limit = world, options, offsets, key_limit
        self.todo = collections.deque(events)  # in order; all without a receipt
        self.pause = seconds / max(1, len(events))
        self.receipts, self.spooled = {}, set()  # event_id: (shard, sequence); event_ids
        self.rng = world.fork(name)
        self.process, self.lives, self.error, self.hurry = None, 0, None, False
        self.cond = threading.Condition()

    def run(self):
        try:
            while self.todo:
                self.live()
            if self.spool():
                self.drain_spool()
        except Exception as e:  # told by the main thread
            self.error = e

    def spool(self):
        return next((self.options[i + 1] for i, x in enumerate(self.options) if x == '--spool'), None)

    def live(self):
        self.lives += 1
        self.stopped, self.given, self.open = False, [], collections.Counter()
        self.process = Process(self.world, '%s.%d' % (self.name, self.lives), ['publish', *self.options],
                               self.rng.choice(self.offsets), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        reader = threading.Thread(target=self.read, args=(self.process.p.stdout,), daemon=True)
        reader.start()
        self.write(self.process.p.stdin)
        reader.join(PATIENCE)
        status = self.process.settle(*([SPOOLED] if self.spool() else []))
        left = [e for e in self.given if e['event_id'] not in self.receipts]
        self.todo.extendleft(reversed(left))
        if left and status >= 0 and status < 128:
            raise Trouble('%s ended with %d, %d lines without a receipt' % (self.process.name, status, len(left)))

    def write(self, pipe):
        try:
            while self.todo and not self.stopped:
                e = self.todo[0]
                with self.cond:
                    while (self.key_limit and self.open[e['user_id']] >= self.key_limit and not self.stopped
                           and self.process.p.poll() is None):
                        self.cond.wait(0.05)
                    self.given.append(self.todo.popleft())
                    self.open[e['user_id']] += 1
                pipe.write(json.dumps(e).encode() + b'\n')
                if self.rng.random() < 0.2:
                    pipe.flush()
                    if not self.hurry:
                        time.sleep(self.pause * 10 * self.rng.random())
            pipe.close()
        except BrokenPipeError:
            pass
        finally:
            try:
                pipe.close()
            except BrokenPipeError:
                pass

    def read(self, pipe):
        try:
            for line in pipe:
                if line.endswith(b'\n'):  # else cut by a kill: no receipt
                    self.take(json.loads(line), line)
        except Exception as e:
            self.error = e
            self.process.p.kill()

    def take(self, receipt, line):
        with self.cond:
            e = self.given[receipt['line'] - 1]
            self.world.note('%s: receipt of %s: %s', self.process.name, e['event_id'], receipt.get('sequence_number', 'spooled'))
            if receipt.get('event_id') != e['event_id'] or not ('sequence_number' in receipt or 'spooled' in receipt):
                raise Trouble('%s: receipt of %s: %s' % (self.process.name, e['event_id'], line))
            if 'sequence_number' in receipt:
                self.receipts[e['event_id']] = receipt['shard_id'], receipt['sequence_number']
            else:
                self.receipts[e['event_id']] = None
                self.spooled.add(e['event_id'])
            self.open[e['user_id']] -= 1
            self.cond.notify_all()

    def drain_spool(self):
        """What the last life left in its spool, and what a killed one did."""
        until = time.monotonic() + PATIENCE
        while True:
            self.lives += 1
            self.process = Process(self.world, '%s.%d' % (self.name, self.lives), ['publish', *self.options], None,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            if self.process.settle(SPOOLED) == 0:
                return
            if time.monotonic() > until:
                raise Trouble('%s: the spool does not drain' % self.name)

    def kill(self):
        if self.process:
            self.process.signal(KILL)

    def term(self):
        if self.process and self.process.signal(TERM):
            self.stopped = True


class Worker(threading.Thread):
    """Keeps one whole pipe running, as examples/pipeline.sh does: a stage that dies ends the others, then all start again."""

    def __init__(self, world, name, options, offsets):
        super().__init__(name=name, daemon=True)
        self.world, self.options, self.offsets = world, options, offsets
        self.rng = world.fork(name)
        self.stages, self.lives, self.error = {}, 0, None
        self.ending = threading.Event()  # no further life; ended: the source was asked to
        self.lock = threading.Lock()
        self.last = None

    def run(self):
        try:
            while not self.ending.is_set():
                self.live()
                self.ending.wait(self.rng.random() * 0.3)
        except Exception as e:  # told by the main thread
            self.error = e

    def start_pipe(self):
        self.lives += 1
        stages, before, group = {}, subprocess.DEVNULL, 0
        for s in STAGES:
            last = s == STAGES[-1]
            x = Process(self.world, '%s.%d.%s' % (self.name, self.lives, s), [s, *self.options[s]],
                        self.rng.choice(self.offsets), stdin=before, process_group=group,
                        stdout=subprocess.DEVNULL if last else subprocess.PIPE)
            if before != subprocess.DEVNULL:
                before.close()
            before, group = x.p.stdout, group or x.p.pid
            stages[s] = x
        return stages

    def live(self):
        with self.lock:
            if self.ending.is_set():
                return
            self.stages = self.start_pipe()
        source, asked = self.stages['consume'], False
        self.since = time.monotonic()
        while any(x.p.poll() is None for x in self.stages.values()):
            time.sleep(0.02)
            # The end of the pipe is gone: a source with nothing to write would notice late.
            if not asked and all(x.p.poll() is not None for s, x in self.stages.items() if s != 'consume'):
                asked = bool(source.hit[TERM]) or source.signal(TERM)
            self.overdue()
        # 1: a line that a kill has cut.
        fine = [LEASE_LOST] if not self.disturbed() else [1, LEASE_LOST, READER_GONE, NO_END]
        self.last = {s: x.settle(*fine) for s, x in self.stages.items()}

    def disturbed(self):
        return any(set(x.hit) - {TERM} for x in self.stages.values()) or any(
            TERM in x.hit for s, x in self.stages.items() if s != 'consume')

    def overdue(self):
        """Some stage has ended, or was asked to: then all must end soon."""
        over = [x for x in self.stages.values() if x.p.poll() is not None or TERM in x.hit]
        if not over:
            self.since = time.monotonic()
        elif time.monotonic() - self.since > PATIENCE:
            raise Trouble('%s does not end: %s' % (self.name, {s: x.p.poll() for s, x in self.stages.items()}))

    def signal(self, sig, *names):
        """To these stages; SIGTERM counts as an end, so it is given once to a life and not to what is stopped."""
        with self.lock:
            return [s for s in names or STAGES if s in self.stages and self.stages[s].signal(sig)]

    def end(self):
        with self.lock:
            self.ending.set()
        source = self.stages.get('consume')
        if source:
            source.signal(TERM)

    def destroy(self):
        self.ending.set()
        for x in self.stages.values():
            if x.p.poll() is None:
                x.p.kill()
