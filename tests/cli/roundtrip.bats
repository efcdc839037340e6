#!/usr/bin/env bats
# roundtrip.bats - random JSON objects through publish and consume: the same bytes. ROUNDTRIP=1000000 for many, SEED= for others.
load helper

setup() {
	setup_store
	recagent setup >/dev/null
	TOOL=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" | xargs dirname)/tools/random_json
}
teardown() { teardown_store; }

@test "random objects come back byte for byte" {
	n=${ROUNDTRIP:-20000}
	export LC_ALL=C
	"$TOOL" "$n" "${SEED:-1}" >in
	recagent publish -q --ledger ledger <in
	recagent consume -e --no-marks --ledger ledger | sed 's/,"_source":{"stream":"user-interactions",[^{}]*}}$/}/' | sort >got
	sed 's/^[ \t]*//' in | sort | cmp - got
	[ "$(wc -l <got)" = "$n" ]
	[ "$(grep -c "\"in\":$n,\"out\":$n,\"refused\":0,\"failed\":0" ledger)" = 2 ]
}

@test "events that lack members come back with these behind, and nothing else changed" {
	export LC_ALL=C
	"$TOOL" 2000 7 | sed -E 's/,"event_id" : "[0-9]+"//; s/,"timestamp":"[^"]*"//' >in
	grep -vc '"event_id"' in | grep -vx 0
	recagent publish -q <in
	[ "$(recagent consume -e --no-marks | grep '"event_id"' | grep -c '"timestamp"')" = 2000 ]
	recagent consume -e --no-marks | sed -E 's/,"_source":\{"stream":"user-interactions",[^{}]*\}\}$/}/;
		s/(,"event_id":"[0-9a-f-]{36}")?(,"timestamp":"[0-9T:.-]{26}Z")?\}$/}/' | sort >got
	sed 's/^[ \t]*//' in | sort | cmp - got
}

@test "records of any bytes come back as they were" {
	for i in $(seq 60); do head -c $((i * 37)) /dev/urandom | base64 -w0 | sed 's|.*|{"data_b64":"&","_source":{"partition_key":"p"}}|'; echo; done >in
	printf '%s' '{"a":1}x' | base64 -w0 | sed 's|.*|{"data_b64":"&","_source":{"partition_key":"p"}}|' >>in
	echo >>in
	event='{"user_id":"a","event_id":"e","timestamp":"2026-01-05T10:00:00Z"}'
	printf '%s' "$event" | base64 -w0 | sed 's|.*|{"data_b64":"&","_source":{"partition_key":"p"}}|' >>in # comes back as itself
	echo >>in
	recagent publish -q <in >/dev/null
	recagent consume -e --no-marks >out
	diff <(jq -r '.data_b64' in | head -n -1) <(jq -r '.data_b64 // empty' out)
	grep -qF "${event%\}},\"_source\":" out
	# And once more.
	recagent publish -q <out >/dev/null
	recagent consume -e --no-marks | jq -r '.data_b64 // .event_id' | sort | uniq -c | awk '{ print $1 }' | sort -u | grep -x 2
}
