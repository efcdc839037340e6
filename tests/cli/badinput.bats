#!/usr/bin/env bats
# badinput.bats - bad lines, each by name: a clear message, its neighbours unharmed, nothing lost, the books balanced.
load helper
bats_require_minimum_version 1.5.0

setup() {
	setup_store
	recagent setup >/dev/null
	# Good for publish, prompt and invoke alike.
	good='{"user_id":"u1","item_id":"i","event_type":"click","timestamp":"2026-01-05T10:00:00Z","prompt":"Recommend."}'
}
teardown() { teardown_store; }

# table COMMAND... - rows of MESSAGE|LINE on standard input, \x, \0 and \\ in the line as for printf %b. Each bad line stands between
# good ones; each command says each message once, answers all good lines, keeps the bad ones whole, and its books balance.
table() {
	local message line c n=0 outs said
	: >in && : >messages && : >bad
	while IFS='|' read -r message line; do
		n=$((n + 1))
		{ echo "$good"; printf '%b\n' "$line"; } >>in
		printf '%b\n' "$line" >>bad
		echo "line $((2 * n)): $message" >>messages
	done
	echo "$good" >>in
	for c in "$@"; do
		rm -f dead ledger
		status=0
		recagent "$c" -j1 --dead-letter dead --ledger ledger <in >out 2>err || status=$?
		sed "s/^/recagent $c: /" messages | diff - err
		[ $status = 1 ]
		outs=$((2 * n + 1))
		[ "$c" != prompt ] || outs=$((n + 1)) # a line without a position leaves nothing to pass on
		[ "$(wc -l <out)" = $outs ]
		grep -q "\"in\":$((2 * n + 1)),\"out\":$((n + 1)),\"refused\":$n,\"failed\":0,\"marks\":0,\"balances\":true,\"exit_status\":1" ledger
		[ "$(grep -c "^{\"command\":\"$c\",\"line\":.*\"class\":\"refused\"" dead)" = $n ]
		jq -r 'if .data then .data | @base64 else .data_b64 end' dead | while read -r said; do
			printf '%s' "$said" | base64 -d
			echo
		done | cmp bad -
	done
}

@test "no JSON" {
	table publish prompt invoke <<'ROWS'
not JSON: not an object, at byte 0|nope
not JSON: not an object, at byte 0|[{"user_id":"u"}]
not JSON: not an object, at byte 0|"text"
not JSON: text after the value, at byte 15|{"user_id":"u"}{"user_id":"v"}
not JSON: text after the value, at byte 16|{"user_id":"u"} x
not JSON: it ends too early, at byte 14|{"user_id":"u"
not JSON: not a JSON value, at byte 11|{"user_id":NaN}
not JSON: malformed number, at byte 12|{"user_id":01}
not JSON: control character in a string, at byte 13|{"user_id":"a\0000b"}
ROWS
}

@test "no UTF-8, lone surrogates" {
	table publish prompt invoke <<'ROWS'
not JSON: invalid UTF-8, at byte 13|{"user_id":"a\xff"}
not JSON: invalid UTF-8, at byte 20|{"user_id":"a","x":"\xed\xa0\x80"}
not JSON: lone surrogate in a string, at byte 19|{"user_id":"a\\ud800"}
not JSON: lone surrogate in a string, at byte 19|{"user_id":"a\\udc00"}
ROWS
}

@test "KEY" {
	table publish prompt invoke <<'ROWS'
user_id is missing|{"item_id":"i","prompt":"p"}
user_id is empty|{"user_id":"","prompt":"p"}
user_id is a number, not a string|{"user_id":5,"prompt":"p"}
user_id is null, not a string|{"user_id":null,"prompt":"p"}
user_id is an object, not a string|{"user_id":{},"prompt":"p"}
user_id holds a control character|{"user_id":"a\\u0007","prompt":"p"}
user_id holds a control character|{"user_id":"a\\u0085","prompt":"p"}
user_id holds U+0000|{"user_id":"a\\u0000b","prompt":"p"}
ROWS
	table publish prompt invoke <<<"user_id is 257 characters, more than 256|{\"user_id\":\"$(printf 'é%.0s' $(seq 257))\"}"
	printf '{"user_id":"%s","prompt":"p"}\n' "$(printf 'é%.0s' $(seq 256))" >fine
	for c in publish prompt invoke; do recagent $c <fine >/dev/null; done
}

@test "another KEY by --key" {
	echo '{"user_id":"u","card":""}' | { ! recagent publish --key card 2>err >out; }
	[ "$(cat err)" = "recagent publish: line 1: card is empty" ]
	echo '{"card":"c1"}' | recagent publish --key card >/dev/null
	RECAGENT_KEY=card recagent publish <<<'{"card":"c2"}' >/dev/null
}

@test "names twice: refused among those that are read, else carried along" {
	table publish prompt invoke <<'ROWS'
user_id is there twice|{"user_id":"a","user_id":"b","prompt":"p"}
user_id is there twice|{"user_id":"a","us\\u0065r_id":"b","prompt":"p"}
timestamp is there twice|{"user_id":"a","prompt":"p","timestamp":"2026-01-05T10:00:00Z","timestamp":"2026-01-05T10:00:00Z"}
_source is there twice|{"user_id":"a","prompt":"p","_source":{},"_source":{}}
ROWS
	printf '%s\n' '{"user_id":"a","event_id":"e","timestamp":"2026-01-05T10:00:00Z","x":1,"x":1.0}' >twice
	recagent publish -q <twice
	recagent consume -e --no-marks | grep '"x":1,"x":1.0' | sed 's/,"_source":.*/}/' | cmp - twice
}

@test "members of an event" {
	table publish prompt <<'ROWS'
event_id is empty|{"user_id":"a","event_id":""}
event_id is a number, not a string|{"user_id":"a","event_id":7}
item_id is an array, not a string|{"user_id":"a","item_id":[]}
event_type "b c" is not 1 to 64 of A-Z a-z 0-9 _ . -|{"user_id":"a","event_type":"b c"}
timestamp "yesterday" is no RFC 3339 time|{"user_id":"a","timestamp":"yesterday"}
timestamp is a number, not a string|{"user_id":"a","timestamp":1767600000}
metadata is a number, not an object|{"user_id":"a","metadata":5}
_source is a string, not an object|{"user_id":"a","_source":"x"}
ROWS
}

@test "what a profile can't keep is refused by prompt, and only there" {
	deep=$(printf '[%.0s' $(seq 40))$(printf ']%.0s' $(seq 40))
	big=$(head -c 420000 /dev/zero | tr '\0' x)
	table prompt <<ROWS
metadata: U+0000 in a string, at byte 5|{"user_id":"u1","metadata":{"x":"\\\\u0000"}}
metadata is nested deeper than the 29 levels that a profile can keep|{"user_id":"u1","metadata":{"x":$deep}}
ROWS
	printf '{"user_id":"u1","event_id":"e1","metadata":{"x":"%s"}}\n' "$big" >bad
	recagent prompt <bad 2>err >/dev/null || [ $? = 1 ]
	grep -q '^recagent prompt: line 1: .*bytes' err
	recagent profile get u1 | holds '.applied == 3 and (.history | length) == 3 and .preferences == null'
	printf '{"user_id":"u1","metadata":{"x":%s,"y":"\\u0000","z":"%s"}}\n' "$deep" "$big" | recagent publish >/dev/null
}

@test "a line over --max-line: the others are done, memory stays bounded" {
	long='{"user_id":"a","prompt":"'$(head -c 5000 /dev/zero | tr '\0' x)'"}'
	for c in publish prompt invoke; do
		rm -f dead
		status=0
		printf '%s\n' "$good" "$long" "$good" | recagent $c --max-line 1000 --dead-letter dead >out 2>err || status=$?
		[ $status = 1 ]
		[ "$(cat err)" = "recagent $c: line 2: line is longer than --max-line 1000 bytes" ]
		holds '.truncated and .line == 2 and (.data | length) == 1000' dead
	done
	head -c 60000000 /dev/zero | tr '\0' x >huge
	(limit_memory 400000; recagent prompt <huge 2>err) || [ $? = 1 ]
	grep -q 'line 1: line is longer than --max-line 16777216 bytes' err
}

@test "nested over the limit" {
	printf '{"user_id":"a","prompt":"p","d":%s1%s}\n' "$(printf '[%.0s' $(seq 600))" "$(printf ']%.0s' $(seq 600))" >bad
	for c in publish prompt invoke; do
		{ echo "$good"; cat bad; echo "$good"; } | recagent $c >out 2>err || [ $? = 1 ]
		grep -q "^recagent $c: line 2: not JSON: nested too deeply, at byte 5" err
	done
}

@test "empty lines, CRLF, a BOM, no newline at the end" {
	printf '\xef\xbb\xbf%s\r\n\r\n  \n\n%s' "$good" "$good" >in
	for c in publish prompt invoke; do
		recagent $c --ledger ledger <in >out 2>err
		[ ! -s err ]
		[ "$(wc -l <out)" = 2 ]
		tail -n1 ledger | grep -q '"in":2,"out":2'
	done
	recagent publish <in | jq -es '.[1].line == 5' # numbers are those of an editor
	recagent publish </dev/null
}

@test "numbers that a double can't hold are kept" {
	line='{"user_id":"n","event_id":"e1","timestamp":"2026-01-05T10:00:00Z","metadata":{"a":1e400,"b":12345678901234567890123,"c":14.990}}'
	echo "$line" | recagent publish -q
	recagent consume -e --no-marks | grep -F '"metadata":{"a":1e400,"b":12345678901234567890123,"c":14.990}'
	echo "$line" | recagent prompt --min-events 1 >/dev/null
	recagent profile get n | grep -F '"b":12345678901234567890123'
	recagent profile get n | grep -F '"a":"1e400"' # DynamoDB's numbers end at 10^125
}

@test "prompt lines" {
	table invoke <<'ROWS'
prompt is missing, empty or no string|{"user_id":"a"}
prompt is missing, empty or no string|{"user_id":"a","prompt":""}
prompt is missing, empty or no string|{"user_id":"a","prompt":["p"]}
version is no whole number|{"user_id":"a","prompt":"p","version":1.5}
version is no whole number|{"user_id":"a","prompt":"p","version":-1}
version is no whole number|{"user_id":"a","prompt":"p","version":"7"}
version is no whole number|{"user_id":"a","prompt":"p","version":99999999999999999999}
prompt_hash is no string of 1 to 128 bytes|{"user_id":"a","prompt":"p","prompt_hash":7}
ROWS
}

@test "dead letters feed back" {
	printf '%s\n' '{"user_id":""}' '{"user_id":"é","x":"\u001b[31m\\","n":1.0}' '{"user_id"' >in
	recagent publish --max-line 64 --dead-letter dead <in >/dev/null 2>&1 || [ $? = 1 ]
	jq -r .data dead | sed 's/"user_id":""/"user_id":"was empty"/' | recagent publish >out 2>err || [ $? = 1 ]
	[ "$(jq -s 'map(select(.sequence_number)) | length' out)" = 1 ]
	[ "$(stat -c %a dead)" = 600 ]
	# With the position of the line, and appended to.
	echo '{"user_id":"","_source":{"stream":"s","shard_id":"shardId-0","sequence_number":"7","group":"g"}}' >in
	recagent prompt --dead-letter dead <in >out 2>/dev/null || [ $? = 1 ]
	[ "$(wc -l <dead)" = 3 ]
	tail -n1 dead | holds '._source.sequence_number == "7" and .command == "prompt"'
	[ "$(cat out)" = '{"_source":{"stream":"s","shard_id":"shardId-0","sequence_number":"7","group":"g","mark":"done"}}' ]
}

@test "a dead letter that can't be written: nothing is passed on as dealt with" {
	echo '{"user_id":"","_source":{"stream":"s","shard_id":"x","sequence_number":"7"}}' >in
	for c in publish prompt invoke; do
		status=0
		recagent $c --dead-letter /dev/full <in >out 2>err || status=$?
		[ $status = 3 ]
		[ ! -s out ]
		grep -q 'dead-letter' err
	done
	run recagent publish --dead-letter /nonexistent/x </dev/null
	[ "$status" = 3 ] || [ "$status" = 2 ]
}

@test "hostile text does not reach the terminal" {
	printf '{"user_id":"a","timestamp":"\x1b[31mred\xc2\x9b"}\n{"user_id":"a","timestamp":"\\u001b[2J"}\n' >in
	recagent publish <in >out 2>err || [ $? = 1 ]
	[ "$(wc -l <err)" = 2 ]
	no env LC_ALL=C grep -q "$(printf '[\x01-\x08\x0b-\x1f\x7f]')" err
	no grep -q "$(printf '\x1b')" out
}

@test "the stream, the tables, the store that do not exist" {
	run -4 recagent publish nosuch <<<"$good"
	[[ "$output" == *"recagent publish: line 1: "*nosuch* ]]
	run -4 recagent prompt --profiles nosuch <<<"$good"
	[[ "$output" == *"recagent prompt: line 1: "*nosuch* ]]
	run -4 recagent invoke --cache nosuch <<<"$good"
	[[ "$output" == *"recagent invoke: line 1: "*nosuch* ]]
	export RECAGENT_LOCAL=$T/none
	for c in publish prompt invoke; do
		run -4 recagent $c <<<"$good"
		[[ "$output" == *"recagent setup"* ]]
		[ ! -e none ]
	done
}

@test "without a table nothing is passed on, so nothing is committed" {
	for i in 1 2 3; do echo "{\"user_id\":\"u$i\",\"prompt\":\"p\",\"_source\":{\"stream\":\"s\",\"shard_id\":\"x\",\"sequence_number\":\"$i\",\"group\":\"g\"}}"; done >in
	echo '{"_source":{"stream":"s","mark":"end","group":"g"}}' >>in
	for c in "prompt --profiles nosuch" "invoke --cache nosuch" "publish nosuch"; do
		status=0
		# shellcheck disable=SC2086
		recagent $c --dead-letter dead <in >out 2>err || status=$?
		[ $status = 4 ]
		[ ! -s out ]
		[ "$(grep -c nosuch err)" = 1 ]
		[ "$(jq -s 'map(select(.line)) | length' dead)" = 3 ]
		rm dead
	done
}

@test "no credentials: it says how to get them, or a local store" {
	unset RECAGENT_LOCAL
	status=0
	HOME=$T recagent publish --region us-east-1 --give-up 1ms s <<<"$good" >out 2>err || status=$?
	[ $status != 0 ]
	grep -q -i -e credential err
	grep -q -e --local err
}
