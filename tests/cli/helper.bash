# helper.bash - what the command tests share: a store of their own, the binary as `recagent`, bounded waiting.
# shellcheck shell=bash
setup_store() {
	T=$(mktemp -d "${BATS_TMPDIR:-/tmp}/recagent.XXXXXX")
	export RECAGENT_LOCAL=$T/store
	cd "$T" || return 1
}

teardown_store() {
	# What a test left running has its pid in $PIDS.
	for p in ${PIDS:-}; do kill -9 "$p" 2>/dev/null || true; done
	cd / && rm -rf "$T"
}

recagent() {
	"${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" "$@"
}

# wait_for SECONDS COMMAND... - until it succeeds.
wait_for() {
	local until=$(($(date +%s%N) / 1000000 + $1 * 1000))
	shift
	until "$@"; do
		[ $(($(date +%s%N) / 1000000)) -lt $until ] || return 1
		sleep 0.02
	done
}

gone() { # PID
	! kill -0 "$1" 2>/dev/null
}

# ended SECONDS PID - a child's status, once it has ended; one that has not by then fails the test and says where it stands.
ended() {
	wait_for "$1" gone "$2" || {
		echo "still running after $1 s: $(ps -o pid=,stat=,wchan=,args= -p "$2")" >&2
		return 124
	}
	wait "$2"
}

stands_still() { # PID: all of its threads do
	! cat "/proc/$1"/task/*/status | grep '^State:' | grep -qv '[[:space:]]T'
}

# freeze PID - stops it, but not in the midst of a transaction: that would keep the embedded store from all others.
freeze() {
	while :; do
		kill -STOP "$1"
		wait_for 10 stands_still "$1"
		awk -v p="$1" '$4 == "WRITE" && $5 == p { held = 1 } END { exit held }' /proc/locks && return 0
		kill -CONT "$1"
		sleep 0.02
	done
}

# limit_memory KIB - of this shell's commands; sanitizers need room of their own.
limit_memory() {
	[ -n "${SANITIZER:-}" ] || ulimit -v "$1"
}

# A bare chroot has no pseudo-terminals; CI has, and skips nothing.
need_pty() {
	script -qec true /dev/null >/dev/null 2>&1 </dev/null || [ -n "${CI:-}" ] || skip "no pseudo-terminal here"
}

# holds FILTER [FILE...] - of every JSON value of the input, of which there must be one (jq -e is content with none).
holds() {
	local filter=$1
	shift
	jq -es "length > 0 and all(.[]; $filter)" "$@"
}

# no COMMAND... - it fails. (A line that begins with "!" never fails a test, whatever its command does.)
no() {
	! "$@"
}
