# loop.bats - the whole pipe over servers that nobody here wrote: kinesalite, moto's DynamoDB, the Bedrock double.
load helper

# 2,000 real events where they are; a checkout alone has invented ones.
EVENTS=${RECAGENT_SHARED:-$BATS_TEST_DIRNAME/../../../shared}/vectors/interactions/eshop-2008/events-small.ndjson
if [ ! -r "$EVENTS" ] && [ -z "${CI:-}" ]; then
	EVENTS=$BATS_RUN_TMPDIR/events.ndjson
	awk -f "$BATS_TEST_DIRNAME/../../examples/make-events.awk" "$BATS_TEST_DIRNAME/../../examples/films.tsv" | sed 2000q >"$EVENTS.$$"
	mv "$EVENTS.$$" "$EVENTS"
fi

setup() {
	setup_aws
	export AWS_ENDPOINT_URL_KINESIS=$KINESALITE_URL
	export RECAGENT_STREAM=$N-events PROFILES_TABLE=$N-profiles REC_CACHE_TABLE=$N-rec GROUP=$N-group
	export BEDROCK_AGENT_ID=AGENT12345 BEDROCK_AGENT_ALIAS=ALIAS12345
}

teardown() {
	teardown_aws
}

pipe() {
	recagent consume --group "$GROUP" -e --poll 50ms | recagent prompt --min-events 1 "$@" |
		recagent invoke -j 32 | recagent ack
}

# Every table row as one JSON line, read by botocore.
rows() {
	python "$BATS_TEST_DIRNAME/scan.py" "$1"
}

@test "2,000 real events: every profile holds the last 20 in order, the cache answers the last prompt" {
	recagent setup --group "$GROUP"
	recagent publish -q <"$EVENTS"
	pipe >out
	rows "$PROFILES_TABLE" >profiles
	rows "$REC_CACHE_TABLE" >cache
	rows "$GROUP" >leases
	python3 - "$EVENTS" <<-'P'
		import collections, json, sys
		sent = collections.defaultdict(list)
		for line in open(sys.argv[1]):
		    e = json.loads(line)
		    sent[e['user_id']].append(e)
		for u in sent:
		    sent[u].sort(key=lambda e: e['timestamp'])
		profiles = {p['user_id']: p for p in map(json.loads, open('profiles'))}
		assert profiles.keys() == sent.keys(), (len(profiles), len(sent))
		for u, events in sent.items():
		    got = [{k: h[k] for k in ('event_id', 'item_id', 'event_type', 'timestamp', 'metadata')} for h in profiles[u]['history']]
		    want = [{k: e[k] for k in ('event_id', 'item_id', 'event_type', 'timestamp', 'metadata')} for e in events[-20:]]
		    assert got == want, (u, got, want)
		    assert profiles[u]['version'] == len(events), (u, profiles[u]['version'])
		cache = {c['user_id']: c for c in map(json.loads, open('cache'))}
		assert cache.keys() == sent.keys()
		for u, events in sent.items():
		    assert cache[u]['version'] == len(events), u
		    assert cache[u]['recommendations'][0]['reasoning'].startswith('After %s.' % events[-1]['item_id']), (u, cache[u])
		    assert len(cache[u]['recommendations']) == 5
		leases = [json.loads(l) for l in open('leases')]
		assert len(leases) == 4 and all('leaseOwner' not in l and l['checkpoint'].isdigit() for l in leases), leases
	P
	# and a second run finds nothing new
	pipe >again
	[ ! -s again ]
	[ "$(recagent consume --group "$GROUP" -e | grep -c event_id)" = 0 ]
}

@test "a consumer killed half way is taken over, and every event counts once" {
	recagent setup --group "$GROUP"
	recagent publish -q < <(head -300 "$EVENTS")
	(recagent consume --group "$GROUP" -e --poll 50ms 3>&- & echo $! >pid; wait) |
		recagent prompt --history 0 --min-events 1 | recagent invoke -j 4 | recagent ack --interval 100ms &
	local rest=$!
	PIDS="$rest"
	wait_for 20 bash -c '[ "$('"python $BATS_TEST_DIRNAME/scan.py $PROFILES_TABLE"' | wc -l)" -ge 8 ]' || true
	kill -9 "$(cat pid)" || true
	wait "$rest" || true
	recagent publish -q < <(sed -n 301,450p "$EVENTS")
	recagent consume --group "$GROUP" --failover 2s -e --poll 50ms | recagent prompt --history 0 --min-events 1 |
		recagent invoke -j 32 | recagent ack
	rows "$PROFILES_TABLE" >profiles
	[ "$(jq -s '[.[].version] | add' profiles)" = 450 ]
	[ "$(jq -r '.history[].event_id' profiles | sort | uniq -d | wc -l)" = 0 ]
	[ "$(jq -r '.history[].event_id' profiles | sort | uniq | wc -l)" = 450 ]
}

@test "the model misbehaves: what the cache had stays, every line is accounted for" {
	recagent setup --group "$GROUP"
	recagent publish -q < <(head -150 "$EVENTS")
	recagent consume --group "$GROUP" -e | recagent prompt --min-events 1 >prompts
	recagent invoke -j 16 <prompts >first
	[ "$(grep -c '"status":"error"' first)" = 0 ]
	rows "$REC_CACHE_TABLE" | jq -r .user_id | sort >had
	bedrock config '{"malformed":0.3,"empty":0.2,"prose":0.3,"seed":5}' || bedrock config '{"malformed":0.3,"empty":0.2,"prose":0.3}'
	run recagent invoke -j 16 --ledger ledger --dead-letter dead <prompts
	bedrock config '{"malformed":0,"empty":0,"prose":0}'
	[ "$status" = 1 ]
	rows "$REC_CACHE_TABLE" | jq -e 'select((.recommendations | length) == 0)' && false
	rows "$REC_CACHE_TABLE" | jq -r .user_id | sort | diff had -
	jq -e '.balances and .failed > 0 and .in == .out + .refused + .failed' ledger
	[ "$(wc -l <dead)" = "$(jq .failed ledger)" ]
}
