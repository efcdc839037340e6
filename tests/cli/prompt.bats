#!/usr/bin/env bats
# prompt.bats - events applied once, cold starts, templates, order of the output.
load helper
bats_require_minimum_version 1.5.0

setup() {
	setup_store
	recagent setup >/dev/null
	BIN=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")
}
teardown() { teardown_store; }

# events USER N - N events of one user, a minute apart.
events() {
	seq "$2" | jq -c --arg u "$1" '{event_id: "\($u)-\(.)", user_id: $u, item_id: "i\(.)", event_type: "click",
		timestamp: (1767600000 + . * 60 | todate), metadata: {category: "c\(. % 3)"}}'
}

items() { recagent profile get "$1" | jq -r '[.history[].item_id] | join(" ")'; }

@test "a prompt line has what the contract names" {
	events u 3 | jq -c '. + {other: 1, _source: {stream: "s", shard_id: "x", sequence_number: "\(.item_id[1:])"}}' >in
	recagent prompt <in >out
	tail -n1 out | holds 'keys_unsorted == ["user_id","prompt","event_id","timestamp","version","prompt_hash","_source"]
		and .user_id == "u" and .event_id == "u-3" and .version == 3 and ._source.sequence_number == "3"'
	[ "$(tail -n1 out | jq -j .prompt | sha256sum | cut -d' ' -f1)" = "$(tail -n1 out | jq -r .prompt_hash)" ]
}

@test "below --min-events a mark goes out in the place of a prompt" {
	events u 4 | jq -c '. + {_source: {stream: "s", shard_id: "x", sequence_number: "\(.item_id[1:])"}}' >in
	recagent prompt <in >out
	jq -c 'if .prompt then "prompt" else ._source.mark + ._source.sequence_number end' out | paste -sd' ' | grep -Fx '"done1" "done2" "prompt" "prompt"'
	events v 1 | recagent prompt >out
	[ "$(cat out)" = '{"_source":{"mark":"done"}}' ]
	events w 1 | recagent prompt --min-events 1 | holds .prompt
	events x 1 | recagent prompt --min-events 0 | holds .prompt
}

@test "--history and --recent" {
	events u 30 | recagent prompt --history 7 --recent 4 >out
	[ "$(items u)" = "i24 i25 i26 i27 i28 i29 i30" ]
	[ "$(tail -n1 out | jq -r .prompt | grep -c '^- CLICK')" = 4 ]
	tail -n1 out | jq -r .prompt | grep '^- CLICK' | tail -n1 | grep -q item=i30
	recagent profile get u | holds '.applied == 30 and .version == 30'
	events v 30 | recagent prompt >out
	recagent profile get v | holds '.history | length == 20'
	[ "$(tail -n1 out | jq -r .prompt | grep -c '^- CLICK')" = 10 ]
	events w 30 | recagent prompt --history 0 >/dev/null
	recagent profile get w | holds '.history | length == 30'
}

@test "a known event changes nothing and is answered with a prompt" {
	events u 4 >in
	recagent prompt <in >first
	recagent profile get u >before
	recagent prompt <in >again
	recagent profile get u | cmp before -
	holds .prompt again >/dev/null
	[ "$(jq -s 'map(select(.prompt and .version == 4)) | length' again)" = 4 ]
	# By position, too: without an event_id.
	jq -c 'del(.event_id) + {user_id: "v", _source: {stream: "s", shard_id: "x", sequence_number: .item_id[1:]}}' in >positions
	recagent prompt <positions >/dev/null
	recagent prompt <positions >/dev/null
	[ "$(items v)" = "i1 i2 i3 i4" ]
}

@test "late and replayed events fall into their places" {
	events u 12 | shuf --random-source=<(yes) | recagent prompt -j1 >/dev/null
	[ "$(items u)" = "i1 i2 i3 i4 i5 i6 i7 i8 i9 i10 i11 i12" ]
}

@test "the order of the output is that of the input, with many workers" {
	seq 250 | jq -c '{user_id: "u\(. * . % 23)", event_id: "\(.)", item_id: "i"}' >in
	recagent prompt -j 16 --min-events 0 <in >out
	jq -r .event_id in | cmp - <(jq -r .event_id out)
}

@test "marks pass in their places" {
	{ events u 1; echo '{"_source":{"mark":"shard-end","shard_id":"x"}}'; events u 2 | tail -n1; echo '{"_source":{"mark":"end"}}'; } >in
	recagent prompt --min-events 0 <in | jq -r '.event_id // ._source.mark' | paste -sd' ' | grep -Fx 'u-1 shard-end u-2 end'
}

@test "preferences belong to others: shown, never written" {
	recagent profile set u '{"genres":["noir"],"n":1.50}'
	events u 5 | recagent prompt | tail -n1 | jq -r .prompt | grep -F noir
	recagent profile get u | grep -F '"preferences":{"genres":["noir"],"n":1.50}'
	recagent profile get u | holds '.applied == 5'
}

@test "a template of one's own" {
	cat >t <<'T'
For {{user_id}} ({{count}}): {{preferences}}
{{#history}}* {{event_type}} {{item_id}} {{category}}
{{/history}}end
T
	events u 3 | recagent prompt --template t --count 7 --recent 2 | tail -n1 | jq -r .prompt >out
	printf '%s\n' 'For u (7): {}' '* click i2 c2' '* click i3 c0' end | diff - <(sed '$!b;/^$/d' out)
}

@test "a template with an error: its line, and nothing is read" {
	events u 3 >in
	printf 'one\ntwo {{nope}}\n' >t
	run -2 recagent prompt --template t <in
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == "recagent prompt: "*t*2*nope* ]]
	for text in '{{#history}}' '{{/history}}' '{{user_id' '{{#history}}{{#history}}{{/history}}{{/history}}'; do
		printf '\n%s' "$text" >t
		run -2 recagent prompt --template t <in
		[[ "$output" == *t*[12]* ]]
	done
	run -2 recagent prompt --template nosuch <in
	[[ "$output" == *nosuch* ]]
	mkdir d
	run -2 recagent prompt --template d <in
	run -4 recagent profile get u
}

@test "--render shows a stored profile's prompt and changes nothing" {
	events u 3 | recagent prompt | tail -n1 | jq -j .prompt >want
	recagent profile get u >before
	recagent prompt --render u >out
	diff <(cat want) <(head -c "$(stat -c %s want)" out)
	recagent profile get u | cmp before -
	run -4 recagent prompt --render nobody
	[ "$output" = 'recagent prompt: no profile of "nobody"' ] || [[ "$output" == *'no profile of "nobody"'* ]]
}

@test "--key account_id, with tables of its own" {
	export PROFILES_TABLE=accounts REC_CACHE_TABLE=scores
	recagent setup --key account_id >/dev/null
	seq 4 | jq -c '{account_id: "acc\(. % 2)", event_id: "\(.)", event_type: "payment", metadata: {amount: 14.990}}' |
		recagent prompt --key account_id --min-events 1 | holds '.account_id and .prompt'
	recagent profile get --key account_id acc1 | holds '.account_id == "acc1" and (.history | length) == 2'
	echo '{"user_id":"u"}' | { ! recagent prompt --key account_id 2>err; }
	grep -q 'account_id is missing' err
}

@test "two writers of one user: nothing is lost" {
	events u 60 >in
	split -n r/3 in part.
	for p in part.*; do "$BIN" prompt --history 0 -j4 <"$p" >"$p.out" & PIDS="${PIDS:-} $!"; done
	wait
	recagent profile get u | jq -r '.history[].item_id' | cmp - <(seq 60 | sed s/^/i/)
	recagent profile get u | holds '.applied == 60 and .version == 60'
}

@test "ends: a full disk, a reader that has gone, standard streams closed" {
	events u 5 >in
	status=0
	recagent prompt <in >/dev/full 2>err || status=$?
	[ $status = 3 ]
	[ "$(wc -l <err)" = 1 ]
	status=0
	recagent prompt <in >&- 2>err || status=$?
	[ $status = 3 ]
	status=0
	recagent prompt <&- >out 2>err || status=$?
	[ $status = 3 ]
	[ "$(wc -l <err)" = 1 ]
	run -2 recagent prompt something <in
}
