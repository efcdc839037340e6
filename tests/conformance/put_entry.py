# put_entry.py TABLE USER VERSION TTL-FROM-NOW - a cache entry written by botocore.
import os
import sys
import time
import botocore.session
c = botocore.session.get_session().create_client('dynamodb', endpoint_url=os.environ['AWS_ENDPOINT_URL_DYNAMODB'])
table, user, version, ttl = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
c.put_item(TableName=table, Item=dict(
    user_id=dict(S=user), version=dict(N=version), ttl=dict(N=str(int(time.time()) + ttl)),
    generated_at=dict(S='2026-01-02T03:04:05+00:00'),
    recommendations=dict(L=[dict(M=dict(item_id=dict(S='x'), category=dict(S='c'), confidence_score=dict(N='0.90')))])))
