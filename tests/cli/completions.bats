#!/usr/bin/env bats
# The completions: the committed files are current, load in their shells, know every option, and complete.
load helper

setup() {
	setup_store
	DIR=$BATS_TEST_DIRNAME/../../completions
	RECAGENT=$(realpath "${RECAGENT:-$BATS_TEST_DIRNAME/../../build/recagent}")
	export RECAGENT HOME=$T
}

teardown() {
	teardown_store
}

commands() {
	recagent help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

# The long options of a command: "--since WHEN", "--end".
long_options() {
	for kind in help shared-help; do
		perl "$BATS_TEST_DIRNAME/options.pl" $kind "$1"
	done | sed 's/ |.*//; s/^-., //'
}

# What bash offers for the words given, of which the last is under the cursor.
bash_offers() {
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _recagent; printf "%s\n" "${COMPREPLY[@]}"' - \
		"$DIR/recagent.bash" "$@" | sort | xargs
}

@test "the committed files are what recagent completion prints" {
	for shell in bash zsh fish; do
		recagent completion $shell | diff - "$DIR/recagent.$shell" || { echo "run: make completions"; return 1; }
	done
}

@test "each loads in its shell" {
	bash -n "$DIR/recagent.bash"
	[ "$(bash -c '. "$1"; complete -p recagent-publish' - "$DIR/recagent.bash")" = "complete -o filenames -F _recagent recagent-publish" ]
	zsh -n "$DIR/recagent.zsh"
	mkdir functions && cp "$DIR/recagent.zsh" functions/_recagent
	[ "$(zsh -fc 'fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[recagent] $_comps[recagent-ack]')" = "_recagent _recagent" ]
	fish -n "$DIR/recagent.fish"
}

@test "each option of each command is in all three" {
	for c in $(commands); do
		sed -n "/^\t\t$c) COMPREPLY/p" "$DIR/recagent.bash" >bash
		sed -n "/^\t$c)\$/,/;;/p" "$DIR/recagent.zsh" >zsh
		grep "seen_subcommand_from $c'" "$DIR/recagent.fish" >fish
		long_options "$c" >options
		[ "$(wc -l <options)" -ge 2 ]
		while read -r name _; do
			grep -q -- " $name[ ']" bash || { echo "bash, $c: no $name"; return 1; }
			grep -qE -- "[',*]$name[}[]" zsh || { echo "zsh, $c: no $name"; return 1; }
			grep -q -- " -l ${name#--} " fish || { echo "fish, $c: no $name"; return 1; }
		done <options
	done
}

@test "bash completes commands, options, values and operands" {
	[ "$(bash_offers recagent con)" = consume ]
	[ "$(bash_offers recagent consume --s)" = --since ]
	[ "$(bash_offers recagent-consume --s)" = --since ]
	[ "$(bash_offers recagent invoke --session '')" = "call key" ]
	[ "$(bash_offers recagent publish --order k)" = key ]
	[ "$(bash_offers recagent completion '')" = "bash fish zsh" ]
	[ "$(bash_offers recagent-profile f)" = forget ]
	[ "$(bash_offers recagent help set)" = setup ]
	touch prompts.txt && mkdir prompts.d
	[ "$(bash_offers recagent prompt --template pro)" = "prompts.d prompts.txt" ]
	[ "$(bash_offers recagent prompt --local pro)" = prompts.d ]
	[ "$(bash_offers recagent replay ./pro)" = "./prompts.d ./prompts.txt" ]
	[ "$(bash_offers recagent consume --since '')" = "" ]
}

@test "fish completes commands, options, values and operands" {
	offers() {
		fish -c 'source $argv[1]; complete -C $argv[2]' "$DIR/recagent.fish" "$1" | cut -f1 | sort | xargs
	}
	[ "$(offers 'recagent con')" = consume ]
	[ "$(offers 'recagent consume --si')" = --since ]
	[ "$(offers 'recagent invoke --session ')" = "call key" ]
	[ "$(offers 'recagent profile f')" = forget ]
	[ "$(offers 'recagent ver')" = version ]
}
