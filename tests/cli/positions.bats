#!/usr/bin/env bats
# positions on the embedded store: where a group stands, moved, compared; statuses for monitors.
load helper
bats_require_minimum_version 1.5.0

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}

setup() {
	setup_store
	recagent setup --shards 2 --group recs >/dev/null
	export RECAGENT_STREAM=user-interactions
}

teardown() {
	teardown_store
}

# put N [ITEM]: events of many users
put() {
	seq "$1" | jq -c --arg item "${2:-heat}" '{user_id: "u\(.)", item_id: $item, event_type: "click"}' | recagent publish -q
}

pass() { # consume and commit what there is
	recagent consume --group "${1:-recs}" -e | recagent ack
}

show() {
	recagent positions show --group recs "$@"
}

# What shard 0 has of a member.
of0() {
	jq -r "select(.shard_id == \"shardId-000000000000\").$1" "${2:-out}"
}

@test "show: new, behind, at the tip, in numbers that are exact" {
	show >out
	[ "$(wc -l <out)" = 2 ]
	holds '.state == "new" and .lag_records == 0 and .lag_ms == 0 and .owner == null and .checkpoint == null' out
	put 20
	run -11 show
	show 2>err >out || [ $? = 11 ]
	[ "$(jq -s 'map(.lag_records) | add' out)" = 20 ]
	[ "$(grep -c 'stuck .* behind: nobody owns it' err)" = 2 ]
	pass
	put 7
	show >out 2>err || [ $? = 11 ]
	[ "$(jq -s 'map(.lag_records) | add' out)" = 7 ]
	holds '.state == "unowned" and .renewed != null and .checkpointed != null and (.lag_ms > 0) == (.lag_records > 0)' out
	holds 'if .lag_records == 0 then .tip == .checkpoint else .tip > .checkpoint end' out
	pass
	show >out 2>err
	[ ! -s err ]
	holds '.lag_records == 0 and .lag_ms == 0 and .stuck == null' out
}

@test "show: a worker at work, and one that was killed" {
	mkfifo pipe
	"$BIN" consume --group recs >pipe 3>&- &
	consumer=$!
	"$BIN" ack <pipe 3>&- &
	PIDS="$! $consumer" # in this order, or the end of its input makes ack give up the leases
	put 10
	wait_for 10 eval 'show >out 2>/dev/null && [ "$(jq -s "map(.lag_records) | add" out)" = 0 ]'
	holds '.state == "reading" and (.owner | contains(":'$consumer':"))' out
	[ "$(jq -s '[.[].stuck | select(.)] | length' out)" = 0 ]
	freeze $consumer
	put 10
	run -0 show
	kill -9 $PIDS
	wait $PIDS || true
	show >out 2>err || [ $? = 11 ]
	holds '.state == "expired" and .stuck == (if .lag_ms > 0 then "its owner renews no more" else null end)' out
}

@test "show: an owner on another machine is expired by time, one of another program only by watching" {
	put 10
	pass
	put 10
	for who in far:1:aaaaaaaa-1-2:bbbbbbbb kcl-worker-7; do
		sqlite3 "$RECAGENT_LOCAL/recagent.db" "UPDATE item SET item = json_set(item, '\$.leaseOwner', json('{\"S\":\"$who\"}'))
			WHERE tbl = (SELECT id FROM tbl WHERE name = 'recs')"
		show >out 2>err
		holds '.state == "reading"' out
		status=0
		show --failover 300ms --wait 400ms >out 2>err || status=$?
		[ $status = 11 ]
		holds '.state == "expired"' out
	done
	show >out
	holds '.renewed == null and .checkpointed == null' out
	# 11 goes before 10, which comes of lag alone.
	run -10 show --max-lag 3
	run -10 show --max-lag 1ms
	run -0 show --max-lag 1h
	run -0 show --max-lag 10
	run -11 show --max-lag 3 --failover 300ms --wait 400ms
}

@test "show: children wait for their parents, expired rows and other entities do not confuse" {
	put 10
	pass
	put 10
	recagent setup --reshard 4 >/dev/null
	put 10
	show >out 2>err || [ $? = 11 ]
	[ "$(jq -r .state out | sort | uniq -c | tr -s ' ' | xargs)" = "2 unowned $(($(wc -l <out) - 2)) waiting" ]
	grep -q 'stuck .* it waits for shardId-00000000000[01], which nobody reads' err
	holds 'if .state == "waiting" then (.parents | length) > 0 else .parents == [] end' out
	[ "$(jq -s 'map(.lag_records) | add' out)" = 20 ]
	pass
	show >out
	[ "$(jq -r .state out | sort -u | xargs)" = "ended unowned" ]
	[ "$(of0 checkpoint)" = SHARD_END ]
	sqlite3 "$RECAGENT_LOCAL/recagent.db" "INSERT INTO item(tbl, key, item) SELECT id, 'Leader', '{\"leaseKey\":{\"S\":\"Leader\"},\"entityType\":{\"S\":\"LEADER\"}}'
		FROM tbl WHERE name = 'recs'"
	show | diff <(jq -S 'del(.renewed)' out) <(jq -S 'del(.renewed)')
}

@test "show: an aggregate that is dealt with in part is not the tip" {
	recagent setup --stream one --shards 1 --group few >/dev/null
	seq 20 | jq -c '{user_id: "u\(.)"}' | recagent publish -q --aggregate one
	recagent positions show --group few one >out 2>/dev/null || [ $? = 11 ]
	n=$(jq .lag_records out)
	recagent consume --group few -n 1 one | recagent ack
	recagent positions show --group few one >out 2>/dev/null || [ $? = 11 ]
	holds ".subsequence == 0 and .lag_records == $n" out
	recagent consume --group few -n 18 one | recagent ack
	recagent positions show --group few one >out 2>/dev/null || [ $? = 11 ]
	holds '.subsequence > 0 and .checkpoint == .tip and .lag_records == 1 and .lag_ms > 0 and .stuck != null' out
	recagent consume --group few -e one | recagent ack
	recagent positions show --group few one | holds '.lag_records == 0 and .lag_ms == 0'
}

@test "show: a table for people, in which no hostile name reaches the terminal" {
	put 3
	pass
	sqlite3 "$RECAGENT_LOCAL/recagent.db" "UPDATE item SET item = json_set(item, '\$.leaseOwner', json('{\"S\":\"\\u001b]0;x\\u0007\\u009bé\"}'))
		WHERE tbl = (SELECT id FROM tbl WHERE name = 'recs')"
	show --format table >out
	head -n 1 out | grep -Eq '^SHARD  *STATE  *OWNER  *CHECKPOINT  *BEHIND  *LAG  *RENEWED$'
	[ "$(wc -l <out)" = 3 ]
	LC_ALL=C no grep -q $'[\x01-\x09\x0b-\x1f\x7f\x9b]' out
	grep -q '?\]0;x?' out
	show >out
	LC_ALL=C no grep -q $'[\x01-\x09\x0b-\x1f\x7f\x9b]' out
	holds '.owner == "\u001b]0;x\u0007\u009bé"' out
	if need_pty; then
		script -qec "$BIN positions show --group recs" /dev/null </dev/null | tr -d '\r' >tty
		grep -q '^SHARD ' tty
		grep -q '2 shards, 2 reading; not behind' tty
	fi
}

@test "show: places and uses that are wrong" {
	run -2 recagent positions
	run -2 recagent positions look --group recs
	run -2 recagent positions show
	run -2 recagent positions show --group recs one two
	run -2 recagent positions show --group recs --max-lag much
	run -4 recagent positions show --group others
	[[ "$output" == *"make it with: recagent setup --group others"* ]]
	run -4 recagent positions show --group recs nowhere
	put 3
	pass
	recagent setup --stream second >/dev/null
	run -2 recagent positions show --group recs second
	[[ "$output" == *"group recs belongs to"* ]]
	run -3 bash -c "'$BIN' positions show --group recs >/dev/full"
}

ids() { # how often each event came
	jq -r 'select(.event_id) | .event_id' "$@" | sort | uniq -c | awk '{ print $1 }' | sort | uniq -c | xargs
}

@test "reset: to the horizon everything is read again, parents before their children" {
	put 10
	pass
	recagent setup --reshard 4 >/dev/null
	put 10
	pass
	recagent setup --reshard 1 >/dev/null
	put 10
	recagent consume --group recs -e | recagent ack --tee >first
	run -0 recagent positions reset --group recs --to trim-horizon --dry-run
	show >before
	holds '.lag_records == 0' before
	recagent positions reset --group recs --to trim-horizon >moves
	holds '.moved == true and .owner == null' moves
	[ "$(jq -r .to moves | sort | uniq -c | xargs)" = "2 TRIM_HORIZON $(($(wc -l <before) - 2)) null" ]
	recagent consume --group recs -e | recagent ack --tee >again
	[ "$(ids again)" = "30 1" ]
	# The last shard, from which all others descend, begins when all of those have ended.
	jq -r '._source | select(.shard_id) | .shard_id + " " + (.mark // "line")' again | awk -v all="$(wc -l <before)" '
		$2 == "shard-end" { ended++ } $2 == "line" { last = $1 > last ? $1 : last; at[$1] = at[$1] ? at[$1] : ended + 1 }
		END { exit at[last] != all }'
	show >after
	diff <(jq -r '.shard_id + .state' before) <(jq -r '.shard_id + .state' after)
}

@test "reset: to the tip nothing of before comes, and what comes after the reset is not missed" {
	put 10 old
	recagent positions reset --group recs --to latest >/dev/null
	put 5 new
	sleep 0.1
	recagent consume --group recs -e --since trim-horizon | recagent ack --tee >out
	[ "$(jq -r 'select(.item_id).item_id' out | sort | uniq -c | xargs)" = "5 new" ]
	show | holds '.lag_records == 0'
}

@test "reset: to a time" {
	put 10 old
	pass
	sleep 0.3
	put 5 new
	pass
	at=$(recagent consume -e | jq -rs '[.[] | select(.item_id == "new")._source.arrival] | min')
	recagent positions reset --group recs --to "$at" >moves
	holds '.to == "AT_TIMESTAMP" and .to_since[:23] == "'"${at:0:23}"'" and .from != null' moves
	recagent consume --group recs -e | recagent ack --tee >out
	[ "$(jq -r 'select(.item_id).item_id' out | sort | uniq -c | xargs)" = "5 new" ]
	recagent positions reset --group recs --to 1h >/dev/null
	recagent consume --group recs -e | recagent ack --tee >out
	[ "$(ids out)" = "15 1" ]
}

@test "set: back to a line, which is the last one dealt with; forward; to the end" {
	put 40
	recagent consume --group recs -e | recagent ack --tee >first
	seq=$(jq -rs '[.[] | select(.item_id)._source | select(.shard_id == "shardId-000000000000")][2].sequence_number' first)
	n=$(jq -rs '[.[] | select(.item_id)._source | select(.shard_id == "shardId-000000000000")] | length' first)
	recagent positions set --group recs --shard 0 --to "$seq" >move
	holds ".shard_id == \"shardId-000000000000\" and .to == \"$seq\" and .from > .to and .moved" move
	recagent consume --group recs -e | recagent ack --tee >again
	[ "$(ids again)" = "$((n - 3)) 1" ]
	recagent positions set --group recs --shard shardId-000000000000 --to trim-horizon --format table >move
	grep -q '^SHARD  *FROM  *TO  *TAKEN FROM$' move
	recagent positions set --group recs --shard 0 --to latest >/dev/null
	recagent consume --group recs -e >again
	[ "$(ids again)" = "" ]
	run -2 recagent positions set --group recs --shard 0 --to end
	recagent setup --reshard 4 >/dev/null
	put 10
	recagent positions set --group recs --shard 0 --to end >move
	recagent positions set --group recs --shard 1 --to end >move
	recagent consume --group recs -e >again
	[ "$(ids again)" = "10 1" ]
}

@test "set and reset: a worker at work is left alone, unless forced: then it loses its shards" {
	mkfifo pipe pipe2
	put 20
	"$BIN" consume --group recs >pipe 3>&- &
	consumer=$!
	tee copy <pipe >pipe2 3>&- &
	tee=$!
	"$BIN" ack <pipe2 2>ack.err 3>&- &
	ack=$!
	PIDS="$ack $consumer $tee"
	wait_for 10 eval 'show 2>/dev/null >out && [ "$(jq -s "map(.lag_records) | add" out)" = 0 ]'
	for t in "reset --to trim-horizon" "set --shard 0 --to trim-horizon"; do
		# The words are to be split.
		# shellcheck disable=SC2086
		run -7 recagent positions $t --group recs
		[[ "$output" == *"which renews: stop it first, or use --force"* || "$output" == *"stop them first, or use --force"* ]]
	done
	recagent positions reset --to trim-horizon --group recs --dry-run >out 2>err
	grep -q 'held by' err
	show | holds '.state == "reading" and .lag_records == 0'
	freeze $consumer
	recagent positions reset --to trim-horizon --group recs --force >moves
	holds '.owner | contains(":'$consumer':")' moves
	show >out 2>/dev/null || [ $? = 11 ]
	holds '.state == "unowned" and .checkpoint == "TRIM_HORIZON"' out
	kill -9 $consumer
	wait $ack || true
	# It has committed nothing behind our back.
	show >out 2>/dev/null || [ $? = 11 ]
	holds '.checkpoint == "TRIM_HORIZON"' out
	recagent consume --group recs -e | recagent ack --tee >again
	[ "$(ids again)" = "20 1" ]
}

@test "set and reset: what is wrong is refused and changes nothing" {
	put 10
	run -2 recagent positions set --group recs --shard 0 --to trim-horizon
	[[ "$output" == *"has not begun: reset it first"* ]]
	pass
	show >before
	run -2 recagent positions set --group recs --to trim-horizon
	run -2 recagent positions set --group recs --shard 0
	run -2 recagent positions reset --group recs
	run -2 recagent positions reset --group recs --shard 0 --to latest
	run -2 recagent positions reset --group recs --to 1000000000000000005
	run -2 recagent positions reset --group recs --to end
	run -2 recagent positions set --group recs --shard 7 --to latest
	run -2 recagent positions set --group recs --shard 0 --to 7
	run -2 recagent positions set --group recs --shard 0 --to 1999999999999999999
	[[ "$output" == *"is not of this store"* ]]
	run -2 recagent positions set --group recs --shard 0 --to someday
	run -2 recagent positions reset --group recs --to 2999-01-01T00:00:00Z
	[[ $output == *"yet to come"* ]]
	run -2 recagent positions show --group recs --force
	run -2 recagent positions show --group recs --with other
	run -4 recagent positions reset --group others --to latest
	recagent positions set --group recs --shard 0 --to trim-horizon --dry-run | holds '.moved == false'
	show | diff <(jq 'del(.renewed)' before) <(jq 'del(.renewed)')
}

@test "diff: with another group, with what show wrote before, in numbers" {
	recagent setup --group others >/dev/null
	put 10
	recagent positions diff --group recs --with others >out
	holds '.ahead == "same" and .records == 0' out
	pass
	pass others
	recagent positions diff --group recs --with others >out
	holds '.ahead == "same"' out
	show >before
	put 9
	pass
	status=0
	recagent positions diff --group recs --with others >out || status=$?
	[ $status = 1 ]
	[ "$(jq -s 'map(.records) | add' out)" = 9 ]
	holds 'if .records > 0 then .ahead == "group" and .ms > 0 else .ahead == "same" end' out
	recagent positions diff --group others --with recs >out || true
	holds 'if .records > 0 then .ahead == "with" else .ahead == "same" end' out
	recagent positions diff --group recs --with - <before >out || true
	[ "$(jq -s 'map(.records) | add' out)" = 9 ]
	recagent positions reset --group others --to latest >/dev/null
	recagent positions diff --group recs --with others >out || true
	holds '.ahead == "same" or .ahead == "with" or .records == 0' out
	recagent positions diff --group recs --with ./before --format table >out || true
	head -n 1 out | grep -q '^SHARD  *POSITION  *WITH  *AHEAD  *RECORDS  *TIME$'
	echo '{"shard_id":"x","checkpoint":"soon"}' >bad
	run -2 recagent positions diff --group recs --with ./bad
	: >bad
	run -2 recagent positions diff --group recs --with ./bad
	run -2 recagent positions diff --group recs --with ./missing
	run -4 recagent positions diff --group recs --with missing
	run -2 recagent positions diff --group recs
}
