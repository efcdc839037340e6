#!/usr/bin/env bash
# dynamodb_local.sh fetch | serve PORT DIR - Amazon's own DynamoDB Local: have Maven fetch it where it is not there yet; run it in
# memory on PORT, in DIR, where it leaves a file. Needs Java, and Maven the first time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lib=$here/lib
case ${1-} in
fetch)
	cmp -s "$here/pom.xml" "$lib/pom.xml" && exit
	mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib
	cp "$here/pom.xml" "$lib/pom.xml"
	;;
serve)
	cd "$3"
	export DDB_LOCAL_TELEMETRY=0
	exec java -Xmx1g -Djava.library.path="$lib" -cp "$lib/*" com.amazonaws.services.dynamodbv2.local.main.ServerRunner \
		-inMemory -disableTelemetry -port "$2" >log 2>&1
	;;
*)
	echo "usage: dynamodb_local.sh fetch | serve PORT DIR" >&2
	exit 2
	;;
esac
