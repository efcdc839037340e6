#!/usr/bin/env bats
# loop.bats - the whole pipe on the embedded store: real events, invented ones, and live. (Kills: kill.bats.)
load helper
bats_require_minimum_version 1.5.0

# 2,000 real events where they are; a checkout alone has invented ones.
EVENTS=${RECAGENT_SHARED:-$BATS_TEST_DIRNAME/../../../shared}/vectors/interactions/eshop-2008/events-small.ndjson
if [ ! -r "$EVENTS" ] && [ -z "${CI:-}" ]; then
	EVENTS=$BATS_RUN_TMPDIR/events.ndjson
	awk -f "$BATS_TEST_DIRNAME/../../examples/make-events.awk" "$BATS_TEST_DIRNAME/../../examples/films.tsv" | sed 2000q >"$EVENTS.$$"
	mv "$EVENTS.$$" "$EVENTS"
fi
EXAMPLES=$BATS_TEST_DIRNAME/../../examples

setup() {
	setup_store
	recagent setup --group recs >/dev/null
	BIN=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")
}
teardown() { teardown_store; }

pipe() {
	recagent consume --group recs -e "$@" | recagent prompt --min-events 1 | recagent invoke -j 32 | tee results | recagent ack
}

# profiles USER... - all of them, one a line.
profiles() { for u in "$@"; do recagent profile get "$u"; done; }

@test "2,000 real events: every profile holds the last 20 in order, the cache answers the last prompt" {
	[ "$(wc -l <"$EVENTS")" = 2000 ]
	# In two halves, the second with all of the first once more: a replay beside live events.
	head -n 1000 "$EVENTS" | recagent publish -q
	pipe
	recagent publish -q <"$EVENTS"
	pipe
	jq -r .user_id "$EVENTS" | sort -u >users
	# shellcheck disable=SC2046
	profiles $(cat users) >profiles
	jq -c '[.user_id, .applied, .version, [.history[] | [.event_id, .item_id, .event_type, .timestamp, .metadata]]]' profiles >got
	jq -sc 'group_by(.user_id)[] | sort_by(.timestamp) | [.[0].user_id, length, length,
		[.[-20:][] | [.event_id, .item_id, .event_type, .timestamp, .metadata]]]' "$EVENTS" >want
	diff want got
	# Entries of as many users, each of the last version asked about.
	recagent cache-get - <users >served
	[ "$(jq -r 'select(.source == "cache") | .user_id' served | sort | comm -3 - users | wc -l)" = 0 ]
	jq -sc 'map(select(.status == "stored")) | group_by(.user_id)[] | [.[0].user_id, (map(.version) | max)]' results |
		diff <(jq -c '[.user_id, .version]' profiles | grep -Ff <(jq -r 'select(.status == "stored") | "[\"\(.user_id)\","' results)) -
	# And all of it is committed.
	[ "$(recagent consume --group recs -e | grep -c event_id)" = 0 ]
}

@test "history holds each accepted event exactly once and in order, whatever window" {
	head -n 400 "$EVENTS" | shuf --random-source=<(yes) | recagent publish -q
	recagent consume --group recs -e | recagent prompt --history 0 --min-events 1 | recagent ack
	jq -sc 'group_by(.user_id)[] | sort_by(.timestamp) | [.[0].user_id, map(.event_id)]' <(head -n 400 "$EVENTS") >want
	# shellcheck disable=SC2046
	profiles $(jq -r '.[0]' want) | jq -c '[.user_id, [.history[].event_id]]' | diff want -
}

@test "invented films: recommendations follow what is watched, bought items do not come back" {
	awk -f "$EXAMPLES/make-events.awk" "$EXAMPLES/films.tsv" | recagent publish -q
	pipe
	for i in 1 2 3; do recagent publish -q --user newcomer --item thriller_00$i --type click --meta category=thriller; done
	recagent publish -q --user newcomer --item thriller_004 --type purchase --meta category=thriller
	pipe
	recagent cache-get newcomer >out
	holds '.source == "cache" and ([.recommendations[] | select(.category == "thriller")] | length) >= 3' out
	holds '[.recommendations[].item_id] | index("thriller_004") == null' out
}

@test "live: an answer within two seconds of the event, and a clean end by signal" {
	mkfifo p
	"$BIN" consume --group recs >p &
	source=$!
	PIDS=$source
	recagent prompt --min-events 1 <p | recagent invoke | recagent ack 2>ack.err &
	rest=$!
	for i in 1 2 3 4 5 6 7 8; do recagent publish -q --user other --item "i$i" --type click; done
	served() { recagent cache-get ann 2>/dev/null | grep -q '"source":"cache"'; }
	recagent publish -q --user ann --item i1 --type click
	t0=$(date +%s%N)
	wait_for 10 served
	ms=$((($(date +%s%N) - t0) / 1000000))
	echo "# $ms ms"
	[ $ms -lt 2000 ]
	kill -TERM $source
	wait $source
	wait $rest
	[ ! -s ack.err ]
	[ "$(recagent consume --group recs -e | grep -c event_id)" = 0 ]
}

@test "dead letters of the pipe, fed back, heal" {
	for i in 1 2 3; do echo "{\"user_id\":\"u\",\"event_id\":\"$i\",\"item_id\":\"i$i\",\"metadata\":{\"x\":\"\\u0000\"}}"; done | recagent publish -q
	{ recagent consume --group recs -e | recagent prompt --min-events 1 --dead-letter dead | recagent invoke | recagent ack; } 2>err
	[ "$(wc -l <dead)" = 3 ]
	[ "$(recagent consume --group recs -e | grep -c event_id)" = 0 ] # refused is dealt with
	jq -r .data dead | sed 's/\\u0000//; s/,"_source":.*/}/' | recagent publish -q
	pipe
	recagent profile get u | holds '.applied == 3'
}
