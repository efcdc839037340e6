#!/usr/bin/env bats
# s3.bats - the object store contract on moto's S3.
load helper

setup() {
	setup_aws
	B=$N
	python -c '
import boto3, os, sys
boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"]).create_bucket(Bucket=sys.argv[1])' "$B"
}
teardown() { teardown_aws; }

put_object() { # put_object KEY FILE [ALGORITHM]
	python -c '
import boto3, os, sys
more = {"ChecksumAlgorithm": sys.argv[4]} if len(sys.argv) > 4 else {}
boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"]).put_object(Bucket=sys.argv[1], Key=sys.argv[2], Body=open(sys.argv[3], "rb").read(), **more)' "$B" "$@"
}

@test "a listing of 1,203 objects over pages, in order, from a prefix and after a name" {
	python - "$B" <<-'PY'
		import boto3, os, sys
		s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
		for i in range(1203):
		    s3.put_object(Bucket=sys.argv[1], Key=f"events/{i:05}", Body=b"x" * (i % 7))
		for k in ("other", "events/ü +&%41 <x>", "a"):
		    s3.put_object(Bucket=sys.argv[1], Key=k, Body=b"")
	PY
	probe list "s3://$B/events/0" >got
	[ "$(wc -l <got)" = 1203 ]
	cut -f1 got | LC_ALL=C sort -c
	[ "$(sed -n 6p got)" = "$(printf 'events/00005\t5\t1')" ]
	[ "$(probe list "s3://$B/events/" events/01200 | cut -f1 | xargs -0)" = "$(printf 'events/01201\nevents/01202\nevents/ü +&%%41 <x>\n\n')" ]
	[ "$(probe list "s3://$B" | wc -l)" = 1206 ]
}

@test "objects come back byte for byte: empty, small, gzip, 9 MiB" {
	: >empty
	printf '{"a":1}\n{"a":"\\u00e9"}\n' >small
	gzip -c small >packed.gz
	head -c 9437184 /dev/urandom >large
	for f in empty small packed.gz large; do
		put_object "dir/$f" "$f" CRC32
		probe fetch "s3://$B/dir/$f" | cmp - "$f"
	done
}

@test "missing objects and buckets are named" {
	run probe fetch "s3://$B/none"
	[ "$status" = 4 ]
	[[ $output == *"failed NoSuchKey: s3 us-east-1: GetObject: NoSuchKey: "* ]]
	run probe list "s3://$B-none/"
	[ "$status" = 4 ]
	[[ $output == *"NoSuchBucket"* ]]
}

@test "a download that breaks is taken up again where it broke, on the same version" {
	local port
	port=$(free_port)
	head -c 3000000 /dev/urandom >large
	put_object large large CRC32
	serve "$port" node "$BATS_TEST_DIRNAME/fault_front.mjs" --port "$port" --to "$MOTO_URL" --fault cut:3
	AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port probe fetch "s3://$B/large" | cmp - large
	curl -s "http://127.0.0.1:$port/__log" | jq -r .range >ranges
	[ "$(wc -l <ranges)" = 4 ]
	[ "$(head -1 ranges)" = null ]
	[ "$(sed -n 2p ranges)" = "bytes=1500000-" ]
}

@test "bytes that do not match the object's checksum are an error" {
	local port
	port=$(free_port)
	echo hello >small
	put_object small small CRC32
	cat >wrong.py <<-'PY'
		import http.server, sys
		class H(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        self.send_response(200); self.send_header("content-length", "6"); self.send_header("etag", '"x"')
		        self.send_header("x-amz-checksum-crc32", "AAAAAA=="); self.end_headers(); self.wfile.write(b"hello\n")
		    def log_message(self, *a): pass
		http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
	PY
	serve "$port" "$BATS_TEST_DIRNAME/.venv/bin/python" wrong.py "$port"
	AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port run probe fetch "s3://$B/small"
	[ "$status" = 4 ]
	[[ $output == *bad-checksum* ]]
}

@test "a bucket of another region is found there at the second attempt, signed anew, and remembered" {
	local port
	port=$(free_port)
	echo hello >small
	put_object small small
	serve "$port" node "$BATS_TEST_DIRNAME/fault_front.mjs" --port "$port" --to "$MOTO_URL" --fault redirect:1
	[ "$(AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port probe list "s3://$B" | cut -f1)" = small ]
	curl -s "http://127.0.0.1:$port/__log" | jq -r .auth >auth
	[ "$(wc -l <auth)" = 2 ]
	sed -n 1p auth | grep -q /us-east-1/s3/
	sed -n 2p auth | grep -q /eu-west-1/s3/
}

@test "path style by address or setting, the bucket before the host otherwise" {
	local port
	port=$(free_port)
	echo hello >small
	put_object small small
	serve "$port" node "$BATS_TEST_DIRNAME/fault_front.mjs" --port "$port" --to "$MOTO_URL"
	AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port probe list "s3://$B" >/dev/null
	curl -s "http://127.0.0.1:$port/__log" | jq -r .url | grep -q "^/$B?list-type=2"
	printf '[default]\ns3 =\n  addressing_style = path\n' >config
	AWS_MAX_ATTEMPTS=1 AWS_ENDPOINT_URL_S3=http://store.invalid:9 run probe list "s3://$B"
	[ "$status" = 5 ]
	[[ $output == *store.invalid* ]]
	[[ $output != *"$B.store.invalid"* ]]
	: >config
	AWS_MAX_ATTEMPTS=1 AWS_ENDPOINT_URL_S3=http://store.invalid:9 run probe list "s3://$B"
	[[ $output == *"$B.store.invalid"* ]]
	AWS_MAX_ATTEMPTS=1 AWS_ENDPOINT_URL_S3=http://store.invalid:9 run probe list "s3://with.dots"
	[[ $output != *with.dots.store* ]]
}
