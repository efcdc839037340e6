#!/usr/bin/env bats
# --progress: counts on a terminal while a command runs, and nothing anywhere else.
bats_require_minimum_version 1.5.0
load helper

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}

setup() {
	setup_store
	recagent setup >/dev/null
}

teardown() {
	teardown_store
}

@test "on a terminal a few lines show at once, and the balance stays" {
	need_pty
	cat >slow <<-E
		#!/bin/sh
		(echo '{"user_id":"u","item_id":"i","event_type":"click"}'; sleep 1) | "$BIN" publish --progress >receipts
	E
	chmod +x slow
	script -qec ./slow /dev/null >screen </dev/null
	grep -q $'\r1 in, 1 out, 0 refused, 0 failed\033\[K' screen
	tail -n 1 screen | grep -q 'recagent publish: 1 in = 1 out + 0 refused + 0 failed (0 marks)'
}

@test "off a terminal it says nothing" {
	echo '{"user_id":"u","item_id":"i","event_type":"click"}' >in
	recagent publish --progress <in >receipts 2>err
	[ ! -s err ]
}
