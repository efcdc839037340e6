#!/usr/bin/env bats
# publish --spool: what the stream does not take is on disk, stays in order, and is sent later.
bats_require_minimum_version 1.5.0
load helper

setup() {
	setup_store
	recagent setup >/dev/null
}

teardown() {
	teardown_store
}

events() { # FROM TO [USERS]
	seq "$1" "$2" | awk -v users="${3:-7}" '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"item_id\":\"i\",\"event_type\":\"click\",\"x\":14.990}\n", $1 % users, $1 }'
}

# full_store COMMAND... - as if the store's disk had room for KIB more only; segments of a small spool still fit.
full_store() {
	(ulimit -f 64 && "$@")
}

no_aws() { # no store, and an endpoint where nobody listens
	unset RECAGENT_LOCAL
	export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
	export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true AWS_ENDPOINT_URL=http://127.0.0.1:9
	export AWS_CONFIG_FILE=$T/config AWS_SHARED_CREDENTIALS_FILE=$T/credentials NO_PROXY=127.0.0.1
}

# in_order FILE N USERS - the stream has events 1..N once each at least, and each user's first ones in order.
in_order() {
	recagent consume --end --no-marks >stored
	jq -r '[.user_id, .event_id[1:]] | @tsv' stored | awk -v n="$1" '
		$2 in seen { next }
		{ seen[$2] = 1; got++ }
		$2 + 0 < last[$1] { print "event " $2 " of " $1 " behind " last[$1]; bad = 1 }
		{ last[$1] = $2 + 0 }
		END { if (got != n) print got " of " n; exit bad || got != n }'
}

@test "what the stream does not take is spooled, with receipts, and status 12" {
	no_aws
	events 1 300 >in
	run -12 --separate-stderr recagent publish --spool dir/ --spool-after 300ms --max-attempts 1 --ledger led <in
	[ "${#lines[@]}" = 300 ]
	[ "${lines[0]}" = '{"line":1,"event_id":"e1","spooled":true}' ]
	[ "${lines[299]}" = '{"line":300,"event_id":"e300","spooled":true}' ]
	[[ $stderr == *"300 lines are left in the spool dir/"* ]]
	holds '.in == 300 and .out == 0 and .spooled == 300 and .left == 300 and .balances and .exit_status == 12' led
	[ "$(find dir -type f -perm 600 | wc -l)" = "$(find dir -type f | wc -l)" ]
	[ "$(grep -c 'holding and trying again' <<<"$stderr")" = 1 ]
}

@test "the next run sends the spool in order, without any input" {
	events 1 1000 >in
	status=0
	full_store recagent publish --spool dir --spool-max 64k --spool-after 100ms <<<'' || status=$?
	[ "$status" = 0 ] # nothing to do
	full_store recagent publish --spool dir --spool-max 400k --spool-after 100ms --give-up 1h <in >out 2>err || status=$?
	[ "$status" = 12 ]
	spooled=$(grep -c '"spooled":true' out)
	[ "$spooled" -gt 500 ]
	[ "$(wc -l <out)" = 1000 ]
	recagent publish --spool dir --ledger led </dev/null
	holds ".in == 0 and .drained == $spooled and .left == 0 and .balances" led
	[ -z "$(find dir -name 'lines.*')" ]
	in_order 1000
	[ "$(wc -l <stored)" = 1000 ]
	# The same bytes that would have been sent: only the timestamp was added, once.
	jq -r .event_id stored | sort >a
	jq -r .event_id in | sort >b
	cmp a b
	holds '.timestamp != null' stored
	[ "$(grep -c '"x":14.990' stored)" = 1000 ]
}

@test "what comes in while lines of its key are spooled goes behind them" {
	events 1 300 >first
	events 301 600 >second
	full_store recagent publish --spool dir --spool-after 50ms --spool-max 400k <first >out 2>err || [ $? = 12 ]
	[ "$(grep -c spooled out)" -gt 0 ]
	recagent publish --spool dir <second >out
	[ "$(wc -l <out)" = 300 ]
	in_order 600
}

@test "a full spool holds lines, and gives them up in their time" {
	no_aws
	events 1 1000 >in
	status=0
	recagent publish --spool dir --spool-max 64k --spool-after 100ms --give-up 300ms --max-attempts 1 \
		--dead-letter dead --ledger led <in >out 2>err || status=$?
	[ "$status" = 12 ]
	spooled=$(grep -c '"spooled":true' out)
	[ "$spooled" -gt 100 ]
	[ "$(grep -c '"code":"spool-full"' out)" = "$((1000 - spooled))" ]
	[ "$(wc -l <dead)" = "$((1000 - spooled))" ]
	[ "$(du -b dir | cut -f1)" -lt 90000 ]
	holds ".in == 1000 and .spooled == $spooled and .failed == 1000 - .spooled and .balances" led
	grep -q 'spool: unavailable, holding and trying again: spool dir: full' err
}

@test "lines of a group may be committed once they are spooled" {
	no_aws
	for i in 1 2 3; do
		echo '{"user_id":"u","event_id":"e'$i'","item_id":"i","event_type":"click","_source":{"stream":"s","shard_id":"shardId-000000000000","sequence_number":"'$i'","group":"recs","owner":"o"}}'
	done >in
	run -12 --separate-stderr recagent publish --spool dir --spool-after 100ms --max-attempts 1 <in
	[ "${#lines[@]}" = 3 ]
	holds '.spooled == true and ._source.group == "recs"' <<<"$output"
	run -12 --separate-stderr recagent publish -q --spool dir --spool-after 100ms --max-attempts 1 <in
	holds '._source.mark == "done"' <<<"$output"
	[ "${#lines[@]}" = 3 ]
}

@test "after a signal, what is left at the grace's end is spooled" {
	no_aws
	mkfifo pipe
	"${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" publish --spool dir --spool-after 1h --grace 700ms <pipe >out 2>err &
	PIDS=$!
	exec 8>pipe
	events 1 100 >&8
	wait_for 10 grep -q holding err
	kill "$PIDS"
	status=0
	wait "$PIDS" || status=$?
	exec 8>&-
	[ "$status" = 12 ]
	[ "$(grep -c '"spooled":true' out)" = 100 ]
}

@test "a spool of another stream, store or region is refused by name" {
	echo '{"user_id":"u","item_id":"i","event_type":"click"}' >in
	recagent publish --spool dir <in
	run -2 recagent publish --spool dir kinesis:other <in
	[[ $output == *"spool dir holds lines for stream user-interactions at $T/store, not for other at $T/store"* ]]
	recagent setup -L elsewhere >/dev/null
	run -2 recagent publish --spool dir -L elsewhere <in
	[[ $output == *"not for user-interactions at $T/elsewhere"* ]]
	(cd / && recagent publish --spool "$T/dir" <"$T/in") # the same store from elsewhere
	no_aws
	run -2 recagent publish --spool dir <in
	[[ $output == *"not for user-interactions at 127.0.0.1:9 (us-east-1)"* ]]
	run -2 recagent publish --spool "$T" <in
	[[ $output == *"is no spool: it holds"* ]]
}

@test "one publish at a time uses a spool" {
	mkfifo pipe
	recagent publish --spool dir <pipe >out &
	PIDS=$!
	exec 8>pipe
	wait_for 5 test -e dir/spool
	run -3 recagent publish --spool dir </dev/null
	[[ $output == *"spool dir: process "*" is using it"* ]]
	exec 8>&-
	wait
}

@test "damage in the spool is set aside and reported, and all else is sent" {
	events 1 100 >in
	full_store recagent publish --spool dir --spool-after 50ms --spool-max 64k <in >out 2>err || [ $? = 12 ]
	n=$(grep -c spooled out)
	f=$(find dir -name 'lines.*' | sort | head -n1)
	printf X | dd of="$f" bs=1 seek=200 conv=notrunc 2>/dev/null
	run -3 recagent publish --spool dir </dev/null
	[[ $output == *"the spool was damaged in 1 place: those bytes are in dir/damaged.*"* ]]
	[ "$(find dir -name 'damaged.*' | wc -l)" = 1 ]
	recagent consume --end --no-marks >stored
	[ "$(wc -l <stored)" = 99 ]
	run -0 recagent publish --spool dir </dev/null
}

@test "a disk that is full for the spool too: lines are held, and no receipt lies" {
	no_aws
	events 1 50 >in
	status=0
	(ulimit -f 0 && exec "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" publish --spool dir --spool-after 100ms --give-up 500ms <in) 2>err | cat >out || true
	run ! grep spooled out
	run ! grep sequence_number out
}

@test "a spool that fills up: memory and disk stay bounded, and standard input is not read on" {
	no_aws
	head -c 2000 /dev/zero | tr '\0' x >pad
	mkfifo pipe
	"${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" publish -q --spool dir --spool-max 2m --spool-after 100ms --give-up 1h --grace 100ms <pipe 2>err &
	pid=$!
	yes "{\"user_id\":\"u\",\"x\":\"$(cat pad)\"}" >pipe 2>/dev/null &
	PIDS="$pid $!"
	wait_for 20 grep -q 'spool dir: full' err
	sleep 0.5
	before=$(awk '/^rchar/ { print $2 }' /proc/$pid/io)
	sleep 0.5
	after=$(awk '/^rchar/ { print $2 }' /proc/$pid/io)
	kb=$(awk '/^VmRSS/ { print $2 }' /proc/$pid/status)
	echo "# $kb KiB, read $before, then $after"
	[ $((after - before)) -lt 1000000 ]
	[ "$before" -lt 60000000 ]
	[ -n "${SANITIZER:-}" ] || [ "$kb" -lt 65536 ]
	[ "$(du -sk dir | cut -f1)" -le 2200 ]
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	[ "$status" = 12 ]
}

@test "publish is killed at random, and nothing that it answered for is lost" {
	python3 "$BATS_TEST_DIRNAME/../tools/spool_kill.py" --kills "${N:-40}" --seed 7
}
