#!/usr/bin/env bats
# reshard.bats - shards are split and merged while producers and consumers go on: nothing lost, doubled or out of order.
load helper
bats_require_minimum_version 1.5.0

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}

setup() {
	setup_store
	recagent setup --group recs >/dev/null
	SEED=4711 # the changes are the same each time; what they meet is not
}

teardown() {
	teardown_store
}

probe() {
	"$BATS_TEST_DIRNAME/../../${BUILD:-build}/tools/port_probe" "$@"
}

# put FROM TO: events e1, e2, ... of 13 users
put() {
	seq "$1" "$2" | awk '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"item_id\":\"i%d\",\"event_type\":\"click\"}\n", $1 % 13, $1, $1 % 40 }' |
		recagent publish -q >/dev/null
}

produce() { # TIMES: 40 events each
	local i
	for i in $(seq "$1"); do put $((i * 40 - 39)) $((i * 40)); done
}

dice() { # N: DICE is 0 to N - 1, the same in every run ($RANDOM is not, in a subshell)
	SEED=$(((SEED * 1103515245 + 12345) % 2147483648))
	DICE=$((SEED / 65536 % $1))
}

open_shards() { # in the order of their hash keys
	probe shards user-interactions | awk -F'\t' '$5 == "open" { print $4, $1 }' | sort -n | cut -d' ' -f2
}

# One change of any kind.
change() {
	local v
	mapfile -t v < <(open_shards)
	local n=${#v[@]} kind
	dice 3
	kind=$DICE
	dice "$n"
	case $kind in
	0) recagent setup --split "${v[DICE]}" ;;
	1)
		[ "$n" -gt 1 ] || return 0
		dice $((n - 1))
		recagent setup --merge "${v[DICE + 1]},${v[DICE]}"
		;;
	2)
		dice 8
		recagent setup --reshard $((DICE + 1))
		;;
	esac >/dev/null
}

changes() { # TIMES
	local i
	for i in $(seq "$1"); do change; done
}

numbers() {
	sed -n 's/.*"event_id":"e\([0-9]*\)".*/\1/p' "$@"
}

all_once() { # N FILE...: the numbers 1 to N
	local n=$1
	shift
	diff <(seq "$n") <(numbers "$@" | sort -n)
}

in_order() { # FILE...: each user's events rise; what came before may come again
	cat "$@" | sed -n 's/.*"user_id":"\([^"]*\)".*"event_id":"e\([0-9]*\)".*/\1 \2/p' | awk '
		!seen[$0]++ && $2 < last[$1] { print "of " $1 ": " $2 " after " last[$1]; bad = 1 }
		$2 > last[$1] { last[$1] = $2 }
		END { exit bad || !NR }'
}

# For every closed shard that is listed: its row, if there is one, says that it has been read to its end.
parents_ended() { # GROUP
	local s closed
	PROBE_KEY=leaseKey probe scan "$1" >rows
	closed=$(probe shards user-interactions | awk -F'\t' '$5 == "closed" { print $1 }')
	[ -n "$closed" ]
	for s in $closed; do
		jq -es --arg s "$s" 'map(select(.leaseKey.S == $s)) | all(.checkpoint.S == "SHARD_END")' rows >/dev/null || {
			echo "$s: not at its end"
			return 1
		}
	done
}

@test "before the first start: every generation is read, parents first" {
	for i in 1 2 3 4 5 6 7 8; do
		put $((i * 50 - 49)) $((i * 50))
		change
	done
	recagent consume -e --no-marks >out
	all_once 400 out
	in_order out
	recagent consume -e --group recs | tee group | recagent ack
	all_once 400 group
	in_order group
	parents_ended recs
	[ "$(recagent consume -e --group recs --failover 200ms | tee again | recagent ack; numbers again | wc -l)" = 0 ]
}

@test "during consumption, while a producer goes on" {
	"$BIN" consume -n 1200 --no-marks >out 3>&- &
	PIDS=$!
	changes 20 3>&- &
	local changer=$!
	PIDS="$PIDS $changer"
	produce 30
	wait "$changer"
	wait_for 20 bash -c "! kill -0 ${PIDS%% *} 2>/dev/null"
	all_once 1200 out
	in_order out
	[ "$(probe shards user-interactions | wc -l)" -gt 20 ]
	[ "$(sed 's/.*"shard_id":"\([^"]*\)".*/\1/' out | sort -u | wc -l)" -gt 6 ]
}

worker() { # N: one pipe of the group; every line gets the time at which it came
	"$BIN" consume --group recs --failover 2s 2>>"err.$1" |
		jq -c --unbuffered 'if .event_id then {seen: now} + . else . end' | tee -a "out.$1" |
		"$BIN" ack --interval 100ms 2>>"err.$1"
}

consumers() { # pids of the consume processes that this test started
	pgrep -f "^$BIN consume --group recs" -P "$(echo "$PIDS" | tr -s ' ' , | sed 's/^,//')" || true
}

by_time() { # FILE...: lines in the order in which they came, of whichever worker
	cat "$@" | grep event_id | sed 's/^{"seen":\([0-9.]*\),/\1 {/' | sort -s -n -k 1,1 | cut -d' ' -f2-
}

@test "a group of three workers: each event once, in order over all of them" {
	local i
	for i in 1 2 3; do
		worker $i 3>&- &
		PIDS="${PIDS:-} $!"
	done
	changes 12 3>&- &
	local changer=$!
	produce 20
	wait "$changer"
	wait_for 40 bash -c 'cat out.? | grep -c event_id | grep -qx 800'
	for i in $(consumers); do kill -TERM "$i"; done
	wait $PIDS
	all_once 800 out.?
	by_time out.? >all
	in_order all
	recagent consume -e --group recs --failover 2s | tee rest | recagent ack
	[ -z "$(numbers rest)" ]
	parents_ended recs
}

@test "a worker that is killed: nothing is lost, parents still come first" {
	local i
	for i in 1 2; do
		worker $i 3>&- &
		PIDS="${PIDS:-} $!"
	done
	changes 5 3>&- &
	local changer=$!
	produce 8
	wait "$changer"
	i=$(consumers | head -n 1)
	kill -9 "$i"
	changes 5 3>&- &
	changer=$!
	for i in $(seq 9 16); do put $((i * 40 - 39)) $((i * 40)); done
	wait "$changer"
	wait_for 60 bash -c '[ "$(sed -n "s/.*\"event_id\":\"e\([0-9]*\)\".*/\1/p" out.? | sort -un | wc -l)" = 640 ]'
	for i in $(consumers); do kill -TERM "$i"; done
	wait $PIDS || true
	recagent consume -e --group recs --failover 2s | jq -c 'if .event_id then {seen: now} + . else . end' | tee out.3 | recagent ack
	diff <(seq 640) <(numbers out.? | sort -nu)
	by_time out.? >all
	in_order all
	parents_ended recs
}

@test "starts by time and at the tip, ends by time and at the tip, across changes" {
	put 1 100
	sleep 0.05
	local t1 t2
	t1=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)
	changes 3
	put 101 200
	changes 3
	sleep 0.05
	t2=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)
	put 201 300
	changes 3
	recagent consume -e --no-marks --since "$t1" >since
	diff <(seq 101 300) <(numbers since | sort -n)
	in_order since
	recagent consume --no-marks --until "$t2" >until
	diff <(seq 200) <(numbers until | sort -n)
	recagent consume --no-marks --since "$t1" --until "$t2" >between
	diff <(seq 101 200) <(numbers between | sort -n)
	recagent consume -e --group recs --since "$t2" | tee group | recagent ack
	diff <(seq 201 300) <(numbers group | sort -n)
	"$BIN" consume --since latest -n 100 --no-marks >latest 3>&- &
	PIDS=$!
	sleep 0.5
	changes 2
	put 301 400
	wait "$PIDS"
	diff <(seq 301 400) <(numbers latest | sort -n)
}

@test "a group that began at the tip has no gap when the stream is resharded between its runs" {
	put 1 50
	recagent consume -e --group recs --since latest | tee one | recagent ack
	[ -z "$(numbers one)" ]
	changes 4
	put 51 100
	changes 4
	recagent consume -e --group recs --since latest | tee two | recagent ack
	diff <(seq 51 100) <(numbers two | sort -n)
	in_order two
}

@test "--until now and -e end under a producer that never stops, also while shards change" {
	(while :; do put 1 40; done) 3>&- &
	PIDS=$!
	wait_for 5 bash -c "'$BIN' consume -n 1 --no-marks | grep -q event_id"
	changes 3
	local began=$SECONDS
	changes 6 3>&- &
	PIDS="$PIDS $!"
	timeout 20 "$BIN" consume --until now --no-marks >until
	timeout 20 "$BIN" consume -e --no-marks >end
	timeout 20 "$BIN" consume -e --group recs | timeout 20 "$BIN" ack
	[ $((SECONDS - began)) -lt 20 ]
	[ -s until ]
	[ -s end ]
}

@test "a change is whole or not at all: killed, or many at once" {
	local i pids
	put 1 100
	for i in 1 2 3 4 5 6 7 8; do
		"$BIN" setup --reshard $((i % 2 ? 700 : 3)) >/dev/null 2>&1 3>&- &
		PIDS=$!
		sleep "0.00$i"
		kill -9 "$PIDS" 2>/dev/null || true
		wait "$PIDS" 2>/dev/null || true
		put $((i * 100 + 1)) $((i * 100 + 100))
	done
	for i in 1 2 3 4 5 6; do
		"$BIN" setup --reshard $((i * 2)) >/dev/null 3>&- &
		pids="${pids:-} $!"
	done
	put 901 1000
	for i in $pids; do wait "$i"; done
	recagent consume -e --no-marks >out
	all_once 1000 out
	in_order out
}

@test "the embedded agent counts on" {
	recagent setup --reshard 1 >/dev/null
	like() { # ITEM N: by N users, each of whom was first at item0
		seq "$2" | awk -v i="$1" '{ for (k = 0; k < 2; k++) printf "{\"user_id\":\"%s%d\",\"item_id\":\"%s\",\"event_type\":\"purchase\"}\n", i, $1, k ? i : "item0" }' |
			recagent publish -q >/dev/null
	}
	answer() {
		echo '{"user_id":"me","prompt":"- CLICK item=item0"}' | recagent invoke | jq -c '[.recommendations[].item_id]'
	}
	like before 20
	answer | grep -q before
	recagent setup --reshard 4 >/dev/null
	like after 60
	[ "$(answer | jq -r '.[0]')" = after ]
	recagent setup --reshard 2 >/dev/null
	like last 180
	[ "$(answer | jq -r '.[0]')" = last ]
}

@test "setup says what it did, or why not" {
	[ "$(recagent setup --split 3)" = "stream user-interactions: shardId-000000000003 split into shardId-000000000004 and shardId-000000000005" ]
	[ "$(recagent setup --merge shardId-000000000005,4)" = "stream user-interactions: shardId-000000000004 and shardId-000000000005 merged into shardId-000000000006" ]
	[ "$(recagent setup --split 0 --at 1)" = "stream user-interactions: shardId-000000000000 split into shardId-000000000007 and shardId-000000000008" ]
	[ "$(recagent setup --reshard 1)" = "stream user-interactions: 5 shards, now 1" ]
	[ "$(recagent setup --reshard 1)" = "stream user-interactions: has 1 shard" ]
	[ "$(recagent setup --reshard 2 --dry-run)" = "stream user-interactions: 1 shard, would have 2" ]
	[[ "$(recagent setup --split "$(open_shards)" -n)" == *"would be split at 170141183460469231731687303715884105728" ]]
	run -4 recagent setup --split 3
	[[ "$output" == *"shardId-000000000003 is closed already, and has become shardId-000000000004 and shardId-000000000005"* ]]
	run -4 recagent setup --split 99
	[[ "$output" == *"there is no shard shardId-000000000099 in stream user-interactions"* ]]
	recagent setup --reshard 3 >/dev/null
	mapfile -t v < <(open_shards)
	run -4 recagent setup --merge "${v[0]},${v[2]}"
	[[ "$output" == *"no neighbours"* ]]
	run -4 recagent setup --split "${v[1]}" --at 0
	[[ "$output" == *"does not lie inside"* ]]
	run -4 recagent setup --reshard 1001
	run -4 recagent setup -s none --reshard 2
	[[ "$output" == *"recagent setup --local"* ]]
	run -2 recagent setup --reshard 0
	run -2 recagent setup --reshard 2 --split 0
	run -2 recagent setup --at 5
	run -2 recagent setup --split 0 --at 1x
	run -2 recagent setup --merge 0
	[ "$(probe shards user-interactions | awk -F'\t' '$5 == "open"' | wc -l)" = 3 ]
}
