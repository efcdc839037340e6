# interop.py VERB ARGS... - the other side of interop.bats, by botocore: what an independent client writes and reads.
import gzip
import json
import os
import sys
import botocore.session


def client(service):
    return botocore.session.get_session().create_client(service, endpoint_url=os.environ['AWS_ENDPOINT_URL_' + service.upper()],
        **({'config': botocore.config.Config(s3={'addressing_style': 'path'})} if service == 's3' else {}))


def records(stream):
    k = client('kinesis')
    for shard in k.list_shards(StreamName=stream)['Shards']:
        it = k.get_shard_iterator(StreamName=stream, ShardId=shard['ShardId'], ShardIteratorType='TRIM_HORIZON')['ShardIterator']
        for r in k.get_records(ShardIterator=it)['Records']:
            print(json.dumps([r['PartitionKey'], r['Data'].decode('latin-1')]))


def put(stream):
    k = client('kinesis')
    for key, data in (json.loads(line) for line in sys.stdin):
        k.put_record(StreamName=stream, PartitionKey=key, Data=data.encode('latin-1'))


def entry(table, user, ttl):
    # As the published Python pipeline writes it: strings and numbers, no version.
    client('dynamodb').put_item(TableName=table, Item=dict(
        user_id=dict(S=user), generated_at=dict(S='2026-01-02T03:04:05.678901+00:00'), ttl=dict(N=ttl),
        recommendations=dict(L=[dict(M=dict(item_id=dict(S='prod_1'), category=dict(S='thriller'),
            reasoning=dict(S='Because.'), confidence_score=dict(N='0.90'))), dict(S='popular_002')])))


def objects(bucket):
    s3 = client('s3')
    s3.create_bucket(Bucket=bucket)
    two = '{"event_id":"a","user_id":"u","n":14.990}{"event_id":"b","user_id":"u"}'
    s3.put_object(Bucket=bucket, Key='events/2026/01/02/03/one.gz', Body=gzip.compress(two.encode()) + gzip.compress(b'{"event_id":"c","user_id":"u"}\n'))
    s3.put_object(Bucket=bucket, Key='events/2026/01/02/04/two with space', Body=b'{"event_id":"d","user_id":"u"}\n')


globals()[sys.argv[1]](*sys.argv[2:])
