#!/usr/bin/env bats
# cache_get.bats - the serving path: fresh, expired, stale, fallbacks in their order, many keys, always in time, always an answer.
load helper
bats_require_minimum_version 1.5.0

setup() {
	setup_store
	recagent setup >/dev/null
	BIN=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")
}
teardown() { teardown_store; }

# An entry of ann from 2026-01-05 10:00, fresh for an hour.
entry() {
	for u in x y; do for i in 1 2 3 4 5 6; do echo "{\"user_id\":\"$u\",\"item_id\":\"m$i\",\"event_type\":\"click\",\"timestamp\":\"2026-01-05T09:00:00Z\"}"; done; done | recagent publish -q
	echo '{"user_id":"ann","prompt":"p","version":1}' | RECAGENT_NOW=2026-01-05T10:00:00Z recagent invoke >/dev/null
}
at() {
	local now=2026-01-05T$1Z
	shift
	RECAGENT_NOW=$now recagent cache-get "$@"
}

@test "fresh until its time to live, then not, whatever is still there" {
	entry
	at 10:00:30 ann >out
	holds 'keys_unsorted == ["user_id","recommendations","source","generated_at","cache_age_sec"] and .source == "cache"
		and .cache_age_sec == 30 and .generated_at == "2026-01-05T10:00:00.000000Z" and (.recommendations | length) == 5' out
	at 10:59:59 ann | holds '.source == "cache" and .cache_age_sec == 3599'
	at 11:00:00 ann 2>err | holds '.source == "fallback" and .cache_age_sec == null and .generated_at == null'
	[ "$(cat err)" = 'recagent cache-get: "ann": entry has expired, serving the fallback' ]
	RECAGENT_NOW='' RECAGENT_CLOCK_OFFSET=-100d recagent cache-get ann 2>/dev/null | holds '.cache_age_sec != -1'
}

@test "--max-stale: stale, only as long as asked for" {
	entry
	at 11:04:59 --max-stale 5m ann | holds '.source == "stale" and .cache_age_sec == 3899'
	at 11:05:01 --max-stale 5m ann 2>/dev/null | holds '.source == "fallback"'
	at 10:30:00 --max-stale 5m ann | holds '.source == "cache"'
	at 11:04:59 --max-stale 5m --strict ann | holds '.source == "stale"'
}

@test "a fallback file: arrays, strings, lines; when it can't be used, the next fallback" {
	echo '["a","b"]' >f
	recagent cache-get --fallback f nobody 2>err | jq -c .recommendations | grep -Fx '[{"item_id":"a"},{"item_id":"b"}]'
	[ "$(cat err)" = 'recagent cache-get: "nobody": no entry, serving the fallback' ]
	printf '{"item_id":"x","price":14.990}\n{"item_id":"y"}' >f
	recagent cache-get -f f nobody 2>/dev/null | grep -F '"recommendations":[{"item_id":"x","price":14.990},{"item_id":"y"}]'
	for text in garbage '' '[]' '{"recommendations":[]}' '["a",'; do
		printf '%s' "$text" >f
		recagent cache-get -f f nobody >out 2>err
		holds '.source == "fallback" and (.recommendations | length) == 3' out
		grep -q '^recagent cache-get: --fallback: ' err
	done
	recagent cache-get -f nosuch nobody 2>err | holds '.recommendations[0].item_id == "popular_001"'
	grep -q 'nosuch' err
	run -2 recagent cache-get --strict -f nosuch nobody
}

@test "without a file: what is popular in the store, else three built-in items; always objects" {
	recagent cache-get nobody 2>/dev/null | holds '[.recommendations[].item_id] == ["popular_001","popular_002","popular_003"]'
	entry
	recagent cache-get nobody 2>/dev/null | holds '.recommendations | length == 5 and all(.item_id | startswith("m"))'
	echo '["a"]' >f
	recagent cache-get -f f nobody 2>/dev/null | holds '.recommendations == [{"item_id":"a"}]'
}

@test "--strict: a status for the fallback" {
	entry
	run -1 at 11:30:00 --strict ann
	run -1 at 10:30:00 --strict nobody
	run -0 at 10:30:00 --strict ann
	run -4 recagent cache-get --strict --cache nosuch ann
	run -0 recagent cache-get --cache nosuch ann
}

@test "many keys, as arguments and from standard input" {
	entry
	at 10:10:00 ann bob ann 2>/dev/null | jq -c '[.user_id, .source]' | paste -sd' ' | grep -Fx '["ann","cache"] ["bob","fallback"] ["ann","cache"]'
	seq 450 | sed 's/^/u/' >keys
	sed -i '200s/.*/ann/;450s/.*/ann/' keys
	at 10:10:00 - <keys >out 2>err
	jq -r .user_id out | cmp - keys
	[ "$(jq -s 'map(select(.source == "cache")) | length' out)" = 2 ]
	[ "$(cat err)" = 'recagent cache-get: 448 of 450 keys were served the fallback' ]
	# Plain, as JSON strings, as objects; a bad one is refused by its number.
	printf '%s\n' ann '"ann"' '{"user_id":"ann","x":1}' '' '{"user_id":7}' '{' '"a b\u00e9"' >keys
	{ at 10:10:00 - <keys >out 2>err; } || [ $? = 1 ]
	jq -r .user_id out | paste -sd, | grep -Fx 'ann,ann,ann,a bé'
	grep -q '^recagent cache-get: line 5: line names no user_id$' err
	grep -q '^recagent cache-get: line 6: ' err
	recagent cache-get - </dev/null
	recagent cache-get --key card c1 2>/dev/null | holds '.card == "c1"'
}

@test "who types a key has the answer before the next" {
	mkfifo q
	"$BIN" cache-get - <q > >(exec cat >out) 2>err &
	pid=$!
	PIDS=$pid
	exec 7>q
	echo ann >&7
	wait_for 3 test -s out
	echo bob >&7
	wait_for 3 grep -q bob out
	exec 7>&-
	wait $pid
}

@test "a store that is missing, damaged or locked still serves, with status 0" {
	entry
	rm -rf copy && cp -r "$RECAGENT_LOCAL" copy
	recagent cache-get --local "$T/none" ann >out 2>err
	holds '.source == "fallback" and (.recommendations | length) == 3' out
	[ "$(wc -l <err)" = 1 ]
	[ ! -e none ]
	for how in 'head -c 8192 /dev/urandom' 'echo garbage' 'true'; do
		rm -f copy/*-wal copy/*-shm
		$how >copy/recagent.db
		recagent cache-get --local copy ann >out 2>err
		holds '.source == "fallback"' out
		[ -s err ]
	done
	recagent cache-get --local /dev/null ann 2>/dev/null | holds '.source == "fallback"'
}

@test "a black hole: the fallback within the time-out" {
	unset RECAGENT_LOCAL
	export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY AWS_REGION=us-east-1
	# It accepts, by its backlog, and never answers.
	perl -MIO::Socket::INET -e '$| = 1; $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die; print $s->sockport, "\n"; sleep 60' >port &
	PIDS=$!
	wait_for 5 test -s port
	export AWS_ENDPOINT_URL=http://127.0.0.1:$(cat port)
	t0=$(date +%s%N)
	recagent cache-get --timeout 300ms ann >out 2>err
	ms=$((($(date +%s%N) - t0) / 1000000))
	echo "# $ms ms"
	[ $ms -ge 290 ]
	[ $ms -lt 900 ]
	holds '.source == "fallback"' out
	[ "$(wc -l <err)" = 1 ]
	[[ "$(cat err)" == *"did not answer within 300 ms, serving the fallback" ]]
	run -5 recagent cache-get --strict --timeout 50ms ann
	# Many keys: each round has its time, and all are answered.
	printf '%s\n' a b c | recagent cache-get --timeout 50ms - >out 2>err
	[ "$(wc -l <out)" = 3 ]
	AWS_ENDPOINT_URL=http://127.0.0.1:1 recagent cache-get ann 2>err | holds '.source == "fallback"'
}

@test "no credentials, no region, nothing at all" {
	env -i "$BIN" cache-get ann >out 2>err
	holds '.source == "fallback"' out
	[ "$(wc -l <err)" = 1 ]
	run -2 recagent cache-get
	status=0
	recagent cache-get ann >/dev/full 2>/dev/null || status=$?
	[ $status = 3 ]
	status=0
	recagent cache-get ann >&- 2>/dev/null || status=$?
	[ $status = 3 ]
}
