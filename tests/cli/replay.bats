#!/usr/bin/env bats
# replay.bats - archives of all shapes, files, folders, a stream from a time; going on behind a line; pace; damage.
load helper
bats_require_minimum_version 1.5.0

setup() {
	setup_store
	export RECAGENT_LOCAL=$T/store
	BIN=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")
	mkdir -p store/s3/bucket
}
teardown() { teardown_store; }

# event N [HOUR] - one event without a newline.
event() { printf '{"user_id":"u%d","event_id":"%d","event_type":"%s","timestamp":"2026-01-05T%02d:00:%02dZ"}' $(($1 % 3)) "$1" "${3:-click}" "${2:-10}" "$1"; }
ids() { jq -r '.event_id // empty' | paste -sd' '; }
archived() { mkdir -p "store/s3/bucket/$(dirname "$1")" && cat >"store/s3/bucket/$1"; }

@test "events keep their bytes and get their place in the archive" {
	printf '{ "user_id":"a" , "n":1.0,"x":"\\u00e9\\/"}' | archived one.json
	recagent replay s3://bucket/ >out
	printf '%s\n' '{ "user_id":"a" , "n":1.0,"x":"\u00e9\/","_source":{"object":"s3://bucket/one.json","line":1}}' '{"_source":{"mark":"end"}}' | cmp - out
}

@test "one a line, one behind the other, gzipped, in members, twice; pretty-printed; with a BOM" {
	{ event 1; echo; event 2; echo; } | archived a
	{ event 3; event 4; event 5; } | archived b
	{ event 6; echo; } | gzip | archived c.gz
	{ event 7 | gzip; event 8 | gzip; head -c 5 /dev/zero; } | archived d
	event 9 | gzip | gzip | archived e
	{ printf '\xef\xbb\xbf'; event 10; printf '\r\n'; event 11; } | archived f
	{ event 12 | jq .; event 13 | jq .; } | archived g
	{ printf '\x1e'; event 14; printf '\n\x1e'; event 15; } | archived h
	: | archived empty
	recagent replay s3://bucket/ >out 2>err
	[ ! -s err ]
	ids <out | grep -Fx "$(seq -s' ' 15)"
	# A pretty-printed record is one line.
	grep '"12"' out | holds '._source.line == 1'
	[ "$(wc -l <out)" = 16 ]
	recagent replay ./store/s3/bucket | ids | grep -Fx "$(seq -s' ' 15)"
	recagent replay ./store/s3/bucket/d | ids | grep -Fx '7 8'
}

@test "a damaged record in the middle: said once by object and number, kept, marked; its neighbours are read" {
	{ event 1; echo; echo '{"user_id":"x",'; event 2; echo; event 3; echo; echo nope; event 4; } | archived a
	event 5 | archived b
	recagent replay --dead-letter dead --ledger ledger s3://bucket/ >out 2>err || [ $? = 1 ]
	ids <out | grep -Fx '1 2 3 4 5'
	[ "$(wc -l <err)" = 2 ]
	grep -q '^recagent replay: line 2: s3://bucket/a: not JSON' err
	grep -q '^recagent replay: line 5: s3://bucket/a: not JSON' err
	jq -r .data dead | diff - <(printf '%s\n' '{"user_id":"x",' nope)
	jq -c '._source | select(.mark == "done")' out | head -n1 | grep -Fx '{"object":"s3://bucket/a","line":2,"mark":"done"}'
	holds '.in == 7 and .out == 5 and .refused == 2 and .marks == 3 and .balances' ledger
	tail -n1 out | grep -Fx '{"_source":{"mark":"end"}}'
}

@test "truncated gzip: what came before the damage stands, and the next object is read" {
	seq 1 300 | while read -r i; do event "$i"; echo; done >lines
	gzip -c lines >whole.gz
	head -c $(($(stat -c %s whole.gz) / 2)) whole.gz | archived a.gz
	event 999 | archived b
	tail -c +20 whole.gz | archived c
	recagent replay s3://bucket/ >out 2>err || [ $? = 1 ]
	[ "$(jq -r '.event_id // empty' out | head -n 20 | paste -sd' ')" = "$(seq -s' ' 20)" ]
	ids <out | grep -q ' 999$'
	grep -q 's3://bucket/a.gz: gzip data ends early' err
	tail -n1 out | grep -q '"mark":"end"'
}

@test "records over --max-record" {
	{ event 1; printf '{"user_id":"a","x":"%s"}' "$(head -c 500 /dev/zero | tr '\0' x)"; echo; event 2; } | archived a
	recagent replay --max-record 200 --dead-letter dead s3://bucket/ >out 2>err || [ $? = 1 ]
	ids <out | grep -Fx '1 2'
	grep -q 's3://bucket/a: record is longer than --max-record 200 bytes' err
	holds .truncated dead
}

@test "--after goes on exactly behind an object or a record of it" {
	{ event 1; event 2; event 3; } | gzip | archived 2026/01/05/10/a.gz
	{ event 4; echo; event 5; } | archived 2026/01/05/11/b
	event 6 | archived 2026/01/05/12/c
	recagent replay s3://bucket/ >all
	[ "$(wc -l <all)" = 7 ]
	for n in 1 2 3 4 5 6; do
		at=$(sed -n "${n}p" all | jq -r '._source | "\(.object):\(.line)"')
		recagent replay s3://bucket/ --after "$at" | cmp - <(tail -n +$((n + 1)) all)
	done
	recagent replay s3://bucket/ --after s3://bucket/2026/01/05/10/a.gz | ids | grep -Fx '4 5 6'
	recagent replay s3://bucket/2026/01/05/1 --after 2026/01/05/11/b | ids | grep -Fx 6
	recagent replay ./store/s3/bucket --after ./store/s3/bucket/2026/01/05/11/b:1 | ids | grep -Fx '5 6'
	# Behind a record that was refused.
	{ event 1; echo; echo nope; event 2; } | archived z
	{ recagent replay s3://bucket/z >out 2>/dev/null; } || true
	at=$(jq -r '._source | select(.mark == "done") | "\(.object):\(.line)"' out)
	recagent replay s3://bucket/z --after "$at" | ids | grep -Fx 2
	run -2 recagent replay user-interactions --after x
}

@test "--since, --until, --type, --key-is" {
	for h in 8 9 10 11 12; do { event "$h" "$h"; echo; event $((h + 20)) "$h" purchase; } | archived "2026/01/05/$(printf %02d $h)/x"; done
	recagent replay s3://bucket/ --since 2026-01-05T10:00:10Z | ids | grep -Fx '10 30 11 31 12 32'
	recagent replay s3://bucket/ --until 2026-01-05T10:00:10Z | ids | grep -Fx '8 28 9 29'
	recagent replay s3://bucket/ --since 2026-01-05T09:00:00Z --until 2026-01-05T11:00:00Z --type purchase | ids | grep -Fx '29 30'
	recagent replay s3://bucket/ --key-is u2 | ids | grep -Fx '8 29 11 32'
	recagent replay s3://bucket/ --key-is u2 --type click | ids | grep -Fx '8 11'
	recagent replay s3://bucket/ --key event_id --key-is 31 | ids | grep -Fx 31
	recagent replay s3://bucket/ --key event_type --key-is purchase --until 2026-01-05T09:00:00Z | ids | grep -Fx 28
	recagent replay s3://bucket/ --key-is nobody | grep -Fx '{"_source":{"mark":"end"}}'
}

@test "hours of Firehose's layout that can't match are not fetched" {
	event 1 8 | archived 2026/01/05/08/x
	event 2 20 | archived 2026/01/05/20/x
	: >store/s3/bucket/2026/01/05/08/damaged
	printf '\x1f\x8b broken' >store/s3/bucket/2026/01/05/08/damaged
	recagent replay s3://bucket/ --since 2026-01-05T19:00:00Z >out 2>err
	ids <out | grep -Fx 2
	[ ! -s err ]
	run -1 recagent replay s3://bucket/
}

@test "--speed: as the events happened, only faster" {
	{ event 1; event 2; event 3; } | archived a # a second apart
	t0=$(date +%s%N)
	recagent replay --speed 10 s3://bucket/ | ids | grep -Fx '1 2 3'
	ms=$((($(date +%s%N) - t0) / 1000000))
	echo "# $ms ms"
	[ $ms -ge 195 ]
	[ $ms -lt 1900 ]
	t0=$(date +%s%N)
	recagent replay s3://bucket/ | ids | grep -Fx '1 2 3'
	[ $((($(date +%s%N) - t0) / 1000000)) -lt 1900 ]
	for bad in 0 -1 x 1x '' nan inf; do run -2 recagent replay --speed "$bad" s3://bucket/; done
	# A signal ends the waiting, with the mark; what is not yet due is not written.
	"$BIN" replay --speed 0.01 s3://bucket/ > >(exec cat >out) &
	pid=$!
	PIDS=$pid
	wait_for 5 test -s out
	kill -TERM $pid
	wait $pid
	wait_for 3 grep -q '"mark":"end"' out
	ids <out | grep -Fx 1
}

@test "a stream, from a time" {
	recagent setup >/dev/null
	for i in 1 2 3; do event $i; echo; done | recagent publish -q
	recagent replay user-interactions >out
	jq -r '.event_id // empty' out | sort | paste -sd' ' | grep -Fx '1 2 3'
	head -n1 out | holds '._source | .stream == "user-interactions" and .shard_id and .sequence_number and .partition_key and .arrival'
	tail -n1 out | grep -Fx '{"_source":{"mark":"end"}}'
	recagent replay user-interactions --key-is u1 | ids | grep -Fx 1
	recagent replay user-interactions --since latest | grep -Fxc '{"_source":{"mark":"end"}}'
	run -4 recagent replay nosuch
	: >user-events.ndjson
	run -4 recagent replay user-events.ndjson
	[[ "$output" == *./user-events.ndjson* ]]
}

@test "records that publish would take for something else are wrapped, and come back as they were" {
	recagent setup >/dev/null
	printf '%s\n' '{"data_b64":"aGVsbG8="}' '{"user_id":"a","_source":{"stream":"x"}}' '{"data_b64":"x","user_id":"a"}' >in
	for i in 1 2 3; do
		jq -c -R '{data_b64: (. | @base64), _source: {partition_key: "p"}}' in | sed -n ${i}p | recagent publish -q
	done
	recagent consume -e --no-marks | grep -v '"user_id"' | jq -r '.data_b64 | @base64d' | diff - <(head -n2 in)
	recagent replay user-interactions | grep -v '"mark":"end"' >again
	# Through publish and consume once more: the same bytes.
	recagent publish -q <again >/dev/null
	recagent consume -e --no-marks | jq -r 'if .user_id then "event" else .data_b64 end' | sort | uniq -c | awk '{print $1}' | sort -u | grep -x 2
	cp in store/s3/bucket/a
	recagent replay s3://bucket/a | head -n1 | jq -r '.data_b64 | @base64d' | diff - <(head -n1 in)
}

@test "sources that are not there, or are none" {
	run -2 recagent replay
	run -2 recagent replay a b
	run -2 recagent replay -
	[[ "$output" == *"standard input is no SOURCE"* ]]
	run -3 recagent replay ./nosuch
	run -4 recagent replay s3://nosuch/
	run -0 recagent replay s3://bucket/nothing-here
	event 1 | archived a
	status=0
	recagent replay s3://bucket/ >/dev/full 2>err || status=$?
	[ $status = 3 ]
	[ "$(wc -l <err)" = 1 ]
	seq 1 20000 | sed 's/.*/{"user_id":"u&"}/' | archived b
	{ status=0; recagent replay s3://bucket/ 2>err || status=$?; echo $status >status; } | head -n1 >/dev/null
	[ "$(cat status)" = 8 ]
	[ ! -s err ]
	recagent replay --key-is u7 s3://bucket/b | recagent prompt --min-events 1 --local "$T/none" 2>&1 | grep -q 'recagent setup'
}

@test "memory is bounded, whatever the archive holds" {
	head -c 200000000 /dev/zero | tr '\0' ' ' | gzip -1 | archived zeros.gz
	printf '{"user_id":"a","x":"' | cat - <(head -c 60000000 /dev/zero | tr '\0' x) | gzip -1 | archived one.gz
	(limit_memory 500000; recagent replay s3://bucket/ >out 2>err) || [ $? = 1 ]
	[ "$(cat out | wc -l)" = 2 ]
	grep -q 'record is longer than --max-record' err
}

@test "dead letters are fed back: the lines in them, byte for byte, without their old position" {
	recagent setup >/dev/null
	cat >lines <<-'E'
		{"user_id":"u1","item_id":"i1","event_type":"click","event_id":"a1","timestamp":"2026-01-05T10:00:00Z"}
		not json
		{"user_id":7,"x":14.990,"event_id":"a2","_source":{"stream":"s","shard_id":"a","sequence_number":"4","group":"g"},"é":"\u00e9"}
	E
	recagent publish --dead-letter dead <lines >receipts || [ $? = 1 ]
	sed -i 's/\\"user_id\\":7/\\"user_id\\":\\"u7\\"/' dead # repaired by hand
	recagent replay --dead-letters ./dead >out 2>err && return 1
	grep -q "line 1: ./dead: the line in it: not JSON" err
	grep event_id out >got
	echo '{"user_id":"u7","x":14.990,"event_id":"a2","é":"\u00e9","_source":{"object":"./dead","line":2}}' | cmp - got
	recagent publish <got >receipts
	[ "$(recagent consume -e --no-marks | jq -r .event_id | sort | tr '\n' ' ')" = "a1 a2 " ]
	# A line that publish had given an event_id keeps it, one that has its own keeps that.
	cat >given <<-'E'
		{"command":"publish","data":"{\"user_id\":\"u\" }","event_id":"g\"1"}
		{"command":"publish","data":"{\"user_id\":\"u\",\"_source\":{\"stream\":\"s\"}} ","event_id":"g2"}
		{"command":"publish","data":"{\"event_id\":\"own\"}","event_id":"g3"}
		{"command":"publish","data":"{}","event_id":"g4"}
	E
	recagent replay -d ./given | sed 's/,"_source".*//' | head -4 >got
	printf '%s\n' '{"user_id":"u" ,"event_id":"g\"1"' '{"user_id":"u","event_id":"g2"' '{"event_id":"own"' '{"event_id":"g4"' | cmp - got
	# What is no dead letter, or holds no whole line, is refused again.
	printf '%s\n' '{"user_id":"u"}' '{"command":"publish","data":7}' '{"command":"x","data":"{}","truncated":true}' '{"command":"x","data":"{}"}' >odd
	recagent replay -d ./odd >out 2>err && return 1
	[ "$(grep -c '^recagent replay: line' err)" = 3 ]
	grep -qxF '{"_source":{"object":"./odd","line":4}}' out
	cp odd own && run recagent replay -d ./own --dead-letter own
	[ "$status" -eq 2 ] && [[ $output == *"is what is read"* ]] && cmp odd own
	recagent replay -d events 2>err && return 1
	grep -q 'a file is named ./events' err
}
