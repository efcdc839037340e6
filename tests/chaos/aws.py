# aws.py - what the harness itself asks of the servers: signed JSON calls, whole tables, whole streams, resharding.
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import urllib.parse

KEY_ID, SECRET, REGION = 'AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', 'us-east-1'
TARGETS = {'kinesis': ('Kinesis_20131202', '1.1'), 'dynamodb': ('DynamoDB_20120810', '1.0')}


class AwsError(Exception):
    pass


def signed(service, host, target, content_type, body):
    when = datetime.datetime.now(datetime.timezone.utc).strftime('%Y%m%dT%H%M%SZ')
    headers = {'content-type': content_type, 'host': host, 'x-amz-date': when, 'x-amz-target': target}
    names = ';'.join(sorted(headers))
    canonical = '\n'.join(['POST', '/', '', *('%s:%s' % (k, headers[k]) for k in sorted(headers)), '', names,
                           hashlib.sha256(body).hexdigest()])
    scope = '/'.join([when[:8], REGION, service, 'aws4_request'])
    key = ('AWS4' + SECRET).encode()
    for part in scope.split('/'):
        key = hmac.new(key, part.encode(), 'sha256').digest()
    text = '\n'.join(['AWS4-HMAC-SHA256', when, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    headers['authorization'] = 'AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s' % (
        KEY_ID, scope, names, hmac.new(key, text.encode(), 'sha256').hexdigest())
    return headers


def call(service, url, op, **params):
    prefix, version = TARGETS[service]
    host = urllib.parse.urlsplit(url).netloc
    body = json.dumps(params).encode()
    c = http.client.HTTPConnection(host, timeout=30)
    try:
        c.request('POST', '/', body, signed(service, host, '%s.%s' % (prefix, op), 'application/x-amz-json-' + version, body))
        answer = c.getresponse()
        text = answer.read()
    finally:
        c.close()
    if answer.status != 200:
        raise AwsError('%s: %d %s' % (op, answer.status, text.decode(errors='replace')))
    return json.loads(text) if text else {}


def plain(typed):
    """A value as DynamoDB types it, without the types; numbers stay text unless they are whole."""
    (kind, x), = typed.items()
    if kind == 'M':
        return {k: plain(v) for k, v in x.items()}
    if kind == 'L':
        return [plain(v) for v in x]
    return int(x) if kind == 'N' and x.lstrip('-').isdigit() else x


def scan(url, table):
    rows, more = [], {}
    while True:
        got = call('dynamodb', url, 'Scan', TableName=table, ConsistentRead=True, **more)
        rows += [{k: plain(v) for k, v in item.items()} for item in got['Items']]
        if 'LastEvaluatedKey' not in got:
            return rows
        more = {'ExclusiveStartKey': got['LastEvaluatedKey']}


def shards(url, stream):
    return call('kinesis', url, 'ListShards', StreamName=stream)['Shards']


def records(url, stream, shard_id):
    """(sequence number, arrival in microseconds, bytes) of each record of a shard."""
    out, end = [], False
    it = call('kinesis', url, 'GetShardIterator', StreamName=stream, ShardId=shard_id,
              ShardIteratorType='TRIM_HORIZON')['ShardIterator']
    while it and not end:
        got = call('kinesis', url, 'GetRecords', ShardIterator=it, Limit=10000)
        out += [(r['SequenceNumber'], round(r['ApproximateArrivalTimestamp'] * 1e6), base64.b64decode(r['Data']))
                for r in got['Records']]
        it, end = got.get('NextShardIterator'), not got['Records'] and not got['MillisBehindLatest']
    return out
