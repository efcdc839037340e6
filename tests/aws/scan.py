# scan.py TABLE - every item of a DynamoDB table as a JSON line, read by botocore; whole numbers as numbers, others as text.
import json
import os
import sys
import botocore.session


def plain(v):
    (kind, x), = v.items()
    if kind == 'N':
        return int(x) if x.lstrip('-').isdigit() else x
    if kind == 'M':
        return {k: plain(y) for k, y in x.items()}
    if kind == 'L':
        return [plain(y) for y in x]
    return None if kind == 'NULL' else x


client = botocore.session.get_session().create_client('dynamodb', endpoint_url=os.environ['AWS_ENDPOINT_URL_DYNAMODB'])
more = {}
while True:
    page = client.scan(TableName=sys.argv[1], ConsistentRead=True, **more)
    for item in page['Items']:
        print(json.dumps({k: plain(v) for k, v in item.items()}))
    if 'LastEvaluatedKey' not in page:
        break
    more = {'ExclusiveStartKey': page['LastEvaluatedKey']}
