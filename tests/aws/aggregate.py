# aggregate.py VERB ARGS... - the other side of aggregate.bats: Amazon's own library for aggregated records, over boto3.
import base64
import json
import os
import random
import sys

import boto3
from aws_kinesis_agg import MAGIC, aggregator, deaggregator

kinesis = boto3.client('kinesis', endpoint_url=os.environ['AWS_ENDPOINT_URL_KINESIS'])
HASHES = ['0', '340282366920938463463374607431768211455', '17', '170141183460469231731687303715884105728']


def show(key, data, sub, aggregated):
    print(json.dumps([key, base64.b64encode(data).decode(), sub, aggregated], ensure_ascii=False))


# Aggregates of random records, with explicit hash keys here and there, between plain ones; prints what must come out.
def pack(stream, seed):
    rnd = random.Random(int(seed))
    for _ in range(int(8)):
        agg, made = aggregator.RecordAggregator(), []
        for sub in range(rnd.randint(1, 300)):
            key = rnd.choice(['k%d' % rnd.randint(0, 30), 'żółw', 'a "quoted" \\ key', '\U0001f422'])
            data = rnd.choice([rnd.randbytes(rnd.randint(0, 400)), json.dumps({'user_id': key, 'n': sub}).encode()])
            assert agg.add_user_record(key, data, rnd.choice(HASHES) if rnd.random() < 0.3 else None) is None
            made.append((key, data, sub, True))
        key, hash_key, data = agg.clear_and_get().get_contents()
        kinesis.put_record(StreamName=stream, PartitionKey=key, Data=data, **({'ExplicitHashKey': hash_key} if hash_key else {}))
        kinesis.put_record(StreamName=stream, PartitionKey='plain', Data=b'plain')
        for row in made + [('plain', b'plain', 0, False)]:
            show(*row)


def raw(stream):
    for shard in kinesis.list_shards(StreamName=stream)['Shards']:
        it = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard['ShardId'], ShardIteratorType='TRIM_HORIZON')['ShardIterator']
        empty = 0
        while it and empty < 3:
            answer = kinesis.get_records(ShardIterator=it)
            it, empty = answer.get('NextShardIterator'), 0 if answer['Records'] else empty + 1
            for r in answer['Records']:
                yield shard['ShardId'], r


# What the library finds in the stream's records: shard, sequence number, number, key, data. An aggregate that it can't take
# apart, or does not find the checksum right of, would come out as one record of the key "a".
def unpack(stream):
    for shard, r in raw(stream):
        for u in deaggregator.iter_deaggregate_records([r], data_format='Boto3'):
            k = u['kinesis']
            assert k['partitionKey'] != 'a'
            print(json.dumps([shard, k['sequenceNumber'], k.get('subSequenceNumber', 0), k['partitionKey'],
                              base64.b64decode(k['data']).decode() if k.get('aggregated') else k['data'].decode()]))


def sizes(stream):
    for _, r in raw(stream):
        print(len(r['Data']), r['Data'].startswith(MAGIC))


def split(stream):
    for s in kinesis.list_shards(StreamName=stream, ShardFilter={'Type': 'AT_LATEST'})['Shards']:
        first, last = (int(s['HashKeyRange'][k]) for k in ('StartingHashKey', 'EndingHashKey'))
        kinesis.split_shard(StreamName=stream, ShardToSplit=s['ShardId'], NewStartingHashKey=str(first + (last - first) // 2 + 1))
        while kinesis.describe_stream_summary(StreamName=stream)['StreamDescriptionSummary']['StreamStatus'] != 'ACTIVE':
            pass


globals()[sys.argv[1]](*sys.argv[2:])
