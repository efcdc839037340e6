#!/usr/bin/env bats
# kinesis.bats - the stream contract on kinesis-local, kinesalite and moto: three servers that agree on the wire and differ in
# how a shard ends.
load helper

setup() { setup_aws; }
teardown() { teardown_aws; }

on() { # on URL: the server of what follows
	export AWS_ENDPOINT_URL_KINESIS=$1
}

new_stream() { # new_stream SHARDS
	probe create "$N" "$1"
	wait_for 10 is_active
}
is_active() { probe describe "$N" | grep -q ACTIVE; }

aws_kinesis() { # aws_kinesis METHOD JSON - by the reference client
	python -c '
import boto3, json, os, sys
k = boto3.client("kinesis", endpoint_url=os.environ["AWS_ENDPOINT_URL_KINESIS"])
r = getattr(k, sys.argv[1])(**json.loads(sys.argv[2]))
r.pop("ResponseMetadata", None)
print(json.dumps(r, default=lambda o: o.decode() if isinstance(o, bytes) else str(o)))' "$@"
}

put_keys() { # put_keys FROM TO: one record a number, on several shards
	for i in $(seq "$1" "$2"); do printf 'k%d\tv%d é\n' "$i" "$i"; done | probe put "$N"
}

read_all() { # every shard from the beginning, in the order of the listing
	probe shards "$N" | cut -f1 | while read -r s; do probe read "$N" "$s" trim 2>/dev/null; done
}

round_trip() {
	on "$1"
	new_stream 2
	put_keys 1 40 >receipts
	[ "$(wc -l <receipts)" = 40 ]
	! grep -q error receipts || return 1
	read_all >got
	[ "$(cut -f3 got | sort)" = "$(for i in $(seq 40); do echo "v$i é"; done | sort)" ]
	# The receipts name the positions at which the records stand.
	[ "$(cut -f1 got | sort)" = "$(cut -f2 receipts | sort)" ]
}
@test "round trip: kinesis-local" { round_trip "$KINESIS_URL"; }
@test "round trip: kinesalite" { round_trip "$KINESALITE_URL"; }
@test "round trip: moto" { round_trip "$MOTO_URL"; }

foreign() { # what the reference client writes is read, and what is written it reads
	on "$1"
	new_stream 1
	aws_kinesis put_record "{\"StreamName\":\"$N\",\"Data\":\"{\\\"a\\\":1}\",\"PartitionKey\":\"ü \\\"k\\\"\"}" >/dev/null
	[ "$(probe read "$N" shardId-000000000000 trim 1 2>/dev/null | cut -f2-)" = "$(printf 'ü "k"\t{"a":1}')" ]
	printf 'ö "q"\\\tx\n' | probe put "$N"
	it=$(aws_kinesis get_shard_iterator "{\"StreamName\":\"$N\",\"ShardId\":\"shardId-000000000000\",\"ShardIteratorType\":\"TRIM_HORIZON\"}" | jq .ShardIterator)
	aws_kinesis get_records "{\"ShardIterator\":$it}" | jq -r '.Records[1] | .PartitionKey, .Data' >got
	[ "$(cat got)" = "$(printf 'ö "q"\\\nx')" ]
}
@test "other clients: kinesis-local" { foreign "$KINESIS_URL"; }
@test "other clients: kinesalite" { foreign "$KINESALITE_URL"; }

positions() {
	on "$1"
	new_stream 1
	put_keys 1 5 >receipts
	seq3=$(sed -n 3p receipts | cut -f2)
	[ "$(probe read "$N" shardId-000000000000 "after:$seq3" 2>/dev/null | cut -f2 | xargs)" = "k4 k5" ]
	[ "$(probe read "$N" shardId-000000000000 "at:$seq3" 2>/dev/null | cut -f2 | xargs)" = "k3 k4 k5" ]
	[ -z "$(probe read "$N" shardId-000000000000 latest 2>/dev/null)" ]
	[ "$(probe read "$N" shardId-000000000000 "time:$(date +%s -d '1 hour ago')000" 2>/dev/null | wc -l)" = 5 ]
	# In pieces of two: nothing lost, nothing twice.
	[ "$(probe read "$N" shardId-000000000000 trim 99 2 2>/dev/null | cut -f2 | xargs)" = "k1 k2 k3 k4 k5" ]
}
@test "positions: kinesis-local" { positions "$KINESIS_URL"; }
@test "positions: kinesalite" { positions "$KINESALITE_URL"; }

@test "a time ahead of the service's clock means from now on, and is no refusal" {
	on "$KINESIS_URL" # kinesalite never answers when no record is as young as the time
	new_stream 1
	put_keys 1 5
	[ -z "$(probe read "$N" shardId-000000000000 "time:$(date +%s -d '1 hour')000" 2>/dev/null)" ]
}

reshard() { # split the only shard, then merge its children: each end is noticed, lineage is listed
	on "$1"
	new_stream 1
	put_keys 1 10
	aws_kinesis split_shard "{\"StreamName\":\"$N\",\"ShardToSplit\":\"shardId-000000000000\",\"NewStartingHashKey\":\"170141183460469231731687303715884105728\"}"
	wait_for 10 is_active
	put_keys 11 20
	aws_kinesis merge_shards "{\"StreamName\":\"$N\",\"ShardToMerge\":\"shardId-000000000001\",\"AdjacentShardToMerge\":\"shardId-000000000002\"}"
	wait_for 10 is_active
	put_keys 21 30
	probe shards "$N" >list
	[ "$(cut -f1,2,3,5 list)" = "$(printf '%s\n' \
		$'shardId-000000000000\t\t\tclosed' \
		$'shardId-000000000001\tshardId-000000000000\t\tclosed' \
		$'shardId-000000000002\tshardId-000000000000\t\tclosed' \
		$'shardId-000000000003\tshardId-000000000001\tshardId-000000000002\topen')" ]
	for s in 0 1 2; do
		probe read "$N" shardId-00000000000$s trim >>got 2>err
		grep -q ended err
	done
	probe read "$N" shardId-000000000003 trim >>got 2>err
	grep -q open err
	[ "$(cut -f2 got | sort -u | wc -l)" = 30 ]
	[ "$(wc -l <got)" = 30 ]
	# From the end of a closed shard: nothing, and ended.
	probe read "$N" shardId-000000000000 latest >got 2>err
	[ ! -s got ]
	grep -q ended err
}
@test "resharding: kinesis-local" { reshard "$KINESIS_URL"; }
@test "resharding: kinesalite, which sends no ChildShards" { reshard "$KINESALITE_URL"; }
@test "resharding: moto, whose closed shards never end" { reshard "$MOTO_URL"; }

@test "an iterator that the server does not know is renewed: kinesalite (InvalidArgumentException)" {
	on "$KINESALITE_URL"
	new_stream 1
	put_keys 1 3
	[ "$(PROBE_ITERATOR=garbage probe read "$N" shardId-000000000000 trim 2>/dev/null | wc -l)" = 3 ]
}

@test "a shard that is not there reads as ended, a stream that is not there as missing" {
	on "$KINESALITE_URL"
	new_stream 1
	probe read "$N" shardId-000000000009 trim 2>err
	grep -q ended err
	run probe read "$N-none" shardId-000000000000 trim
	[ "$status" = 4 ]
	[[ $output == *"failed ResourceNotFoundException: kinesis us-east-1: "* ]]
	run probe shards "$N-none"
	[ "$status" = 4 ]
}

@test "a throttled read is made again, and nothing is skipped" {
	local port
	port=$(free_port)
	on "$KINESALITE_URL"
	new_stream 1
	put_keys 1 7
	serve "$port" node "$BATS_TEST_DIRNAME/fault_front.mjs" --port "$port" --to "$KINESALITE_URL" \
		--fault throttle:1 --fault reset:1 --fault cut:1 --fault status-503:1
	on "http://127.0.0.1:$port"
	[ "$(AWS_MAX_ATTEMPTS=5 probe read "$N" shardId-000000000000 trim 7 2 2>/dev/null | cut -f2 | xargs)" = "k1 k2 k3 k4 k5 k6 k7" ]
	[ "$(curl -s "http://127.0.0.1:$port/__stats" | jq .faults)" = 4 ]
}

@test "iterators that have expired when they are given, one after another, are an outage and no end" {
	on "$KINESALITE_URL"
	new_stream 1
	put_keys 1 5
	local port
	port=$(free_port)
	serve "$port" node "$BATS_TEST_DIRNAME/fault_front.mjs" --port "$port" --to "$KINESALITE_URL" --fault stale:3
	on "http://127.0.0.1:$port"
	run recagent consume "$N" -e --poll 50ms
	echo "$output"
	[ "$status" = 0 ]
	[ "$(grep -c sequence_number <<<"$output")" = 5 ]
	[ "$(curl -s "http://127.0.0.1:$port/__stats" | jq .faults)" = 3 ]
}

@test "shards are listed over all pages" {
	cat >pages.py <<-'PY'
		import http.server, json, sys
		# A server whose pages hold one shard each, and which, as AWS does, refuses a name beside a token.
		class H(http.server.BaseHTTPRequestHandler):
		    def do_POST(self):
		        q = json.loads(self.rfile.read(int(self.headers["content-length"])))
		        bad = ("NextToken" in q) == ("StreamName" in q)
		        i = int(q.get("NextToken", 0))
		        r = {"__type": "InvalidArgumentException"} if bad else {"Shards": [{"ShardId": "shardId-%012d" % (4 - i), "SequenceNumberRange": {"StartingSequenceNumber": "1"}}]}
		        if i < 4 and not bad: r["NextToken"] = str(i + 1)
		        b = json.dumps(r).encode()
		        self.send_response(400 if bad else 200); self.send_header("content-length", len(b)); self.end_headers(); self.wfile.write(b)
		    def log_message(self, *a): pass
		s = http.server.HTTPServer(("127.0.0.1", 0), H)
		open("port", "w").write(str(s.server_port))
		s.serve_forever()
	PY
	"$BATS_TEST_DIRNAME/.venv/bin/python" pages.py >/dev/null 2>&1 3>&- </dev/null &
	PIDS="${PIDS:-} $!"
	wait_for 20 test -s port
	on "http://127.0.0.1:$(cat port)"
	[ "$(probe shards "$N" | cut -f1 | xargs)" = "shardId-000000000000 shardId-000000000001 shardId-000000000002 shardId-000000000003 shardId-000000000004" ]
}
