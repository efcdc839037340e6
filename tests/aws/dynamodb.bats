#!/usr/bin/env bats
# dynamodb.bats - the table contract on moto's DynamoDB.
load helper

setup() {
	setup_aws
	probe mktable "$N"
}
teardown() { teardown_aws; }

@test "a new table has the key, on demand, and its TTL is enabled once and again" {
	[ "$(probe table "$N")" = "$(printf 'ACTIVE\tuser_id\t-\t')" ]
	probe ttl "$N" ttl
	probe ttl "$N" ttl
	[ "$(probe table "$N")" = "$(printf 'ACTIVE\tuser_id\tttl\tttl')" ]
}

@test "a table that does not exist is named, with the service's word for it" {
	run probe table "$N-none"
	[ "$status" = 4 ]
	[[ $output == *"failed ResourceNotFoundException: dynamodb us-east-1: DescribeTable: "* ]]
}

@test "creating a table twice is the service's refusal" {
	run probe mktable "$N"
	[ "$status" = 4 ]
	[[ $output == *ResourceInUseException* ]]
}

@test "put under a condition: first wins, second is told so" {
	probe item "$N" '{"user_id":{"S":"u1"},"n":{"N":"1"}}' missing:user_id
	run probe item "$N" '{"user_id":{"S":"u1"},"n":{"N":"2"}}' missing:user_id
	[ "$status" = 4 ]
	[[ $output == *ConditionalCheckFailedException* ]]
	[ "$(probe get "$N" u1)" = '{"user_id":{"S":"u1"},"n":{"N":"1"}}' ]
}

@test "conditions compare numbers, join by OR, and hold for reserved words" {
	probe item "$N" '{"user_id":{"S":"u1"},"version":{"N":"9"},"ttl":{"N":"100"},"size":{"N":"1"}}'
	probe update "$N" u1 'set:size={"N":"2"}' 'eq:version={"N":"9"}'
	run probe update "$N" u1 'set:size={"N":"3"}' 'le:version={"N":"8"}'
	[ "$status" = 4 ]
	probe update "$N" u1 'set:size={"N":"4"}' any missing:user_id missing:version 'le:version={"N":"10"}'
	probe update "$N" u1 'set:size={"N":"5"}' any missing:user_id 'lt:ttl={"N":"101"}'
	run probe update "$N" u1 'set:size={"N":"6"}' any missing:user_id 'gt:ttl={"N":"100"}'
	[ "$status" = 4 ]
	[[ $(probe get "$N" u1) == *'"size":{"N":"5"}'* ]]
}

@test "one update sets, adds and removes" {
	probe item "$N" '{"user_id":{"S":"u1"},"a":{"S":"x"},"b":{"S":"y"},"c":{"N":"40"}}'
	probe update "$N" u1 'set:a={"M":{"k":{"L":[{"BOOL":true},{"NULL":true}]}}}' add:c=2 remove:b exists:a
	[ "$(probe get "$N" u1)" = '{"user_id":{"S":"u1"},"a":{"M":{"k":{"L":[{"BOOL":true},{"NULL":true}]}}},"c":{"N":"42"}}' ]
}

@test "delete under a condition" {
	probe item "$N" '{"user_id":{"S":"u1"},"v":{"N":"1"}}'
	run probe del "$N" u1 'eq:v={"N":"2"}'
	[ "$status" = 4 ]
	probe del "$N" u1 'eq:v={"N":"1"}'
	[ "$(probe get "$N" u1)" = none ]
}

@test "numbers and strings come back as they were written" {
	local item='{"user_id":{"S":"ü \"quoted\" \\ 映画"},"n":{"N":"14.990"},"big":{"N":"1342647857257299304"},"s":{"S":"a\tb\u0001"}}'
	probe item "$N" "$item"
	probe get "$N" 'ü "quoted" \ 映画' | jq -cS . >got
	jq -cS . <<<"$item" | cmp - got
}

@test "many keys: 250 of them in hundreds, repeated and missing ones in their places" {
	python - "$N" <<-'PY'
		import boto3, os, sys
		t = boto3.resource("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL_DYNAMODB"]).Table(sys.argv[1])
		with t.batch_writer() as w:
		    for i in range(250):
		        w.put_item(Item={"user_id": f"u{i}", "i": i})
	PY
	local keys=()
	for i in $(seq 0 249); do keys+=("u$i"); done
	probe getmany "$N" "${keys[@]}" none u7 u249 >got
	[ "$(wc -l <got)" = 253 ]
	[ "$(sed -n 251p got)" = none ]
	[ "$(sed -n 8p got)" = "$(sed -n 252p got)" ]
	[ "$(head -250 got | jq -r .user_id.S | tr '\n' ' ')" = "${keys[*]} " ]
	probe scan "$N" | jq -r .user_id.S | sort >scanned
	printf '%s\n' "${keys[@]}" | sort | cmp - scanned
}

@test "unprocessed keys are asked for again, and a table that never gives them is an outage" {
	local port
	port=$(free_port)
	serve "$port" node "$BATS_TEST_DIRNAME/fault_front.mjs" --port "$port" --to "$MOTO_URL" --fault unprocessed:2
	for i in 1 2 3; do probe item "$N" "{\"user_id\":{\"S\":\"u$i\"}}"; done
	AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:$port run probe getmany "$N" u1 u2 u3
	[ "$status" = 0 ]
	[ "${#lines[@]}" = 3 ]
	[[ $output != *none* ]]
	port=$(free_port)
	serve "$port" node "$BATS_TEST_DIRNAME/fault_front.mjs" --port "$port" --to "$MOTO_URL" --fault unprocessed:999
	AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:$port run probe getmany "$N" u1 u2 u3
	[ "$status" = 5 ]
	[[ $output == *unprocessed* ]]
}

@test "a damaged answer is noticed by its checksum and asked for again" {
	local port
	port=$(free_port)
	serve "$port" node "$BATS_TEST_DIRNAME/fault_front.mjs" --port "$port" --to "$MOTO_URL" --fault crc:2
	probe item "$N" '{"user_id":{"S":"u1"}}'
	[ "$(AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:$port probe get "$N" u1)" = '{"user_id":{"S":"u1"}}' ]
	[ "$(curl -s "http://127.0.0.1:$port/__stats")" = '{"requests":3,"faults":2}' ]
}
