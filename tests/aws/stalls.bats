#!/usr/bin/env bats
# stalls.bats - services that stall, lie or vanish in the midst of a command's work, and what comes of it.
load helper

setup() { setup_aws; }
teardown() { teardown_aws; }

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}
ms() { echo $(($(date +%s%N) / 1000000)); }

front() { # front URL: FRONT, a server before it; mode MODE changes what it does
	local control
	control=$(free_port)
	serve "$control" node "$BATS_TEST_DIRNAME/stall_front.mjs" "$control"
	CONTROL=http://127.0.0.1:$control
	FRONT_PORT=$(curl -sf "$CONTROL/new?to=$1" | jq .port)
	FRONT=http://127.0.0.1:$FRONT_PORT
}
mode() { curl -sf "$CONTROL/mode?port=$FRONT_PORT&mode=$1" >/dev/null; }

@test "every command x every fault: it recovers, says so once, loses nothing, does not spin" {
	run env RECAGENT="$(realpath "$BIN")" python3 "$BATS_TEST_DIRNAME/stalls.py"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a run that ends by itself gives up: consume --end, --until, replay of a stream and of an archive; status 5" {
	recagent setup --stream "$N" >/dev/null
	front "$KINESIS_URL"
	mode hole
	export AWS_ENDPOINT_URL_KINESIS=$FRONT AWS_ENDPOINT_URL_S3=$FRONT
	local start pids=() status
	start=$(ms)
	for run in "consume $N --end" "consume $N --until now" "replay kinesis:$N" "replay s3://some-bucket/"; do
		# shellcheck disable=SC2086
		"$BIN" $run --give-up 2s --read-timeout 300ms --max-attempts 1 >"out.${#pids[@]}" 2>"err.${#pids[@]}" 3>&- &
		pids+=($!)
	done
	for p in "${pids[@]}"; do
		status=0
		wait "$p" || status=$?
		echo "$p: $status after $(($(ms) - start)) ms"
		[ "$status" = 5 ]
	done
	[ $(($(ms) - start)) -lt 15000 ]
	cat err.*
	[ "$(grep -c 'unavailable, holding' err.0)" = 1 ]
	[ ! -s out.0 ] # no mark says that it ended cleanly
}

@test "a run that follows holds for ever, unless it is told when to give up" {
	AWS_ENDPOINT_URL_KINESIS=http://127.0.0.1:9 run timeout 3 "$BIN" consume "$N" --max-attempts 1
	[ "$status" = 124 ] || [ "$status" = 0 ] # timeout(1) ends it by SIGTERM
	AWS_ENDPOINT_URL_KINESIS=http://127.0.0.1:9 run timeout 20 "$BIN" consume "$N" --max-attempts 1 --give-up 1s
	[ "$status" = 5 ]
}

@test "a hung credential_process does not outlive the time that cache-get has" {
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
	cat >hang <<-E
		#!/bin/sh
		echo \$\$ >$T/pid
		exec sleep 600
	E
	chmod +x hang
	printf '[default]\ncredential_process = %s\n' "$T/hang" >config
	local start
	start=$(ms)
	run "$BIN" cache-get --timeout 500ms u1
	[ "$status" = 0 ]
	[[ $output == *'"source":"fallback"'* ]]
	[ $(($(ms) - start)) -lt 3000 ]
	no_process() { ! kill -0 "$(cat pid)" 2>/dev/null; }
	wait_for 5 no_process
}

@test "cache-get - serves from the cache again when a call that hung has ended" {
	export REC_CACHE_TABLE=$N-rec
	recagent setup --stream "$N" >/dev/null
	recagent invoke AGENT12345/ALIAS12345 <<<'{"user_id":"u1","prompt":"item=a","version":1}' >/dev/null
	front "$MOTO_URL"
	export AWS_ENDPOINT_URL_DYNAMODB=$FRONT
	mkfifo keys
	"$BIN" cache-get - --timeout 300ms <keys 2>err 3>&- > >(cat >out) & # into a file it would not flush
	PIDS="$PIDS $!"
	exec 7>keys
	mode hole
	for _ in 1 2 3; do echo u1 >&7; done
	wait_for 10 grep -q fallback out
	mode pass
	again() { echo u1 >&7; sleep 0.5; tail -n 1 out | grep -q '"source":"cache"'; }
	wait_for 10 again
	exec 7>&-
}

@test "a hung call is ended with --grace: prompt leaves the group's line to the next run" {
	front "$MOTO_URL"
	mode hole
	export AWS_ENDPOINT_URL_DYNAMODB=$FRONT
	mkfifo pipe
	"$BIN" prompt --grace 1s --read-timeout 60s <pipe >out 2>err 3>&- &
	local pid=$! start status=0
	PIDS="$PIDS $pid"
	exec 7>pipe
	echo '{"user_id":"u","item_id":"i","event_type":"click","_source":{"stream":"s","shard_id":"shardId-000000000000","sequence_number":"7","group":"recs","owner":"o"}}' >&7
	met() { [ "$(curl -sf "$CONTROL/stats?port=$FRONT_PORT" | jq .spoiled)" -gt 0 ]; }
	wait_for 10 met
	start=$(ms)
	kill "$pid"
	wait "$pid" || status=$?
	exec 7>&-
	[ $(($(ms) - start)) -lt 6000 ]
	[ "$status" = 5 ]
	[ ! -s out ]
}

@test "a version that is another one each time is an outage, not a spin" {
	cat >race.py <<-'PY'
		import http.server, json
		n = 0
		class H(http.server.BaseHTTPRequestHandler):
		    protocol_version = "HTTP/1.1"
		    def do_POST(self):
		        global n
		        self.rfile.read(int(self.headers["content-length"]))
		        n += 1
		        open("count", "w").write(str(n))
		        put = not self.headers["x-amz-target"].endswith("GetItem")
		        b = json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"} if put else {}).encode()
		        self.send_response(400 if put else 200); self.send_header("content-length", len(b)); self.end_headers(); self.wfile.write(b)
		    def log_message(self, *a): pass
		s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
		open("port", "w").write(str(s.server_port))
		s.serve_forever()
	PY
	python3 race.py >/dev/null 2>&1 3>&- </dev/null &
	PIDS="${PIDS:-} $!"
	wait_for 20 test -s port
	export AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:$(cat port)
	run timeout 60 "$BIN" prompt --give-up 1s <<<'{"user_id":"u","item_id":"i","event_type":"click"}'
	[ "$status" = 5 ]
	[[ $output == *"unavailable, holding"*contention* ]]
	[ "$(cat count)" -lt 200 ]
}

@test "names that do not resolve, or for which the resolver hangs: held, and over when they do" {
	cat >names.c <<-'C'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <netdb.h>
		#include <stdlib.h>
		#include <string.h>
		#include <unistd.h>
		/* What $NAMES links to: "fail", "hang", else names are good. */
		int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
		{
			char how[16] = "";
			int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
			*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
			if (!node || strncmp(node, "127.", 4) == 0)
				return real(node, service, hints, res);
			if (readlink(getenv("NAMES"), how, sizeof how - 1) > 0 && !strcmp(how, "hang"))
				sleep(60);
			return strcmp(how, "fail") ? real("127.0.0.1", service, hints, res) : EAI_AGAIN;
		}
	C
	${CC:-cc} -shared -fPIC -o names.so names.c -ldl
	export NAMES=$T/names PROFILES_TABLE=$N-profiles
	recagent setup --stream "$N" >/dev/null
	for how in fail hang; do
		ln -sfn $how names
		rm -f pipe && mkfifo pipe
		LD_PRELOAD=$T/names.so AWS_ENDPOINT_URL_DYNAMODB=http://dynamodb.invalid:${MOTO_URL##*:} \
			"$BIN" prompt --min-events 1 --give-up 1ms --connect-timeout 500ms <pipe 2>err 3>&- > >(cat >out) &
		local pid=$!
		PIDS="$PIDS $pid"
		exec 7>pipe
		echo "{\"user_id\":\"u\",\"event_id\":\"$how\",\"item_id\":\"i\",\"event_type\":\"click\",\"_source\":{\"stream\":\"s\",\"shard_id\":\"shardId-000000000000\",\"sequence_number\":\"$((7 + ${#how}))$RANDOM\",\"group\":\"recs\",\"owner\":\"o\"}}" >&7
		wait_for 20 grep -q 'unavailable, holding' err
		sleep 1
		kill -0 "$pid" # a group's line is held whatever --give-up says
		ln -sfn good names
		wait_for 30 grep -q '"prompt":' out
		exec 7>&-
		wait "$pid"
		cat err
		[ "$(grep -c 'unavailable, holding' err)" = 1 ]
		[ "$(grep -c 'available again' err)" = 1 ]
		if [ $how = fail ]; then grep -q '(dns)' err; fi
	done
}

@test "ack ends at once when its group is gone, not with the next line" {
	recagent setup --stream "$N" --group "$N-group" >/dev/null
	recagent publish "$N" -q --user u1 --item i1 --type click
	recagent consume "$N" --group "$N-group" --end --grace 0 >lines
	python -c '
import boto3, os, sys
boto3.client("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL_DYNAMODB"]).delete_table(TableName=sys.argv[1])' "$N-group"
	mkfifo pipe
	"$BIN" ack --interval 50ms <pipe 2>err 3>&- &
	local pid=$! status=0 start
	PIDS="$PIDS $pid"
	exec 7>pipe
	start=$(ms)
	cat lines >&7
	wait "$pid" || status=$?
	exec 7>&-
	[ "$status" = 4 ]
	[ $(($(ms) - start)) -lt 5000 ]
}
