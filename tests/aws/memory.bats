# memory.bats - memory is bounded whatever flows, or does not: the most that a process ever had resident (VmHWM).
# MB= is how much flows through publish (10000 for the long run; the bound is the same).
load helper

setup() { setup_aws; }
teardown() { teardown_aws; }

LIMIT=65536 # KiB

# most PID - the most it had resident so far, KiB
most() { awk '/^VmHWM/ { print $2 }' "/proc/$1/status"; }

# holds_memory PID - is it alive, and below the limit?
holds_memory() {
	local kib
	kib=$(most "$1")
	echo "# $BATS_TEST_DESCRIPTION: $kib KiB" >&3
	[ "$kib" -gt 0 ] && { [ -n "${SANITIZER:-}" ] || [ "$kib" -lt $LIMIT ]; }
}

events() { awk -v n="$1" 'BEGIN { pad = sprintf("%400s", ""); gsub(/ /, "x", pad)
	for (i = 0; i < n; i++) printf "{\"event_id\":\"e%d\",\"user_id\":\"u%d\",\"pad\":\"%s\"}\n", i, i % 1000, pad }'; }

@test "consume: endless records of 1 MB, 100 KB, 1 KB into a pipe that nobody reads" {
	local size port
	for size in 1000000 100000 1000; do
		port=$(free_port)
		serve "$port" node "$BATS_TEST_DIRNAME/flood.mjs" --port "$port" --size "$size"
		mkfifo "pipe$size"
		sleep 60 <"pipe$size" &
		PIDS="$PIDS $!"
		recagent_pid=
		AWS_ENDPOINT_URL_KINESIS=http://127.0.0.1:$port "$RECAGENT" consume s --since trim-horizon >"pipe$size" 2>err &
		recagent_pid=$!
		PIDS="$PIDS $recagent_pid"
		sleep 3
		holds_memory "$recagent_pid"
		kill -9 "$recagent_pid"
	done
}

@test "publish: a dead endpoint takes nothing, and no more is read than fits the window" {
	events 100000000 | AWS_ENDPOINT_URL_KINESIS=http://127.0.0.1:1 "$RECAGENT" publish s >out 2>err &
	sleep 3
	local pid
	pid=$(pgrep -n -f "publish s" -P $$) || pid=$(pgrep -n -x recagent)
	holds_memory "$pid"
	kill -9 "$pid"
}

@test "publish: what is given up flows through to the dead letters" {
	local pid n=$((${MB:-150} * 1000000 / 440))
	events "$n" >big
	AWS_ENDPOINT_URL_KINESIS=http://127.0.0.1:1 "$RECAGENT" publish -q --give-up 1ms --dead-letter /dev/null s <big >out 2>err &
	pid=$!
	PIDS="$PIDS $pid"
	wait_until_read() { [ ! -e "/proc/$pid" ] || [ "$(awk '/^pos/ { print $2 }' "/proc/$pid/fdinfo/0")" -gt $((n * 400)) ]; }
	for _ in $(seq 600); do
		[ -e "/proc/$pid/status" ] || break
		most "$pid" >high 2>/dev/null || true
		wait_until_read && break
		sleep 0.1
	done
	[ "$(cat high)" -lt $LIMIT ] || [ -n "${SANITIZER:-}" ]
	echo "# $BATS_TEST_DESCRIPTION: $(cat high) KiB" >&3
	kill -9 "$pid" 2>/dev/null || true
}
