#!/usr/bin/env bats
# Some rounds of `make chaos`, each time with another seed: on the embedded store, and on servers behind fault proxies. A failure
# prints its seed and how to repeat it.

chaos() {
	PYTHONDONTWRITEBYTECODE=1 run env RECAGENT="$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")" \
		python3 "$BATS_TEST_DIRNAME/chaos.py" ${SEED:+--seed "$SEED"} ${N:+--rounds "$N"} "$@"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "the embedded store under kills, stops and resharding: nothing lost, applied once, in order, answered" {
	chaos --form local --seconds 20
}

@test "streams and tables behind fault proxies, too" {
	chaos --form servers --seconds 25
}
