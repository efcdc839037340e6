#!/usr/bin/env bats
# consume on the embedded store: what was put comes out, groups go on where they were, ends and signals.
load helper

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}

setup() {
	setup_store
	recagent setup --group recs >/dev/null
}

teardown() {
	teardown_store
}

# put FROM TO: events e1, e2, ... of seven users
put() {
	seq "$1" "$2" | awk '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"item_id\":\"i%d\",\"event_type\":\"click\",\"timestamp\":\"2026-01-02T03:04:05.000001Z\"}\n", $1 % 7, $1, $1 }' |
		recagent publish -q >/dev/null
}

ids() { # sorted event numbers in files or standard input
	sed -n 's/.*"event_id":"e\([0-9]*\)".*/\1/p' "$@" | sort -n
}

# The numbers 1..N, each once.
all_once() {
	local n=$1
	shift
	diff <(seq "$n") <(ids "$@")
}

lines_are() { # FILE N: at least N event lines are in it
	[ "$(ids "$1" 2>/dev/null | wc -l)" -ge "$2" ]
}

@test "-e prints what was put, unchanged but for _source at the end" {
	echo '{"user_id":"u","n":14.990,"big":12345678901234567890,"event_id":"e1","item_id":"i","event_type":"click","timestamp":"2026-01-02T03:04:05Z","s":"\u00e9é"}' >in
	recagent publish -q <in >/dev/null
	recagent consume -e --no-marks >out
	[ "$(sed 's/,"_source":{.*}}$/}/' out)" = "$(cat in)" ]
	grep -q '"_source":{"stream":"user-interactions","shard_id":"shardId-[0-9]*","sequence_number":"[0-9]*","subsequence_number":0,"partition_key":"u","arrival":"[-0-9]*T[0-9:.]*Z"}}$' out
}

@test "every shard is read, each in order, and the mark end comes last" {
	put 1 500
	recagent consume -e >out
	[ "$(tail -n 1 out)" = '{"_source":{"stream":"user-interactions","mark":"end"}}' ]
	all_once 500 out
	[ "$(grep -o 'shardId-[0-9]*' out | sort -u | wc -l)" -ge 3 ]
	for u in 0 1 2 3 4 5 6; do
		grep "\"user_id\":\"u$u\"" out | sed 's/.*"event_id":"e\([0-9]*\)".*/\1/' >of
		sort -n -c of
	done
}

@test "-n stops after exactly so many" {
	put 1 100
	recagent consume -n 42 --no-marks >out
	[ "$(wc -l <out)" -eq 42 ]
}

@test "a record that is no object, and one with a _source of its own, travel as data_b64" {
	for data in '"no object"' '{"_source":{"x":1},"user_id":"u"}' $'\xff\xfe'; do
		printf '{"data_b64":"%s","_source":{"partition_key":"u"}}\n' "$(printf %s "$data" | base64 -w0)"
	done | recagent publish -q >/dev/null
	recagent consume -e --no-marks >out
	[ "$(wc -l <out)" -eq 3 ]
	[ "$(grep -c '^{"data_b64":"[^"]*","_source":{"stream":' out)" -eq 3 ]
	# fed back, they are the same bytes
	recagent publish -q <out >/dev/null
	[ "$(recagent consume -e --no-marks | sed 's/.*data_b64":"\([^"]*\).*/\1/' | sort | uniq -c | awk '$1 != 2' | wc -l)" -eq 0 ]
}

@test "--since latest skips, --until now ends under a producer" {
	put 1 20
	"$BIN" consume --since latest --no-marks -n 1 >out 3>&- &
	PIDS=$!
	sleep 0.5
	put 21 21
	wait "$PIDS"
	[ "$(ids out)" = 21 ]
	recagent consume --until now --no-marks >until
	all_once 21 until
}

@test "it follows until SIGTERM, then ends cleanly with status 0" {
	put 1 10
	"$BIN" consume >out 3>&- &
	PIDS=$!
	sleep 1 # a file is not flushed line by line
	kill -TERM "$PIDS"
	wait "$PIDS"
	all_once 10 out
	tail -n 1 out | grep -q '"mark":"end"'
}

@test "a live line comes within a second" {
	"$BIN" consume --no-marks | head -n 1 >out 3>&- &
	PIDS=$!
	sleep 0.3
	put 1 1
	wait_for 1 test -s out
}

@test "a reader that leaves: quiet, status 8, also while nothing comes" {
	put 1 1000
	(timeout 20 "$BIN" consume 2>err || echo $? >status) | head -n 1 >/dev/null
	wait_for 5 test -s status
	[ "$(cat status)" = 8 ]
	[ ! -s err ]
}

@test "a full disk is noticed" {
	put 1 10
	local status=0
	recagent consume -e >/dev/full 2>err || status=$?
	[ "$status" -eq 3 ]
	grep -q 'cannot write' err
}

@test "a missing stream, group or store says what to do" {
	run recagent consume -e nosuch
	[ "$status" -eq 4 ]
	run recagent consume -e --group nosuch
	[ "$status" -eq 4 ]
	[[ "$output" == *"recagent setup --group nosuch"* ]]
	run recagent consume --group recs --no-marks
	[ "$status" -eq 2 ]
}

@test "a group goes on after a clean end without gap or repetition" {
	put 1 300
	recagent consume -n 100 --group recs | tee one | recagent ack
	recagent consume -n 50 --group recs | tee two | recagent ack
	put 301 310
	recagent consume -e --group recs | tee three | recagent ack
	all_once 310 one two three
}

@test "a group goes on after SIGTERM without gap or repetition" {
	put 1 200
	mkfifo pipe
	(tee one <pipe | recagent ack) 3>&- &
	PIDS=$!
	"$BIN" consume --group recs >pipe 3>&- &
	local consume=$!
	PIDS="$PIDS $consume"
	wait_for 10 lines_are one 200
	put 201 260
	kill -TERM "$consume"
	wait "$consume"
	wait "${PIDS%% *}"
	recagent consume -e --group recs | tee two | recagent ack
	all_once 260 one two
}

@test "after kill -9 a group goes on at once, and nothing is lost" {
	put 1 300
	mkfifo pipe
	(tee one <pipe | "$BIN" ack --interval 50ms 2>err || echo $? >status) 3>&- &
	PIDS=$!
	"$BIN" consume --group recs >pipe 3>&- &
	local consume=$!
	PIDS="$PIDS $consume"
	wait_for 10 lines_are one 300
	sleep 0.3 # a commit interval
	put 301 400
	kill -9 "$consume"
	wait_for 10 test -s status
	[ "$(cat status)" = 9 ]
	grep -q 'without the mark end' err
	local began=$SECONDS
	recagent consume -e --group recs | tee two | recagent ack
	[ $((SECONDS - began)) -lt 8 ]
	diff <(seq 400) <(ids one two | uniq)
	# what comes twice was under way
	[ "$(ids one two | uniq -d | wc -l)" -le 100 ]
}

@test "when the whole pipe is killed, only what was not committed comes again" {
	put 1 300
	mkfifo pipe
	"$BIN" ack --interval 50ms <pipe 3>&- &
	local ack=$!
	"$BIN" consume --group recs 3>&- >pipe &
	local consume=$!
	PIDS="$ack $consume"
	sleep 1
	kill -9 "$ack" "$consume"
	put 301 350
	recagent consume -e --group recs | tee two | recagent ack
	diff <(seq 301 350) <(ids two)
}

@test "a worker that no one commits for leaves its lines to the next" {
	put 1 50
	recagent consume -e --group recs --grace 100ms >one
	recagent consume -e --group recs --failover 300ms | tee two | recagent ack
	all_once 50 one
	all_once 50 two
	recagent consume -e --group recs --failover 300ms >three
	[ "$(ids three | wc -l)" -eq 0 ]
}

@test "another stream's group is refused" {
	put 1 1
	recagent consume -e --group recs | recagent ack
	recagent setup other >/dev/null 2>&1 || RECAGENT_STREAM=other recagent setup >/dev/null
	run recagent consume -e --group recs other
	[ "$status" -eq 2 ]
	[[ "$output" == *"belongs to"* ]]
}

@test "a pipe that takes nothing does not hold a signalled consume for longer than --grace" {
	put 1 3000
	mkfifo pipe
	sleep 30 <pipe 3>&- &
	PIDS=$!
	"$BIN" consume --grace 300ms >pipe 2>err 3>&- &
	local consume=$!
	PIDS="$PIDS $consume"
	sleep 0.5
	kill -TERM "$consume"
	local status=0 began=$SECONDS
	wait "$consume" || status=$?
	[ "$status" -eq 143 ]
	[ $((SECONDS - began)) -lt 5 ]
	grep -q -e '--grace' err
}

@test "a reader that has gone leaves balanced books" {
	recagent setup >/dev/null
	seq 2000 | awk '{ printf "{\"user_id\":\"u%d\",\"item_id\":\"i\",\"event_type\":\"click\"}\n", $1 % 9 }' | recagent publish -q
	{ recagent consume -e --ledger book || true; } | head -n 1 >/dev/null
	{ recagent replay "kinesis:user-interactions" --since trim-horizon --ledger book || true; } | head -n 1 >/dev/null
	cat book
	[ "$(jq -s 'length' book)" = 2 ]
	holds '.exit_status == 8 and .balances and .in == .out' book
}
