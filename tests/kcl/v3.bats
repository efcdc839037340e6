# v3.bats - KCL 3.x and recagent on one table. fleet.py says what is checked.

fleet() {
	"$BATS_TEST_DIRNAME/../aws/.venv/bin/python" "$BATS_TEST_DIRNAME/fleet.py" "$@" --kcl 3
}

@test "KCL 3.x and recagent go on from each other's table: each record once" {
	fleet handover --seed 1
}

@test "KCL 3.x and recagent in one fleet that comes and goes, through splits and merges: nothing is skipped" {
	fleet mixed --seed 1
}
