#!/usr/bin/env bats
# The man pages: sound mdoc, one for each command, complete, and their examples do what they show.
load helper

setup() {
	setup_store
	unset RECAGENT_LOCAL # the examples make their own store
	MAN=$BATS_TEST_DIRNAME/../../man
	RECAGENT=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")
	export RECAGENT PATH=$(dirname "$RECAGENT"):$PATH
}

teardown() {
	teardown_store
}

commands() {
	recagent help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

# The lines of a section of a page.
section() {
	sed -n "/^\.Sh $2\$/,/^\.Sh /p" "$1" | sed '1d;/^\.Sh /d'
}

@test "there is a page for each command, and for nothing else" {
	diff <(ls "$MAN" | sort) <({ echo recagent.1; commands | sed 's/.*/recagent-&.1/'; } | sort)
}

@test "mandoc finds nothing to warn of" {
	run mandoc -Tlint -W warning "$MAN"/*.1
	[ "$output" = "" ] && [ "$status" -eq 0 ]
}

@test "each page has its sections and names the command as --help does" {
	for p in "$MAN"/*.1; do
		for s in NAME SYNOPSIS DESCRIPTION OPTIONS ENVIRONMENT "EXIT STATUS" EXAMPLES "SEE ALSO"; do
			grep -qx "\.Sh $s" "$p" || { echo "$p: no $s"; return 1; }
		done
	done
	for c in $(commands); do
		summary=$(recagent help | sed -n "s/^  $c  *//p")
		grep -qxF ".Nd $summary" "$MAN/recagent-$c.1" || { echo "recagent-$c.1: not: $summary"; return 1; }
	done
}

@test "EXIT STATUS is the table of src/base/err.h, the same in all pages" {
	awk '/^enum exit_code/,/^};/' "$BATS_TEST_DIRNAME/../../src/base/err.h" | grep -o '= [0-9]*' | tr -d '= ' | sed 's/^128$/128+n/' >enum
	[ -s enum ]
	for p in "$MAN"/*.1; do
		section "$p" "EXIT STATUS" | sed -n '/^\.Bl/,/^\.El/p' >table
		sed -n 's/^\.It //p' table | diff enum - || { echo "$p"; return 1; }
		[ -e first ] || cp table first
		diff first table || { echo "$p"; return 1; }
	done
}

@test "ENVIRONMENT has every variable that an option reads" {
	for c in $(commands); do
		for v in $(recagent "$c" --help | grep -o '\[\$[A-Z_]*' | tr -d '[$'); do
			section "$MAN/recagent-$c.1" ENVIRONMENT | grep -q "\b$v\b" || { echo "recagent-$c.1: no $v"; return 1; }
			section "$MAN/recagent.1" ENVIRONMENT | grep -q "\b$v\b" || { echo "recagent.1: no $v"; return 1; }
		done
	done
}

@test "a session that does not print what it shows is found" {
	printf '```console\n$ echo one\none\n$ echo two\n...\n$ printf "a b\\nc\\n"\na ...\nc\n```\n' >good.md
	printf '```console\n$ echo one\ntwo\n```\n' >bad.md
	printf '```console\n$ echo one\n```\n' >silent.md
	printf '```sh\n$ echo one\n```\n' >none.md
	perl "$BATS_TEST_DIRNAME/session.pl" good.md
	for f in bad silent none; do
		run perl "$BATS_TEST_DIRNAME/session.pl" $f.md
		[ "$status" -ne 0 ] || { echo "$f passes"; return 1; }
	done
}

# One test a page, so that each has its own store and name.
examples() {
	perl "$BATS_TEST_DIRNAME/session.pl" "$MAN/$1"
}
@test "examples of recagent(1)" { examples recagent.1; }
@test "examples of recagent-ack(1)" { examples recagent-ack.1; }
@test "examples of recagent-audit(1)" { examples recagent-audit.1; }
@test "examples of recagent-cache-get(1)" { examples recagent-cache-get.1; }
@test "examples of recagent-completion(1)" { examples recagent-completion.1; }
@test "examples of recagent-consume(1)" { examples recagent-consume.1; }
@test "examples of recagent-invoke(1)" { examples recagent-invoke.1; }
@test "examples of recagent-positions(1)" { examples recagent-positions.1; }
@test "examples of recagent-profile(1)" { examples recagent-profile.1; }
@test "examples of recagent-prompt(1)" { examples recagent-prompt.1; }
@test "examples of recagent-publish(1)" { examples recagent-publish.1; }
@test "examples of recagent-replay(1)" { examples recagent-replay.1; }
@test "examples of recagent-setup(1)" { examples recagent-setup.1; }

@test "the examples of every page are tested" {
	for p in "$MAN"/*.1; do
		grep -q "{ examples $(basename "$p"); }" "$BATS_TEST_DIRNAME/man.bats" || { echo "$p"; return 1; }
	done
}
