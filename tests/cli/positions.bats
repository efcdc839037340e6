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
	PIDS="$consumer $!"
	put 10
	wait_for 10 eval 'show >out 2>/dev/null && [ "$(jq -s "map(.lag_records) | add" out)" = 0 ]'
	holds '.state == "reading" and (.owner | contains(":'$consumer':"))' out
	[ "$(jq -s '[.[].stuck | select(.)] | length' out)" = 0 ]
	kill -STOP $consumer
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
