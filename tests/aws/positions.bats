#!/usr/bin/env bats
# positions on kinesis-local and moto's DynamoDB: lags that Kinesis tells, tables of other programs, several pages, rights.
load helper
bats_require_minimum_version 1.5.0

setup() {
	setup_aws
	export RECAGENT_STREAM=$N-events GROUP=$N-group
	recagent setup --shards 2 --group "$GROUP" --profiles "$N-profiles" --cache "$N-rec" >/dev/null
}

teardown() {
	teardown_aws
}

put() {
	seq "$1" | jq -c '{user_id: "u\(.)", item_id: "heat", event_type: "click"}' | recagent publish -q
}

pass() {
	recagent consume --group "$GROUP" -e --poll 50ms | recagent ack
}

show() {
	recagent positions show --group "$GROUP" "$@"
}

# rows CODE - with `table` and the shards' ids in `ids`: what another program does to the table.
rows() {
	python - "$GROUP" <<-P
		import boto3, os, sys
		table = boto3.resource('dynamodb', endpoint_url=os.environ['AWS_ENDPOINT_URL_DYNAMODB']).Table(sys.argv[1])
		ids = ['shardId-%012d' % i for i in range(2)]
		if True:$1
	P
}

# A worker that is not ours renews the lease of shard $1 until the file `stop` is there.
renew() {
	rows "
		import time
		while not os.path.exists('stop'):
		    table.update_item(Key={'leaseKey': ids[$1]}, UpdateExpression='ADD leaseCounter :one', ExpressionAttributeValues={':one': 1})
		    open('started', 'w')
		    time.sleep(0.1)" 3>&- &
	PIDS=$!
	wait_for 20 test -e started
}

@test "show: behind, at the tip, and what it asks of AWS" {
	put 20
	show >out 2>err || [ $? = 11 ]
	[ "$(wc -l <out)" = 2 ]
	jq -es 'all(.[]; .state == "new" and .lag_records == null and .lag_ms > 0 and .stuck == "nobody owns it")' out
	pass
	show -vv >out 2>trace
	jq -es 'all(.[]; .state == "unowned" and .lag_records == 0 and .lag_ms == 0 and .renewed != null and .checkpointed != null)' out
	# Rights to read, no others.
	[ "$(sed -n 's/.*: \(dynamodb\|kinesis\) \([A-Za-z]*\) at .*/\2/p' trace | sort -u | xargs)" = \
		"DescribeStreamSummary GetRecords GetShardIterator ListShards Scan" ]
	put 20
	run -11 show --max-lag 1h
	run -2 show --max-lag 5
	[[ "$output" == *"Kinesis does not tell how many"* ]]
	recagent consume --group "$GROUP" --poll 50ms >/dev/null 3>&- &
	PIDS=$!
	wait_for 20 eval 'show --max-lag 1h >out'
	run -10 show --max-lag 1ms
}

@test "show: rows of a KCL among other entities, on several pages; a worker that renews is seen by --wait" {
	put 20
	pass
	put 20
	rows "
		for i in range(5):
		    table.put_item(Item={'leaseKey': 'worker-%d' % i, 'entityType': 'WORKER_METRIC_STATS', 'wid': 'w', 'sts': 'x' * 390000})
		for id in ids:
		    row = table.get_item(Key={'leaseKey': id})['Item']
		    table.put_item(Item={k: row[k] for k in ('leaseKey', 'checkpoint', 'checkpointSubSequenceNumber', 'ownerSwitchesSinceCheckpoint',
		        'leaseCounter', 'startingHashKey', 'endingHashKey')} | {'leaseOwner': 'kcl-1', 'entityType': 'LEASE'})"
	show >out
	jq -es 'length == 2 and all(.[]; .state == "reading" and .owner == "kcl-1" and .renewed == null and .lag_ms > 0)' out
	renew 0
	status=0
	show --failover 2s --wait 2100ms >out 2>err || status=$?
	[ $status = 11 ]
	[ "$(jq -r '.state' out | xargs)" = "reading expired" ]
	grep -q "${N:+shardId-000000000001}: stuck .* its owner renews no more" err
}

@test "reset and set: rows that a KCL keeps, read again from there; its worker is told by its counter" {
	put 30
	pass
	rows "
		for id in ids:
		    table.update_item(Key={'leaseKey': id}, UpdateExpression='SET leaseOwner = :o, pendingCheckpoint = :p REMOVE renewalTimestamp',
		        ExpressionAttributeValues={':o': 'kcl-1', ':p': '1'})"
	renew 1
	run -7 recagent positions reset --group "$GROUP" --to trim-horizon --failover 1s
	[[ "$output" == *"shardId-000000000001 is held by kcl-1"* ]]
	touch stop
	wait $PIDS
	recagent positions reset --group "$GROUP" --to trim-horizon --failover 1s >moves
	jq -es 'all(.[]; .owner == "kcl-1" and .moved)' moves
	rows "
		for r in table.scan()['Items']:
		    assert 'leaseOwner' not in r and 'pendingCheckpoint' not in r and r['checkpoint'] == 'TRIM_HORIZON', r"
	recagent consume --group "$GROUP" -e --poll 50ms | recagent ack --tee >out
	[ "$(jq -r 'select(.event_id).event_id' out | sort -u | wc -l)" = 30 ]
	seq=$(jq -rs '[.[] | select(.item_id)._source | select(.shard_id == "shardId-000000000000")][4].sequence_number' out)
	n=$(jq -rs '[.[] | select(.item_id)._source | select(.shard_id == "shardId-000000000000")] | length' out)
	show >before
	recagent positions set --group "$GROUP" --shard 0 --to "$seq" >/dev/null
	status=0
	recagent positions diff --group "$GROUP" --with ./before >diff || status=$?
	[ $status = 1 ]
	[ "$(jq -r .ahead diff | xargs)" = "with same" ]
	recagent consume --group "$GROUP" -e --poll 50ms | recagent ack --tee >out
	[ "$(jq -r 'select(.event_id).event_id' out | wc -l)" = $((n - 5)) ]
	run -2 recagent positions set --group "$GROUP" --shard 0 --to 5
	# To the tip, and nothing that comes later is missed.
	recagent positions reset --group "$GROUP" --to latest >/dev/null
	sleep 1.1
	put 7
	recagent consume --group "$GROUP" -e --poll 50ms >out
	[ "$(jq -r 'select(.event_id).event_id' out | sort -u | wc -l)" -ge 7 ]
}

@test "a group or a stream that is not there, and a server that is not" {
	run -4 recagent positions show --group "$N-none"
	[[ "$output" == *"make it with: recagent setup --group $N-none"* ]]
	run -4 recagent positions show --group "$GROUP" "$N-nothing"
	AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1 run -5 recagent positions show --group "$GROUP" --max-attempts 1
}
