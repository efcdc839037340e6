#!/usr/bin/env bats
# publish.bats - completion by splicing, keys, receipts, batches and linger, outages, ends.
load helper
bats_require_minimum_version 1.5.0

setup() {
	setup_store
	recagent setup >/dev/null
	BIN=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")
}

# start ARGS... - the binary in the background: descriptor 7 writes to its input, its output comes through a pipe (a regular
# file would be buffered) to `out`, its messages to `err`.
start() {
	rm -f in out
	mkfifo in
	"$BIN" "$@" <in > >(exec cat >out) 2>err &
	pid=$!
	PIDS="${PIDS:-} $pid"
	exec 7>in
}

# ended STATUS - it ends, with this status.
ended() {
	local status=0
	wait "$pid" || status=$?
	[ $status = "$1" ] || { echo "# status $status, not $1: $(cat err)"; return 1; }
}
teardown() { teardown_store; }

# What the stream holds, as bytes: the lines without the _source that consume puts behind.
stored() {
	recagent consume -e --no-marks "$@" | sed 's/,"_source":{"stream":.*}$/}/'
}

@test "a complete line goes out byte for byte" {
	cat >in <<'LINES'
{"user_id":"a","event_id":"e1","timestamp":"2026-01-05T10:00:00Z"}
{ "user_id" : "a" ,	"event_id":"e2", "timestamp":"2026-01-05T10:00:00+01:00"  }
{"\u0075ser_id":"a","event\u005fid":"\u00652","timestamp":"2026-01-05 10:00:00Z","n":[1.0,1e400,-0,12345678901234567890],"x":1,"x":2}
{"z":{"_source":1},"a":"\/\ud83d\ude00é","user_id":"a","event_id":"e4","timestamp":"2026-01-05T10:00:00.123456789Z"}
LINES
	recagent publish <in >out
	stored | cmp - in
}

@test "what is missing is spliced in behind" {
	echo '{ "user_id" : "a" , "n":1.0 }' | recagent publish >receipt
	stored | grep -E '^\{ "user_id" : "a" , "n":1.0 ,"event_id":"[0-9a-f-]{36}","timestamp":"[0-9T:.-]{26}Z"\}$'
	id=$(jq -r .event_id receipt)
	[[ $id =~ ^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]]
	stored | grep -F "\"event_id\":\"$id\""
	echo '{"user_id":"a","event_id":"mine"}' | recagent publish --partition-key event_id | holds '.event_id == "mine"'
	stored | grep -E '^\{"user_id":"a","event_id":"mine","timestamp":"[^"]*"\}$'
}

@test "_source is taken off, wherever it stands, and comes back on the receipt" {
	s='"_source":{"stream":"s","shard_id":"x","sequence_number":"5","extra":[1.0]}'
	rest='"user_id":"a","event_id":"e","timestamp":"2026-01-05T10:00:00Z"'
	printf '%s\n' "{$s,$rest}" "{${rest/,/,$s,}}" "{$rest,$s}" "{$rest , $s }" >in
	recagent publish <in >out
	[ "$(grep -cF ",$s}" out)" = 4 ]
	printf '%s\n' "{$rest}" "{$rest}" "{$rest}" "{$rest  }" >want
	stored | sort | diff <(sort want) -
}

@test "a line from a stream keeps its own partition key unless told otherwise" {
	echo '{"user_id":"a","k":"mine","_source":{"partition_key":"old"}}' >in
	recagent publish -q <in
	recagent publish -q --partition-key k <in
	recagent publish -q --partition-key user_id <in
	recagent consume -e --no-marks | jq -r ._source.partition_key | sort | paste -sd' ' | grep -x 'a mine old'
}

@test "partition keys and hash keys" {
	echo '{"user_id":"a","n":7,"h":340282366920938463463374607431768211455,"z":"0"}' >in
	[ "$(recagent publish --partition-key n --explicit-hash-key h <in | jq -r .shard_id)" = shardId-000000000003 ]
	[ "$(recagent publish --explicit-hash-key z <in | jq -r .shard_id)" = shardId-000000000000 ]
	recagent consume -e --no-marks | jq -r ._source.partition_key | sort | paste -sd' ' | grep -x '7 a'
	for bad in 340282366920938463463374607431768211456 '"01"' -1 1.0 1e3 '"x"' '""' null '"1\u0000"'; do
		echo "{\"user_id\":\"a\",\"h\":$bad}" | { ! recagent publish --explicit-hash-key h 2>err >/dev/null; }
		grep -q 'line 1: h is ' err
	done
	echo '{"user_id":"a"}' | { ! recagent publish --partition-key k 2>err >/dev/null; }
	[ "$(cat err)" = "recagent publish: line 1: k is missing or is no text" ]
}

@test "records that are no JSON objects: data_b64" {
	s=',"_source":{"partition_key":"p"}'
	printf '%s\n' "{\"data_b64\":\"AAH/\"$s}" "{\"data_b64\":\"AAH\\/\"$s}" "{\"data_b64\":\"AAH\\u002f\"$s}" "{\"data_b64\":\"\"$s}" >in
	recagent publish <in >out
	recagent consume -e --no-marks | jq -r .data_b64 | sort | paste -sd, | grep -x ',AAH/,AAH/,AAH/'
	for bad in '{"data_b64":"AAH"'"$s}" '{"data_b64":"A!=="'"$s}" '{"data_b64":"AAH/"}'; do
		echo "$bad" | { ! recagent publish 2>err >/dev/null; }
		[ "$(wc -l <err)" = 1 ]
	done
	grep -q 'needs one in its _source' err
	# An event that happens to have a data_b64 is an event.
	echo '{"user_id":"a","data_b64":"!"}' | recagent publish -q
}

@test "one event from flags, whatever standard input is" {
	printf 'not json\n' | recagent publish -u ann -i m1 -t click -m price=14.990 -m title=Heat -m 'tags=["a"]' -m 'x={' -m e= >out
	holds '.line == 1 and .sequence_number' out
	stored | grep -F '"user_id":"ann","item_id":"m1","event_type":"click","metadata":{"price":14.990,"title":"Heat","tags":["a"],"x":"{","e":""},'
	recagent publish --user bob --event-id e9 --timestamp 2026-01-05T10:00:00Z <&- >/dev/null
	stored | grep -Fx '{"event_id":"e9","user_id":"bob","timestamp":"2026-01-05T10:00:00Z"}'
	recagent publish --key card --user c1 </dev/full >/dev/null
	stored | grep -q '"card":"c1"'
	for bad in "-u a -m x" "-u a -m =x" "-u a -m x=1 -m x=2" "-i m1" "--meta x=1" "-u a one two"; do
		# shellcheck disable=SC2086
		run -2 recagent publish $bad </dev/null
		[ "${#lines[@]}" = 1 ]
	done
	run -1 recagent publish -u "" </dev/null
	run -1 recagent publish -u a -t 'b c' </dev/null
	run -2 recagent publish -u "$(printf 'a\xff')" </dev/null
}

@test "receipts come in the order of the input, from several lanes" {
	seq 3000 | jq -c '{user_id: "u\(. % 97)", event_id: "\(.)"}' >in
	recagent publish -j 8 --batch-records 7 --linger 0 <in >out
	jq -r .event_id out | cmp - <(seq 3000)
	jq -r .line out | cmp - <(seq 3000)
	# Each key's records are stored in the order of the input.
	recagent consume -e --no-marks | jq -r '"\(.user_id) \(.event_id)"' >got
	[ "$(wc -l <got)" = 3000 ]
	sort -s -k1,1 got | cmp - <(jq -r '"\(.user_id) \(.event_id)"' in | sort -s -k1,1)
}

@test "--order key stores everything once" {
	seq 500 | jq -c '{user_id: "u\(. % 3)", event_id: "\(.)"}' | recagent publish --order key | jq -r .event_id | cmp - <(seq 500)
	recagent consume -e --no-marks | jq -r .event_id | sort -n | cmp - <(seq 500)
}

@test "-q: marks only, for lines that have a position" {
	printf '%s\n' '{"user_id":"a"}' '{"user_id":"a","_source":{"stream":"s","shard_id":"x","sequence_number":"1"}}' \
		'{"_source":{"mark":"shard-end","shard_id":"x"}}' '{"user_id":""}' >in
	recagent publish -q <in >out 2>err || [ $? = 1 ]
	printf '%s\n' '{"_source":{"stream":"s","shard_id":"x","sequence_number":"1","mark":"done"}}' \
		'{"_source":{"mark":"shard-end","shard_id":"x"}}' | cmp - out
}

@test "an interactive line is not held back longer than --linger" {
	start publish --linger 150ms
	sleep 0.05
	t0=$(date +%s%N)
	echo '{"user_id":"a"}' >&7
	wait_for 3 test -s out
	ms=$((($(date +%s%N) - t0) / 1000000))
	exec 7>&-
	ended 0
	[ $ms -ge 100 ]
	[ $ms -lt 1500 ]
}

@test "a lone record does not wait for --linger at the end of input" {
	t0=$(date +%s%N)
	echo '{"user_id":"a"}' | recagent publish --linger 20s >/dev/null
	[ $((($(date +%s%N) - t0) / 1000000)) -lt 2000 ]
}

@test "sizes: a record over --record-bytes is refused, a 10 MB line goes when allowed" {
	printf '{"user_id":"a","event_id":"e","timestamp":"2026-01-05T10:00:00Z","x":"%s"}\n' "$(head -c 1048576 /dev/zero | tr '\0' x)" >mega
	run -1 recagent publish <mega
	[[ "${lines[*]}" == *"line 1: "*" bytes with its partition key, more than 1048576"* ]]
	{ printf '{"user_id":"a","event_id":"e","timestamp":"2026-01-05T10:00:00Z","x":"'; head -c 10400000 /dev/zero | tr '\0' x; echo '"}'; } >big
	run -1 recagent publish <big
	[[ "${lines[*]}" == *"line is longer than --max-line 2097152 bytes"* ]]
	recagent publish --max-line 16m --record-bytes 10m --batch-bytes 10m <big >/dev/null
	stored | cmp - big
	# What a stream holds can be published again, though the line is longer by its _source.
	printf '{"user_id":"a","event_id":"e","timestamp":"2026-01-05T10:00:00Z","x":"%s"}\n' "$(head -c 1048000 /dev/zero | tr '\0' x)" >full
	recagent publish -q <full
	recagent consume -e --no-marks | awk 'length($0) < 2000000' | recagent publish -q | grep -q '"mark":"done"'
}

@test "a full disk, a closed output, a reader that has gone" {
	for i in 1 2 3; do echo '{"user_id":"a"}'; done >in
	status=0
	recagent publish <in >/dev/full 2>err || status=$?
	[ $status = 3 ]
	[ "$(wc -l <err)" = 1 ]
	status=0
	recagent publish <in >&- 2>err || status=$?
	[ $status = 3 ]
	[ "$(wc -l <err)" = 1 ]
	status=0
	recagent publish <&- >out 2>err || status=$?
	[ $status = 3 ]
	[ "$(wc -l <err)" = 1 ]
}

@test "a reader that has gone ends it quietly, also while input is silent" {
	mkfifo p
	(echo '{"user_id":"a"}'; sleep 1; echo '{"user_id":"a"}') |
		{ status=0; "$BIN" publish >p 2>err || status=$?; echo $status >status; } &
	head -n1 p >/dev/null
	wait $!
	[ "$(cat status)" = 8 ]
	[ ! -s err ]
	mkfifo in
	"$BIN" publish <in >p 2>err &
	pid=$!
	PIDS=$pid
	exec 7>in
	true <p
	ended 8
	[ ! -s err ]
	exec 7>&-
}

@test "SIGTERM: it goes on to the end of input, and past --grace it stops" {
	start publish --grace 20s
	echo '{"user_id":"a","event_id":"1"}' >&7
	wait_for 3 test -s out
	kill -TERM $pid
	sleep 0.1
	echo '{"user_id":"a","event_id":"2"}' >&7
	exec 7>&-
	ended 0
	[ "$(wc -l <out)" = 2 ]
	[ ! -s err ]
	start publish --grace 300ms
	echo '{"user_id":"a","event_id":"3"}' >&7
	wait_for 3 test -s out
	kill -TERM $pid
	ended 9
	exec 7>&-
	[ "$(wc -l <out)" = 1 ]
	grep -q 'input did not end within --grace' err
}

@test "the second signal ends it at once" {
	start publish
	echo '{"user_id":"a"}' >&7
	wait_for 3 test -s out
	kill -TERM $pid
	for _ in 1 2 3 4 5 6; do # signals that come too close are one
		sleep 0.1
		kill -TERM $pid 2>/dev/null || true
	done
	ended 143
	exec 7>&-
}

@test "an outage: held, said once, given up after --give-up; 5 when nothing went through" {
	unset RECAGENT_LOCAL
	export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
	printf '%s\n' '{"user_id":"a"}' '{"user_id":"b"}' '{"user_id":""}' >in
	status=0
	recagent publish --region us-east-1 --endpoint-url http://127.0.0.1:1 --give-up 300ms --dead-letter dead s <in >out 2>err || status=$?
	[ $status = 5 ]
	[ "$(grep -c 'holding and trying again' err)" = 1 ]
	[ "$(jq -s 'map(select(.error.class == "unavailable")) | length' out)" = 2 ]
	[ "$(jq -s 'map(select(.class == "unavailable")) | map(.data) | sort | join(" ")' -r dead)" = '{"user_id":"a"} {"user_id":"b"}' ]
	# It may have been stored although no answer came: what is fed back is the same event, once.
	[ "$(jq -s 'map(select(.class == "unavailable")) | map(.event_id) | sort | join(" ")' -r dead)" = \
		"$(jq -s 'map(select(.error.class == "unavailable")) | map(.event_id) | sort | join(" ")' -r out)" ]
	recagent replay -d ./dead 2>/dev/null | grep event_id | jq -r .event_id | sort >fed || true
	jq -r 'select(.error.class == "unavailable") | .event_id' out | sort | cmp - fed
	# Lines from a group are not given up, and not passed on when a signal ends the waiting.
	echo '{"user_id":"a","_source":{"stream":"s","shard_id":"x","sequence_number":"1","group":"g"}}' >in
	cp in line
	start publish --region us-east-1 --endpoint-url http://127.0.0.1:1 --give-up 100ms --grace 300ms s
	cat line >&7
	exec 7>&-
	sleep 0.8
	kill -TERM $pid
	ended 5
	[ ! -s out ]
	grep -q '1 line was read but not done' err
}

@test "no HOME, no environment, no terminal" {
	echo '{"user_id":"a"}' | env -i "$BIN" publish --local "$RECAGENT_LOCAL" >out
	[ "$(wc -l <out)" = 1 ]
	echo '{"user_id":"a"}' | setsid "$BIN" publish --progress >out 2>err
	[ ! -s err ]
}

@test "--progress on a terminal only" {
	need_pty
	seq 200 | jq -c '{user_id: "u\(.)"}' >in
	recagent publish -q --progress <in 2>err
	[ ! -s err ]
	script -qec "(cat in; sleep 1.5) | $BIN publish -q --progress" seen >/dev/null </dev/null
	grep -q '200 in, 200 out' seen
	grep -q '200 in = 200 out' seen
}

@test "nobody answers: memory stays bounded, and standard input is not read on" {
	export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
	head -c 2000 /dev/zero | tr '\0' x >pad
	unset RECAGENT_LOCAL
	start publish --region us-east-1 --endpoint-url http://127.0.0.1:1 --give-up 1h --grace 1ms s
	yes "{\"user_id\":\"u\",\"x\":\"$(cat pad)\"}" >&7 2>/dev/null &
	feeder=$!
	PIDS="$PIDS $feeder"
	exec 7>&-
	sleep 1
	before=$(awk '/^rchar/ { print $2 }' /proc/$pid/io)
	sleep 0.5
	after=$(awk '/^rchar/ { print $2 }' /proc/$pid/io)
	kb=$(awk '/^VmRSS/ { print $2 }' /proc/$pid/status)
	echo "# $kb KiB, read $before, then $after"
	[ $((after - before)) -lt 1000000 ]
	[ "$before" -lt 40000000 ]
	[ -n "${SANITIZER:-}" ] || [ "$kb" -lt 65536 ]
	kill -TERM $pid
	kill $feeder
	ended 5
}

@test "a line without event_id that is delivered again gets the same one" {
	src='"stream":"s","shard_id":"shardId-000000000000","sequence_number":"7","arrival":"2026-01-05T10:00:00Z","group":"g","owner":"o"'
	line='{"user_id":"u","item_id":"i","event_type":"click","_source":{'$src'}}'
	recagent publish <<<"$line" >a
	recagent publish <<<"${line/\"owner\":\"o\"/\"owner\":\"other\"}" >b
	[ "$(jq -r .event_id a)" = "$(jq -r .event_id b)" ]
	[[ $(jq -r .event_id a) =~ ^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]]
	recagent consume --end --no-marks | jq -c 'del(._source)' >stored
	[ "$(sort -u stored | wc -l)" = 1 ]
	holds '.timestamp == "2026-01-05T10:00:00.000000Z"' stored
	for other in "${line/\"7\"/\"8\"}" "${line/\"s\"/\"t\"}" "${line/\"arrival\"/\"subsequence_number\":1,\"arrival\"}" '{"user_id":"u","item_id":"i","event_type":"click"}'; do
		recagent publish <<<"$other" >c
		[ "$(jq -r .event_id a)" != "$(jq -r .event_id c)" ]
	done
}
