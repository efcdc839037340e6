#!/usr/bin/env bats
# invoke.bats - answers of the embedded agent into the cache: statuses, newest wins, what stays. Bad answers: tests/aws.
load helper
bats_require_minimum_version 1.5.0

setup() {
	setup_store
	recagent setup >/dev/null
	# A catalogue for the embedded agent to choose from.
	for u in x y z; do for i in 1 2 3 4 5 6; do echo "{\"user_id\":\"$u\",\"item_id\":\"m$i\",\"event_type\":\"click\",\"metadata\":{\"category\":\"c\"}}"; done; done |
		recagent publish -q
	BIN=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")
}
teardown() { teardown_store; }

# ask USER VERSION - a prompt line.
ask() {
	echo "{\"user_id\":\"$1\",\"prompt\":\"Recommend for $1.\",\"event_id\":\"e$2\",\"version\":$2,\"prompt_hash\":\"hash$2\",\"_source\":{\"stream\":\"s\",\"shard_id\":\"x\",\"sequence_number\":\"$2\"}}"
}

@test "a result line has what the contract names, and the cache has the entry" {
	ask ann 3 | recagent invoke >out
	holds '.user_id == "ann" and .status == "stored" and (.recommendations | length) == 5 and .version == 3 and .prompt_hash == "hash3"
		and .event_id == "e3" and ._source.sequence_number == "3" and (.model_ms | type) == "number" and .generated_at and .ttl' out
	holds '.recommendations[0] | keys_unsorted == ["item_id","category","reasoning","confidence_score"]' out
	holds 'keys_unsorted[0] == "user_id" and keys_unsorted[-1] == "_source"' out
	[ "$(jq -c .recommendations out)" = "$(recagent cache-get ann | jq -c .recommendations)" ]
	recagent cache-get ann | holds '.source == "cache"'
}

@test "--count, --ttl" {
	ask ann 1 | recagent invoke --count 2 --ttl 90s >out
	holds '(.recommendations | length) == 2' out
	left=$(($(jq .ttl out) - $(date +%s)))
	[ $left -ge 80 ]
	[ $left -le 91 ]
}

@test "the newest wins: outdated answers do not replace newer ones" {
	ask ann 5 | recagent invoke >/dev/null
	recagent cache-get ann >before
	ask ann 4 | recagent invoke | holds '.status == "outdated"'
	recagent cache-get ann | jq -c 'del(.cache_age_sec)' | cmp - <(jq -c 'del(.cache_age_sec)' before)
	ask ann 5 | recagent invoke | holds '.status == "stored"' # the same again: a redelivery
	ask ann 6 | recagent invoke | holds '.status == "stored"'
	# An expired entry gives way to anything; a prompt without a version only to no version.
	ask bob 9 | recagent invoke --ttl 1s >/dev/null
	ask bob 2 | RECAGENT_CLOCK_OFFSET=1h recagent invoke | holds '.status == "stored"'
	echo '{"user_id":"ann","prompt":"p"}' | recagent invoke | holds '.status == "outdated"'
	echo '{"user_id":"new","prompt":"p"}' | recagent invoke | holds '.status == "stored" and (has("version") | not)'
	echo '{"user_id":"new","prompt":"p"}' | recagent invoke | holds '.status == "stored"'
}

@test "prompts that wait are superseded by a newer one of their key; the last is asked" {
	for v in $(seq 200); do ask ann "$v"; done >in
	recagent invoke -j 1 --ledger ledger <in >out
	[ "$(wc -l <out)" = 200 ]
	jq -r .event_id out | cmp - <(seq 200 | sed s/^/e/) # each has its line, in order
	[ "$(jq -r .status out | sort -u | paste -sd' ')" = "stored superseded" ]
	[ "$(tail -n1 out | jq -r .status)" = stored ]
	[ "$(jq -s 'map(select(.status == "superseded" and (has("recommendations") or has("model_ms")))) | length' out)" = 0 ]
	holds '.in == 200 and .out == 200 and .balances' ledger
	recagent cache-get ann | holds '.source == "cache"'
}

@test "the order of the output is that of the input, marks between" {
	for v in $(seq 120); do
		ask "u$((v % 31))" "$v"
		[ $((v % 40)) != 0 ] || echo '{"_source":{"mark":"done","sequence_number":"'$v'"}}'
	done >in
	recagent invoke -j 16 <in >out
	jq -r '._source.sequence_number' in | cmp - <(jq -r '._source.sequence_number' out)
	[ "$(grep -c '"mark"' out)" = 3 ]
}

@test "a failed cache write leaves what was there, and says so" {
	ask ann 1 | recagent invoke >/dev/null
	recagent cache-get ann >before
	run -4 recagent invoke --cache nosuch < <(ask ann 2)
	[[ "$output" == "recagent invoke: line 1: "*nosuch* ]]
	recagent cache-get ann | holds '.source == "cache"'
}

@test "refused lines have a result with their error and position" {
	{ ask ann 1 | sed 's/"prompt":"[^"]*"/"prompt":""/'; ask bob 1; } >in
	recagent invoke --dead-letter dead <in >out 2>err || [ $? = 1 ]
	head -n1 out | holds '.status == "error" and .user_id == "ann" and .error.class == "refused" and .error.code == "bad-prompt"
		and ._source.sequence_number == "1" and .event_id == "e1"'
	tail -n1 out | holds '.status == "stored"'
	[ "$(jq -r .data dead)" = "$(head -n1 in)" ]
}

@test "a user who has seen everything of the store still gets an answer, or an error; never an empty entry" {
	recagent profile forget ann
	ask nobody 1 | recagent invoke | holds '.status == "error" or (.recommendations | length) > 0'
}

@test "--session call, an agent by name, wrong uses" {
	ask ann 1 | recagent invoke --session call | holds '.status == "stored"'
	ask ann 2 | recagent invoke AGENT/ALIAS | holds '.status == "stored"'
	run -2 recagent invoke one two </dev/null
	run -2 recagent invoke --session x </dev/null
	run -2 recagent invoke --count 0 </dev/null
	recagent invoke </dev/null
}

@test "ends: a full disk, closed output, a reader that has gone" {
	ask ann 1 >in
	status=0
	recagent invoke <in >/dev/full 2>err || status=$?
	[ $status = 3 ]
	[ "$(wc -l <err)" = 1 ]
	status=0
	recagent invoke <in >&- 2>err || status=$?
	[ $status = 3 ]
	mkfifo p q
	"$BIN" invoke <q >p 2>err &
	pid=$!
	PIDS=$pid
	exec 7>q
	true <p
	status=0
	wait $pid || status=$?
	exec 7>&-
	[ $status = 8 ]
	[ ! -s err ]
}
