#!/bin/sh
# demo.sh - the whole loop on the embedded store, in a few seconds, without AWS. Each command is shown as it can be pasted.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/${BUILD:-build}:$PATH
D=${DEMO_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/recagent-demo.XXXXXX")}
U=viewer_007

if [ -t 1 ]; then b=$(printf '\033[1m') n=$(printf '\033[0m'); else b='' n=''; fi
say() { printf '\n# %s\n' "$*"; }
run() { printf '%s$ %s%s\n' "$b" "$*" "$n"; eval "$*"; }
show="sed 's/},{/},\n  {/g'"

printf 'PATH=%s:$PATH; export RECAGENT_LOCAL=%s\n' "$PWD/${BUILD:-build}" "$D/store"
RECAGENT_LOCAL=$D/store
export RECAGENT_LOCAL PATH

say "A stream, two tables and a consumer group, in the embedded store"
run "recagent setup --group recs"

say "A week of 300 invented viewers and 120 invented films"
run "awk -f examples/make-events.awk examples/films.tsv | recagent publish -q -v"

say "The pipeline: events to profiles, to prompts, to the agent, to the cache"
run "recagent consume --group recs -e | recagent prompt | recagent invoke -j 64 | recagent ack -v"

say "What one viewer is shown, and what the viewer has seen"
run "recagent cache-get $U | $show"
run "recagent profile get $U | grep -o '\"category\":\"[a-z-]*\"' | sort | uniq -c | sort -rn"

say "Now the pipeline runs on in the background, and the viewer watches three thrillers"
printf '%s$ recagent consume --group recs | recagent prompt | recagent invoke | recagent ack &%s\n' "$b" "$n"
mkfifo "$D/events"
recagent consume --group recs >"$D/events" &
source=$!
trap 'kill $source 2>/dev/null || :; wait' EXIT
trap 'exit 130' INT TERM
recagent prompt <"$D/events" | recagent invoke | recagent ack &
for film in thriller_001 thriller_002 thriller_003; do
	run "recagent publish -q --user $U --item $film --type click --meta category=thriller"
done

say "A moment later"
tries=0
until recagent cache-get $U | grep -q '"recommendations":\[{"item_id":"thriller' || [ $tries -ge 50 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
run "recagent cache-get $U | $show"
recagent cache-get $U | grep -q '"recommendations":\[{"item_id":"thriller' || { echo "demo: not about thrillers after 5 s" >&2; exit 1; }

say "Nobody waited for the model: the page reads the cache, and a newcomer gets what is popular"
run "recagent cache-get somebody_new | $show"
printf '\n# The store is in %s; remove it when you have looked round.\n' "$D/store"
