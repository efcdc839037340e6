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
nudger=
# The shell's copy that is to become the source may lose a signal, so it is asked again: by SIGHUP, which is never a second signal.
pass_on() {
	kill -TERM "$source_pid" 2>/dev/null
	[ -n "$nudger" ] || {
		while sleep 0.3 && kill -HUP "$source_pid" 2>/dev/null; do :; done &
		nudger=$!
	}
}
forward() {
	stopping=yes
	[ -z "$source_pid" ] || pass_on
}
trap forward TERM INT HUP

# Wait for the end of a process. A trap ends a wait early: then $ended may be no status of the process.
await() {
	while
		wait "$1"
		ended=$?
		kill -0 "$1" 2>/dev/null
	do :; done
}

# The options are words to be split: --since latest --poll 1s.
# shellcheck disable=SC2086,SC2094
run_once() {
	local dir rest status ended
	dir=$(mktemp -d "${TMPDIR:-/tmp}/recagent-pipe.XXXXXX") || return 3
	mkfifo "$dir/fifo" || return 3
	# Both ends are open before either side runs: neither waits for the other, whichever is killed first.
	exec 3<>"$dir/fifo" 4<"$dir/fifo" 5>"$dir/fifo" 3>&- || return 3
	"$RECAGENT" consume --group "$GROUP" $once ${CONSUME_OPTS:-} >&5 4<&- 5>&- &
	source_pid=$!
	# This shell stays to tell the status; the commands take SIGTERM all the same.
	(
		trap '' TERM INT HUP
		exec 5>&-
		"$RECAGENT" prompt ${PROMPT_OPTS:-} <&4 4<&- |
			"$RECAGENT" invoke -j "${JOBS:-64}" ${INVOKE_OPTS:-} "$@" 4<&- |
			"$RECAGENT" ack ${ACK_OPTS:-} 4<&-
		echo $? >"$dir/status"
	) &
	rest=$!
	exec 4<&- 5>&-
	[ -z "$stopping" ] || pass_on # it came before there was anybody to pass it on to
	await "$rest"
	# The end of the pipe is gone: the source would notice at its next look only. One that was asked already is about to end; a
	# second signal would cut it short.
	[ -n "$stopping" ] || kill -TERM "$source_pid" 2>/dev/null
	await "$source_pid"
	[ -z "$nudger" ] || kill "$nudger" 2>/dev/null
	source_pid=
	nudger=
	status=$(cat "$dir/status" || echo 3)
	rm -rf "$dir"
	# After a signal the numbers above 128 are those of traps; ack has said whether the source ended cleanly.
	[ -n "$stopping" ] && [ "$ended" -gt 128 ] || status=$((ended > status ? ended : status))
	return "$status"
}

"$RECAGENT" setup --group "$GROUP" >/dev/null || exit
[ -z "$stopping" ] || exit 0
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
