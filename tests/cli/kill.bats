#!/usr/bin/env bats
# What is left when stages of a pipe are killed, stopped, or signalled all at once. SEED=S repeats a run of the first test,
# N=ROUNDS makes it longer.
load helper

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}
EXAMPLES=$BATS_TEST_DIRNAME/../../examples

setup() {
	setup_store
}

teardown() {
	teardown_store
}

put_lines() {
	recagent setup --group recs >/dev/null
	seq "$1" | awk '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"item_id\":\"i%d\",\"event_type\":\"click\"}\n", $1 % 3, $1, $1 }' |
		recagent publish -q >/dev/null
}

# The rest of the group's events, once through the whole pipe.
rest() {
	recagent consume -e --group recs --failover 200ms | tee all | recagent prompt --min-events 1 | recagent invoke | recagent ack
	grep -c event_id all || true
}

history_ids() {
	for u in u0 u1 u2; do recagent profile get "$u"; done | jq -r '.history[].event_id' | sort
}

@test "stages killed at random: nothing lost, each event applied once, in order" {
	local length=(--seconds 12)
	[ -z "${N:-}" ] || length=(--rounds "$N")
	run env RECAGENT="$(realpath "$BIN")" python3 "$BATS_TEST_DIRNAME/../tools/kill.py" ${SEED:+--seed "$SEED"} "${length[@]}"
	echo "$output"
	[ "$status" -eq 0 ]
}

# cut LINES: all but the last ten bytes of the fifth line, as a stage leaves it that is killed while it writes.
cut_fifth() {
	head -n 5 "$1" | head -c -11
}

@test "a line cut by a kill is refused, and its event comes again: before prompt" {
	put_lines 12
	recagent consume -e --group recs --grace 0 >lines
	cut_fifth lines >cut
	run recagent prompt --min-events 1 <cut
	[ "$status" -eq 1 ]
	[ "$(grep -c '"prompt":' <<<"$output")" -eq 4 ]
	! grep -q '"mark"' <<<"$output" || return 1
	recagent prompt --min-events 1 <cut 2>/dev/null | recagent invoke | recagent ack 2>/dev/null || true
	[ "$(rest)" -eq 8 ]
	[ "$(history_ids)" = "$(seq 12 | sed 's/^/e/' | sort)" ]
}

@test "a line cut by a kill is refused, and its event comes again: before invoke and ack" {
	put_lines 12
	recagent consume -e --group recs --grace 0 | recagent prompt --min-events 1 >prompts
	cut_fifth prompts >cut
	run recagent invoke <cut
	[ "$status" -eq 1 ]
	[ "$(grep -c _source <<<"$output")" -eq 4 ] # the fifth result has no position
	recagent invoke <prompts >results
	cut_fifth results >cut
	run recagent ack <cut
	[ "$status" -eq 9 ]
	[ "$(rest)" -eq 8 ]
	[ "$(history_ids)" = "$(seq 12 | sed 's/^/e/' | sort)" ]
}

@test "killed between the profile's write and the prompt line: the event is answered all the same" {
	put_lines 12
	recagent consume -e --group recs --grace 0 | recagent prompt --min-events 1 >/dev/null
	[ "$(recagent consume -e --group recs --failover 200ms --grace 0 | recagent prompt --min-events 1 | grep -c '"prompt":')" -eq 12 ]
	[ "$(history_ids | wc -l)" -eq 12 ]
}

@test "SIGTERM to the whole process group of pipeline.sh, twice at once: it drains, commits, and ends with 0" {
	put_lines 400
	for _ in 1 2 3; do
		RECAGENT=$BIN TMPDIR=$T setsid "$EXAMPLES/pipeline.sh" 2>err 3>&- &
		local pid=$! status=0
		PIDS=$pid
		wait_for 10 pgrep -s "$pid" -f 'ack' >/dev/null
		sleep 0.3
		kill -TERM -- "-$pid"
		kill -TERM -- "-$pid"
		wait "$pid" || status=$?
		echo "status $status"
		cat err
		[ "$status" -eq 0 ]
		! grep -q 'without the mark' err || return 1
	done
	[ "$(rest)" -eq 0 ]
}

@test "pipeline.sh ends, whenever in its start the signal comes" {
	recagent setup --group recs >/dev/null
	for ms in 005 010 015 020 025 030 035 040 050 060 070 080 100 120; do
		RECAGENT=$BIN TMPDIR=$T setsid "$EXAMPLES/pipeline.sh" 2>err 3>&- &
		PIDS=$!
		sleep "0.$ms"
		kill -TERM "$PIDS"
		wait_for 10 eval "! kill -0 $PIDS 2>/dev/null" || {
			echo "still there after a signal at $ms ms"
			pkill -9 -s "$PIDS"
			return 1
		}
	done
}

@test "a clock that was set back: what is put meanwhile is there for -e, for a group and for the pipe" {
	recagent setup --group recs >/dev/null
	RECAGENT_CLOCK_OFFSET=3600 recagent publish --user u0 --item i1 --event-id e1 >/dev/null
	recagent publish --user u0 --item i2 --event-id e2 >/dev/null
	[ "$(recagent consume -e | grep -c event_id)" -eq 2 ]
	[ "$(rest)" -eq 2 ]
	recagent publish --user u0 --item i3 --event-id e3 >/dev/null
	[ "$(rest)" -eq 1 ]
	[ "$(recagent profile get u0 | jq -c '[.history[].event_id]')" = '["e2","e3","e1"]' ] # by event time
}
