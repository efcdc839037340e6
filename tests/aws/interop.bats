# interop.bats - botocore reads what recagent wrote, and recagent reads what botocore wrote.
load helper

setup() {
	setup_aws
	export RECAGENT_STREAM=$N-events PROFILES_TABLE=$N-profiles REC_CACHE_TABLE=$N-rec
}

teardown() {
	teardown_aws
}

other() {
	python "$BATS_TEST_DIRNAME/interop.py" "$@"
}

@test "a stream: bytes and partition keys are the same on both sides" {
	recagent setup
	recagent publish -q <<-'E'
		{"event_id":"1","user_id":"żółw","item_id":"i","timestamp":"2026-01-02T03:04:05Z","n":14.990,"big":1342647857257299304}
		{ "user_id" : "b" , "event_id":"2","timestamp":"2026-01-02T03:04:05Z", "x":[1,{"y":null}] }
	E
	other records "$RECAGENT_STREAM" | python3 -c '
import json, sys
got = sorted((json.loads(l) for l in sys.stdin), key=lambda r: r[0])
want = [["b", "{ \"user_id\" : \"b\" , \"event_id\":\"2\",\"timestamp\":\"2026-01-02T03:04:05Z\", \"x\":[1,{\"y\":null}] }"],
        ["żółw", "{\"event_id\":\"1\",\"user_id\":\"żółw\",\"item_id\":\"i\",\"timestamp\":\"2026-01-02T03:04:05Z\",\"n\":14.990,\"big\":1342647857257299304}".encode().decode("latin-1")]]
assert got == want, got'
	printf '%s\n' '["k1","{\"user_id\":\"k1\",\"n\":1e400}"]' '["k2","not JSON \u0000\u00ff"]' | other put "$RECAGENT_STREAM"
	recagent consume -e >out
	grep -q '^{"user_id":"k1","n":1e400,"_source":{.*"partition_key":"k1"' out
	[ "$(grep '"partition_key":"k2"' out | jq -r .data_b64 | base64 -d | od -An -tx1 | tr -d ' ')" = 6e6f74204a534f4e2000ff ]
}

@test "the cache: an entry of the Python pipeline is served while it is fresh" {
	recagent setup
	other entry "$REC_CACHE_TABLE" u $(($(date +%s) + 3600))
	other entry "$REC_CACHE_TABLE" old $(($(date +%s) - 1))
	recagent cache-get u | jq -e '.source == "cache" and .recommendations[0].confidence_score == 0.9 and .recommendations[1].item_id == "popular_002"'
	recagent cache-get old | jq -e '.source == "fallback"'
}

@test "an archive: members, concatenated records, names with blanks, and going on behind a line" {
	other objects "$N"
	recagent replay "s3://$N/events/" >out
	[ "$(jq -r 'select(.event_id) | .event_id' out | tr -d '\n')" = abcd ]
	grep -q '"n":14.990,' out
	after=$(jq -r 'select(.event_id == "b") | ._source | "\(.object):\(.line)"' out)
	[ "$(recagent replay "s3://$N/events/" --after "$after" | jq -r 'select(.event_id) | .event_id' | tr -d '\n')" = cd ]
	[ "$(recagent replay "s3://$N/events/" --key-is nobody | jq -r 'select(.event_id) | .event_id')" = "" ]
}
