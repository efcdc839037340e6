# sigv4.bats - our signer beside botocore's, on random requests, in header and query form.
load helper

setup() {
	setup_aws
}

teardown() {
	teardown_aws
}

@test "2,000 random requests: the same signatures as botocore" {
	cd "$BATS_TEST_DIRNAME/../.."
	SIGV4_SIGN=${BUILD:-build}/tools/sigv4_sign python tests/aws/sigv4_botocore.py 2000 >"$T/out" || { tail -20 "$T/out"; return 1; }
	! grep -q '^not ok' "$T/out" || return 1
	grep -q '^ok' "$T/out"
}
