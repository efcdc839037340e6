#!/usr/bin/env bats
# The option tables, as --help shows them, and the man pages agree both ways: names, short names, arguments, defaults.
load helper

setup() {
	setup_store
	MAN=$BATS_TEST_DIRNAME/../../man
	RECAGENT=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")
	export RECAGENT
}

teardown() {
	teardown_store
}

options() {
	perl "$BATS_TEST_DIRNAME/options.pl" "$@"
}

commands() {
	recagent help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

@test "a command's own options are those of its page" {
	for c in $(commands); do
		options help "$c" >help
		[ -s help ] || [ "$c" = completion ] || { echo "$c: no options found"; return 1; }
		diff help <(options page "$MAN/recagent-$c.1") || { echo "--help < > recagent-$c.1"; return 1; }
	done
}

@test "the common options are those of recagent(1)" {
	options common >common
	[ "$(wc -l <common)" -ge 10 ]
	diff common <(options page "$MAN/recagent.1")
}

@test "each page names the common options that its command has" {
	for c in $(commands); do
		options shared-help "$c" >help
		[ -s help ]
		diff help <(options shared "$MAN/recagent-$c.1") || { echo "--help < > recagent-$c.1"; return 1; }
	done
}

@test "the words that an option takes are in its page" {
	options choices invoke | grep -qx -- '--session HOW | key|call'
	for c in $(commands); do
		while IFS='|' read -r name words; do
			for w in ${words//|/ }; do
				grep -q "^\.Cm $w\b" "$MAN/recagent-$c.1" || { echo "recagent-$c.1: $name: no $w"; return 1; }
			done
		done < <(options choices "$c")
	done
}

@test "--help goes to standard output, fits 80 columns and exits 0" {
	for c in $(commands); do
		recagent "$c" --help >out 2>err
		[ -s out ] && [ ! -s err ]
		! grep -nE '.{81}' out || { echo "$c"; return 1; }
		recagent help "$c" | diff out -
	done
	recagent --help >out 2>err && [ -s out ] && [ ! -s err ]
	[ "$(recagent version)" = "$(recagent --version)" ]
}

@test "a wrong command line is status 2, said once, with nothing on standard output" {
	tries=("" frob "publish --frob" "publish --linger x" "publish --order" "consume --count 0" "prompt extra" "ack extra"
		"invoke --session sometimes" "consume --threads 65" "cache-get" "profile get" "profile" "setup extra" "completion tcsh")
	for t in "${tries[@]}"; do
		status=0
		# The words are to be split.
		# shellcheck disable=SC2086
		recagent $t >out 2>err </dev/null || status=$?
		[ "$status" -eq 2 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] || { echo "recagent $t: status $status"; cat out err; return 1; }
		grep -q '^recagent: \|^recagent [a-z-]*: ' err || { echo "recagent $t"; cat err; return 1; }
	done
}

@test "an option's default comes from its variable, and from the table when that is empty" {
	recagent setup --stream one >/dev/null
	recagent publish -q one --user ada --item heat --type click
	RECAGENT_STREAM=one recagent consume --end --no-marks | grep -q heat
	RECAGENT_STREAM=one recagent consume --end --no-marks one | grep -q heat
	recagent setup >/dev/null
	RECAGENT_STREAM='' recagent consume --end | grep -q '"stream":"user-interactions"'
}

@test "the commands are reached by the names of links too" {
	ln -s "$RECAGENT" recagent-setup
	ln -s "$RECAGENT" setup
	./recagent-setup --help | grep -q '^usage: recagent setup'
	./setup --help | grep -q '^usage: recagent setup'
}
