#!/usr/bin/env bats
# aggregate.bats - aggregated records judged by Amazon's own library for them, and a stream that is split under publish.
load helper

setup() {
	setup_aws
	export RECAGENT_STREAM=$N-events
}

teardown() {
	teardown_aws
}

other() {
	PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python python "$BATS_TEST_DIRNAME/aggregate.py" "$@"
}

# events FROM TO: e1, e2, ... of seventy users
events() {
	seq "$1" "$2" | awk '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"n\":14.990,\"s\":\"żółw\",\"timestamp\":\"2026-01-02T03:04:05Z\"}\n", $1 % 70, $1 }'
}

ids() { # event numbers of files or standard input, in their order
	sed -n 's/.*"event_id":"e\([0-9]*\)".*/\1/p' "$@"
}

# Lines as [key, data in base64, number, aggregated?]; the last can't be seen here.
seen() {
	python -c '
import base64, json, sys
for line in sys.stdin:
    o = json.loads(line)
    s = o.pop("_source")
    data = o["data_b64"] if "data_b64" in o else base64.b64encode(line.split(",\"_source\"")[0].encode() + b"}").decode()
    print(json.dumps([s["partition_key"], data, s["subsequence_number"]], ensure_ascii=False))'
}

@test "what the library packs is read: keys, bytes, numbers, order" {
	recagent setup --shards 1
	other pack "$RECAGENT_STREAM" "${SEED:-1}" | jq -c '.[0:3]' >want
	recagent consume -e --no-marks | seen | jq -c . >got
	[ "$(wc -l <want)" -gt 300 ]
	cmp want got
}

@test "what is packed the library reads, where the receipts say" {
	recagent setup --shards 4
	events 1 3000 >in
	recagent publish -A <in >receipts
	other unpack "$RECAGENT_STREAM" >got
	diff <(jq -r '.[4]' got | sort) <(sort in)
	diff <(jq -r '[.[0], .[1], .[2], (.[4] | fromjson | .event_id)] | @tsv' got | sort) \
		<(jq -r '[.shard_id, .sequence_number, .subsequence_number // 0, .event_id] | @tsv' receipts | sort)
	jq -es 'length > 0 and all(.[]; .[3] == (.[4] | fromjson | .user_id))' got
	other sizes "$RECAGENT_STREAM" >sizes
	[ "$(wc -l <sizes)" -lt 200 ]
	awk '$1 > 51200 || $2 != "True" { exit 1 }' sizes
}

split_under_publish() {
	export AWS_ENDPOINT_URL_KINESIS=$1
	recagent setup --shards 2
	mkfifo lines
	# Through a pipe: into a file they would be written by the block.
	(set -o pipefail && recagent publish -A -v -j 2 <lines 2>err | cat >receipts) 3>&- &
	PIDS=$!
	exec 7>lines
	events 1 400 >&7
	wait_for 20 has_lines receipts 400
	other split "$RECAGENT_STREAM"
	events 401 800 >&7
	wait_for 20 has_lines receipts 800
	events 801 1000 >&7
	exec 7>&-
	wait "$PIDS"
	grep -q 'sending them again' err
	recagent consume -e -v --no-marks >out 2>said
	grep -q 'for another shard, left out' said
	diff <(ids out | sort -n) <(seq 1000)
	diff <(jq -r '[.event_id, (._source | .shard_id, .sequence_number, .subsequence_number)] | @tsv' out | sort) \
		<(jq -r '[.event_id, .shard_id, .sequence_number, .subsequence_number // 0] | @tsv' receipts | sort)
	# The last ones went straight to the new shards.
	[ "$(tail -n 200 receipts | jq -r .shard_id | sort -u | wc -l)" = 4 ]
}
has_lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }

@test "split under publish, each event comes out once: kinesis-local" { split_under_publish "$KINESIS_URL"; }
@test "split under publish, each event comes out once: kinesalite" { split_under_publish "$KINESALITE_URL"; }

@test "without the right to list shards, lines go one by one, and that is said once" {
	recagent setup --shards 2
	local port
	port=$(free_port)
	serve "$port" node "$BATS_TEST_DIRNAME/no_list.mjs" "$port" "$KINESIS_URL"
	events 1 1500 | AWS_ENDPOINT_URL_KINESIS=http://127.0.0.1:$port recagent publish -A -q 2>err
	[ "$(grep -c 'are not aggregated' err)" = 1 ]
	[ "$(wc -l <err)" = 1 ]
	[ "$(other sizes "$RECAGENT_STREAM" | grep -c False)" = 1500 ]
}

@test "a group is killed inside of a record and goes on there" {
	export AWS_ENDPOINT_URL_KINESIS=$KINESALITE_URL
	recagent setup --shards 1 --group "$N-recs"
	events 1 210 | recagent publish -A -q -j 1
	for n in 1 99; do
		recagent consume -n $n --group "$N-recs" | tee -a got | recagent ack
	done
	recagent consume -e --group "$N-recs" | tee -a got | recagent ack
	diff <(ids got) <(seq 210)
}
