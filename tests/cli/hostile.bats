#!/usr/bin/env bats
# hostile.bats - input, files and positions that lie, and users who are out of luck.
load helper

setup() {
	setup_store
	recagent setup --group recs >/dev/null
}
teardown() { teardown_store; }

# source MEMBERS: a line of group recs, shard 0
source_line() {
	echo '{"_source":{"stream":"user-interactions","group":"recs","owner":"w","shard_id":"shardId-000000000000",'"$1"'}}'
}

@test "ack refuses a position that no lease row can hold, and the books balance" {
	local bad
	for bad in '"sequence_number":"-5"' '"sequence_number":"1e5"' '"sequence_number":5.5' '"sequence_number":""' \
		'"sequence_number":"5","subsequence_number":18446744073709551615' '"mark":"done","arrival":"never"' \
		'"mark":"done","sequence_number":"x"'; do
		source_line "$bad" >in
		run recagent ack -v <in
		echo "$bad: $status: $output"
		[ "$status" = 1 ]
		[[ $output == *"line 1: _source"* && $output == *"1 in = 0 out + 1 refused"* ]]
	done
}

@test "a position ahead of the store is told, not followed past what comes next" {
	echo '{"user_id":"u1","item_id":"i1"}' | recagent publish -q >/dev/null
	recagent consume -e --group recs --grace 10ms >/dev/null
	source_line '"sequence_number":"9000000000000000000"' | sed 's/"owner":"w",//' | recagent ack || true
	run recagent consume -e --group recs
	[ "$status" = 4 ]
	[[ $output == *"9000000000000000000 is not of this store"* ]]
}

@test "a signal ends the wait for a named pipe that nobody opens" {
	mkfifo pipe
	local c
	for c in "prompt --template pipe" "cache-get u1 --fallback pipe" "publish --dead-letter pipe" "publish --ledger pipe"; do
		# shellcheck disable=SC2086
		"${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" $c </dev/null >out 2>err 3>&- &
		PIDS="${PIDS:-} $!"
		sleep 0.2
		kill -TERM $!
		wait_for 3 bash -c "! kill -0 $! 2>/dev/null" || {
			echo "$c does not end"
			return 1
		}
	done
}

@test "a named pipe with a reader takes dead letters" {
	mkfifo pipe
	cat pipe >letters 3>&- &
	PIDS=$!
	run recagent publish --dead-letter pipe <<<'bad'
	[ "$status" = 1 ]
	wait_for 3 grep -q '"data":"bad"' letters
}

@test "a ledger that cannot be written is never only some lines refused" {
	run recagent publish --ledger /dev/full <<<'bad'
	[ "$status" = 3 ]
}
