#!/usr/bin/env bash
# build.sh - fetch what the workers and DynamoDB Local run on, and compile KclWorker for KCL 2.x and 3.x into $BUILD/kcl.
set -euo pipefail
cd "$(dirname "$0")/../.." || exit 1

# fetch POM LIB [OPTION...] - the dependencies of a pom, once
fetch() {
	local pom=$1 lib=$2
	shift 2
	cmp -s "$pom" "$lib/pom.xml" && return
	rm -rf "$lib"
	mvn -q -B -f "$pom" "$@" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$PWD/$lib"
	cp "$pom" "$lib/pom.xml"
}

fetch tests/conformance/pom.xml tests/conformance/lib
for v in 2 3; do
	fetch tests/kcl/pom.xml tests/kcl/lib-$v -P v$v
	classes=${BUILD:-build}/kcl/$v
	[ "$classes/KclWorker.class" -nt tests/kcl/KclWorker.java ] && [ "$classes/Version.class" -nt tests/kcl/v$v/Version.java ] &&
		[ "$classes/KclWorker.class" -nt tests/kcl/lib-$v/pom.xml ] && continue
	mkdir -p "$classes"
	javac -cp "tests/kcl/lib-$v/*" -d "$classes" tests/kcl/KclWorker.java tests/kcl/v$v/Version.java
done
