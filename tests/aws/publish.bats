#!/usr/bin/env bats
# publish.bats - publish against a stream that throttles, loses answers, is silent, and comes back.
bats_require_minimum_version 1.5.0
load helper

setup() {
	setup_aws
	PORT=$(free_port)
	serve "$PORT" node "$BATS_TEST_DIRNAME/throttle.mjs" --port "$PORT"
	unset AWS_ENDPOINT_URL_KINESIS
	export AWS_ENDPOINT_URL=http://127.0.0.1:$PORT
}

teardown() { teardown_aws; }

mode() { curl -fsS "http://127.0.0.1:$PORT/mode/$1" >/dev/null; }
stats() { curl -fsS "http://127.0.0.1:$PORT/stats"; }
stat() { stats | jq "$1"; }

events() { # FROM TO [USERS]
	seq "$1" "$2" | awk -v users="${3:-40}" '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"item_id\":\"i\",\"event_type\":\"click\"}\n", $1 % users, $1 }'
}

# all_in_order N [DUPLICATES] - 1..N are stored, each once (or with no more duplicates), first occurrences in each user's order.
all_in_order() {
	curl -fsS "http://127.0.0.1:$PORT/stored" | jq -r '[.user_id, .event_id[1:]] | @tsv' | awk -v n="$1" -v most="${2:-0}" '
		$2 in seen { twice++; next }
		{ seen[$2] = 1; got++ }
		$2 + 0 < last[$1] { print "event " $2 " of " $1 " behind " last[$1]; bad = 1 }
		{ last[$1] = $2 + 0 }
		END { print got " of " n ", " twice + 0 " twice"; exit bad || got != n || twice > most }'
}

@test "--order key keeps each key's order while a shard throttles, and sends it little more than it takes" {
	mode shard-200
	events 1 2000 >in
	recagent publish --order key <in >out
	[ "$(grep -c sequence_number out)" = 2000 ]
	all_in_order 2000
	stats
	[ "$(stat .refused)" -lt 600 ]
}

@test "a shard that takes nothing holds up nobody else, with a spool" {
	mode shard-0
	events 1 4000 >in
	run -12 recagent publish -q --order key --spool dir --spool-after 200ms <in
	left=$(stat '4000 - .stored')
	[[ $output == *"$left lines are left in the spool dir"* ]]
	[ "$left" -gt 200 ]
	[ "$left" -lt 2000 ]
	[ "$(stat '.shards[1]')" = 0 ]
	[ "$(stat .refused)" -lt 1000 ]
	mode ok
	recagent publish --order key --spool dir </dev/null
	all_in_order 4000
}

@test "nothing but refusals: few requests, little work, status 5" {
	events 1 3000 >in
	for m in throttle 503; do
		mode $m
		before=$(stat .calls)
		t0=$(awk '{ print $1 }' /proc/uptime)
		TIMEFORMAT='%U %S'
		status=0
		{ time recagent publish -q --give-up 4s <in 2>err || status=$?; } 2>cpu
		[ "$status" = 5 ]
		echo "# $m: $(($(stat .calls) - before)) requests, CPU $(tail -n1 cpu) s"
		[ $(($(stat .calls) - before)) -lt 150 ]
		[ -n "${SANITIZER:-}" ] || awk '{ exit !($1 + $2 < 0.5) }' cpu
	done
}

@test "lost answers: duplicates with the same event_id, no loss, order kept" {
	mode lost
	events 1 1000 10 >in
	recagent publish --order key --batch-records 100 <in >out
	[ "$(grep -c sequence_number out)" = 1000 ]
	all_in_order 1000 5000
}

@test "500 refusals with the longest message are understood" {
	mode long
	events 1 500 500 >in
	recagent publish --linger 1s <in >out
	[ "$(grep -c sequence_number out)" = 500 ]
	all_in_order 500
	[ "$(stat .refused)" = 500 ]
}

@test "a stream that goes and comes back while lines come in: spooled, sent, in order" {
	for m in 503 ok reset ok lost ok; do
		mode $m
		sleep 0.5
	done && touch switched &
	switch=$!
	# The input ends when the stream is back for good.
	(for i in 0 1 2 3 4 5; do
		events $((i * 300 + 1)) $((i * 300 + 300))
		sleep 0.4
	done; wait_for 30 test -e switched) | recagent publish --spool dir --spool-after 100ms --order key --max-attempts 1 --ledger led >out 2>err
	wait $switch
	[ "$(wc -l <out)" = 1800 ]
	run ! grep '"error"' out
	jq -e '.in == 1800 and .out + .spooled == 1800 and .drained == .spooled and .left == 0 and .balances' led
	[ "$(grep -c '"spooled":true' out)" -gt 0 ]
	all_in_order 1800 5000
}

@test "silence: after --read-timeout the lines are spooled; a signal does not wait for answers beyond --grace" {
	mode hang
	events 1 200 >in
	run -12 recagent publish -q --spool dir --spool-after 0 --read-timeout 300ms --max-attempts 1 <in
	[[ $output == *"200 lines are left in the spool dir"* ]]
	mkfifo pipe
	"${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" publish -q --spool dir --grace 300ms <pipe 2>err &
	pid=$!
	PIDS="$PIDS $pid"
	exec 8>pipe
	events 201 300 >&8
	sleep 1
	t0=$(date +%s)
	kill $pid
	status=0
	wait $pid || status=$?
	exec 8>&-
	cat err
	[ "$status" = 12 ]
	[ $(($(date +%s) - t0)) -le 8 ]
	mode ok
	recagent publish --spool dir </dev/null
	all_in_order 300 300
}
