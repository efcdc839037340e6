#!/usr/bin/env bats
# setup.bats - creates what is missing, once, and says so.
load helper
bats_require_minimum_version 1.5.0

setup() { setup_store; }
teardown() { teardown_store; }

@test "creates everything, and again nothing" {
	recagent setup --shards 2 --group grp1 --group grp2 >out
	printf '%s\n' 'stream user-interactions: created' 'table user-profiles: created' 'table rec-cache: created' \
		'table rec-cache: time to live on ttl switched on' 'table grp1: created' 'table grp2: created' | diff - out
	echo '{"user_id":"a"}' | recagent publish -q
	recagent setup --shards 2 --group grp1 --group grp2 >out
	no grep -q created out
	[ "$(grep -c 'is there' out)" = 5 ]
	recagent consume -e --no-marks | holds '.user_id == "a"'
	seq 40 | jq -c '{user_id: "u\(.)"}' | recagent publish | jq -r .shard_id | sort -u | wc -l | grep -x 2
}

@test "only what is missing is made" {
	recagent setup -s one >/dev/null
	recagent setup -s two >out
	grep -Fx 'stream two: created' out
	grep -Fx 'table rec-cache: is there' out
}

@test "--dry-run makes nothing, and says what it would" {
	recagent setup --dry-run --group grp >out
	[ "$(grep -c 'would be' out)" -ge 4 ]
	[ ! -e "$RECAGENT_LOCAL" ]
	recagent setup >/dev/null
	recagent setup --dry-run --group grp >out
	grep -Fx 'table grp: would be created' out
	grep -Fx 'stream user-interactions: is there' out
}

@test "names from the environment, --key" {
	export RECAGENT_STREAM=s PROFILES_TABLE=ppp REC_CACHE_TABLE=ccc RECAGENT_KEY=card
	recagent setup >out
	grep -q '^stream s: created' out
	grep -q '^table ppp: created' out
	grep -q '^table ccc: created' out
	echo '{"card":"c1"}' | recagent publish | holds .sequence_number
	# A table with another key is not touched.
	run -4 recagent setup --key user_id
	[[ "$output" == *"the key of table ppp is card, not user_id"* ]]
}

@test "many at the same moment" {
	BIN=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")
	for i in 1 2 3 4 5 6; do "$BIN" setup >"out.$i" 2>"err.$i" & pids="${pids:-} $!"; done
	for p in $pids; do wait "$p"; done
	[ ! -s err.1 ]
	recagent setup | grep -c 'is there' | grep -x 3
}

@test "wrong uses and places" {
	run -2 recagent setup something
	run -2 recagent setup --shards 0
	run -2 recagent setup --shards x
	run -3 recagent setup --local /dev/null
	run -3 recagent setup --local /dev/null/x
	status=0
	recagent setup >/dev/full 2>err || status=$?
	[ $status = 3 ]
	[ "$(wc -l <err)" = 1 ]
	[ "$(stat -c %a "$RECAGENT_LOCAL"/recagent.db)" = 600 ]
}

@test "resharding what nobody answers for: said at once, given up after --wait" {
	unset RECAGENT_LOCAL
	export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY AWS_REGION=us-east-1
	run -5 timeout 20 "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" setup --endpoint-url http://127.0.0.1:9 \
		--reshard 4 --wait 500ms --max-attempts 1
	[ "$(grep -c "holding and trying again" <<<"$output")" -eq 1 ]
}
