#!/usr/bin/env bats
# ack on the embedded store: what it commits, what it says, its exit statuses.
load helper

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}

setup() {
	setup_store
	recagent setup --group recs >/dev/null
	seq 40 | awk '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"item_id\":\"i\",\"event_type\":\"click\"}\n", $1 % 5, $1 }' |
		recagent publish -q >/dev/null
	recagent consume -e --group recs --grace 0 >lines
}

teardown() {
	teardown_store
}

rest() { # how many events the group has still to come
	recagent consume -e --group recs --failover 200ms --grace 0 | grep -c event_id || true
}

@test "ack commits what came through, and releases" {
	recagent ack <lines
	[ "$(rest)" -eq 0 ]
}

@test "--tee passes every line on unchanged" {
	recagent ack --tee <lines >out
	cmp lines out
}

@test "without the mark end: status 9, and what came is committed" {
	head -n 25 lines >cut
	run recagent ack <cut
	[ "$status" -eq 9 ]
	[[ "$output" == *"without the mark end"* ]]
	[ "$(rest)" -eq 15 ]
}

@test "a bad line is refused by number and does not stop the others" {
	{ head -n 5 lines; echo 'no json'; tail -n +6 lines; } >bad
	run recagent ack --dead-letter dead <bad
	[ "$status" -eq 1 ]
	[[ "$output" == *"line 6: "* ]]
	[ "$(wc -l <dead)" -eq 1 ]
	[ "$(rest)" -eq 0 ]
}

@test "lines without _source are said once and commit nothing" {
	sed 's/,"_source".*/}/' lines | grep event_id >bare
	run recagent ack <bare
	[ "$status" -eq 0 ]
	[ "$(grep -c 'no _source' <<<"$output")" -eq 1 ]
	[ "$(rest)" -eq 40 ]
}

@test "lines of no group need no store" {
	sed 's/,"group":"recs","owner":"[^"]*"//' lines >plain
	RECAGENT_LOCAL=$T/nowhere run recagent ack <plain
	[ "$status" -eq 0 ]
	[ ! -e "$T/nowhere" ]
}

@test "a group that does not exist is status 4" {
	sed 's/"group":"recs"/"group":"nosuch"/' lines >other
	run recagent ack <other
	[ "$status" -eq 4 ]
}

@test "another worker's shards are not moved: status 7" {
	recagent consume -e --group recs --failover 200ms --grace 0 >again
	run recagent ack <lines
	[ "$status" -eq 7 ]
	recagent ack <again
	[ "$(rest)" -eq 0 ]
}

@test "it goes on to end of input after SIGTERM" {
	mkfifo pipe
	"$BIN" ack <pipe 3>&- &
	PIDS=$!
	exec 7>pipe
	head -n 20 lines >&7
	sleep 0.3
	kill -TERM "$PIDS"
	sleep 0.3
	tail -n +21 lines >&7
	exec 7>&-
	wait "$PIDS"
	[ "$(rest)" -eq 0 ]
}

@test "input that does not end is left --grace after SIGTERM, committed" {
	mkfifo pipe
	"$BIN" ack --grace 300ms <pipe 2>err 3>&- &
	PIDS=$!
	exec 7>pipe
	head -n 20 lines >&7
	sleep 0.3
	kill -TERM "$PIDS"
	local status=0
	wait "$PIDS" || status=$?
	exec 7>&-
	[ "$status" -eq 9 ]
	[ "$(rest)" -eq 20 ]
}

@test "a reader of --tee that leaves: status 8" {
	for _ in $(seq 200); do cat lines; done >many
	(timeout 20 "$BIN" ack --tee <many 2>err || echo $? >status) | head -n 1 >/dev/null
	wait_for 10 test -s status
	[ "$(cat status)" = 8 ]
	[ ! -s err ]
}

@test "commits come while the input is open" {
	mkfifo pipe
	"$BIN" ack --interval 50ms <pipe 3>&- &
	PIDS=$!
	exec 7>pipe
	cat lines >&7
	sleep 0.5
	kill -9 "$PIDS"
	exec 7>&-
	[ "$(rest)" -eq 0 ]
}
