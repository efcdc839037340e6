#!/usr/bin/env bats
# bedrock.bats - the agent contract on a double of bedrock-agent-runtime of this test's own.
load helper

setup() {
	setup_aws
	local port
	port=$(free_port)
	export BEDROCK_URL=http://127.0.0.1:$port
	export AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME=$BEDROCK_URL
	serve "$port" node "$BATS_TEST_DIRNAME/bedrock_double.mjs" --port "$port"
}
teardown() { teardown_aws; }

ask() { probe ask "${AGENT:-AGENT1/ALIAS1}" "${SESSION:-u1}" "${1-- CLICK item=i7 category=thriller}" "${2-0}"; }
requests() { bedrock stats | jq .requests; }

@test "an answer in three chunks is joined" {
	[ "$(ask | jq -r 'length, .[0].reasoning, .[0].category' | xargs)" = "5 After i7. thriller" ]
	[ "$(requests)" = 1 ]
}

@test "characters that are cut by chunk borders come whole" {
	bedrock config '{"split-utf8":true,"chunks":40}' >/dev/null
	[ "$(ask | jq -r '.[4].reasoning')" = "After i7, así que — 映画 🎬." ]
}

@test "an agent's name may be a URI, or come from the environment" {
	AGENT=bedrock-agent:AGENT1/ALIAS1 ask >/dev/null
	run probe ask AGENT1 u1 x
	[ "$status" = 2 ]
	run probe ask "/x" u1 x
	[ "$status" = 2 ]
}

@test "a session id with a colon is encoded in path and signature" {
	SESSION=tenant:u.1_2-3 ask >/dev/null
	[ "$(bedrock prompts | jq -r 'keys[0]')" = tenant:u.1_2-3 ]
	[ "$(bedrock stats | jq .refused_signature)" = 0 ]
}

@test "a prompt of quotes, newlines and a megabyte arrives unchanged" {
	local text
	text=$(printf 'a "b" \\ \t é\n映画\n'; head -c 100000 /dev/zero | tr '\0' x)
	ask "$text" >/dev/null
	[ "$(bedrock prompts | jq -r '.u1[0]')" = "$text" ]
}

@test "a wrong secret is refused, with the error's name" {
	AWS_SECRET_ACCESS_KEY=wrong run ask
	[ "$status" = 4 ]
	[[ $output == "failed InvalidSignatureException: bedrock-agent-runtime us-east-1: InvokeAgent: InvalidSignatureException: "* ]]
}

@test "an in-stream exception is an error with its name, of its class, and none of the answer comes out" {
	local name want
	while read -r name want; do
		bedrock script "$(jq -nc --arg n "$name" '[range(3) | {exception: $n}]')" >/dev/null
		run ask
		[ "$status" = "$want" ]
		[[ $output == *" $name: bedrock-agent-runtime us-east-1: InvokeAgent: $name (in the answer's stream): it stopped half way"* ]]
		[[ $output != *item_id* ]]
		case $name in
		throttling* | internal* | badGateway* | dependency* | conflict* | modelNotReady*) [[ $output == "unavailable $name"*"(after 3 attempts)" ]] ;;
		*) [[ $output == "failed $name"* && $output != *attempts* ]] ;;
		esac
		bedrock reset '{}' >/dev/null
	done <<-EOF
		throttlingException 5
		internalServerException 5
		badGatewayException 5
		dependencyFailedException 5
		conflictException 5
		modelNotReadyException 5
		accessDeniedException 4
		validationException 4
		resourceNotFoundException 4
		serviceQuotaExceededException 4
	EOF
}

@test "a stream that broke, a throttle, a 500, a proxy's page: asked again, then answered" {
	bedrock script '["cut", {"exception":"internalServerException"}, "ok"]' >/dev/null
	ask | jq -e 'length == 5'
	bedrock script '["throttle", "error-500", "ok"]' >/dev/null
	ask | jq -e 'length == 5'
	bedrock script '["html-502", "http-ok", "ok"]' >/dev/null
	ask | jq -e 'length == 5'
	[ "$(requests)" = 9 ]
}

@test "a stream that breaks each time is unavailable after three attempts" {
	bedrock script '["cut", "cut", "cut", "ok"]' >/dev/null
	run ask
	[ "$status" = 5 ]
	[[ $output == unavailable*"(after 3 attempts)" ]]
	[ "$(requests)" = 3 ]
}

@test "an answer without a chunk is an empty answer" {
	bedrock script '["empty"]' >/dev/null
	[ "$(ask)" = "" ]
}

@test "unknown events are passed over, return of control is refused in clear words" {
	bedrock script '["trace"]' >/dev/null
	ask | jq -e 'length == 5'
	bedrock script '["return-control"]' >/dev/null
	run ask
	[ "$status" = 4 ]
	[[ $output == *return-control*action* ]]
	[ "$(requests)" = 2 ]
}

@test "the question's time-out covers all attempts" {
	bedrock config '{"latency-ms":5000}' >/dev/null
	local before
	before=$(date +%s%N)
	run ask x 600
	[ "$status" = 5 ]
	[[ $output == *timeout* ]]
	[ $((($(date +%s%N) - before) / 1000000)) -lt 2000 ]
}

@test "two at once in one session: the conflict is asked again" {
	bedrock config '{"latency-ms":150}' >/dev/null
	export AWS_MAX_ATTEMPTS=12
	ask >one &
	local first=$!
	ask >two
	wait "$first"
	jq -e 'length == 5' one two
	[ "$(bedrock stats | jq '.conflict >= 1 and .max_per_session == 2')" = true ]
}
