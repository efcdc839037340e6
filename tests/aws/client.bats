#!/usr/bin/env bats
# client.bats - what every service has in common: signatures that are checked, clocks that are wrong, credentials that run
# out, retries, errors in every wrapping.
load helper

setup() { setup_aws; }
teardown() { teardown_aws; }

front() { # front [--fault KIND:COUNT ...]: FRONT, a server before moto
	local port
	port=$(free_port)
	serve "$port" node "$BATS_TEST_DIRNAME/fault_front.mjs" --port "$port" --to "$MOTO_URL" "$@"
	FRONT=http://127.0.0.1:$port
	export AWS_ENDPOINT_URL_DYNAMODB=$FRONT
}
log() { curl -s "$FRONT/__log"; }

@test "moto checks signatures: the right secret works, a wrong one and an unknown id are refused by name" {
	local port url
	port=$(free_port)
	url=http://127.0.0.1:$port
	INITIAL_NO_AUTH_ACTION_COUNT=3 serve "$port" "$BATS_TEST_DIRNAME/.venv/bin/moto_server" -H 127.0.0.1 -p "$port"
	wait_for 30 curl -sf -o /dev/null "$url/moto-api/"
	python - "$url" >keys <<-'PY'
		import boto3, sys
		iam = boto3.client("iam", endpoint_url=sys.argv[1])
		iam.create_user(UserName="t")
		iam.put_user_policy(UserName="t", PolicyName="p", PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}')
		k = iam.create_access_key(UserName="t")["AccessKey"]
		print(k["AccessKeyId"], k["SecretAccessKey"])
	PY
	read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY <keys
	export AWS_ENDPOINT_URL_DYNAMODB=$url AWS_ENDPOINT_URL_KINESIS=$url AWS_ENDPOINT_URL_S3=$url
	probe mktable "$N"
	probe item "$N" '{"user_id":{"S":"ü \" u"}}'
	probe create "$N" 1
	printf 'k\tv\n' | probe put "$N"
	python - "$url" "$N" <<-'PY'
		import boto3, sys
		boto3.client("s3", endpoint_url=sys.argv[1]).create_bucket(Bucket=sys.argv[2])
		boto3.client("s3", endpoint_url=sys.argv[1]).put_object(Bucket=sys.argv[2], Key="a/b c.txt", Body=b"x")
	PY
	[ "$(probe list "s3://$N" | cut -f1)" = "a/b c.txt" ]
	[ "$(probe fetch "s3://$N/a/b c.txt")" = x ]
	for op in "table $N" "describe $N" "list s3://$N"; do
		# shellcheck disable=SC2086
		AWS_SECRET_ACCESS_KEY=wrong run probe $op
		[ "$status" = 4 ]
		[[ $output == "failed SignatureDoesNotMatch: "*" us-east-1: "*": SignatureDoesNotMatch: "* || $output == "failed InvalidSignatureException: "* ]]
		# shellcheck disable=SC2086
		AWS_ACCESS_KEY_ID=AKIDEXAMPLE run probe $op
		[ "$status" = 4 ]
		[[ $output == "failed "*InvalidClientTokenId* || $output == "failed "*UnrecognizedClient* || $output == "failed "*InvalidAccessKeyId* ]]
	done
}

@test "a clock an hour off is corrected by the service's, at the cost of one refusal" {
	local port
	probe mktable "$N"
	for off in -1h 1h; do
		port=$(free_port)
		serve "$port" node "$BATS_TEST_DIRNAME/clock_front.mjs" --port "$port" --to "$MOTO_URL"
		AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:$port RECAGENT_CLOCK_OFFSET=$off \
			run probe item "$N" '{"user_id":{"S":"u1"}}'
		[ "$status" = 0 ]
		[ "$(curl -s "http://127.0.0.1:$port/__stats")" = '{"refused":1,"passed":1}' ]
		# One attempt alone cannot learn; then the message tells what is wrong.
		AWS_MAX_ATTEMPTS=1 AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:$port RECAGENT_CLOCK_OFFSET=$off \
			run probe item "$N" '{"user_id":{"S":"u1"}}'
		[ "$status" = 4 ]
		[[ $output == *InvalidSignatureException*"this machine's clock is 3"* ]]
	done
}

@test "attempts say who they are: one id, their number, their limit" {
	probe mktable "$N"
	front --fault status-503:2
	probe table "$N"
	log >requests
	[ "$(head -3 requests | jq -r .invocation | sort -u | wc -l)" = 1 ]
	[ "$(head -3 requests | jq -r .attempt | sed 's/ttl=[0-9]*T[0-9]*Z/ttl/' | xargs)" = "attempt=1; max=4 ttl; attempt=2; max=4 ttl; attempt=3; max=4" ]
	[ "$(sed -n 4p requests | jq -r .attempt)" = "attempt=1; max=4" ]
	head -1 requests | jq -r .agent | grep -qE '^recagent/[0-9.]+ ua/2\.1 os/linux#[^ ]+ md/arch#[^ ]+ lang/c#11 .*m/E cfg/retry-mode#standard'
}

@test "passing faults are retried and come to nothing: 503, HTML 502, empty 500, throttle, reset, half an answer" {
	probe mktable "$N"
	for fault in status-503 html-502 empty-500 throttle reset cut; do
		front --fault "$fault:2"
		[ "$(probe table "$N" | cut -f1)" = ACTIVE ]
		[ "$(curl -s "$FRONT/__stats" | jq .faults)" = 2 ]
	done
}

@test "what does not pass is unavailable, exit 5, and says what came" {
	for fault in status-503:ServiceUnavailableException html-502:"HTTP 502" empty-500:"HTTP 500" \
		throttle:ProvisionedThroughputExceededException; do
		front --fault "${fault%%:*}:9"
		AWS_MAX_ATTEMPTS=2 run probe get "$N" u1
		[ "$status" = 5 ]
		[[ $output == "unavailable "*"dynamodb us-east-1: GetItem: ${fault#*:}"*"(after 2 attempts)" ]]
		[ "$(log | wc -l)" = 2 ]
	done
}

@test "x-amz-retry-after is kept" {
	probe mktable "$N"
	front --fault retry-after:1
	probe get "$N" u1
	[ "$(log | jq -s '.[1].ms - .[0].ms | . >= 690 and . < 1500')" = true ]
}

@test "a refusal is final, exit 4, at the first attempt" {
	front
	run probe get "$N-none" u1
	[ "$status" = 4 ]
	[ "$(log | wc -l)" = 1 ]
}

@test "expired credentials are fetched anew, once, and the call made again" {
	probe mktable "$N"
	cat >creds.sh <<-'EOF'
		#!/bin/sh
		n=$(cat count 2>/dev/null || echo 0); n=$((n + 1)); echo $n >count
		echo "{\"Version\":1,\"AccessKeyId\":\"AKID$n\",\"SecretAccessKey\":\"s$n\"}"
	EOF
	chmod +x creds.sh
	printf '[default]\ncredential_process = %s/creds.sh\n' "$T" >config
	front --fault expired:1
	env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY "$BATS_TEST_DIRNAME/../../${BUILD:-build}/tools/port_probe" get "$N" u1
	[ "$(log | jq -r .auth | grep -o 'Credential=[^/]*' | xargs)" = "Credential=AKID1 Credential=AKID2" ]
	# The same ones again would be refused again: they are not tried.
	front --fault expired:9
	run probe get "$N" u1
	[ "$status" = 5 ]
	[[ $output == "unavailable ExpiredTokenException: "* ]]
	[ "$(log | wc -l)" = 1 ]
}

@test "no credentials, no region, a bad setting: each said in its own words" {
	AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' run probe get "$N" u1
	[ "$status" = 5 ]
	[[ $output == "unavailable no-credentials: "*--local* ]]
	AWS_MAX_ATTEMPTS=0 run probe get "$N" u1
	[ "$status" = 2 ]
	[[ $output == *AWS_MAX_ATTEMPTS* ]]
	AWS_RETRY_MODE=sturdy run probe get "$N" u1
	[ "$status" = 2 ]
	[[ $output == *sturdy* ]]
	env -u AWS_REGION -u AWS_DEFAULT_REGION -u AWS_ENDPOINT_URL_DYNAMODB \
		"$BATS_TEST_DIRNAME/../../${BUILD:-build}/tools/port_probe" get "$N" u1 2>err || [ $? = 2 ]
	grep -q region err
}

@test "nobody listens: unavailable, with the address" {
	AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:9 AWS_MAX_ATTEMPTS=2 run probe get "$N" u1
	[ "$status" = 5 ]
	[[ $output == "unavailable connect: dynamodb us-east-1: GetItem: "*127.0.0.1*"(after 2 attempts)" ]]
}

@test "-vv says of each attempt what was asked, where, and what came; -v does not" {
	front --fault status-503:1
	run recagent profile get nobody --profiles "$N" -vv
	[[ $output == *"dynamodb GetItem at 127.0.0.1: attempt 1: HTTP 503,"* ]]
	[[ $output == *"attempt 2: HTTP 400, request "*" bytes out, "*" in, credentials from environment"* ]]
	run recagent profile get nobody --profiles "$N" -v
	[[ $output != *"attempt 1: "* ]]
}

@test "no secret is ever printed" {
	front --fault expired:1
	AWS_SECRET_ACCESS_KEY=sEcReTsEcReT AWS_SESSION_TOKEN=tOkEn run probe get "$N" u1
	[[ $output != *sEcReT* && $output != *tOkEn* && $output != *Signature=* ]]
}
