#!/usr/bin/env bats
# The examples run, and do what they say; so do the sessions in the README.
load helper

setup() {
	setup_store
	ROOT=$(realpath "$BATS_TEST_DIRNAME/../..")
	RECAGENT=$(realpath "${RECAGENT:-$ROOT/build/recagent}")
	BIN=$(dirname "$RECAGENT")
	# The scripts look for the program in PATH first, or in $BUILD below the root.
	export RECAGENT TMPDIR=$T PATH=$BIN:$PATH
	BUILD=$(realpath --relative-to "$ROOT" "$BIN")
	export BUILD
}

teardown() {
	teardown_store
}

# The ids of the items in cache-get's lines.
items() {
	grep -o '"item_id":"[^"]*"' | cut -d'"' -f4 | xargs
}

@test "demo.sh: from romances to thrillers" {
	DEMO_DIR=$T timeout 60 "$ROOT/examples/demo.sh" >out 2>err
	before=$(grep -m1 -A5 '^{"user_id":"viewer_007"' out)
	[[ $before == *romance* && $before != *thriller* ]]
	after=$(sed -n '/^# A moment later/,/^# Nobody/p' out | items)
	[[ $after == thriller* ]]
	[ "$(cat err)" = 'recagent publish: 3975 in = 3975 out + 0 refused + 0 failed (0 marks)
recagent ack: 3375 in = 3375 out + 0 refused + 0 failed (601 marks)
recagent cache-get: "somebody_new": no entry, serving the fallback' ]
}

@test "make-events.awk: the same events from any awk, and as many users as asked for" {
	for awk in awk mawk gawk original-awk "busybox awk"; do
		command -v ${awk%% *} >/dev/null || continue
		$awk -f "$ROOT/examples/make-events.awk" "$ROOT/examples/films.tsv" | cksum >>sums
	done
	[ "$(sort -u sums | wc -l)" -eq 1 ]
	recagent setup >/dev/null
	awk -f "$ROOT/examples/make-events.awk" -v users=5 -v seed=3 "$ROOT/examples/films.tsv" >events
	[ "$(grep -o '"user_id":"[^"]*"' events | sort -u | wc -l)" -eq 5 ]
	recagent publish -q <events
}

@test "pipeline.sh --once: to the tip of the stream; --once again: nothing left" {
	recagent setup >/dev/null
	awk -f "$ROOT/examples/make-events.awk" -v users=20 "$ROOT/examples/films.tsv" | recagent publish -q
	ACK_OPTS=-v "$ROOT/examples/pipeline.sh" --once 2>first
	[ "$(recagent cache-get viewer_003 | grep -c '"source":"cache"')" -eq 1 ]
	ACK_OPTS=-v "$ROOT/examples/pipeline.sh" --once 2>second
	grep -q ' 0 in = 0 out ' second
}

@test "pipeline.sh: a SIGTERM ends it cleanly, with all committed" {
	"$ROOT/examples/pipeline.sh" 2>err &
	pid=$!
	PIDS=$pid
	recagent setup >/dev/null
	for i in 1 2 3; do recagent publish -q --user ada --item film-$i --type click; done
	wait_for 20 sh -c "'$RECAGENT' cache-get ada 2>&1 | grep -q '\"source\":\"cache\"'"
	kill -TERM $pid
	wait $pid
	[ ! -s err ] || { cat err; return 1; }
	recagent consume --group recs --end | recagent ack -v 2>&1 | grep -q ' 0 in = 0 out '
}

@test "pipeline.sh: a pipe that can't run is tried again, and a SIGTERM ends the pause; a wrong option is refused" {
	recagent setup --group recs >/dev/null
	INVOKE_OPTS=--nonsense "$ROOT/examples/pipeline.sh" 2>err &
	PIDS=$!
	wait_for 20 grep -q 'again in 4 s' err
	kill -TERM $PIDS
	wait_for 1 sh -c "! kill -0 $PIDS 2>/dev/null"
	grep -q 'unknown option --nonsense' err
	run "$ROOT/examples/pipeline.sh" --onc
	[ "$status" -eq 2 ]
}

@test "fraud-scoring.sh: one verdict for an account, on its payments in order" {
	"$ROOT/examples/fraud-scoring.sh" >out 2>err
	[ "$(grep -o 'to shop-99: {"eur":[0-9.]*' out | grep -o '[0-9.]*$' | xargs)" = "1.00 2.00 250.00 2500.00" ]
	tail -n 1 out | grep -q '^{"account_id":"acc-17".*"source":"cache"'
	[ "$(tail -n 1 out | items | wc -w)" -eq 1 ]
	recagent profile --key account_id --profiles accounts get acc-17 | grep -q '"eur":250.00'
}

@test "moderation.sh: reports are quoted, one decision from the third on" {
	"$ROOT/examples/moderation.sh" >out 2>err
	[ "$(grep -c '^- reader-. says: ' out)" -eq 3 ]
	[ "$(grep -c '</reports>' out)" -eq 1 ]
	grep '^{"post_id":"post-1"' out | grep -q '"source":"cache"'
	[ "$(grep '^{"post_id":"post-2"' out | items)" = keep ]
	grep '^{"post_id":"post-2"' out | grep -q '"source":"fallback"'
}

@test "the crontab's commands work as cron runs them" {
	mkdir lib
	recagent setup --group recs --local lib/store >/dev/null
	awk -f "$ROOT/examples/make-events.awk" -v users=20 "$ROOT/examples/films.tsv" | recagent publish -q --local lib/store
	sed "s|/var/lib/recagent|$T/lib|g; s|/opt/recagent|$ROOT|g; s|^PATH=|&$BIN:|" "$ROOT/examples/cron/recagent.crontab" >crontab
	grep '^[A-Z_]*=' crontab >env
	# Five fields, then the command; a % in it would be a newline to cron.
	grep -v '^#\|^$\|^[A-Z_]*=' crontab | sed -E 's/^([^ ]+ ){5}//' >commands
	[ "$(wc -l <commands)" -eq 2 ]
	[ "$(grep -c % commands)" -eq 0 ]
	for pass in 1 2; do
		while IFS= read -r command; do
			# No HOME, no terminal, no standard input.
			mapfile -t vars <env
			run env -i "${vars[@]}" setsid timeout -k 5 60 sh -c "$command" </dev/null
			[ "$status" -eq 0 ] && [ "$output" = "" ] || { echo "pass $pass: $command: $status: $output"; return 1; }
		done <commands
	done
	recagent cache-get --local lib/store viewer_003 | grep -q '"source":"cache"'
	# The films are of January: nothing was about today, so there is no item in it.
	recagent publish -q --local lib/store --user ada --item film-1 --type click
	env -i "${vars[@]}" sh -c "$(tail -n 1 commands)"
	[ "$(wc -l <lib/fallback.ndjson)" -le 5 ]
	recagent cache-get --local lib/store --fallback lib/fallback.ndjson nobody 2>/dev/null | grep -q '"source":"fallback"'
}

@test "the systemd unit: sound, and its command with its settings starts and stops cleanly" {
	mkdir lib
	sed "s|/var/lib/recagent|$T/lib|g" "$ROOT/examples/systemd/recagent.env" | grep -v '^#\|^$' >env
	unit=$ROOT/examples/systemd/recagent.service
	grep -qx 'KillMode=mixed' "$unit"
	grep -qx 'Restart=on-failure' "$unit"
	if command -v systemd-analyze >/dev/null; then
		sed "s|/opt/recagent|$ROOT|g" "$unit" >recagent.service
		[ "$(systemd-analyze verify --man=no "$T/recagent.service" 2>&1 | grep recagent.service)" = "" ]
	fi
	mapfile -t vars <env
	command=$(sed -n "s|^ExecStart=/opt/recagent|$ROOT|p" "$unit")
	env -i PATH="$PATH" "${vars[@]}" setsid "$command" </dev/null 2>err &
	PIDS=$!
	for i in 1 2 3; do
		wait_for 10 sh -c "'$RECAGENT' publish -q --local '$T/lib/store' --user ada --item film-$i --type click 2>/dev/null"
	done
	wait_for 20 sh -c "'$RECAGENT' cache-get --local '$T/lib/store' ada 2>&1 | grep -q '\"source\":\"cache\"'"
	kill -TERM $PIDS
	wait $PIDS
	[ ! -s err ] || { cat err; return 1; }
}

@test "each example is tested" {
	for f in "$ROOT"/examples/*.sh "$ROOT"/examples/*.awk "$ROOT"/examples/*/*; do
		grep -q "$(basename "$f")" "$BATS_TEST_DIRNAME/examples.bats" || { echo "$f"; return 1; }
	done
}

@test "the sessions of README.md" {
	ln -s "$ROOT/examples" "$ROOT/README.md" .
	ln -s "$BIN" build
	unset RECAGENT_LOCAL
	perl "$BATS_TEST_DIRNAME/session.pl" README.md
}

@test "README.md names every command, make variable and exit status" {
	recagent help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' >names
	sed -n 's/^\([A-Z]*\) ?=.*/\1/p' "$ROOT/Makefile" >>names
	printf '%s\n' V T LINKS >>names
	while read -r name; do
		grep -q "\`$name[ =\`]" "$ROOT/README.md" || { echo "no $name"; return 1; }
	done <names
	awk '/^enum exit_code/,/^};/' "$ROOT/src/base/err.h" | grep -o '= [0-9]*' | tr -d '= ' >enum
	while read -r n; do
		sed -n '/^## Exit statuses/,/^## Limits/p' "$ROOT/README.md" | grep -qE "^\|.*\b$n\b.*\| [A-Z]" || { echo "no status $n"; return 1; }
	done <enum
}

@test "src/README.md names files that are there, and every layer" {
	grep -o '`[a-z]*/[a-z0-9_]*\.[ch]`' "$ROOT/src/README.md" | tr -d '`' | sort -u >files
	[ "$(wc -l <files)" -gt 40 ]
	while read -r f; do
		[ -e "$ROOT/src/$f" ] || { echo "no $f"; return 1; }
	done <files
	for d in "$ROOT"/src/*/; do
		grep -q "^| \`$(basename "$d")/\` |" "$ROOT/src/README.md" || { echo "not in the map: $d"; return 1; }
	done
}
