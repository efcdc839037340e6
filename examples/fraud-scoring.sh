#!/bin/sh
# fraud-scoring.sh [ACCOUNT] - the pipe with accounts instead of people: each payment asks for a verdict on its account.
#
# Nothing is different but names: KEY is account_id, the template asks for one verdict, and that is kept for 15 minutes. With
# BEDROCK_AGENT_ID and BEDROCK_AGENT_ALIAS set it works on AWS. Else on an embedded store, whose agent ranks what it has counted
# and can't judge: it answers with a payee instead of a verdict, and what is to be seen is the question and the way of the answer.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/${BUILD:-build}:$PATH
[ -n "${BEDROCK_AGENT_ID:-}" ] || export RECAGENT_LOCAL="${RECAGENT_LOCAL:-$(mktemp -d)/store}"
export RECAGENT_KEY=account_id RECAGENT_STREAM=payments PROFILES_TABLE=accounts REC_CACHE_TABLE=verdicts
account=${1:-acc-17}

recagent setup --group fraud >&2

# A few payments of many accounts, then four of one account, quickly, each a little larger than the last.
awk 'BEGIN {
	for (i = 0; i < 120; i++)
		printf "{\"account_id\":\"acc-%d\",\"item_id\":\"shop-%d\",\"event_type\":\"payment\",\"metadata\":{\"eur\":%d.50}}\n",
			i % 40, i * 7 % 11, 10 + i % 30
}' | recagent publish -q
for eur in 1.00 2.00 250.00 2500.00; do
	recagent publish -q --user "$account" --item shop-99 --type payment --meta "eur=$eur" --meta country=XX
done

recagent consume --group fraud --end |
	recagent prompt --template examples/fraud-scoring.txt --count 1 --min-events 1 |
	recagent invoke --count 1 --ttl 15m |
	recagent ack

echo "# the question:"
recagent prompt --template examples/fraud-scoring.txt --count 1 --render "$account"
echo "# the verdict, as the till reads it; when there is none in 200 ms, review:"
echo '["review"]' | recagent cache-get --timeout 200ms --fallback - "$account"
