#!/usr/bin/env bats
# Every order in which the stages of a pipe can end or be killed. `tests/tools/shutdown.py --table PART` shows what came of each.
load helper

orders() {
	run env RECAGENT="$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")" \
		python3 "$BATS_TEST_DIRNAME/../tools/shutdown.py" "$@"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "each stage, by each signal, idle, busy, its reader or its writer stopped: all end in time, nothing is lost" {
	orders stages
}

@test "a signal to all at once, once and twice, also with a stage that does not move" {
	orders group
}

@test "foreign filters between the stages: a dead stage is noticed on a silent stream" {
	orders foreign
}

@test "consume | publish, with and without a group" {
	orders publish
}
