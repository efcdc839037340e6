#!/usr/bin/env bash
# pipeline.sh - the whole system in one pipe, kept running: events in, fresh recommendations in the cache.
#
#   examples/pipeline.sh [--once] [AGENT]
#
# A first SIGTERM or SIGINT goes to the source only; what is in the pipe is finished and committed, then all end. A stage that
# dies ends the others through the pipe; then everything starts again, from the last committed position. The settings come from
# the environment: RECAGENT_STREAM, PROFILES_TABLE, REC_CACHE_TABLE, BEDROCK_AGENT_ID, BEDROCK_AGENT_ALIAS, RECAGENT_LOCAL, AWS_*;
# GROUP (recs), JOBS (64), CONSUME_OPTS, PROMPT_OPTS, INVOKE_OPTS, ACK_OPTS. With --once it stops at the tip of the stream.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 3
RECAGENT=${RECAGENT:-$(command -v recagent || echo "$PWD/${BUILD:-build}/recagent")}
GROUP=${GROUP:-recs}
once=
case ${1:-} in
--once)
	once=--end
	shift
	;;
-*)
	echo "pipeline.sh: unknown option $1; usage: pipeline.sh [--once] [AGENT]" >&2
	exit 2
	;;
esac

stopping=
source_pid=
forward() {
	stopping=yes
	[ -z "$source_pid" ] || kill -TERM "$source_pid" 2>/dev/null
}
trap forward TERM INT HUP

# Wait for a process through interruptions by the traps above.
await() {
	local status
	while :; do
		wait "$1"
		status=$?
		kill -0 "$1" 2>/dev/null || return $status
	done
}

# The options are words to be split: --since latest --poll 1s.
# shellcheck disable=SC2086
run_once() {
	local fifo status
	fifo=$(mktemp -u "${TMPDIR:-/tmp}/recagent-pipe.XXXXXX")
	mkfifo -m 600 "$fifo" || return 3
	"$RECAGENT" consume --group "$GROUP" $once ${CONSUME_OPTS:-} >"$fifo" &
	source_pid=$!
	"$RECAGENT" prompt ${PROMPT_OPTS:-} <"$fifo" |
		"$RECAGENT" invoke -j "${JOBS:-64}" ${INVOKE_OPTS:-} "$@" |
		"$RECAGENT" ack ${ACK_OPTS:-} &
	local rest=$!
	await "$rest"
	status=$?
	rm -f "$fifo"
	# The end of the pipe is gone: the source would notice at its next look only. One that was asked already is about to end; a
	# second signal would cut it short.
	[ -n "$stopping" ] || kill -TERM "$source_pid" 2>/dev/null
	await "$source_pid" || status=$(($? > status ? $? : status))
	source_pid=
	return $status
}

"$RECAGENT" setup --group "$GROUP" >/dev/null || exit
pause=1
while :; do
	started=$SECONDS
	run_once "$@"
	status=$?
	[ -z "$stopping$once" ] || exit $status
	[ $((SECONDS - started)) -lt 60 ] || pause=1
	echo "pipeline.sh: ended with status $status, again in $pause s" >&2
	sleep "$pause" &
	wait $! || kill $! 2>/dev/null # a signal ends the wait, not the sleep
	[ -z "$stopping" ] || exit $status
	pause=$((pause < 30 ? pause * 2 : 60))
done
