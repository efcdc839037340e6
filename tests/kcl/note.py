# note.py FILE - a filter between consume and ack that notes each event line in FILE before it hands it on.
import json
import os
import sys
import time

out = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
for line in sys.stdin:
    source = json.loads(line)['_source']
    if 'mark' not in source:
        os.write(out, ('%d\t0\t%s\t%s\t%s\t%s' % (time.time_ns() // 1000, source['shard_id'], source['sequence_number'],
                                                 source.get('subsequence_number', 0), line)).encode())
    sys.stdout.write(line)
    sys.stdout.flush()
