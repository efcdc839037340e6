#compdef recagent recagent-ack recagent-audit recagent-cache-get recagent-completion recagent-consume recagent-invoke recagent-positions recagent-profile recagent-prompt recagent-publish recagent-replay recagent-setup
# zsh completion for recagent, made by `recagent completion zsh`
_recagent() {
	local cmd=${service#recagent-}
	if [[ $service == recagent ]]; then
		if (( CURRENT == 2 )); then
			local -a cmds=(
				'ack:commit the position of the lines that have come through'
				'audit:reconcile what the stages of a run wrote, event by event'
				'cache-get:read recommendations from the cache, else a fallback'
				'completion:print completions for a shell'
				'consume:follow a stream\: its records as event lines'
				'invoke:ask the agent, check its answers and cache them'
				'positions:show and move the positions of a group'
				'profile:show a profile, set its preferences, forget a user'
				'prompt:apply events to profiles, once each, and render prompts'
				'publish:put event lines on a stream, a receipt for each'
				'replay:read events again\: from S3, from files, from a stream'
				'setup:create the stream and the tables that are missing'
				'help:show help'
				'version:show the version'
			)
			_describe command cmds
			return
		fi
		cmd=$words[2]
		shift words
		(( CURRENT-- ))
	fi
	case $cmd in
	ack)
		_arguments -s \
			'--interval[time between two commits]:TIME:' \
			{-t,--tee}'[write every line on to standard output]' \
			{-L,--local}'[work on the embedded store in DIR, not on AWS]:DIR:_files -/' \
			'--region[AWS region]:REGION:' \
			'--profile[profile of the shared AWS files]:NAME:' \
			'--endpoint-url[send every AWS request there]:URL:' \
			'--connect-timeout[longest wait for a connection]:TIME:' \
			'--read-timeout[longest wait for the next byte of an answer]:TIME:' \
			'--max-attempts[attempts of one AWS call]:N:' \
			'--max-line[refuse longer lines]:SIZE:' \
			'--dead-letter[append lines that can'\''t be used]:FILE:_files' \
			'--grace[longest wait for a clean end after a signal]:TIME:' \
			'--ledger[append the closing balance as JSON]:FILE:_files' \
			'--progress[show counts while running, on a terminal]' \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'*:argument:_files'
		;;
	audit)
		_arguments -s \
			{-a,--all}'[a line for every event, not only for trouble]' \
			'--max-events[most events kept in memory]:N:' \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'*:argument:_files'
		;;
	cache-get)
		_arguments -s \
			{-c,--cache}'[table of the cache]:TABLE:' \
			{-f,--fallback}'[JSON array to serve when there is no entry]:FILE:_files' \
			'--max-stale[serve an entry that expired no longer ago, as stale]:TIME:' \
			'--timeout[longest wait before the fallback]:TIME:' \
			'--consistent[read the latest write]' \
			'--strict[exit status 1 or the error'\''s when a fallback was served]' \
			{-k,--key}'[member that names whose event it is]:FIELD:' \
			{-L,--local}'[work on the embedded store in DIR, not on AWS]:DIR:_files -/' \
			'--region[AWS region]:REGION:' \
			'--profile[profile of the shared AWS files]:NAME:' \
			'--endpoint-url[send every AWS request there]:URL:' \
			'--connect-timeout[longest wait for a connection]:TIME:' \
			'--read-timeout[longest wait for the next byte of an answer]:TIME:' \
			'--max-attempts[attempts of one AWS call]:N:' \
			'--max-line[refuse longer lines]:SIZE:' \
			'--dead-letter[append lines that can'\''t be used]:FILE:_files' \
			'--grace[longest wait for a clean end after a signal]:TIME:' \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'*:argument:_files'
		;;
	completion)
		_arguments -s \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'1:argument:(bash zsh fish)' \
			'*:argument:_files'
		;;
	consume)
		_arguments -s \
			{-s,--since}'[start there \[the group'\''s position, else trim-horizon\]]:WHEN:' \
			{-u,--until}'[stop each shard at the first record from then on]:WHEN:' \
			{-e,--end}'[stop at what is the end of the stream now]' \
			{-n,--count}'[stop after so many events]:COUNT:' \
			{-g,--group}'[go on from the position of this group; ack moves it]:G:' \
			'--commit[auto\: moves it itself, for what is in the file]:HOW:(pipe auto)' \
			'--poll[wait between looks at a shard'\''s end \[250ms, embedded store 50ms\]]:TIME:' \
			{-j,--threads}'[shards read at once]:N:' \
			'--idle-mark[with a group\: silence after which a mark is written]:TIME:' \
			'--failover[with a group\: a worker silent for so long has lost its shards]:TIME:' \
			'--max-shards[with a group\: take no more shards than so many]:N:' \
			{-r,--raw}'[records as they are\: aggregates whole, as data_b64]' \
			'--give-up[longest outage before it ends \[30s if it ends by itself, else none\]]:TIME:' \
			'--no-marks[event lines only]' \
			{-L,--local}'[work on the embedded store in DIR, not on AWS]:DIR:_files -/' \
			'--region[AWS region]:REGION:' \
			'--profile[profile of the shared AWS files]:NAME:' \
			'--endpoint-url[send every AWS request there]:URL:' \
			'--connect-timeout[longest wait for a connection]:TIME:' \
			'--read-timeout[longest wait for the next byte of an answer]:TIME:' \
			'--max-attempts[attempts of one AWS call]:N:' \
			'--dead-letter[append lines that can'\''t be used]:FILE:_files' \
			'--grace[longest wait for a clean end after a signal]:TIME:' \
			'--ledger[append the closing balance as JSON]:FILE:_files' \
			'--progress[show counts while running, on a terminal]' \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'*:argument:_files'
		;;
	invoke)
		_arguments -s \
			{-c,--cache}'[table of the cache]:TABLE:' \
			{-p,--profiles}'[table of the profiles, for the embedded agent]:TABLE:' \
			{-j,--jobs}'[questions asked at once]:N:' \
			'--ttl[how long an answer stays fresh]:TIME:' \
			'--count[items kept of an answer]:N:' \
			'--timeout[longest wait for an answer]:TIME:' \
			'--session[a session per KEY, or a new one per call]:HOW:(key call)' \
			{-k,--key}'[member that names whose event it is]:FIELD:' \
			{-L,--local}'[work on the embedded store in DIR, not on AWS]:DIR:_files -/' \
			'--region[AWS region]:REGION:' \
			'--profile[profile of the shared AWS files]:NAME:' \
			'--endpoint-url[send every AWS request there]:URL:' \
			'--connect-timeout[longest wait for a connection]:TIME:' \
			'--read-timeout[longest wait for the next byte of an answer]:TIME:' \
			'--max-attempts[attempts of one AWS call]:N:' \
			'--max-line[refuse longer lines]:SIZE:' \
			'--dead-letter[append lines that can'\''t be used]:FILE:_files' \
			'--give-up[longest outage before a line fails]:TIME:' \
			'--grace[longest wait for a clean end after a signal]:TIME:' \
			'--ledger[append the closing balance as JSON]:FILE:_files' \
			'--progress[show counts while running, on a terminal]' \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'*:argument:_files'
		;;
	positions)
		_arguments -s \
			{-g,--group}'[the group; must be given]:G:' \
			{-f,--format}'[auto\: a table at a terminal, else NDJSON]:FORM:(auto json table)' \
			{-m,--max-lag}'[show\: exit with 10 when further behind]:TIME|N:' \
			'--stuck[show\: a last commit so old, with records that wait, is stuck]:TIME:' \
			{-w,--wait}'[show\: watch doubtful leases for so long]:TIME:' \
			'--failover[a worker silent for so long has lost its shards]:TIME:' \
			{-s,--shard}'[set\: the shard, by its id or number]:SHARD:' \
			{-t,--to}'[set, reset\: where to go on from]:POSITION:' \
			'--force[set, reset\: take the shards away from a worker that holds them]' \
			{-n,--dry-run}'[set, reset\: say what would be done]' \
			'--with[diff\: the other group, or what show wrote (./FILE, -)]:G|FILE:' \
			{-L,--local}'[work on the embedded store in DIR, not on AWS]:DIR:_files -/' \
			'--region[AWS region]:REGION:' \
			'--profile[profile of the shared AWS files]:NAME:' \
			'--endpoint-url[send every AWS request there]:URL:' \
			'--connect-timeout[longest wait for a connection]:TIME:' \
			'--read-timeout[longest wait for the next byte of an answer]:TIME:' \
			'--max-attempts[attempts of one AWS call]:N:' \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'1:argument:(show set reset diff)' \
			'*:argument:_files'
		;;
	profile)
		_arguments -s \
			{-p,--profiles}'[table of the profiles]:TABLE:' \
			{-c,--cache}'[table of the cache]:TABLE:' \
			{-k,--key}'[member that names whose event it is]:FIELD:' \
			{-L,--local}'[work on the embedded store in DIR, not on AWS]:DIR:_files -/' \
			'--region[AWS region]:REGION:' \
			'--profile[profile of the shared AWS files]:NAME:' \
			'--endpoint-url[send every AWS request there]:URL:' \
			'--connect-timeout[longest wait for a connection]:TIME:' \
			'--read-timeout[longest wait for the next byte of an answer]:TIME:' \
			'--max-attempts[attempts of one AWS call]:N:' \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'1:argument:(get set forget)' \
			'*:argument:_files'
		;;
	prompt)
		_arguments -s \
			{-p,--profiles}'[table of the profiles]:TABLE:' \
			'--history[events kept in a profile, 0 for no limit]:N:' \
			'--recent[events shown in a prompt]:N:' \
			'--min-events[events a user needs before the model is asked]:N:' \
			'--template[text of the prompt]:FILE:_files' \
			'--count[items to ask for]:N:' \
			{-j,--jobs}'[profiles worked on at once]:N:' \
			'--render[show the prompt of a stored profile, and end]:KEY:' \
			{-k,--key}'[member that names whose event it is]:FIELD:' \
			{-L,--local}'[work on the embedded store in DIR, not on AWS]:DIR:_files -/' \
			'--region[AWS region]:REGION:' \
			'--profile[profile of the shared AWS files]:NAME:' \
			'--endpoint-url[send every AWS request there]:URL:' \
			'--connect-timeout[longest wait for a connection]:TIME:' \
			'--read-timeout[longest wait for the next byte of an answer]:TIME:' \
			'--max-attempts[attempts of one AWS call]:N:' \
			'--max-line[refuse longer lines]:SIZE:' \
			'--dead-letter[append lines that can'\''t be used]:FILE:_files' \
			'--give-up[longest outage before a line fails]:TIME:' \
			'--grace[longest wait for a clean end after a signal]:TIME:' \
			'--ledger[append the closing balance as JSON]:FILE:_files' \
			'--progress[show counts while running, on a terminal]' \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'*:argument:_files'
		;;
	publish)
		_arguments -s \
			{-u,--user}'[publish one event of this KEY, not standard input]:U:' \
			{-i,--item}'[its item_id]:I:' \
			{-t,--type}'[its event_type]:T:' \
			\*{-m,--meta}'[a member of its metadata; JSON, else a string]:K=V:' \
			'--event-id[its event_id]:ID:' \
			'--timestamp[its timestamp]:TIME:' \
			'--partition-key[member that is the partition key; else the line'\''s own, else KEY]:FIELD:' \
			'--explicit-hash-key[member that is the explicit hash key]:FIELD:' \
			'--batch-records[most records of one call]:N:' \
			'--batch-bytes[most bytes of one call]:SIZE:' \
			'--record-bytes[refuse records that are larger with their key]:SIZE:' \
			'--linger[longest wait for a batch to fill]:TIME:' \
			{-j,--lanes}'[calls in flight at once]:N:' \
			'--order[key\: a key'\''s order under any partial failure]:HOW:(batch key)' \
			{-A,--aggregate}'[many events in one record, as the Kinesis Producer Library does it]' \
			'--spool[keep what the stream does not take on disk, and send it later]:DIR:_files -/' \
			'--spool-after[how long a line is held before it is spooled]:TIME:' \
			'--spool-max[most bytes of the spool]:SIZE:' \
			{-q,--quiet}'[no receipts, marks only]' \
			{-k,--key}'[member that names whose event it is]:FIELD:' \
			{-L,--local}'[work on the embedded store in DIR, not on AWS]:DIR:_files -/' \
			'--region[AWS region]:REGION:' \
			'--profile[profile of the shared AWS files]:NAME:' \
			'--endpoint-url[send every AWS request there]:URL:' \
			'--connect-timeout[longest wait for a connection]:TIME:' \
			'--read-timeout[longest wait for the next byte of an answer]:TIME:' \
			'--max-attempts[attempts of one AWS call]:N:' \
			'--max-line[refuse longer lines]:SIZE:' \
			'--dead-letter[append lines that can'\''t be used]:FILE:_files' \
			'--give-up[longest outage before a line fails]:TIME:' \
			'--grace[longest wait for a clean end after a signal]:TIME:' \
			'--ledger[append the closing balance as JSON]:FILE:_files' \
			'--progress[show counts while running, on a terminal]' \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'*:argument:_files'
		;;
	replay)
		_arguments -s \
			{-s,--since}'[only events of that time or later]:TIME:' \
			{-u,--until}'[only events before that time]:TIME:' \
			{-x,--speed}'[N times as fast as it was, or max]:N:' \
			'--key-is[only events of this KEY]:U:' \
			{-t,--type}'[only events of this event_type]:T:' \
			{-a,--after}'[go on behind this object or line of it]:OBJECT[:LINE]:' \
			{-d,--dead-letters}'[SOURCE holds dead letters\: the lines in them]' \
			'--max-record[refuse longer records]:SIZE:' \
			'--give-up[longest outage before it ends]:TIME:' \
			{-k,--key}'[member that names whose event it is]:FIELD:' \
			{-L,--local}'[work on the embedded store in DIR, not on AWS]:DIR:_files -/' \
			'--region[AWS region]:REGION:' \
			'--profile[profile of the shared AWS files]:NAME:' \
			'--endpoint-url[send every AWS request there]:URL:' \
			'--connect-timeout[longest wait for a connection]:TIME:' \
			'--read-timeout[longest wait for the next byte of an answer]:TIME:' \
			'--max-attempts[attempts of one AWS call]:N:' \
			'--dead-letter[append lines that can'\''t be used]:FILE:_files' \
			'--grace[longest wait for a clean end after a signal]:TIME:' \
			'--ledger[append the closing balance as JSON]:FILE:_files' \
			'--progress[show counts while running, on a terminal]' \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'*:argument:_files'
		;;
	setup)
		_arguments -s \
			{-s,--stream}'[stream of events]:NAME:' \
			'--shards[shards of a new stream]:N:' \
			{-p,--profiles}'[table of the profiles]:TABLE:' \
			{-c,--cache}'[table of the cache]:TABLE:' \
			\*{-g,--group}'[lease table of a consumer group]:NAME:' \
			'--reshard[bring the stream to N shards, and do nothing else]:N:' \
			'--split[split a shard of the stream, and do nothing else]:SHARD:' \
			'--at[hash key at which the second half begins (the middle)]:HASH:' \
			'--merge[merge two neighbouring shards, and do nothing else]:SHARD,SHARD:' \
			{-n,--dry-run}'[say what would be done]' \
			'--wait[longest wait for something to become active]:TIME:' \
			{-k,--key}'[member that names whose event it is]:FIELD:' \
			{-L,--local}'[work on the embedded store in DIR, not on AWS]:DIR:_files -/' \
			'--region[AWS region]:REGION:' \
			'--profile[profile of the shared AWS files]:NAME:' \
			'--endpoint-url[send every AWS request there]:URL:' \
			'--connect-timeout[longest wait for a connection]:TIME:' \
			'--read-timeout[longest wait for the next byte of an answer]:TIME:' \
			'--max-attempts[attempts of one AWS call]:N:' \
			'--grace[longest wait for a clean end after a signal]:TIME:' \
			\*{-v,--verbose}'[say what is done; -vv traces requests]' \
			{-h,--help}'[show this help]' \
			'*:argument:_files'
		;;
	help)
		compadd ack audit cache-get completion consume invoke positions profile prompt publish replay setup
		;;
	esac
}
_recagent "$@"
