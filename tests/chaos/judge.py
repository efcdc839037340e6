# judge.py - what must hold when the faults are over and the pipe has drained.
import collections
import datetime
import hashlib
import json
import os
import re

from actors import Trouble
from world import CACHE, GROUP, PROFILES

RECENT_IDS, WINDOW = 64, 20
BAD = re.compile(r'please report|Sanitizer|runtime error|Assertion|internal error', re.I)


def micros(text):
    return round(datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp() * 1e6)


MAGIC = b'\xf3\x89\x9a\xc2'


def fields(data):
    """(number, value) of a protobuf message's fields: integers, or bytes."""
    at = 0

    def varint():
        nonlocal at
        shift, x = 0, 0
        while True:
            x |= (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 128:
                return x

    while at < len(data):
        tag = varint()
        x = varint()
        if tag & 7 == 2:
            x, at = data[at:at + x], at + x
        yield tag >> 3, x


def lines(shard, data):
    """The lines in a record: of an aggregate of the Kinesis Producer Library those whose hash key is of this shard, as all
    its readers take them; what was put into a wrong shard counts as not stored."""
    if not data.startswith(MAGIC):
        return [data]
    body, out = data[4:-16], []
    if hashlib.md5(body).digest() != data[-16:]:
        raise Trouble('%s: an aggregate with a wrong checksum' % shard['id'])
    parts = list(fields(body))
    keys, hashes = ([x for n, x in parts if n == which] for which in (1, 2))
    for n, x in parts:
        if n == 3:
            r = dict(fields(x))
            at = int(hashes[r[2]]) if 2 in r else int.from_bytes(hashlib.md5(keys[r[1]]).digest(), 'big')
            if shard['from'] <= at <= shard['to']:
                out.append(r[3])
    return out


class Stream:
    """All copies of all events, parents before children."""

    def __init__(self, world):
        self.copies = collections.defaultdict(list)  # event_id: effective times
        self.order = collections.defaultdict(list)   # user: event_ids as they came first
        self.seen = []
        self.events, self.shards = {}, {s['id']: s for s in world.shards()}
        done = set()
        while len(done) < len(self.shards):
            for s in self.shards.values():
                if s['id'] not in done and all(p in done or p not in self.shards for p in s['parents']):
                    self.read(world, s['id'])
                    done.add(s['id'])

    def read(self, world, shard_id):
        for seq, arrival, data in world.records(shard_id):
            for line in lines(self.shards[shard_id], data):
                e = json.loads(line)
                self.seen.append('%s %s %d %s' % (shard_id, seq, arrival, e['event_id']))
                if e['event_id'] not in self.events:
                    self.order[e['user_id']].append(e['event_id'])
                    self.events[e['event_id']] = e
                self.copies[e['event_id']].append(min(micros(e['timestamp']), arrival))


def lagging(world, tips):
    """What the lease rows do not cover yet, as a list of texts. tips: of world.tips()."""
    rows = {r['leaseKey']: r for r in world.table(GROUP)}
    out, shards = [], [s for s, _ in tips]

    def under_way(s):
        return s['id'] in rows or over(s)

    def over(s):
        """The row of a shard that was read to its end goes when its children are under way."""
        children = [c for c in shards if s['id'] in c['parents']]
        return not s['open'] and bool(children) and all(under_way(c) for c in children)

    for s, tip in tips:
        row = rows.get(s['id'])
        at = row['checkpoint'] if row else None
        if at == 'SHARD_END' and not s['open']:
            continue
        if not row and over(s):
            continue
        if not s['open'] or not row:
            out.append('%s: %s of %s' % (s['id'], at, 'SHARD_END' if not s['open'] else tip))
        elif tip is not None and not (at.isdigit() and int(at) >= tip):
            out.append('%s: at %s of %d' % (s['id'], at, tip))
    return out


def check_leases(world, released, wrong):
    for r in world.table(GROUP):
        if released and 'leaseOwner' in r and r['checkpoint'] != 'SHARD_END':
            wrong.append('%s: still owned by %s' % (r['leaseKey'], r['leaseOwner']))
    wrong += lagging(world, world.tips())


def check_order(stream, sent, ordered, wrong):
    """sent: the event_ids of each user as they were published."""
    for user, ids in sent.items():
        came = stream.order[user]
        if ordered and came != ids:
            at = next((i for i, (a, b) in enumerate(zip(came, ids)) if a != b), min(len(came), len(ids)))
            wrong.append('%s: order of the stream from the %dth: %s, published: %s' % (
                user, at, came[at:at + 5], ids[at:at + 5]))


def check_profile(user, profile, stream, whole, wrong):
    came = stream.order[user]
    ids = [e['event_id'] for e in profile['history']]
    if len(ids) != len(set(ids)):
        wrong.append('%s: twice %s' % (user, [i for i, n in collections.Counter(ids).items() if n > 1]))
    if profile['version'] != len(came):
        wrong.append('%s: version %d, %d events in the stream' % (user, profile['version'], len(came)))
    if profile['recent_ids'] != came[-RECENT_IDS:]:
        wrong.append('%s: applied last %s, came last %s' % (user, profile['recent_ids'][-8:], came[-8:]))
    rank = {i: n for n, i in enumerate(came)}
    times = []
    for e in profile['history']:
        if e['event_id'] not in stream.events or stream.events[e['event_id']]['user_id'] != user:
            wrong.append('%s: holds %s' % (user, e['event_id']))
            return
        at = micros(e.get('ordered_at') or e['timestamp'])
        if at not in stream.copies[e['event_id']]:
            wrong.append('%s: time of %s is %s' % (user, e['event_id'], e.get('ordered_at') or e['timestamp']))
        times.append((at, rank[e['event_id']]))
    if times != sorted(times):
        wrong.append('%s: order of the history %s' % (user, ids))
    want = set(came)
    if not whole:
        place = {i: (stream.copies[i][0], n) for n, i in enumerate(came)}
        want = set(sorted(came, key=place.get)[-WINDOW:])
    if set(ids) != want:
        wrong.append('%s: lost %s, too many %s' % (user, sorted(want - set(ids)), sorted(set(ids) - want)))


def check_cache(world, users, profiles, least, wrong):
    cache = {c['user_id']: c for c in world.table(CACHE)}
    for user in users:
        version = profiles[user]['version']
        if version < least:
            continue
        got = cache.get(user, {})
        prompt = world.recagent('prompt', '--render', user, env=world.direct)
        digest = hashlib.sha256(prompt[:-1]).hexdigest()
        if got.get('version') != version or got.get('prompt_hash') != digest or not got.get('recommendations'):
            wrong.append('%s: profile of version %d, cache of %s, prompt %s' % (
                user, version, got.get('version'), 'the last' if got.get('prompt_hash') == digest else 'another'))
    for user in set(cache) - set(users):
        wrong.append('cache of %s, who has no events' % user)


def check(world, sent, receipts, released, ordered, whole, least):
    """released: the workers ended one after another; whole: profiles keep all events; least: events a user needs before the model is asked."""
    wrong, stream = [], Stream(world)
    lost = [i for i in receipts if i not in stream.events]
    if lost:
        wrong.append('%d events with a receipt are not in the stream: %s' % (len(lost), lost[:5]))
    profiles = {p['user_id']: p for p in world.table(PROFILES)}
    check_leases(world, released, wrong)
    check_order(stream, sent, ordered, wrong)
    users = [u for u in stream.order if u in profiles]
    wrong += ['%s: no profile, %d events' % (u, len(stream.order[u])) for u in stream.order if u not in profiles]
    wrong += ['profile of %s, who has no events' % u for u in set(profiles) - set(stream.order)]
    for user in users:
        check_profile(user, profiles[user], stream, whole, wrong)
    check_cache(world, users, profiles, least, wrong)
    wrong += ['%s: %s' % (f, line.strip()) for f, line in world.messages() if BAD.search(line)]
    if wrong:
        with open(os.path.join(world.dir, 'stream'), 'w') as f:
            f.writelines(line + '\n' for line in stream.seen)
        raise Trouble('\n  '.join(['%d things are wrong' % len(wrong), *wrong[:12]]))
    return len(stream.events), sum(len(c) - 1 for c in stream.copies.values())
