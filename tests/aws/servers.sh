#!/usr/bin/env bash
# servers.sh start|stop - the servers of the integration tests, on free loopback ports, in the folder $RUN.
#
# start waits until each answers and writes $RUN/env: MOTO_URL, KINESIS_URL (kinesis-local), KINESALITE_URL, BEDROCK_URL.
# Logs and process ids stay in $RUN; stop ends what start began, and nothing else.
set -euo pipefail
: "${RUN:?the folder for logs, process ids and env}"
here=$(cd "$(dirname "$0")" && pwd)
modules=$here/node_modules

free_ports() {
	node -e '
		const net = require("net"), held = [];
		(function next(n) {
			if (!n) return held.forEach(s => { console.log(s.address().port); s.close(); });
			const s = net.createServer().listen(0, "127.0.0.1", () => { held.push(s); next(n - 1); });
		})(Number(process.argv[1]));' "$1"
}

answers() {
	curl -s -o /dev/null --max-time 1 "$1"
}

# launch NAME PROBE_URL COMMAND...
launch() {
	local name=$1 probe=$2
	shift 2
	setsid "$@" >"$RUN/$name.log" 2>&1 </dev/null &
	echo $! >"$RUN/$name.pid"
	for _ in $(seq 600); do
		answers "$probe" && return 0
		kill -0 "$(cat "$RUN/$name.pid")" 2>/dev/null || break
		sleep 0.05
	done
	echo "servers.sh: $name does not answer" >&2
	tail -5 "$RUN/$name.log" >&2
	return 1
}

start() {
	local p
	"$here/setup.sh"
	mapfile -t p < <(free_ports 5)
	launch moto "http://127.0.0.1:${p[0]}/moto-api/" \
		"$here/.venv/bin/moto_server" -H 127.0.0.1 -p "${p[0]}" &
	launch kinesis "http://127.0.0.1:${p[1]}/" env \
		KINESIS_MOCK_PLAIN_PORT="${p[1]}" KINESIS_MOCK_TLS_PORT="${p[2]}" SHARD_LIMIT=1000 LOG_LEVEL=ERROR \
		CREATE_STREAM_DURATION=10ms DELETE_STREAM_DURATION=10ms UPDATE_SHARD_COUNT_DURATION=10ms \
		SPLIT_SHARD_DURATION=10ms MERGE_SHARDS_DURATION=10ms \
		KINESIS_MOCK_CERT_PATH="$modules/kinesis-local/server.json" node "$modules/kinesis-local/main.js" &
	launch kinesalite "http://127.0.0.1:${p[3]}/" \
		node "$modules/kinesalite/cli.js" --port "${p[3]}" --shardLimit 1000 --createStreamMs 10 \
		--deleteStreamMs 10 --updateStreamMs 10 &
	launch bedrock "http://127.0.0.1:${p[4]}/__stats" node "$here/bedrock_double.mjs" --port "${p[4]}" &
	local job rc=0
	for job in $(jobs -p); do wait "$job" || rc=1; done
	cat >"$RUN/env" <<-EOF
		MOTO_URL=http://127.0.0.1:${p[0]}
		KINESIS_URL=http://127.0.0.1:${p[1]}
		KINESALITE_URL=http://127.0.0.1:${p[3]}
		BEDROCK_URL=http://127.0.0.1:${p[4]}
	EOF
	[ $rc = 0 ] || stop
	return $rc
}

stop() {
	local f pid
	for f in "$RUN"/*.pid; do
		[ -f "$f" ] || continue
		pid=$(cat "$f")
		kill "$pid" 2>/dev/null || true
		for _ in $(seq 40); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.05
		done
		kill -9 "$pid" 2>/dev/null || true
		rm -f "$f"
	done
}

case ${1-} in
start | stop) "$1" ;;
*)
	echo "usage: servers.sh start|stop" >&2
	exit 2
	;;
esac
