#!/usr/bin/env bats
# audit.bats - what became of each event: a table of lines and states, and the account of a real run.
load helper
bats_require_minimum_version 1.5.0

setup() { setup_store; }
teardown() { teardown_store; }

# at SEQ [SHARD] - a _source there
at() { echo "\"_source\":{\"stream\":\"s\",\"shard_id\":\"${2:-a}\",\"sequence_number\":\"$1\",\"subsequence_number\":0}"; }
receipt() { echo "{\"line\":1,\"event_id\":\"$1\",\"shard_id\":\"${3:-a}\",\"sequence_number\":\"$2\"}"; }
line() { echo "{\"event_id\":\"$1\",\"user_id\":\"u\",$(at "$2" "${3:-a}")}"; }
mark() { echo "{\"_source\":{\"shard_id\":\"a\",\"sequence_number\":\"$2\",\"subsequence_number\":0,\"mark\":\"$1\"}}"; }
end() { echo '{"_source":{"mark":"end"}}'; }

# state ID - of the last audit in $output
state() { jq -r "select(.event_id == \"$1\") | .state + \" \" + .at" <<<"$output"; }

@test "behind the last line of the next stage: under way; passed by a later one: missing" {
	{ receipt e1 8; receipt e2 9; receipt e3 10; } >p
	line e1 8 >c
	run -10 recagent audit publish=p consume=c
	[ "$(state e2)" = "under-way consume" ]
	line e3 10 >>c # by length, then text: 10 is behind 9
	run -6 recagent audit publish=p consume=c
	[ "$(state e2)" = "missing consume" ]
	[ "$(state e1)$(state e3)" = "" ]
	[[ "$output" == *'"missing":1'* ]]
}

@test "another shard passes nothing" {
	{ receipt e1 8; receipt e2 9 b; } >p
	line e1 8 >c
	run -10 recagent audit publish=p consume=c
	line e3 99 b >>c
	run -6 recagent audit publish=p consume=c
	[ "$(state e2)" = "missing consume" ]
}

@test "a stage that ended cleanly has nothing under way; one that went on after its end has" {
	{ line e1 8; line e2 9; } >c
	{ line e1 8; end; } >i
	run -6 recagent audit consume=c invoke=i
	[ "$(state e2)" = "missing invoke" ]
	{ line e1 8; end; line e0 7; } >i
	run -10 recagent audit consume=c invoke=i
	[ "$(state e2)" = "under-way invoke" ]
}

@test "a mark in its place is an event swallowed; one that consume wrote itself is none" {
	{ line e1 8; line e2 9; line e3 10; } >c
	{ mark "done" 8; line e3 10; } >i
	run -6 recagent audit --all consume=c invoke=i
	[ "$(state e1)" = "swallowed invoke" ]
	[ "$(state e2)" = "missing invoke" ]
	mark "done" 8 >>c
	run -6 recagent audit --all consume=c invoke=i
	[ "$(state e1)" = "missing invoke" ]
}

@test "doubled: at two places; redelivered: twice from one" {
	{ line e1 8; line e1 9; line e2 10; line e2 10; } >c
	run -0 recagent audit --all consume=c
	holds 'select(.event_id == "e1") | .copies == 2 and (.redelivered | not)' <<<"$(grep '"e1"' <<<"$output")"
	holds '.copies == 1 and .redelivered' <<<"$(grep '"e2"' <<<"$output")"
	[[ "$output" == *'"doubled":1,"redelivered":1'* ]]
}

@test "errors, dead letters, the spool" {
	{ receipt e1 8; echo '{"line":2,"event_id":"e2","error":{"code":"x","message":"y","class":"failed"}}'
	  echo '{"line":3,"event_id":"e3","error":{"code":"x","message":"y","class":"failed"}}'
	  echo '{"line":4,"event_id":"e4","spooled":true}'; echo '{"line":5,"error":{"code":"x","message":"y","class":"refused"}}'; } >p
	echo '{"command":"publish","line":3,"reason":"r","class":"failed","data":"{\"event_id\":\"e3\"}"}' >d
	echo '{"command":"publish","line":9,"reason":"r","class":"refused","data":"nonsense"}' >>d
	line e1 8 >c
	run -1 recagent audit publish=p consume=c dead=d
	[ "$(state e2)" = "failed publish" ]
	[ "$(state e3)" = "dead-letter publish" ]
	[ "$(state e4)" = "under-way consume" ]
	[[ "$output" == *'"events":4,"done":1'*'"unidentified":1'* ]]
	line e4 9 >>c # drained since
	run -1 recagent audit publish=p consume=c dead=d
	[ "$(state e4)" = "" ]
}

@test "a result that is an error is no answer, until a later one is" {
	line e1 8 >c
	echo "{\"user_id\":\"u\",\"status\":\"error\",\"event_id\":\"e1\",$(at 8)}" >i
	run -1 recagent audit consume=c invoke=i
	[ "$(state e1)" = "failed invoke" ]
	echo "{\"user_id\":\"u\",\"status\":\"stored\",\"event_id\":\"e1\",$(at 8)}" >>i
	run -0 recagent audit consume=c invoke=i
}

@test "a record without event_id goes by its place" {
	echo "{\"data_b64\":\"AAEC\",$(at 8)}" >c
	line e2 9 >>c
	line e2 9 >i
	run -6 recagent audit consume=c invoke=i
	[ "$(jq -rc 'select(.event_id == null and .state) | [.state, .sequence_number]' <<<"$output" 2>/dev/null)" = '["missing","8"]' ]
}

@test "ledgers: each balances, and says no more than there is" {
	line e1 8 >c
	echo '{"command":"consume","in":2,"out":2,"refused":0,"failed":0,"marks":0,"balances":true}' >l
	run -6 recagent audit consume=c ledger=l
	[[ "$output" == *"consume says that it wrote 2 lines, and there are 1"* ]]
	echo '{"command":"consume","in":2,"out":1,"refused":0,"failed":0}' >l
	run -6 recagent audit consume=c ledger=l
	[[ "$output" == *"2 in are not 1 out"* ]]
	echo '{"command":"consume","in":1,"out":1,"refused":0,"failed":0}' >l
	run -0 recagent audit consume=c ledger=l
	# What is in the spool has a receipt, too; a replay's lines are events as consume's are.
	echo '{"command":"publish","in":1,"out":0,"refused":0,"failed":0,"spooled":1,"drained":0,"left":1}' >l
	echo '{"line":1,"event_id":"e1","spooled":true}' >p
	run -0 recagent audit publish=p consume=c ledger=l
	echo '{"command":"replay","in":3,"out":3,"refused":0,"failed":0}' >l
	run -6 recagent audit consume=c ledger=l
	[[ "$output" == *"consume says that it wrote 3 lines"* ]]
}

@test "bad lines are said by number and counted, the rest counts; bad operands are usage" {
	{ echo nonsense; line e1 8; echo '{"user_id":"u"}'; } >c
	run -1 recagent audit consume=c
	[[ "$output" == *"line 1: c: not JSON"*"line 3: c: neither event_id nor a position"*'"done":1'* ]]
	run -2 recagent audit
	run -2 recagent audit c
	run -2 recagent audit eat=c
	run -2 recagent audit consume=
	run -2 recagent audit consume=nosuch
	run -3 recagent audit --max-events 1 consume=<(line e1 8; line e2 9)
	run -0 recagent audit consume=- < <(line e1 8)
}

@test "a real run: all done; a stage's file cut anywhere: under way or missing, never done" {
	recagent setup --group recs >/dev/null
	for i in 1 2 3 4 5 6 7 8 9; do
		echo "{\"event_id\":\"e$i\",\"user_id\":\"u$((i % 3))\",\"item_id\":\"i$i\",\"event_type\":\"click\"}"
	done | recagent publish --ledger l >p
	recagent consume --group recs -e --ledger l | tee c | recagent prompt --min-events 2 --ledger l | tee q |
		recagent invoke --ledger l | tee i | recagent ack --tee --ledger l >a
	run -0 recagent audit publish=p consume=c prompt=q invoke=i ack=a ledger=l
	[[ "$output" == '{"events":9,"done":6,"swallowed":3,'*'"ledgers":5,"unbalanced":0}' ]]
	n=$(wc -l <i)
	for k in $(seq "$((n - 1))"); do
		head -"$k" i >cut
		out=$(recagent audit consume=c invoke=cut) || [ $? = 10 ]
		[ "$(jq -s '.[-1] | .done + .swallowed + .under_way' <<<"$out")" = 9 ]
		sed "${k}d" i >cut
		grep -q event_id <(sed -n "${k}p" i) || continue
		recagent audit consume=c invoke=cut >out 2>&1 && return 1
		grep -q '"state":"missing"' out
	done
}
