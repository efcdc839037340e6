# dynamodb.bats - profiles and cache on Amazon's own DynamoDB Local. $AWS_ENDPOINT_URL_DYNAMODB names it.

setup() {
	T=$(mktemp -d)
	cd "$T"
	export PROFILES_TABLE=profiles-$BATS_TEST_NUMBER REC_CACHE_TABLE=cache-$BATS_TEST_NUMBER
}

teardown() {
	cd / && rm -rf "$T"
}

recagent() { "$RECAGENT" "$@"; }

# The tables only: there is no stream service here.
make_tables() {
	for t in "$PROFILES_TABLE" "$REC_CACHE_TABLE"; do
		python3 "$BATS_TEST_DIRNAME/create_table.py" "$t"
	done
}

event() { # ID USER METADATA
	printf '{"event_id":"%s","user_id":"%s","item_id":"i","event_type":"click","timestamp":"2026-01-02T03:04:05Z","metadata":%s}\n' "$@"
}

@test "numbers keep their exact value; what N can't hold becomes a string" {
	make_tables
	event e1 u '{"a":14.990,"b":1342647857257299304,"c":0.1,"d":-0.0,"e":1e3,"f":12345678901234567890123456789012345678,"g":1E-130,"h":9.9999999999999999999999999999999999999E+125}' >in
	event e2 u '{"i":123456789012345678901234567890123456789,"j":1e400,"k":1e-131,"l":0.1000000000000000000000000000000000000001}' >>in
	recagent prompt --min-events 1 <in >out
	[ "$(grep -c '"prompt"' out)" = 2 ]
	recagent profile get u >p
	python3 - <<-'P'
		import json
		from decimal import Decimal
		history = json.load(open('p'), parse_float=Decimal, parse_int=Decimal)['history']
		a, b = history[0]['metadata'], history[1]['metadata']
		want = dict(a='14.990', b='1342647857257299304', c='0.1', d='0', e='1000',
		            f='12345678901234567890123456789012345678', g='1E-130', h='9.9999999999999999999999999999999999999E+125')
		for k, v in want.items():
		    assert a[k] == Decimal(v), (k, a[k], v)
		want = dict(i='123456789012345678901234567890123456789', j='1e400', k='1e-131',
		            l='0.1000000000000000000000000000000000000001')
		for k, v in want.items():
		    assert b[k] == v, (k, b[k], v)
	P
}

@test "writers of one profile at once lose nothing" {
	make_tables
	for w in 1 2 3 4; do
		for i in $(seq 25); do event "w$w-$i" u '{}'; done | recagent prompt --history 0 -j 1 >"out$w" &
	done
	wait
	[ "$(recagent profile get u | jq '.version')" = 100 ]
	[ "$(recagent profile get u | jq '[.history[].event_id] | unique | length')" = 100 ]
}

@test "an older answer never replaces a newer one, an expired one gives way" {
	make_tables
	python3 "$BATS_TEST_DIRNAME/put_entry.py" "$REC_CACHE_TABLE" u 7 3600
	python3 "$BATS_TEST_DIRNAME/put_entry.py" "$REC_CACHE_TABLE" old 7 -10
	recagent cache-get u | jq -e '.source == "cache"'
	recagent cache-get old | jq -e '.source == "fallback"'
	recagent cache-get --max-stale 1h old | jq -e '.source == "stale"'
}

@test "many keys at once, some twice, most missing" {
	make_tables
	for i in $(seq 0 40 400); do python3 "$BATS_TEST_DIRNAME/put_entry.py" "$REC_CACHE_TABLE" "u$i" 1 3600; done
	{ seq -f 'u%.0f' 0 420; echo u40; } | recagent cache-get --timeout 20s - >out
	[ "$(wc -l <out)" = 422 ]
	[ "$(grep -c '"source":"cache"' out)" = 12 ]
	[ "$(sed -n 41p out | jq -r .user_id)" = u40 ]
}

@test "an item never passes 400 KB, and one event that would is refused" {
	make_tables
	big=$(head -c 30000 /dev/zero | tr '\0' x)
	for i in $(seq 30); do event "e$i" u "{\"t\":\"$big\"}"; done >in
	run recagent prompt --history 0 --min-events 1 <in
	[ "$status" = 0 ]
	[ "$(recagent profile get u | jq '.version')" = 30 ]
	huge=$(head -c 420000 /dev/zero | tr '\0' x)
	event e31 u "{\"t\":\"$huge\"}" >in
	run recagent prompt <in
	[ "$status" = 1 ]
	[[ $output == *"line 1"* ]]
	[ "$(recagent profile get u | jq '.version')" = 30 ]
}

@test "preferences are set beside the history, and a user is forgotten" {
	make_tables
	event e1 u '{"price":9.50}' | recagent prompt >/dev/null
	recagent profile set u '{"language":"pl","limit":3.10}'
	recagent profile get u | jq -e '.preferences.language == "pl" and (.history | length) == 1'
	recagent prompt --render u | grep -q language
	recagent profile forget u
	run recagent profile get u
	[ "$status" = 4 ]
}
