# bash completion for recagent, made by `recagent completion bash`
# shellcheck shell=bash disable=SC2207
_recagent() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local cmd=${COMP_WORDS[1]} self=${COMP_WORDS[0]##*/} first=2
	COMPREPLY=()
	if [[ $self == recagent-* ]]; then
		cmd=${self#recagent-}
		first=1
	elif [ "$COMP_CWORD" = 1 ]; then
		COMPREPLY=($(compgen -W 'ack cache-get completion consume invoke profile prompt publish replay setup help version' -- "$cur"))
		return
	fi
	case $cmd:$prev in
	ack:--interval) COMPREPLY=() ;;
	ack:--local | ack:-L) COMPREPLY=($(compgen -d -- "$cur")) ;;
	ack:--region) COMPREPLY=() ;;
	ack:--profile) COMPREPLY=() ;;
	ack:--endpoint-url) COMPREPLY=() ;;
	ack:--connect-timeout) COMPREPLY=() ;;
	ack:--read-timeout) COMPREPLY=() ;;
	ack:--max-attempts) COMPREPLY=() ;;
	ack:--max-line) COMPREPLY=() ;;
	ack:--dead-letter) COMPREPLY=($(compgen -f -- "$cur")) ;;
	ack:--grace) COMPREPLY=() ;;
	ack:--ledger) COMPREPLY=($(compgen -f -- "$cur")) ;;
	cache-get:--cache | cache-get:-c) COMPREPLY=() ;;
	cache-get:--fallback | cache-get:-f) COMPREPLY=($(compgen -f -- "$cur")) ;;
	cache-get:--max-stale) COMPREPLY=() ;;
	cache-get:--timeout) COMPREPLY=() ;;
	cache-get:--key | cache-get:-k) COMPREPLY=() ;;
	cache-get:--local | cache-get:-L) COMPREPLY=($(compgen -d -- "$cur")) ;;
	cache-get:--region) COMPREPLY=() ;;
	cache-get:--profile) COMPREPLY=() ;;
	cache-get:--endpoint-url) COMPREPLY=() ;;
	cache-get:--connect-timeout) COMPREPLY=() ;;
	cache-get:--read-timeout) COMPREPLY=() ;;
	cache-get:--max-attempts) COMPREPLY=() ;;
	cache-get:--max-line) COMPREPLY=() ;;
	cache-get:--dead-letter) COMPREPLY=($(compgen -f -- "$cur")) ;;
	cache-get:--grace) COMPREPLY=() ;;
	consume:--since | consume:-s) COMPREPLY=() ;;
	consume:--until | consume:-u) COMPREPLY=() ;;
	consume:--count | consume:-n) COMPREPLY=() ;;
	consume:--group | consume:-g) COMPREPLY=() ;;
	consume:--poll) COMPREPLY=() ;;
	consume:--threads | consume:-j) COMPREPLY=() ;;
	consume:--idle-mark) COMPREPLY=() ;;
	consume:--failover) COMPREPLY=() ;;
	consume:--local | consume:-L) COMPREPLY=($(compgen -d -- "$cur")) ;;
	consume:--region) COMPREPLY=() ;;
	consume:--profile) COMPREPLY=() ;;
	consume:--endpoint-url) COMPREPLY=() ;;
	consume:--connect-timeout) COMPREPLY=() ;;
	consume:--read-timeout) COMPREPLY=() ;;
	consume:--max-attempts) COMPREPLY=() ;;
	consume:--grace) COMPREPLY=() ;;
	consume:--ledger) COMPREPLY=($(compgen -f -- "$cur")) ;;
	invoke:--cache | invoke:-c) COMPREPLY=() ;;
	invoke:--profiles | invoke:-p) COMPREPLY=() ;;
	invoke:--jobs | invoke:-j) COMPREPLY=() ;;
	invoke:--ttl) COMPREPLY=() ;;
	invoke:--count) COMPREPLY=() ;;
	invoke:--timeout) COMPREPLY=() ;;
	invoke:--session) COMPREPLY=($(compgen -W 'key call' -- "$cur")) ;;
	invoke:--key | invoke:-k) COMPREPLY=() ;;
	invoke:--local | invoke:-L) COMPREPLY=($(compgen -d -- "$cur")) ;;
	invoke:--region) COMPREPLY=() ;;
	invoke:--profile) COMPREPLY=() ;;
	invoke:--endpoint-url) COMPREPLY=() ;;
	invoke:--connect-timeout) COMPREPLY=() ;;
	invoke:--read-timeout) COMPREPLY=() ;;
	invoke:--max-attempts) COMPREPLY=() ;;
	invoke:--max-line) COMPREPLY=() ;;
	invoke:--dead-letter) COMPREPLY=($(compgen -f -- "$cur")) ;;
	invoke:--give-up) COMPREPLY=() ;;
	invoke:--grace) COMPREPLY=() ;;
	invoke:--ledger) COMPREPLY=($(compgen -f -- "$cur")) ;;
	profile:--profiles | profile:-p) COMPREPLY=() ;;
	profile:--cache | profile:-c) COMPREPLY=() ;;
	profile:--key | profile:-k) COMPREPLY=() ;;
	profile:--local | profile:-L) COMPREPLY=($(compgen -d -- "$cur")) ;;
	profile:--region) COMPREPLY=() ;;
	profile:--profile) COMPREPLY=() ;;
	profile:--endpoint-url) COMPREPLY=() ;;
	profile:--connect-timeout) COMPREPLY=() ;;
	profile:--read-timeout) COMPREPLY=() ;;
	profile:--max-attempts) COMPREPLY=() ;;
	prompt:--profiles | prompt:-p) COMPREPLY=() ;;
	prompt:--history) COMPREPLY=() ;;
	prompt:--recent) COMPREPLY=() ;;
	prompt:--min-events) COMPREPLY=() ;;
	prompt:--template) COMPREPLY=($(compgen -f -- "$cur")) ;;
	prompt:--count) COMPREPLY=() ;;
	prompt:--jobs | prompt:-j) COMPREPLY=() ;;
	prompt:--render) COMPREPLY=() ;;
	prompt:--key | prompt:-k) COMPREPLY=() ;;
	prompt:--local | prompt:-L) COMPREPLY=($(compgen -d -- "$cur")) ;;
	prompt:--region) COMPREPLY=() ;;
	prompt:--profile) COMPREPLY=() ;;
	prompt:--endpoint-url) COMPREPLY=() ;;
	prompt:--connect-timeout) COMPREPLY=() ;;
	prompt:--read-timeout) COMPREPLY=() ;;
	prompt:--max-attempts) COMPREPLY=() ;;
	prompt:--max-line) COMPREPLY=() ;;
	prompt:--dead-letter) COMPREPLY=($(compgen -f -- "$cur")) ;;
	prompt:--give-up) COMPREPLY=() ;;
	prompt:--grace) COMPREPLY=() ;;
	prompt:--ledger) COMPREPLY=($(compgen -f -- "$cur")) ;;
	publish:--user | publish:-u) COMPREPLY=() ;;
	publish:--item | publish:-i) COMPREPLY=() ;;
	publish:--type | publish:-t) COMPREPLY=() ;;
	publish:--meta | publish:-m) COMPREPLY=() ;;
	publish:--event-id) COMPREPLY=() ;;
	publish:--timestamp) COMPREPLY=() ;;
	publish:--partition-key) COMPREPLY=() ;;
	publish:--explicit-hash-key) COMPREPLY=() ;;
	publish:--batch-records) COMPREPLY=() ;;
	publish:--batch-bytes) COMPREPLY=() ;;
	publish:--record-bytes) COMPREPLY=() ;;
	publish:--linger) COMPREPLY=() ;;
	publish:--lanes | publish:-j) COMPREPLY=() ;;
	publish:--order) COMPREPLY=($(compgen -W 'batch key' -- "$cur")) ;;
	publish:--key | publish:-k) COMPREPLY=() ;;
	publish:--local | publish:-L) COMPREPLY=($(compgen -d -- "$cur")) ;;
	publish:--region) COMPREPLY=() ;;
	publish:--profile) COMPREPLY=() ;;
	publish:--endpoint-url) COMPREPLY=() ;;
	publish:--connect-timeout) COMPREPLY=() ;;
	publish:--read-timeout) COMPREPLY=() ;;
	publish:--max-attempts) COMPREPLY=() ;;
	publish:--max-line) COMPREPLY=() ;;
	publish:--dead-letter) COMPREPLY=($(compgen -f -- "$cur")) ;;
	publish:--give-up) COMPREPLY=() ;;
	publish:--grace) COMPREPLY=() ;;
	publish:--ledger) COMPREPLY=($(compgen -f -- "$cur")) ;;
	replay:--since | replay:-s) COMPREPLY=() ;;
	replay:--until | replay:-u) COMPREPLY=() ;;
	replay:--speed | replay:-x) COMPREPLY=() ;;
	replay:--key-is) COMPREPLY=() ;;
	replay:--type | replay:-t) COMPREPLY=() ;;
	replay:--after | replay:-a) COMPREPLY=() ;;
	replay:--max-record) COMPREPLY=() ;;
	replay:--key | replay:-k) COMPREPLY=() ;;
	replay:--local | replay:-L) COMPREPLY=($(compgen -d -- "$cur")) ;;
	replay:--region) COMPREPLY=() ;;
	replay:--profile) COMPREPLY=() ;;
	replay:--endpoint-url) COMPREPLY=() ;;
	replay:--connect-timeout) COMPREPLY=() ;;
	replay:--read-timeout) COMPREPLY=() ;;
	replay:--max-attempts) COMPREPLY=() ;;
	replay:--dead-letter) COMPREPLY=($(compgen -f -- "$cur")) ;;
	replay:--grace) COMPREPLY=() ;;
	replay:--ledger) COMPREPLY=($(compgen -f -- "$cur")) ;;
	setup:--stream | setup:-s) COMPREPLY=() ;;
	setup:--shards) COMPREPLY=() ;;
	setup:--profiles | setup:-p) COMPREPLY=() ;;
	setup:--cache | setup:-c) COMPREPLY=() ;;
	setup:--group | setup:-g) COMPREPLY=() ;;
	setup:--reshard) COMPREPLY=() ;;
	setup:--split) COMPREPLY=() ;;
	setup:--at) COMPREPLY=() ;;
	setup:--merge) COMPREPLY=() ;;
	setup:--wait) COMPREPLY=() ;;
	setup:--key | setup:-k) COMPREPLY=() ;;
	setup:--local | setup:-L) COMPREPLY=($(compgen -d -- "$cur")) ;;
	setup:--region) COMPREPLY=() ;;
	setup:--profile) COMPREPLY=() ;;
	setup:--endpoint-url) COMPREPLY=() ;;
	setup:--connect-timeout) COMPREPLY=() ;;
	setup:--read-timeout) COMPREPLY=() ;;
	setup:--max-attempts) COMPREPLY=() ;;
	setup:--grace) COMPREPLY=() ;;
	*)
		case $cmd:$((COMP_CWORD - first)) in
		completion:0) COMPREPLY=($(compgen -W 'bash zsh fish' -- "$cur")) ;;
		profile:0) COMPREPLY=($(compgen -W 'get set forget' -- "$cur")) ;;
		help:0) COMPREPLY=($(compgen -W 'ack cache-get completion consume invoke profile prompt publish replay setup' -- "$cur")) ;;
		*) COMPREPLY=($(compgen -f -- "$cur")) ;;
		esac
		[[ $cur == -* ]] || return
		case $cmd in
		ack) COMPREPLY=($(compgen -W ' --interval --tee --local --region --profile --endpoint-url --connect-timeout --read-timeout --max-attempts --max-line --dead-letter --grace --ledger --progress --verbose --help' -- "$cur")) ;;
		cache-get) COMPREPLY=($(compgen -W ' --cache --fallback --max-stale --timeout --consistent --strict --key --local --region --profile --endpoint-url --connect-timeout --read-timeout --max-attempts --max-line --dead-letter --grace --verbose --help' -- "$cur")) ;;
		completion) COMPREPLY=($(compgen -W ' --verbose --help' -- "$cur")) ;;
		consume) COMPREPLY=($(compgen -W ' --since --until --end --count --group --poll --threads --idle-mark --failover --no-marks --local --region --profile --endpoint-url --connect-timeout --read-timeout --max-attempts --grace --ledger --progress --verbose --help' -- "$cur")) ;;
		invoke) COMPREPLY=($(compgen -W ' --cache --profiles --jobs --ttl --count --timeout --session --key --local --region --profile --endpoint-url --connect-timeout --read-timeout --max-attempts --max-line --dead-letter --give-up --grace --ledger --progress --verbose --help' -- "$cur")) ;;
		profile) COMPREPLY=($(compgen -W ' --profiles --cache --key --local --region --profile --endpoint-url --connect-timeout --read-timeout --max-attempts --verbose --help' -- "$cur")) ;;
		prompt) COMPREPLY=($(compgen -W ' --profiles --history --recent --min-events --template --count --jobs --render --key --local --region --profile --endpoint-url --connect-timeout --read-timeout --max-attempts --max-line --dead-letter --give-up --grace --ledger --progress --verbose --help' -- "$cur")) ;;
		publish) COMPREPLY=($(compgen -W ' --user --item --type --meta --event-id --timestamp --partition-key --explicit-hash-key --batch-records --batch-bytes --record-bytes --linger --lanes --order --quiet --key --local --region --profile --endpoint-url --connect-timeout --read-timeout --max-attempts --max-line --dead-letter --give-up --grace --ledger --progress --verbose --help' -- "$cur")) ;;
		replay) COMPREPLY=($(compgen -W ' --since --until --speed --key-is --type --after --max-record --key --local --region --profile --endpoint-url --connect-timeout --read-timeout --max-attempts --dead-letter --grace --ledger --progress --verbose --help' -- "$cur")) ;;
		setup) COMPREPLY=($(compgen -W ' --stream --shards --profiles --cache --group --reshard --split --at --merge --dry-run --wait --key --local --region --profile --endpoint-url --connect-timeout --read-timeout --max-attempts --grace --verbose --help' -- "$cur")) ;;
		esac
		;;
	esac
}
complete -o filenames -F _recagent recagent recagent-ack recagent-cache-get recagent-completion recagent-consume recagent-invoke recagent-profile recagent-prompt recagent-publish recagent-replay recagent-setup
