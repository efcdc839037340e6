#!/usr/bin/env bats
# reshard.bats - shards are split and merged on kinesis-local and kinesalite while producers and consumers go on; and a
# front makes many pages, expired iterators and tokens, shards that are gone, and answers cut at every byte of them.
load helper
bats_require_minimum_version 1.5.0

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}

setup() {
	setup_aws
	export RECAGENT_STREAM=$N-s GROUP=$N-group PROFILES_TABLE=$N-profiles REC_CACHE_TABLE=$N-rec
	SEED=4711
}
teardown() { teardown_aws; }

on() { export AWS_ENDPOINT_URL_KINESIS=$1; }

front() { # front OPTION...: before the server that was on
	F=http://127.0.0.1:$(free_port)
	serve "${F##*:}" node "$BATS_TEST_DIRNAME/shards_front.mjs" --port "${F##*:}" --to "$AWS_ENDPOINT_URL_KINESIS" "$@"
	on "$F"
}
do_front() { curl -sf "$F/__$1"; }

put() { # FROM TO
	seq "$1" "$2" | awk '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"item_id\":\"i\",\"event_type\":\"click\"}\n", $1 % 13, $1 }' |
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

open_shards() {
	probe shards "$RECAGENT_STREAM" | awk -F'\t' '$5 == "open" { print $4, $1 }' | sort -n | cut -d' ' -f2
}

change() { # change [N]: of N kinds
	local v
	mapfile -t v < <(open_shards)
	local n=${#v[@]} kind
	dice "${1:-3}"
	kind=$DICE
	dice "$n"
	case $kind in
	0) recagent setup --split "${v[DICE]}" ;;
	1)
		[ "$n" -gt 1 ] || return 0
		dice $((n - 1))
		recagent setup --merge "${v[DICE + 1]},${v[DICE]}"
		;;
	2) # upwards: kinesis-local merges pairs only, and leaves three shards at three
		n=$((n + 1 + DICE))
		recagent setup --reshard $((n > 12 ? 12 : n))
		;;
	esac >/dev/null
}

changes() { # TIMES [KINDS]
	local i
	for i in $(seq "$1"); do change "${2:-3}"; done
}

numbers() { sed -n 's/.*"event_id":"e\([0-9]*\)".*/\1/p' "$@"; }

all_once() { # N FILE...
	local n=$1
	shift
	diff <(seq "$n") <(numbers "$@" | sort -n)
}

in_order() {
	cat "$@" | sed -n 's/.*"user_id":"\([^"]*\)".*"event_id":"e\([0-9]*\)".*/\1 \2/p' | awk '
		!seen[$0]++ && $2 < last[$1] { print "of " $1 ": " $2 " after " last[$1]; bad = 1 }
		$2 > last[$1] { last[$1] = $2 }
		END { exit bad || !NR }'
}

# Each shard's lines rise, and none comes twice.
rises() {
	jq -r 'select(.event_id) | ._source | .shard_id + " " + .sequence_number' "$@" | awk '
		{ s = sprintf("%140s", $2) }
		s <= last[$1] { print; bad = 1 }
		{ last[$1] = s }
		END { exit bad || !NR }'
}

before_the_start() { # URL KINDS
	on "$1"
	recagent setup --shards 2 --group "$GROUP" >/dev/null
	for i in 1 2 3 4 5; do
		put $((i * 40 - 39)) $((i * 40))
		change "$2"
	done
	recagent consume -e --no-marks >out
	all_once 200 out
	in_order out
	recagent consume -e --group "$GROUP" | tee group | recagent ack
	all_once 200 group
	in_order group
	python "$BATS_TEST_DIRNAME/scan.py" "$GROUP" >rows
	for s in $(probe shards "$RECAGENT_STREAM" | awk -F'\t' '$5 == "closed" { print $1 }'); do
		jq -es --arg s "$s" 'map(select(.leaseKey == $s)) | all(.checkpoint == "SHARD_END")' rows >/dev/null
	done
}
@test "before the first start: kinesis-local" { before_the_start "$KINESIS_URL" 3; }
@test "before the first start: kinesalite" { before_the_start "$KINESALITE_URL" 2; }

while_running() { # URL KINDS
	on "$1"
	recagent setup --shards 2 >/dev/null
	"$BIN" consume -n 360 --no-marks --poll 50ms >out 3>&- &
	PIDS="${PIDS:-} $!"
	local consume=$!
	changes 6 "$2" 3>&- &
	local changer=$!
	produce 9
	wait "$changer"
	wait_for 40 bash -c "! kill -0 $consume"
	all_once 360 out
	in_order out
	rises out
	[ "$(probe shards "$RECAGENT_STREAM" | wc -l)" -gt 6 ]
}
@test "during consumption: kinesis-local" { while_running "$KINESIS_URL" 3; }
@test "during consumption: kinesalite, which sends no ChildShards" { while_running "$KINESALITE_URL" 2; }

@test "two workers of a group, during consumption: each event once, in order over both" {
	on "$KINESIS_URL"
	recagent setup --shards 2 --group "$GROUP" >/dev/null
	local i pipes=
	for i in 1 2; do
		("$BIN" consume --group "$GROUP" --failover 3s --poll 50ms 2>"err.$i" & echo $! >"pid.$i"; wait $!) 3>&- |
			jq -c --unbuffered 'if .event_id then {seen: now} + . else . end' | tee -a "out.$i" |
			"$BIN" ack --interval 200ms 2>>"err.$i" 3>&- &
		pipes="$pipes $!"
	done
	wait_for 10 test -s pid.2
	PIDS="${PIDS:-} $(cat pid.1 pid.2)"
	changes 6 3>&- &
	local changer=$!
	produce 10
	wait "$changer"
	wait_for 60 bash -c 'cat out.1 out.2 | grep -c event_id | grep -qx 400'
	kill -TERM "$(cat pid.1)" "$(cat pid.2)"
	for i in $pipes; do wait "$i"; done
	all_once 400 out.1 out.2
	cat out.1 out.2 | grep event_id | sed 's/^{"seen":\([0-9.]*\),/\1 {/' | sort -s -n -k 1,1 | cut -d' ' -f2- >all
	in_order all
}

@test "setup --reshard takes as many steps as it needs; --split and --merge name what came of it" {
	on "$KINESIS_URL"
	recagent setup --shards 1 >/dev/null
	[ "$(recagent setup --reshard 7)" = "stream $RECAGENT_STREAM: 1 shard, now 7" ]
	[ "$(recagent setup --reshard 7)" = "stream $RECAGENT_STREAM: has 7 shards" ]
	[ "$(recagent setup --reshard 3)" = "stream $RECAGENT_STREAM: 7 shards, now 3" ]
	run -4 recagent setup --reshard 2 # not with this server
	[[ "$output" == *"stream $RECAGENT_STREAM stays at 3 shards"* ]]
	mapfile -t v < <(open_shards)
	recagent setup --split "${v[0]}" | grep -E "^stream $RECAGENT_STREAM: ${v[0]} split into shardId-[0-9]* and shardId-[0-9]*$"
	run -4 recagent setup --split "${v[0]}"
	[[ "$output" == *"${v[0]} is closed already, and has become shardId-"* ]]
	mapfile -t v < <(open_shards)
	recagent setup --merge "${v[1]},${v[2]}" | grep -E "^stream $RECAGENT_STREAM: ${v[1]} and ${v[2]} merged into shardId-[0-9]*$"
	run -4 recagent setup --merge "$(open_shards | head -n 1),shardId-000000000999"
	put 1 50
	recagent consume -e --no-marks >out
	all_once 50 out
}

@test "shards over many pages in no order, throttled listings, tokens that expire" {
	front --page 3
	recagent setup --shards 2 --group "$GROUP" >/dev/null
	for i in 1 2 3 4 5 6; do
		put $((i * 40 - 39)) $((i * 40))
		change
	done
	do_front 'throttle?n=2' >/dev/null
	do_front 'tokens?n=2' >/dev/null
	recagent consume -e --no-marks >out
	all_once 240 out
	in_order out
	recagent consume -e --group "$GROUP" | tee group | recagent ack
	all_once 240 group
	do_front stats | jq -e '.pages > 10 and .expired_tokens == 2 and .throttled == 2'
	# A server whose tokens never live is an outage, said once, and not a loop.
	do_front 'tokens?n=8' >/dev/null
	recagent consume -e --no-marks >again 2>err
	all_once 240 again
	[ "$(grep -c ExpiredNextTokenException err)" = 1 ]
}

@test "shards whose retention has passed: their children are read, and end what waits for them" {
	front
	recagent setup --shards 1 --group "$GROUP" >/dev/null
	put 1 20
	recagent setup --split 0 >/dev/null
	put 21 40
	recagent setup --merge 1,2 >/dev/null
	put 41 60
	recagent consume -n 5 --group "$GROUP" | recagent ack # stands in the first one
	do_front 'hide?id=shardId-000000000000' >/dev/null
	recagent consume -e --no-marks >out
	diff <(seq 21 60) <(numbers out | sort -n)
	in_order out
	recagent consume -e --group "$GROUP" | tee group | recagent ack
	diff <(seq 21 60) <(numbers group | sort -n)
	do_front 'hide?id=shardId-000000000001' >/dev/null
	recagent consume -e --no-marks >out
	[ "$(numbers out | awk '$1 > 40' | wc -l)" = 20 ]
}

@test "six minutes of sleep: iterators and tokens are gone, nothing is missing or comes again" {
	front --page 2
	recagent setup --shards 4 >/dev/null
	put 1 50
	"$BIN" consume -n 201 --no-marks --poll 100ms >out 2>err 3>&- &
	local consume=$!
	PIDS="$PIDS $consume"
	stat_is() { do_front stats | jq -e ".$1 >= $2" >/dev/null; }
	wait_for 20 stat_is reads 8
	for i in 1 2 3; do
		do_front sleep >/dev/null
		put $((i * 50 + 1)) $((i * 50 + 50))
		wait_for 20 stat_is expired_iterators $((i * 4))
	done
	put 201 201
	wait "$consume"
	all_once 201 out
	rises out
	[ ! -s err ]
}

cut_answers() { # HOW STEP RECORDS: an answer with one of them has some 500 bytes
	on "$KINESALITE_URL"
	front --limit 1
	recagent setup --shards 8 >/dev/null
	seq "$3" | awk '{ print "k" $1 % 101 "\t{\"event_id\":\"e" $1 "\"}" }' | probe put "$RECAGENT_STREAM" >/dev/null
	do_front "cut?how=$1&n=$2" >/dev/null
	AWS_MAX_ATTEMPTS=10 recagent consume -n "$3" --no-marks -j 8 --poll 10ms >out 2>err
	all_once "$3" out
	rises out
	do_front stats | jq -e ".turn > 450 and .cuts == $3"
}
@test "an answer that is cut at every other byte is asked for again" {
	cut_answers length 2 240
	[ ! -s err ]
}
@test "an answer without a length, cut, is not taken for the whole" { cut_answers close 11 44; }
