#!/usr/bin/env bats
# consume --commit auto: positions of lines that are in a file, and only of those.
load helper
bats_require_minimum_version 1.5.0

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}

setup() {
	setup_store
	recagent setup --group recs >/dev/null
}

teardown() {
	teardown_store
}

put() { # FROM TO
	seq "$1" "$2" | jq -c '{user_id: "u\(. % 50)", event_id: "e\(.)", item_id: "heat", event_type: "click"}' | recagent publish -q
}

auto() {
	recagent consume --group recs --commit auto "$@"
}

# No position is ahead of the file: the line of each checkpoint stands in it.
not_ahead() {
	recagent positions show --group recs 2>/dev/null >rows || [ $? = 11 ]
	for seq in $(jq -r '.checkpoint // empty | select(test("^[0-9]"))' rows); do
		grep -q "\"sequence_number\":\"$seq\"" "$1" || { echo "$seq is committed, and not in the file"; return 1; }
	done
}

@test "what is in the file is committed, once, and the leases are given up" {
	put 1 100
	auto -e >>out
	[ "$(grep -c event_id out)" = 100 ]
	[ "$(tail -n 1 out)" = "$(tail -n 1 out | grep '"mark":"end"')" ]
	auto -e --no-marks >>out
	[ "$(grep -c event_id out)" = 100 ]
	put 101 150
	auto -n 20 --no-marks >>out
	auto -e --no-marks >>out
	[ "$(jq -r 'select(.event_id).event_id' out | sort -u | wc -l)" = 150 ]
	[ "$(grep -c event_id out)" = 150 ]
	recagent positions show --group recs | holds '.lag_records == 0 and .owner == null'
}

@test "while it runs, positions follow within seconds; a signal ends it with all committed" {
	"$BIN" consume --group recs --commit auto >>out 3>&- &
	PIDS=$!
	put 1 50
	wait_for 10 eval 'recagent positions show --group recs | holds ".lag_records == 0" >/dev/null'
	not_ahead out
	put 51 60
	kill -TERM $PIDS
	wait $PIDS
	PIDS=
	recagent positions show --group recs >rows || [ $? = 11 ]
	holds '.owner == null' rows
	[ "$(jq -s 'map(.lag_records) | add' rows)" = $((60 - $(grep -c event_id out))) ]
}

@test "kill -9, again and again: no line is missing, and none that is not in the file was committed" {
	put 1 500
	(for i in $(seq 20); do put $((i * 100 + 401)) $((i * 100 + 500)); sleep 0.1; done) 3>&- &
	producer=$!
	PIDS=$producer
	for pause in 0.3 1.2 0.7 1.5 0.2 1.1; do
		"$BIN" consume --group recs --commit auto --failover 500ms >>out 3>&- &
		consumer=$!
		sleep $pause
		kill -9 $consumer
		wait $consumer || true
		not_ahead out
	done
	wait $producer
	PIDS=
	auto -e >>out
	[ "$(jq -r 'select(.event_id).event_id' out | sort -u | wc -l)" = 2500 ]
	not_ahead out
}

@test "a file that can't grow: nothing behind its end is committed, and the next run ends the torn line" {
	put 1 2000
	status=0
	(ulimit -f 100; auto -e >>out 2>err) || status=$?
	[ $status = 3 ]
	[ "$(tail -c 1 out | od -An -c | xargs)" != '\n' ]
	not_ahead out
	auto -e >>out
	grep -v '^{.*}$' out >torn
	[ "$(wc -l <torn)" = 1 ]
	[ "$(grep '^{.*}$' out | jq -r 'select(.event_id).event_id' | sort -u | wc -l)" = 2000 ]
	# A file that is whole gets no empty line.
	auto -e >>out
	no grep -qx '' out
}

@test "only a group, only a file" {
	run -2 bash -c "'$BIN' consume --group recs --commit auto | cat; exit \${PIPESTATUS[0]}"
	[[ "$output" == *"standard output must be a file"* ]]
	run -2 bash -c "'$BIN' consume --group recs --commit auto >/dev/null"
	run -2 bash -c "'$BIN' consume --commit auto >>out"
	run -2 bash -c "'$BIN' consume --group recs --no-marks >>out"
	recagent positions show --group recs | holds '.state == "new"'
}
