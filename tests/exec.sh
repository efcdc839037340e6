#!/usr/bin/env bash
# exec.sh FILE - how prove runs one test file: bats for .bats, else a cmocka program, whose "not ok # SKIP" is no failure in
# TAP but is one here: no test is skipped.
set -o pipefail
case $1 in
*.bats) exec bats --tap "$1" ;;
*) CMOCKA_MESSAGE_OUTPUT=TAP exec "$1" 2>&1 ;;
esac
