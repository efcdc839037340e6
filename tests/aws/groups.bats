#!/usr/bin/env bats
# groups.bats - several workers of one group on kinesis-local, with their leases in moto's DynamoDB: joining, dying, and a table
# that has much else in it.
load helper

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}
LIMIT=90 # seconds, for what ends by itself: beyond --grace

recagent() { # as in the helper, but nothing here may go on for ever
	timeout "$LIMIT" "$BIN" "$@"
}

setup() {
	setup_aws
	export RECAGENT_STREAM=$N-s GROUP=$N-group PROFILES_TABLE=$N-profiles REC_CACHE_TABLE=$N-rec
	recagent setup --group "$GROUP" >/dev/null
	M=0
}

teardown() {
	for p in ${PIDS:-}; do kill -9 "$p" 2>/dev/null || true; done
	PIDS=
	teardown_aws
}

put() { # COUNT
	seq $((M + 1)) $((M + $1)) |
		awk '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"item_id\":\"i\",\"event_type\":\"click\"}\n", $1 % 40, $1 }' |
		recagent publish -q >/dev/null
	M=$((M + $1))
}

worker() { # NAME [OPTION...]: what it handed on is in lNAME
	local name=$1
	shift
	mkfifo "p$name" "q$name"
	tee "l$name" <"p$name" >"q$name" 2>/dev/null 3>&- &
	PIDS="${PIDS:-} $!"
	"$BIN" ack --interval 100ms <"q$name" 2>"a$name" 3>&- &
	eval "A_$name=$!"
	PIDS="$PIDS $!"
	"$BIN" consume --group "$GROUP" --failover 3s --poll 100ms -v "$@" >"p$name" 2>"c$name" 3>&- &
	eval "C_$name=$!"
	PIDS="$PIDS $!"
}

ids() { cat "$@" | grep -o '"event_id":"[^"]*"' || true; }

came() { [ "$(ids l? | sort -u | wc -l)" -ge "$1" ]; }

rows() { python "$BATS_TEST_DIRNAME/scan.py" "$GROUP" | jq -c 'select(.checkpoint)'; }

holds_shards() { # PID COUNT
	[ "$(rows | jq -r 'select(.leaseOwner and (.checkpointOwner | not)) | .leaseOwner | split(":")[1]' | grep -c "^$1$")" = "$2" ]
}

@test "a worker joins, one is killed, one ends: each event is handed on, none twice but for what the killed one had not committed" {
	put 100
	worker 1
	wait_for 20 came 100
	worker 2
	wait_for 30 holds_shards "$C_2" 2
	put 100
	wait_for 20 came 200
	[ -z "$(ids l? | sort | uniq -d)" ]
	rows >leases
	jq -es 'length == 4 and all(.[]; .renewalTimestamp and .checkpointTimestamp and (.checkpointOwner | not))' leases
	kill -9 "$C_1"
	wait_for 20 holds_shards "$C_2" 4
	put 100
	wait_for 20 came 300
	[ -z "$(ids l? | sort | uniq -d)" ] # its ack lived on, and committed
	kill -TERM "$C_2"
	ended "$LIMIT" "$C_2"
	ended "$LIMIT" "$A_2"
	[ "$(recagent consume -e --group "$GROUP" | grep -c event_id)" -eq 0 ]
}

# A KCL 3 application keeps its leader's lock and its workers' metrics in the same table; here so many that a scan has several pages.
@test "rows of other entities, on several pages, confuse nobody" {
	python - "$GROUP" <<-'P'
		import os, sys, botocore.session
		c = botocore.session.get_session().create_client('dynamodb', endpoint_url=os.environ['AWS_ENDPOINT_URL_DYNAMODB'])
		kinds = ['LEADER', 'WORKER_METRIC_STATS', 'STREAM', 'TABLE_MIGRATION', 'CLIENT_VERSION_MIGRATION']
		items = [{'leaseKey': {'S': 'other-%05d' % i}, 'entityType': {'S': kinds[i % 5]}, 'leaseOwner': {'S': 'kcl-3'},
		          'filler': {'S': 'x' * 30000}} for i in range(150)]
		for i in range(0, len(items), 25):
		    c.batch_write_item(RequestItems={sys.argv[1]: [{'PutRequest': {'Item': v}} for v in items[i:i + 25]]})
	P
	put 100
	recagent consume -e --group "$GROUP" | tee l1 | recagent ack
	[ "$(ids l1 | sort -u | wc -l)" -eq 100 ]
	[ "$(rows | wc -l)" -eq 4 ]
	recagent consume -e --group "$GROUP" -vv >l2 2>trace
	[ "$(ids l2 | wc -l)" -eq 0 ]
	[ "$(python "$BATS_TEST_DIRNAME/scan.py" "$GROUP" | grep -c filler)" -eq 150 ]
}

@test "a table of an application that reads several streams is refused" {
	python - "$GROUP" <<-'P'
		import os, sys, botocore.session
		c = botocore.session.get_session().create_client('dynamodb', endpoint_url=os.environ['AWS_ENDPOINT_URL_DYNAMODB'])
		c.put_item(TableName=sys.argv[1], Item={'leaseKey': {'S': '123456789012:s:1700000000:shardId-000000000000'},
		    'streamName': {'S': '123456789012:s:1700000000'}, 'shardId': {'S': 'shardId-000000000000'},
		    'checkpoint': {'S': 'TRIM_HORIZON'}, 'leaseCounter': {'N': '0'}})
	P
	run recagent consume -e --group "$GROUP"
	[ "$status" -eq 4 ]
	[[ "$output" == *"reads several streams"* ]]
}
