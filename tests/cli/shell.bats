#!/usr/bin/env bats
# shell.bats - at home in a shell: names, help, messages, balances, descriptors. (Option tables: options.bats.)
load helper
bats_require_minimum_version 1.5.0

setup() {
	setup_store
	BIN=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")
}
teardown() { teardown_store; }

@test "help: on standard output, status 0, however it is asked for" {
	for args in --help -h help "help publish" "publish --help" "publish -h" "-h publish" "publish --quiet --help extra"; do
		# shellcheck disable=SC2086
		recagent $args >out 2>err
		[ -s out ]
		[ ! -s err ]
	done
	status=0
	recagent --help >/dev/full 2>err || status=$?
	[ $status = 3 ]
}

@test "version" {
	recagent version | grep -Ex 'recagent [0-9]+\.[0-9]+\.[0-9]+'
	[ "$(recagent --version)" = "$(recagent version)" ]
	[ "$(recagent -V)" = "$(recagent version)" ]
}

@test "what it does not know: one message, status 2, nothing on standard output" {
	for args in "" nosuch "help nosuch" "publish --nosuch" "publish -Z" "publish --linger" "publish --linger x" "publish --order x" \
		"publish --lanes 0" "publish --lanes 65" "publish --batch-records 501" "publish --batch-bytes 11m" "invoke --ttl 0" "--nosuch"; do
		status=0
		# shellcheck disable=SC2086
		"$BIN" $args >out 2>err </dev/null || status=$?
		if [ $status != 2 ] || [ -s out ] || [ "$(wc -l <err)" != 1 ] || ! grep -q '^recagent' err; then
			echo "recagent $args: $status: $(cat err)"
			return 1
		fi
	done
	recagent publish --nosuch 2>&1 | grep -F -e '--nosuch' | grep -q 'see --help'
	recagent nosuch 2>&1 | grep -F 'see recagent help'
}

@test "links choose the command" {
	recagent setup >/dev/null
	for c in publish cache-get; do
		ln -s "$BIN" "recagent-$c"
		ln -s "$BIN" "$c"
	done
	echo '{"user_id":"a"}' | ./recagent-publish | holds .sequence_number
	echo '{"user_id":"a"}' | PATH=.:$PATH publish | holds .sequence_number
	./cache-get a 2>err | holds .source
	grep -q '^recagent cache-get: ' err
	ln -s "$BIN" other-name
	./other-name publish --help | grep -q '^usage: recagent publish'
}

@test "-v closes with one balance line, --ledger writes it as JSON, appending" {
	recagent setup >/dev/null
	{ echo '{"user_id":"a","item_id":"x"}'; echo nope; echo '{"_source":{"mark":"done"}}'; } >in
	for c in publish prompt; do
		recagent $c -v --ledger ledger <in >/dev/null 2>err || [ $? = 1 ]
		grep -Fx "recagent $c: 2 in = 1 out + 1 refused + 0 failed (1 marks)" err
	done
	recagent consume -v -e --ledger ledger >/dev/null 2>err
	grep -Fx 'recagent consume: 1 in = 1 out + 0 refused + 0 failed (1 marks)' err
	jq -c '[.command, .in, .out, .refused, .failed, .marks, .balances, .exit_status]' ledger | diff - <(
		printf '%s\n' '["publish",2,1,1,0,1,true,1]' '["prompt",2,1,1,0,1,true,1]' '["consume",1,1,0,0,1,true,0]')
	[ "$(stat -c %a ledger)" = 600 ]
	run -3 recagent publish -q --ledger /dev/full <<<'{"user_id":"a"}'
	run -2 recagent publish -q --ledger "" <<<'{"user_id":"a"}' || run -3 recagent publish -q --ledger "" <<<'{"user_id":"a"}'
	recagent publish -q <<<'{"user_id":"a"}' 2>err
	[ ! -s err ]
}

@test "closed descriptors: noticed where needed, never mistaken for others" {
	recagent setup >/dev/null
	echo '{"user_id":"a","item_id":"i","prompt":"p"}' >in
	for c in publish prompt invoke ack; do
		status=0
		"$BIN" $c <&- >out 2>err || status=$?
		[ $status = 3 ]
		status=0
		"$BIN" $c <in >out 2>&- || status=$?
		[ $status = 0 ]
	done
	for c in publish prompt invoke "consume -e" "cache-get a" "profile get a" help; do
		status=0
		# shellcheck disable=SC2086
		"$BIN" $c <in >&- 2>err || status=$?
		[ $status = 3 ]
	done
	status=0
	"$BIN" publish <&- >&- 2>&- || status=$?
	[ $status = 3 ]
	# The store is whole.
	recagent consume -e --no-marks | jq -es 'length >= 1'
}

@test "no HOME, no PATH, no terminal, another directory that is gone" {
	recagent setup >/dev/null
	mkdir gone
	cd gone
	rmdir ../gone
	echo '{"user_id":"a"}' | env -i "$BIN" publish --local "$RECAGENT_LOCAL" | holds .sequence_number
	cd "$T"
	setsid "$BIN" consume -e --no-marks </dev/null | holds '.user_id == "a"'
}

@test "nothing is coloured or paged, on a terminal either" {
	need_pty
	recagent setup >/dev/null
	script -qec "echo '{\"user_id\":\"a\"}' | $BIN publish; $BIN help; $BIN cache-get a; $BIN nosuch" seen >/dev/null </dev/null || true
	no grep -q "$(printf '\033')" seen
}

@test "a store of a newer version, a folder that is no store" {
	mkdir strange
	echo hello >strange/file
	run -4 recagent publish --local strange <<<'{"user_id":"a"}'
	[[ "$output" == *"recagent setup"* ]]
	[ "$(ls strange)" = file ]
}
