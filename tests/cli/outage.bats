#!/usr/bin/env bats
# What the commands do while AWS cannot be reached: hold, say so once, give up together, say nothing false.
bats_require_minimum_version 1.5.0
load helper

setup() {
	setup_store
	unset RECAGENT_LOCAL
	export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
	export AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true AWS_ENDPOINT_URL=http://127.0.0.1:9
	export AWS_CONFIG_FILE=$T/config AWS_SHARED_CREDENTIALS_FILE=$T/credentials NO_PROXY=127.0.0.1
}

teardown() {
	teardown_store
}

ms() { echo $(($(date +%s%N) / 1000000)); }

events() { # FORMAT N: of users by that format, as prompts too
	seq "$2" | awk -v user="$1" '{ printf "{\"user_id\":\"" user "\",\"event_id\":\"e%d\",\"item_id\":\"i\",\"event_type\":\"click\",\"prompt\":\"p\"}\n", $1, $1 }'
}

# given_up COMMAND...: 20 lines in "in", all dead letters within a few seconds
given_up() {
	local start status=0
	start=$(ms)
	recagent "$@" --give-up 1s --max-attempts 1 --dead-letter dead <in >out 2>err || status=$?
	[ "$status" = 5 ] && [ $(($(ms) - start)) -lt 5000 ] && [ "$(grep -c '"class":"unavailable"' dead)" = 20 ]
}

@test "waiting lines of one user are given up together, not one --give-up after the other" {
	events u%.0s 20 >in
	given_up prompt
}

@test "waiting prompts are given up together, however few are asked at once" {
	events u%d 20 >in
	given_up invoke -j 1 AGENT12345/ALIAS12345
}

@test "an outage is said once, and never to be over when it is not" {
	events u%d 5 >in
	recagent invoke AGENT12345/ALIAS12345 --give-up 1s --max-attempts 1 <in >out 2>err || true
	[ "$(grep -c 'unavailable, holding' err)" = 1 ]
	run ! grep 'available again' err
}

@test "a signal ends the holding of a group's lines after --grace" {
	echo '{"user_id":"u","item_id":"i","event_type":"click","_source":{"stream":"s","shard_id":"shardId-000000000000","sequence_number":"7","group":"recs","owner":"o"}}' >in
	start=$(ms)
	"${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" prompt --grace 500ms --give-up 1ms <in >out 2>err &
	PIDS=$!
	wait_for 10 grep -q holding err
	sleep 3 # by then the back-off is seconds long
	kill "$PIDS"
	start=$(ms)
	status=0
	wait "$PIDS" || status=$?
	[ $(($(ms) - start)) -lt 2500 ]
	[ "$status" = 5 ]
	[ ! -s out ] # nothing may say that the line is dealt with
}

@test "a reader that leaves ends what holds a group's lines through an outage, however many wait: status 8" {
	local command start
	seq 9000 | awk '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"item_id\":\"i\",\"event_type\":\"click\",\"prompt\":\"p\",\"_source\":{\"stream\":\"s\",\"shard_id\":\"shardId-000000000000\",\"sequence_number\":\"%d\",\"group\":\"recs\",\"owner\":\"o\"}}\n", $1 % 50, $1, $1 }' >in
	mkfifo pipe
	for command in "prompt" "invoke AGENT12345/ALIAS12345" "publish s"; do
		exec 7<>pipe # it does not end
		cat in >&7 3>&- &
		PIDS="${PIDS:-} $!"
		start=$(ms)
		# shellcheck disable=SC2086
		(status=0; timeout -k 1 30 "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}" $command <&7 2>err || status=$?; echo $status >status) | sleep 1
		echo "$command: $(cat status) after $(($(ms) - start)) ms"
		cat err
		[ "$(cat status)" = 8 ]
		[ $(($(ms) - start)) -lt 8000 ]
		kill "${PIDS##* }" 2>/dev/null || true
		exec 7>&-
	done
}
