#!/usr/bin/env bats
# profile.bats - show a profile, set its preferences, forget a user.
load helper
bats_require_minimum_version 1.5.0

setup() {
	setup_store
	recagent setup >/dev/null
	for i in 1 2 3; do echo "{\"user_id\":\"ann\",\"event_id\":\"$i\",\"item_id\":\"m$i\",\"event_type\":\"click\",\"timestamp\":\"2026-01-05T10:00:0${i}Z\",\"metadata\":{\"p\":14.990}}"; done |
		recagent prompt >/dev/null
}
teardown() { teardown_store; }

@test "get: one line of plain JSON" {
	recagent profile get ann >out
	[ "$(wc -l <out)" = 1 ]
	holds '.user_id == "ann" and .version == 3 and .applied == 3 and (.history | length) == 3' out
	holds '.history[0] == {"event_id":"1","item_id":"m1","event_type":"click","timestamp":"2026-01-05T10:00:01Z","metadata":{"p":14.99}}' out
	run -4 recagent profile get nobody
	[[ "$output" == *'no profile of "nobody"'* ]]
}

@test "set: preferences only, from an argument or standard input" {
	recagent profile set ann '{"genres":["noir"],"min":1.5}'
	recagent profile get ann | holds '.preferences == {"genres":["noir"],"min":1.5} and .version == 3'
	echo '{"a":1}' | recagent profile set ann -
	recagent profile get ann | holds '.preferences == {"a":1}'
	recagent profile set newcomer '{}'
	recagent profile get newcomer | holds '.preferences == {} and (has("version") | not)'
	echo '{"user_id":"newcomer","event_id":"e"}' | recagent prompt >/dev/null
	recagent profile get newcomer | holds '.preferences == {} and .version == 1'
	for bad in nope '[1]' '"x"' '' '{"a":' '{} {}' '{"a":"\u0000"}'; do
		run -2 recagent profile set ann "$bad"
		[ "${#lines[@]}" = 1 ]
	done
	recagent profile get ann | holds '.preferences == {"a":1}'
}

@test "forget: profile and cache entry" {
	echo '{"user_id":"x","item_id":"m1"}' | recagent publish -q
	for i in 1 2 3 4; do echo "{\"user_id\":\"y\",\"item_id\":\"n$i\"}"; done | recagent publish -q
	echo '{"user_id":"ann","prompt":"p"}' | recagent invoke >/dev/null
	recagent cache-get ann | holds '.source == "cache"'
	recagent profile forget ann
	run -4 recagent profile get ann
	recagent cache-get ann 2>/dev/null | holds '.source == "fallback"'
	recagent profile forget ann
}

@test "other tables, wrong uses" {
	run -4 recagent profile get --profiles nosuch ann
	[[ "$output" == *nosuch* ]]
	for args in "" "get" "get a b" "set a" "set" "forget" "show a" "get ''"; do
		# shellcheck disable=SC2086
		eval run -2 recagent profile $args
		[ "${#lines[@]}" = 1 ]
	done
	status=0
	recagent profile get ann >/dev/full 2>err || status=$?
	[ $status = 3 ]
}

@test "a key that is hostile to a terminal" {
	run -4 recagent profile get "$(printf 'a\x1b[31mb\nc')"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" != *$'\x1b'* ]]
}
