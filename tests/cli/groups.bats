#!/usr/bin/env bats
# Several workers of one group, as processes over the embedded store: they share its shards, come and go, are killed and stopped.
load helper

BIN=${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}
LIMIT=90 # seconds, for what ends by itself: beyond --grace

recagent() { # as in the helper, but nothing here may go on for ever
	timeout "$LIMIT" "$BIN" "$@"
}

setup() {
	setup_store
	recagent setup --group recs >/dev/null
	N=0
}

teardown() {
	for p in ${PIDS:-}; do kill -CONT "$p" 2>/dev/null || true; done
	teardown_store
}

# put COUNT - so many more events.
put() {
	seq $((N + 1)) $((N + $1)) |
		awk '{ printf "{\"user_id\":\"u%d\",\"event_id\":\"e%d\",\"item_id\":\"i\",\"event_type\":\"click\"}\n", $1 % 40, $1 }' |
		recagent publish -q >/dev/null
	N=$((N + $1))
}

# worker NAME [OPTION...] - what it handed on is in lNAME; its pids in C_NAME and A_NAME.
worker() {
	local name=$1
	shift
	mkfifo "p$name" "q$name"
	tee "l$name" <"p$name" >"q$name" 2>/dev/null 3>&- &
	PIDS="${PIDS:-} $!"
	"$BIN" ack --interval 50ms <"q$name" 2>"a$name" 3>&- &
	eval "A_$name=$!"
	PIDS="$PIDS $!"
	"$BIN" consume --group recs --failover 2s -v "$@" >"p$name" 2>"c$name" 3>&- &
	eval "C_$name=$!"
	PIDS="$PIDS $!"
}

ids() { # what was handed on, each line's
	cat "$@" | grep -o '"event_id":"[^"]*"' || true
}

came() { # COUNT: at least so many different ones
	[ "$(ids l? | sort -u | wc -l)" -ge "$1" ]
}

owners() { # shards that are owned, by pid of the owner
	recagent positions show --group recs -f json 2>/dev/null | jq -r 'select(.owner) | .owner | split(":")[1]' | sort | uniq -c
}

holds_shards() { # PID COUNT
	[ "$(owners | awk -v p="$1" '$2 == p { print $1 }')" = "$2" ]
}

end() { # NAME... with a signal; each is done, all is committed
	local name c a
	for name in "$@"; do
		c=C_$name a=A_$name
		kill -TERM "${!c}"
		ended "$LIMIT" "${!c}"
		ended "$LIMIT" "${!a}"
	done
}

@test "a worker that joins gets its share without a line delivered twice, one that ends leaves it to the other" {
	put 200
	worker 1
	wait_for 10 came 200
	worker 2
	wait_for 15 holds_shards "$C_2" 2
	put 200
	wait_for 10 came 400
	[ "$(ids l2 | wc -l)" -gt 0 ]
	end 1
	wait_for 10 holds_shards "$C_2" 4
	put 100
	wait_for 10 came 500
	end 2
	[ -z "$(ids l? | sort | uniq -d)" ]
	no grep -q "lost" c1 c2 a1 a2
	[ -z "$(owners)" ]
}

@test "shards keep their order across a handover" {
	worker 1
	for i in 1 2 3 4 5 6 7 8; do
		put 50
		[ "$i" != 3 ] || worker 2
		[ "$i" != 6 ] || worker 3
		sleep 0.5
	done
	wait_for 20 came 400
	end 1 2 3
	[ -z "$(ids l? | sort | uniq -d)" ]
	# Within each worker a user's events come in order, and no worker has an event from before one that another had first.
	for l in l1 l2 l3; do
		grep event_id $l | jq -r '[.user_id, .event_id[1:]] | @tsv' |
			awk '$2 + 0 <= last[$1] { print; exit 1 } { last[$1] = $2 + 0 }'
	done
}

@test "kill -9 of a worker: the other one has its shards at once, and nothing is lost" {
	put 100
	worker 1 --failover 60s --max-shards 2
	wait_for 10 holds_shards "$C_1" 2
	worker 2 --failover 60s
	wait_for 10 came 100
	freeze "$A_1" # what worker 1 hands on from here is not committed
	put 100
	wait_for 10 came 200
	kill -9 "$C_1"
	kill -9 "$A_1"
	wait_for 10 holds_shards "$C_2" 4
	end 2
	[ "$(ids l2 | sort -u | wc -l)" -gt 100 ]
	[ "$(ids l? | sort -u | wc -l)" -eq 200 ]
	[ "$(recagent consume -e --group recs | grep -c event_id)" -eq 0 ]
}

@test "a stopped worker loses its shards within the failover time; it hands on nothing more of them, and recovers" {
	put 100
	worker 1
	wait_for 10 came 100
	worker 2
	wait_for 15 holds_shards "$C_2" 2
	freeze "$C_1"
	put 100
	wait_for 10 holds_shards "$C_2" 4
	wait_for 10 came 200
	local before
	before=$(ids l1 | wc -l)
	kill -CONT "$C_1"
	wait_for 10 grep -q "lease lost to" c1
	# Both have a share again, asked for and handed over.
	wait_for 20 holds_shards "$C_1" 2
	put 100
	wait_for 10 came 300
	end 1 2
	[ "$(ids l1 | wc -l)" -ge "$before" ]
	[ -z "$(ids l? | sort | uniq -d)" ]
	[ -z "$(grep "lease lost to" c1 | sort | uniq -d)" ] # said once for each shard
}

@test "a reader that stops for longer than the failover time costs no lease" {
	worker 1 --failover 1s
	freeze "$A_1"
	put 3000 # more than the pipe holds
	sleep 2.5
	worker 2 --until 1s # takes what is free, and ends
	ended "$LIMIT" "$C_2"
	[ "$(ids l2 | wc -l)" -eq 0 ]
	kill -CONT "$A_1"
	wait_for 20 came 3000
	end 1
	[ -z "$(ids l1 | sort | uniq -d)" ]
	no grep -q lost c1
}

@test "a handover that the old worker's pipe does not let come about is made by force, and said by ack" {
	put 100
	worker 1 --failover 1s
	wait_for 10 came 100
	freeze "$A_1"
	put 100
	worker 2 --failover 1s
	wait_for 20 holds_shards "$C_2" 2
	wait_for 10 grep -q '"event_id"' l2
	kill -9 "$C_2" # nobody commits what it had for a while: worker 1's lines of these shards stay uncommitted
	kill -TERM "$C_1"
	kill -CONT "$A_1"
	ended "$LIMIT" "$C_1" || [ $? -ne 124 ]
	ended "$LIMIT" "$A_1" || [ $? -ne 124 ]
	recagent consume -e --group recs --failover 1s | recagent ack --tee >l9
	[ "$(ids l? | sort -u | wc -l)" -eq 200 ]
}

@test "ack behind a worker that lost a shard: status 7 while nobody has come as far, 0 once somebody has" {
	put 40
	recagent consume -e --group recs --grace 0 >lines
	recagent consume -e --group recs --grace 0 >again
	run recagent ack <lines
	[ "$status" -eq 7 ]
	[[ "$output" == *"not committed: another worker has taken over and gets them again"* ]]
	recagent ack <again
	run recagent ack <lines
	[ "$status" -eq 0 ]
	[ "$(recagent consume -e --group recs | grep -c event_id)" -eq 0 ]
}

@test "four workers start at once, two are killed: all is read, and the rest settles" {
	put 400
	for w in 1 2 3 4; do worker $w; done
	wait_for 20 came 400
	wait_for 30 holds_shards "$C_4" 1
	wait_for 30 holds_shards "$C_1" 1
	kill -9 "$C_1" "$C_2"
	put 200
	wait_for 20 came 600
	wait_for 20 holds_shards "$C_3" 2
	wait_for 20 holds_shards "$C_4" 2
	end 3 4
	[ "$(ids l? | sort -u | wc -l)" -eq 600 ]
}

@test "--max-shards holds also when shards are free" {
	worker 1 --max-shards 1
	wait_for 10 holds_shards "$C_1" 1
	put 40
	sleep 1
	holds_shards "$C_1" 1
	worker 2
	wait_for 10 holds_shards "$C_2" 3
	wait_for 10 came 40
	end 1 2
}

@test "--max-shards with --end: a run ends behind what it may have, and leaves the rest to others" {
	put 40
	for i in 1 2; do
		timeout 20 "$BIN" consume --group recs --end --max-shards 1 >"l$i"
		grep -q '"mark":"end"' "l$i"
		[ "$(jq -r '._source.shard_id // empty' "l$i" | sort -u | wc -l)" -le 1 ]
	done
}
