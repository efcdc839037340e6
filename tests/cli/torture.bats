# torture.bats - a sample of `make torture`: a few calls of each kind in each command fail, once (SOME=, SEED=).
@test "a call that fails once: no crash, hang, lie or damaged store, and the next run goes on" {
	[ "${SANITIZER:-}" != address ] || export LEAKS=1
	"$BATS_TEST_DIRNAME/../torture/torture.py" --some "${SOME:-3}" --jobs 1 ${SEED:+--seed "$SEED"} >&2
}
