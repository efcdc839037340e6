# create_table.py TABLE - a table with the key user_id, made by botocore.
import sys
import botocore.session
import os
c = botocore.session.get_session().create_client('dynamodb', endpoint_url=os.environ['AWS_ENDPOINT_URL_DYNAMODB'])
c.create_table(TableName=sys.argv[1], BillingMode='PAY_PER_REQUEST',
               AttributeDefinitions=[dict(AttributeName='user_id', AttributeType='S')],
               KeySchema=[dict(AttributeName='user_id', KeyType='HASH')])
