#!/usr/bin/env bats
# hostile.bats - services that answer what no service should.
load helper

setup() { setup_aws; }
teardown() { teardown_aws; }

liar() { # liar STATUS|entry BODY: every service is this one
	local port
	port=$(free_port)
	serve "$port" node "$BATS_TEST_DIRNAME/liar.mjs" "$port" "$@"
	unset AWS_ENDPOINT_URL_DYNAMODB AWS_ENDPOINT_URL_KINESIS
	export AWS_ENDPOINT_URL=http://127.0.0.1:$port
}

@test "names from the service cannot break out of a receipt, nor reach a terminal" {
	liar entry '{"ShardId":"s\",\"error\":{\"x\u001b[31m","SequenceNumber":"1\n{\"line\":2}\u009b"}'
	recagent publish -q --linger 1ms <<<'{"user_id":"u1"}' >quiet
	recagent publish --linger 1ms <<<'{"user_id":"u1"}' >out
	[ "$(wc -l <out)" = 1 ]
	jq -e '.shard_id == "s\",\"error\":{\"x\u001b[31m" and (.error | not)' out
	! LC_ALL=C grep -P '\x1b|\xc2\x9b' out quiet || return 1
}

@test "an empty answer of DynamoDB is not taken for an item that is not there" {
	liar 200 ''
	run recagent cache-get --strict u1
	[ "$status" = 5 ]
	[[ $output == *"the answer is no JSON object"* ]]
	run recagent profile get u1
	[ "$status" = 5 ]
}

@test "shared files that cannot be read in time do not hold up the serving path" {
	mkfifo config
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
	run timeout -k 1 10 "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" cache-get --timeout 200ms u1
	[ "$status" = 0 ]
	[[ $output == *"did not answer within 200 ms"*'"source":"fallback"'* || $output == *'"source":"fallback"'*"did not answer within 200 ms"* ]]
}

@test "a password in the URL of an endpoint or a proxy is not printed" {
	AWS_ENDPOINT_URL_DYNAMODB=http://user:s3cret@127.0.0.1:1 run recagent cache-get -vv --strict u1
	[ "$status" = 2 ]
	[[ $output == *"endpoint URL takes no user name"* && $output != *s3cret* ]]
	http_proxy='http://user:s3cret@[bad' AWS_ENDPOINT_URL_DYNAMODB=http://example.com \
		run recagent cache-get -vv --strict --max-attempts 1 u1
	[ "$status" = 5 ]
	[[ $output == *"proxy"* && $output != *s3cret* ]]
}

@test "a record that can't be used is a dead letter, and the group goes on behind it" {
	export RECAGENT_STREAM=$N-poison
	recagent setup --shards 1 --group "$N-recs" >/dev/null 2>&1
	for s in one spoil-data two spoil-key three; do
		printf '{"user_id":"u","event_id":"%s","timestamp":"2026-01-02T03:04:05Z"}\n' "$s"
	done | recagent publish -q -j 1 --batch-records 1
	local port
	port=$(free_port)
	serve "$port" node "$BATS_TEST_DIRNAME/spoil.mjs" "$port" "$KINESIS_URL"
	export AWS_ENDPOINT_URL_KINESIS=http://127.0.0.1:$port
	local status=0
	{ recagent consume -e --group "$N-recs" --dead-letter dead 2>err || echo $? >status; } | tee out | recagent ack
	[ "$(cat status)" = 1 ]
	[ "$(jq -r 'select(.event_id) | .event_id' out | xargs)" = "one two three" ]
	[ "$(jq -r '.code' dead | xargs)" = "bad-record bad-record" ]
	[ "$(jq -r 'select(.reason | test("base64")) | .data' dead)" = "$(printf '%%%%%% /no\n base64 "\033[31m')" ]
	jq -r 'select(.reason | test("partition key")) | .data' dead | grep -q '"event_id":"spoil-key"'
	jq -es 'length == 2 and all(.[]; ._source | .stream and .shard_id and .sequence_number)' dead
	# Nothing of it comes again.
	recagent consume -e --group "$N-recs" --no-marks 2>/dev/null || true
	recagent consume -e --group "$N-recs" >again
	[ "$(grep -c event_id again)" = 0 ]
	# Without a group and a dead letter it is said, and the rest comes as well.
	recagent consume -e --no-marks >out 2>err || [ $? = 1 ]
	[ "$(wc -l <out)" = 3 ]
	[ "$(grep -c "can't be used" err)" = 2 ]
	recagent replay "$RECAGENT_STREAM" >out 2>err || [ $? = 1 ]
	[ "$(jq -r 'select(.event_id) | .event_id' out | xargs)" = "one two three" ]
}
