#!/usr/bin/env bash
# setup.sh - install the third-party servers that the integration tests run against: node modules and a Python
# environment beside this file, both ignored by git. Quick when nothing changed.
set -euo pipefail
cd "$(dirname "$0")"

# same STAMP FILE... - were these files the ones that were installed?
same() {
	[ -f "$1" ] && [ "$(cat "${@:2}" | cksum)" = "$(cat "$1")" ]
}

if ! same node_modules/.installed package.json package-lock.json; then
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	cat package.json package-lock.json | cksum >node_modules/.installed
fi
if ! same .venv/.installed requirements.txt; then
	rm -rf .venv
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	cksum <requirements.txt >.venv/.installed
fi
