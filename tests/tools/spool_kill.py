# spool_kill.py [--seed S] [--kills N] [--keep] - SIGKILL `publish --spool` at random and look what became of the lines.
#
# On an embedded store that now and then has no room (a file size limit), each round publishes new events and those that are
# still without a receipt, and is killed after a random time, or ends by itself. At the end the spool is drained. Each event
# that got a receipt, stored or spooled, must be in the stream, and the first occurrences of each user's events must be in order.
import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

BIN = os.environ.get('RECAGENT') or os.path.join(os.path.dirname(__file__), '../../build/recagent')
USERS = 9
ROUND = 300


def limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, resource.RLIM_INFINITY))


class World:
    def __init__(self, rng):
        self.rng = rng
        self.dir = tempfile.mkdtemp(prefix='recagent-spool.')
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(('AWS_', 'RECAGENT_'))}
        self.env['RECAGENT_LOCAL'] = os.path.join(self.dir, 'store')
        self.log = open(os.path.join(self.dir, 'stderr'), 'ab')
        self.count, self.waiting = 0, []     # events made; (number, line) without a receipt
        self.stored, self.spooled = set(), set()
        subprocess.run([BIN, 'setup'], env=self.env, check=True, stderr=self.log, stdout=subprocess.DEVNULL)

    def event(self):
        self.count += 1
        e = {'user_id': 'u%d' % (self.count % USERS), 'event_id': 'e%d' % self.count, 'item_id': 'i', 'event_type': 'click',
             'metadata': {'pad': 'x' * self.rng.randrange(200)}}
        return self.count, json.dumps(e) + '\n'

    def publish(self, lines, full, kill_after):
        args = [BIN, 'publish', '--spool', os.path.join(self.dir, 'spool'), '--spool-after', self.rng.choice(['0', '20ms']),
                '--spool-max', '256k', '--order', 'key', '--linger', '5ms', '--give-up', '1h', '--grace', '2s']
        p = subprocess.Popen(args, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                             preexec_fn=limit if full else None)
        killer = threading.Timer(kill_after, p.send_signal, [signal.SIGKILL]) if kill_after is not None else None

        def feed():
            try:
                p.stdin.write(''.join(line for _, line in lines).encode())
                p.stdin.close()
            except BrokenPipeError:
                pass
        if killer:
            killer.start()
        feeder = threading.Thread(target=feed)
        feeder.start()
        answered = set()
        for line in p.stdout:
            if not line.endswith(b'\n'):
                break
            r = json.loads(line)
            number = lines[r['line'] - 1][0]
            if 'error' in r:
                raise SystemExit('a line failed: %s' % line)
            (self.spooled if r.get('spooled') else self.stored).add(number)
            answered.add(number)
        feeder.join()
        status = p.wait()
        if killer:
            killer.cancel()
        if status not in (0, 12, -signal.SIGKILL):
            raise SystemExit('publish ended with %d' % status)
        self.waiting = [x for x in lines if x[0] not in answered]
        return status

    def check(self):
        out = subprocess.run([BIN, 'consume', '--end', '--no-marks'], env=self.env, check=True, stdout=subprocess.PIPE,
                             stderr=self.log).stdout.decode().splitlines()
        seen, last, twice = set(), {}, 0
        for line in out:
            e = json.loads(line)
            number, user = int(e['event_id'][1:]), e['user_id']
            if number in seen:
                twice += 1
                continue
            seen.add(number)
            if number < last.get(user, 0):
                raise SystemExit('event %d of %s comes behind %d' % (number, user, last[user]))
            last[user] = number
        lost = (self.stored | self.spooled) - seen
        if lost:
            raise SystemExit('%d events with a receipt are lost: %s' % (len(lost), sorted(lost)[:10]))
        return len(seen), twice


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--seed', type=int, default=int(time.time()))
    a.add_argument('--kills', type=int, default=40)
    a.add_argument('--keep', action='store_true')
    a = a.parse_args()
    rng = random.Random(a.seed)
    w = World(rng)
    kills = 0
    try:
        while kills < a.kills:
            lines = w.waiting + [w.event() for _ in range(ROUND - len(w.waiting))]
            kills += w.publish(lines, rng.random() < 0.6, rng.random() * 0.3) == -signal.SIGKILL
        while w.publish(w.waiting, False, None) != 0 or w.waiting:
            pass
        seen, twice = w.check()
        print('seed %d: %d kills, %d events, %d spooled, %d twice, none lost' % (a.seed, kills, seen, len(w.spooled), twice))
    except SystemExit as e:
        print('seed %d: %s; look in %s' % (a.seed, e, w.dir), file=sys.stderr)
        sys.exit(1)
    if not a.keep:
        shutil.rmtree(w.dir)


main()
