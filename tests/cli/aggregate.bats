#!/usr/bin/env bats
# aggregate.bats - many events in one record: publish --aggregate, and consume, replay, ack, prompt and the embedded agent on the
# records in it.
load helper

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}

setup() {
	setup_store
}

teardown() {
	teardown_store
}

# events FROM TO: e1, e2, ... of seven users
events() {
	seq "$1" "$2" | awk '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"item_id\":\"i%d\",\"event_type\":\"click\",\"timestamp\":\"2026-01-02T03:04:05.000001Z\"}\n", $1 % 7, $1, $1 }'
}

ids() { # event numbers of files or standard input, in their order
	sed -n 's/.*"event_id":"e\([0-9]*\)".*/\1/p' "$@"
}

bare() { # lines without their _source
	sed 's/,"_source":.*}}$/}/' "$@"
}

lines_are() { # FILE N
	[ "$(ids "$1" 2>/dev/null | wc -l)" -ge "$2" ]
}

# One aggregate in one shard that holds the events 1..N.
one_record() {
	recagent setup --shards 1 --group recs >/dev/null
	events 1 "$1" | recagent publish -A -q -j 1
	[ "$(recagent consume -e --raw --no-marks | wc -l)" -eq 1 ]
}

@test "what was put in aggregates comes out as it was, each key in its order, where the receipts say" {
	recagent setup >/dev/null
	events 1 2000 >in
	recagent publish -A <in >receipts
	recagent consume -e --no-marks >out
	diff <(sort in) <(bare out | sort)
	for u in 0 1 2 3 4 5 6; do grep "\"user_id\":\"u$u\"" out | ids | sort -n -c; done
	diff <(jq -r '[.event_id, .shard_id, .sequence_number, .subsequence_number] | @tsv' receipts | sort) \
		<(jq -r '[.event_id, (._source | .shard_id, .sequence_number, .subsequence_number)] | @tsv' out | sort)
	holds '._source.partition_key == .user_id' out
	[ "$(jq -r .sequence_number receipts | sort -u | wc -l)" -lt 100 ]
}

@test "--order key keeps each key's order, too" {
	recagent setup >/dev/null
	events 1 2000 | recagent publish -A -q --order key -j 3
	recagent consume -e --no-marks >out
	[ "$(wc -l <out)" -eq 2000 ]
	for u in 0 1 2 3 4 5 6; do grep "\"user_id\":\"u$u\"" out | ids | sort -n -c; done
}

@test "one event alone, and one that is too long, are records of their own" {
	recagent setup --shards 1 >/dev/null
	recagent publish -A -u ada -i heat -t click | holds 'has("subsequence_number") | not'
	{
		events 1 2
		printf '{"user_id":"u","event_id":"long","s":"%060000d"}\n' 0
		events 3 4
	} | recagent publish -A -j 1 >receipts
	[ "$(jq -c '[.event_id, .subsequence_number]' receipts | xargs)" = "[e1,0] [e2,1] [long,null] [e3,0] [e4,1]" ]
	[ "$(recagent consume -e --no-marks | ids | xargs)" = "1 2 3 4" ]
}

@test "consume --raw shows the record itself" {
	one_record 5
	recagent consume -e --raw --no-marks >raw
	holds '._source.partition_key == "a" and ._source.subsequence_number == 0' raw
	[ "$(jq -r .data_b64 raw | base64 -d | head -c 4 | od -An -tx1)" = " f3 89 9a c2" ]
	run recagent consume --raw --group recs
	[ "$status" -eq 2 ]
	# Put back as it is, it is an aggregate again.
	recagent publish -q <raw >/dev/null
	[ "$(recagent consume -e --no-marks | ids | xargs)" = "1 2 3 4 5 1 2 3 4 5" ]
}

@test "what has no aggregate's form or checksum is a record as any other" {
	one_record 5
	recagent consume -e --raw --no-marks | jq -r .data_b64 | base64 -d >bytes
	recagent setup --stream other --shards 1 >/dev/null 2>&1 || RECAGENT_STREAM=other recagent setup --shards 1 >/dev/null
	{ head -c -1 bytes; printf '\0'; } >checksum
	head -c 20 bytes >short
	for f in checksum short; do
		printf '{"data_b64":"%s","_source":{"partition_key":"a"}}\n' "$(base64 -w0 $f)"
	done | recagent publish -q other >/dev/null
	recagent consume -e --no-marks other >out
	diff <(jq -r .data_b64 out) <(base64 -w0 checksum; echo; base64 -w0 short; echo)
}

@test "what is lost of a damaged aggregate is a dead letter, and the group goes on" {
	recagent setup --shards 1 --group recs >/dev/null
	# The key {"n":1}, of which the second record has an index that there is not.
	python3 - <<-'E' >line
		import base64, hashlib
		proto = b'\x0a\x01k' + b'\x1a\x0b\x08\x00\x1a\x07{"n":1}' + b'\x1a\x0b\x08\x05\x1a\x07{"n":2}'
		data = b'\xf3\x89\x9a\xc2' + proto + hashlib.md5(proto).digest()
		print('{"data_b64":"%s","_source":{"partition_key":"a"}}' % base64.b64encode(data).decode())
	E
	recagent publish -q <line >/dev/null
	events 1 1 | recagent publish -q
	{ recagent consume -e --group recs --dead-letter dead 2>err || echo $? >status; } | tee out | recagent ack
	[ "$(cat status)" = 1 ]
	[ "$(bare out | head -n 1)" = '{"n":1}' ]
	[ "$(ids out)" = 1 ]
	[ "$(jq -c '[.data_b64, ._source.subsequence_number]' dead)" = "$(jq -c '[.data_b64, 1]' line)" ]
	[ "$(recagent consume -e --group recs | grep -c -v mark)" = 0 ]
}

@test "an aggregate with a record for another shard is left out whole, and said with -v" {
	one_record 50
	recagent consume -e --raw --no-marks >raw
	RECAGENT_STREAM=four recagent setup --shards 4 >/dev/null
	recagent publish -q four <raw >/dev/null
	recagent consume -e -v --no-marks four >out 2>err
	[ ! -s out ]
	grep -q 'is for another shard, left out' err
	# It is in the stream all the same.
	[ "$(recagent consume -e --raw --no-marks four | wc -l)" -eq 1 ]
	recagent consume -e --no-marks four 2>&1 >/dev/null | no grep .
}

@test "-n stops inside of a record, and the group goes on there" {
	one_record 100
	for n in 1 41 57; do
		recagent consume -n $n --group recs | tee -a got | recagent ack
	done
	recagent consume -e --group recs | tee -a got | recagent ack
	diff <(seq 100) <(ids got)
	[ "$(recagent consume -e --group recs | ids | wc -l)" -eq 0 ]
}

@test "-n after the very first of a record: the rest is not forgotten" {
	one_record 3
	recagent consume -n 1 --group recs | recagent ack
	[ "$(recagent consume -e --group recs | tee got | recagent ack --tee | ids | xargs)" = "2 3" ]
}

@test "killed inside of a record, a group goes on where the last commit stood" {
	one_record 210
	mkfifo pipe
	# The reader commits what it got, and is slow: the kill comes in the middle.
	(while read -r line; do printf '%s\n' "$line"; sleep 0.01; done <pipe | tee one | "$BIN" ack --interval 20ms) 3>&- 2>err &
	PIDS=$!
	"$BIN" consume --group recs --since trim-horizon >pipe 3>&- &
	local consume=$!
	PIDS="$PIDS $consume"
	wait_for 20 lines_are one 20
	kill -9 "$consume"
	wait "${PIDS%% *}" || true
	recagent consume -e --group recs --failover 300ms | tee two | recagent ack
	[ "$(ids one | tail -n 1)" -lt 210 ]
	# All that came through was committed, and does not come again.
	diff <(seq 210) <(ids one two)
}

@test "a replay of the stream, and the time and end of a run, are the records'" {
	one_record 20
	sleep 0.1
	local then
	then=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
	sleep 0.1
	events 21 30 | recagent publish -A -q -j 1
	recagent replay user-interactions --type click | ids | diff <(seq 30) -
	recagent consume --until "$then" --no-marks | ids | diff <(seq 20) -
	recagent consume -e --since "$then" --no-marks | ids | diff <(seq 21 30) -
}

@test "prompt applies each event of a record once, also when they come again" {
	one_record 14
	recagent consume -e --group recs --grace 0 >lines
	recagent prompt --min-events 1 <lines >/dev/null
	recagent prompt --min-events 1 <lines >/dev/null
	for u in 0 1 2 3 4 5 6; do
		[ "$(recagent profile get u$u | jq -c '[.version, [.history[].event_id]]')" = "[2,[\"e$((u ? u : 7))\",\"e$((u + 7 + (u ? 0 : 7)))\"]]" ]
	done
}

@test "the embedded agent counts the events of a record" {
	one_record 40
	recagent consume -e --group recs | recagent prompt --min-events 1 | recagent invoke | recagent ack
	recagent cache-get u1 | holds '.source == "cache" and any(.recommendations[]; .item_id | test("^i[0-9]+$"))'
}
