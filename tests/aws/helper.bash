# helper.bash - what the integration tests share. The servers run already: tests/run starts them (servers.sh).
# shellcheck shell=bash
setup_aws() {
	T=$(mktemp -d "${BATS_TMPDIR:-/tmp}/recagent.XXXXXX")
	export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
	export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
	export AWS_CONFIG_FILE=$T/config AWS_SHARED_CREDENTIALS_FILE=$T/credentials
	export AWS_ENDPOINT_URL_DYNAMODB=$MOTO_URL AWS_ENDPOINT_URL_S3=$MOTO_URL AWS_ENDPOINT_URL_STS=$MOTO_URL
	export AWS_ENDPOINT_URL_KINESIS=$KINESIS_URL AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME=$BEDROCK_URL
	export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
	# One server serves every file of tests, two at a time: names are the test's own.
	export N=t$$-$RANDOM
	cd "$T" || return 1
}

teardown_aws() {
	local p
	for p in ${PIDS:-}; do kill "$p" 2>/dev/null || true; done
	cd / && rm -rf "$T"
}

probe() {
	"$BATS_TEST_DIRNAME/../../${BUILD:-build}/tools/port_probe" "$@"
}

recagent() {
	"${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" "$@"
}

# python ... - with moto's and botocore's environment
python() {
	"$BATS_TEST_DIRNAME/.venv/bin/python" "$@"
}

free_port() {
	node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# serve PORT COMMAND... - a server of this test alone, awaited; ended by teardown_aws.
serve() {
	local port=$1
	shift
	"$@" >"$T/serve.$port.log" 2>&1 3>&- </dev/null &
	PIDS="${PIDS:-} $!"
	wait_for 20 bash -c "exec 9<>/dev/tcp/127.0.0.1/$port" 2>/dev/null
}

# wait_for SECONDS COMMAND... - until it succeeds.
wait_for() {
	local until=$(($(date +%s%N) / 1000000 + $1 * 1000))
	shift
	until "$@" 2>/dev/null; do
		[ $(($(date +%s%N) / 1000000)) -lt $until ] || return 1
		sleep 0.05
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

# bedrock PATH [JSON] - a word with the Bedrock double.
bedrock() {
	if [ $# = 2 ]; then
		curl -sf -d "$2" "$BEDROCK_URL/__$1"
	else
		curl -sf "$BEDROCK_URL/__$1"
	fi
}
