# world.py - what a round runs on: the embedded store, or servers behind the fault proxies; made anew for each round.
import hashlib
import json
import os
import random
import re
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request

import aws
from actors import BIN, Trouble

GROUP, PROFILES, CACHE = 'chaos-group', 'chaos-profiles', 'chaos-cache'
FAR = 1 << 128


class World:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.seed, self.began = seed, time.monotonic()
        self.dir = tempfile.mkdtemp(prefix='recagent-chaos.')
        self.log = open(os.path.join(self.dir, 'log'), 'w')
        self.lock = threading.Lock()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(('AWS_', 'RECAGENT_', 'BEDROCK_'))}
        self.env['TMPDIR'] = self.dir
        for k in 'ASAN_OPTIONS', 'TSAN_OPTIONS', 'UBSAN_OPTIONS':
            if k in os.environ:
                self.env[k] = os.environ[k]

    def note(self, text, *args):
        with self.lock:
            self.log.write('%8.3f  %s\n' % (time.monotonic() - self.began, text % args if args else text))
            self.log.flush()

    def fork(self, name):
        """A sequence of random numbers of its own: threads do not disturb each other's."""
        return random.Random('%s %s' % (self.seed, name))

    def recagent(self, *args, env=None):
        with open(os.path.join(self.dir, 'own.err'), 'ab') as err:
            p = subprocess.run([BIN, *args], env=env or self.env, stdout=subprocess.PIPE, stderr=err, stdin=subprocess.DEVNULL,
                               timeout=120)
        if p.returncode:
            raise Trouble('%s: status %d' % (' '.join(args), p.returncode))
        return p.stdout

    def setup(self, shards):
        self.recagent('setup', '--group', GROUP, '--shards', str(shards), env=self.direct)

    def messages(self):
        for f in sorted(os.listdir(self.dir)):
            if f.endswith('.err'):
                with open(os.path.join(self.dir, f), errors='replace') as lines:
                    for line in lines:
                        yield f, line

    def faults(self, shares):
        pass

    def open_shards(self):
        return [s for s in self.shards() if s['open']]

    def tips(self):
        """Each shard with its last sequence number, or None."""
        return [(s, self.last(s['id'])) for s in self.shards()]

    def reshard(self, rng):
        """Split a shard, or merge two neighbours; what is left is between 1 and 8 open shards."""
        v = sorted(self.open_shards(), key=lambda s: s['from'])
        pairs = [(a, b) for a, b in zip(v, v[1:]) if a['to'] + 1 == b['from']]
        if pairs and (len(v) >= 8 or rng.random() < 0.5):
            a, b = rng.choice(pairs)
            self.merge(a, b)
            return 'merge %s %s' % (a['id'], b['id'])
        s = rng.choice(v)
        self.split(s, s['from'] + (s['to'] - s['from']) // rng.choice([2, 3, 10]) + 1)
        return 'split %s' % s['id']


class Embedded(World):
    name = 'local'
    failover = '700ms'

    def __init__(self, seed):
        super().__init__(seed)
        self.env.update(RECAGENT_LOCAL=os.path.join(self.dir, 'store'), PROFILES_TABLE=PROFILES, REC_CACHE_TABLE=CACHE)
        self.direct = self.env
        self.read_timeout = []

    def query(self, sql):
        db = sqlite3.connect(os.path.join(self.dir, 'store/recagent.db'), timeout=30)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def table(self, name):
        return [{k: aws.plain(v) for k, v in json.loads(item).items()} for (item,) in self.query(
            "SELECT i.item FROM item i JOIN tbl t ON t.id = i.tbl WHERE t.name = '%s'" % name)]

    def shards(self):
        return [{'id': n, 'parents': [x for x in (p, a) if x], 'from': int(f), 'to': int(t), 'open': end is None}
                for n, p, a, f, t, end in self.query('SELECT name, parent, adjacent, start_hash, end_hash, end_seq FROM shard')]

    def records(self, shard_id):
        return self.query("SELECT r.seq, r.arrival_us, r.data FROM record r JOIN shard s ON s.id = r.shard"
                          " WHERE s.name = '%s' ORDER BY r.seq" % shard_id)

    def split(self, s, at):
        self.recagent('setup', '--split', s['id'], '--at', str(at))

    def merge(self, a, b):
        self.recagent('setup', '--merge', '%s,%s' % (a['id'], b['id']))

    def last(self, shard_id):
        return self.query("SELECT max(r.seq) FROM record r JOIN shard s ON s.id = r.shard WHERE s.name = '%s'" % shard_id)[0][0]

    def close(self):
        self.log.close()


class Servers(World):
    """kinesis-mock for the stream, moto or DynamoDB Local for the tables, the Bedrock double; proxies in front of all."""
    name = 'servers'
    failover = '2500ms'

    def __init__(self, seed):
        super().__init__(seed)
        self.kinesis, self.tables = os.environ['KINESIS_URL'], os.environ.get('DYNAMODB_URL') or os.environ['MOTO_URL']
        self.model = os.environ['BEDROCK_URL']
        self.stream = 's-%x' % seed
        self.renamed = {GROUP: 'g-%x' % seed, PROFILES: 'p-%x' % seed, CACHE: 'c-%x' % seed}
        here = os.path.dirname(os.path.abspath(__file__))
        self.front = subprocess.Popen(
            ['node', os.path.join(here, 'front.mjs'), '--seed', str(seed), 'kinesis=' + self.kinesis,
             # moto's conditional writes are not atomic under several requests at once.
             ('tables=' if os.environ.get('DYNAMODB_URL') else 'tables!=') + self.tables, 'model=' + self.model],
            stdout=subprocess.PIPE, stderr=open(os.path.join(self.dir, 'front.log'), 'wb'))
        self.urls = json.loads(self.front.stdout.readline())
        self.env.update(AWS_ACCESS_KEY_ID=aws.KEY_ID, AWS_SECRET_ACCESS_KEY=aws.SECRET, AWS_REGION=aws.REGION,
                        AWS_EC2_METADATA_DISABLED='true', AWS_CONFIG_FILE='/nonexistent',
                        AWS_SHARED_CREDENTIALS_FILE='/nonexistent', no_proxy='127.0.0.1', NO_PROXY='127.0.0.1',
                        RECAGENT_STREAM=self.stream, PROFILES_TABLE=self.renamed[PROFILES],
                        REC_CACHE_TABLE=self.renamed[CACHE], BEDROCK_AGENT_ID='AGENT12345', BEDROCK_AGENT_ALIAS='ALIAS12345')
        self.direct = self.endpoints(self.kinesis, self.tables, self.model)
        self.env = self.endpoints(self.urls['kinesis'], self.urls['tables'], self.urls['model'])
        self.read_timeout = ['--read-timeout', '2s']
        self.prove_fronts()

    def prove_fronts(self):
        """A proxy that hands all on would let each round pass. The operations are none of recagent's: its dice stay as they are."""
        self.faults({name: {'busy': 1} for name in ('kinesis', 'tables')})
        for service, name, op in ('kinesis', 'kinesis', 'ListStreams'), ('dynamodb', 'tables', 'ListTables'):
            try:
                aws.call(service, self.urls[name], op)
            except aws.AwsError:
                continue
            raise Trouble('the proxy before %s does not do what it is told' % name)
        self.faults({})

    def endpoints(self, kinesis, tables, model):
        return dict(self.env, AWS_ENDPOINT_URL_KINESIS=kinesis, AWS_ENDPOINT_URL_DYNAMODB=tables,
                    AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME=model)

    def setup(self, shards):
        self.recagent('setup', '--group', self.renamed[GROUP], '--shards', str(shards), env=self.direct)

    def control(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.urls['control'] + path, data, 10) as f:
            return json.load(f)

    def faults(self, shares):
        self.note('faults %s', shares)
        return self.control('/faults', shares)

    def table(self, name):
        return aws.scan(self.tables, self.renamed[name])

    def shards(self):
        return [{'id': s['ShardId'], 'parents': [s[k] for k in ('ParentShardId', 'AdjacentParentShardId') if s.get(k)],
                 'from': int(s['HashKeyRange']['StartingHashKey']), 'to': int(s['HashKeyRange']['EndingHashKey']),
                 'open': not s['SequenceNumberRange'].get('EndingSequenceNumber')} for s in aws.shards(self.kinesis, self.stream)]

    def records(self, shard_id):
        return [(int(seq), us, data) for seq, us, data in aws.records(self.kinesis, self.stream, shard_id)]

    def last(self, shard_id):
        got = self.records(shard_id)
        return got[-1][0] if got else None

    def split(self, s, at):
        aws.call('kinesis', self.kinesis, 'SplitShard', StreamName=self.stream, ShardToSplit=s['id'], NewStartingHashKey=str(at))

    def merge(self, a, b):
        aws.call('kinesis', self.kinesis, 'MergeShards', StreamName=self.stream, ShardToMerge=a['id'],
                 AdjacentShardToMerge=b['id'])

    def close(self):
        try:
            self.note('stats %s', self.control('/stats'))
        finally:
            self.front.terminate()
            self.front.wait()
        aws.call('kinesis', self.kinesis, 'DeleteStream', StreamName=self.stream)
        for t in self.renamed.values():
            aws.call('dynamodb', self.tables, 'DeleteTable', TableName=t)
        self.log.close()
