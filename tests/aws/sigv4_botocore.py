#!/usr/bin/env python3
"""Compare our signer with botocore's on random requests, in header and query form.

Needs: a Python that can import botocore (pip install botocore), and build/librecagent.a (make).
Usage: sigv4_botocore.py [COUNT [SEED]]   from the repository's root; prints TAP.
SIGV4_SIGN names the program built from tests/tools/sigv4_sign.c; without it, it is built here with $CC.
"""
import base64
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from urllib.parse import quote

import botocore
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HOSTS = ["kinesis.us-east-1.amazonaws.com", "Bucket.S3.eu-west-1.amazonaws.com", "127.0.0.1:4566",
         "localhost:443", "localhost:80", "[::1]:8443", "[2001:DB8::2]", "h"]
SERVICES = ["kinesis", "dynamodb", "bedrock", "sns", "lambda", "s3"]
HEADER_NAMES = ["X-Amz-Target", "Content-Type", "x-amz-meta-a", "My-Header1", "my-header1", "Zed", "A",
                "Range", "If-None-Match", "X-Amz-Date-Like", "User-Agent", "Expect", "X-Amzn-Trace-Id"]


def text(rng, most):
    pools = ["abcXYZ019-._~", "=*:+&/?#%@,;!$'()[] ", "éßሴ😀\u00a0"]
    return "".join(rng.choice(pools[min(2, int(rng.expovariate(1.3)))]) for _ in range(rng.randint(0, most)))


def path(rng, s3):
    # botocore never sends S3 an empty path, and would sign it as nothing; on the wire it is "/".
    if rng.random() < 0.1:
        return "/" if s3 else ""
    out = []
    for _ in range(rng.randint(0, 6)):
        kind = rng.random()
        if kind < 0.2:
            out.append(rng.choice([".", "..", "", "...", "%2E%2E"]))
        elif kind < 0.4:  # characters that a path may hold as they are
            out.append("".join(rng.choice("ab:=*@!$'()+,;~-._") for _ in range(rng.randint(1, 8))))
        else:
            out.append(quote(text(rng, 10), safe="~"))
    return "/" + "/".join(out) + rng.choice(["", "/"])


def query(rng, unique):
    pairs, seen = [], set()
    for _ in range(rng.choice([0, 0, 1, 2, 5, 12])):
        name, value = quote(text(rng, 8), safe="-_.~"), quote(text(rng, 12), safe="-_.~")
        if not name or (unique and name in seen):
            continue
        seen.add(name)
        pairs.append(rng.choice([name + "=" + value, name + "=" + value, name + "=", name]))
    return "&".join(pairs)


def header_value(rng):
    words = ["".join(rng.choice("abcXYZ019\"=;,/+") for _ in range(rng.randint(0, 6)))
             for _ in range(rng.randint(0, 4))]
    return rng.choice(["", " ", "\t"]) + rng.choice([" ", "   ", " \t "]).join(words) + rng.choice(["", "  "])


def make(rng):
    presign = rng.random() < 0.35
    q = query(rng, presign)
    service = rng.choice(SERVICES)
    # Presigning, botocore turns a body into parameters, which is not the point here.
    body = b"" if presign else bytes(rng.randrange(256) for _ in range(rng.choice([0, 0, 1, 40, 900])))
    req = {
        "method": rng.choice(["GET", "POST", "PUT", "DELETE", "HEAD"]),
        "url": rng.choice(["http", "https"]) + "://" + rng.choice(HOSTS) + path(rng, service == "s3")
               + ("?" + q if q else ""),
        "headers": [[rng.choice(HEADER_NAMES), header_value(rng)] for _ in range(rng.choice([0, 1, 3, 9]))],
        "body": base64.b64encode(body).decode(),
        "id": ID, "secret": SECRET,
        "region": rng.choice(["us-east-1", "eu-central-1", "cn-north-1"]),
        "service": service, "s3": service == "s3",
        "now": rng.randrange(0, 4102444800),
    }
    if rng.random() < 0.4:
        token = bytes(rng.randrange(256) for _ in range(rng.randint(1, 200)))
        req["token"] = base64.b64encode(token).decode()
    if presign:
        req["expires"] = rng.randint(1, 604800)
    return req


def botocore_sign(req):
    """What SigV4Auth.add_auth does, at a given time."""
    creds = Credentials(req["id"], req["secret"], req.get("token"))
    if "expires" in req:
        cls = S3SigV4QueryAuth if req["s3"] else SigV4QueryAuth
        auth = cls(creds, req["service"], req["region"], expires=req["expires"])
    else:
        auth = (S3SigV4Auth if req["s3"] else SigV4Auth)(creds, req["service"], req["region"])
    r = AWSRequest(method=req["method"], url=req["url"], data=base64.b64decode(req["body"]))
    for name, value in req["headers"]:
        r.headers.add_header(name, value)
    r.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(req["now"]))
    auth._modify_request_before_signing(r)
    canonical = auth.canonical_request(r)
    to_sign = auth.string_to_sign(r, canonical)
    return {"canonical": canonical, "to_sign": to_sign, "signature": auth.signature(to_sign, r)}


def signer():
    if os.environ.get("SIGV4_SIGN"):
        return os.environ["SIGV4_SIGN"]
    out = os.path.join(tempfile.mkdtemp(prefix="sigv4."), "sigv4_sign")
    subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Isrc", "-o", out,
                    "tests/tools/sigv4_sign.c", "build/librecagent.a", "-lcurl", "-lcjson", "-lcrypto",
                    "-lz", "-lexpat", "-lm", "-pthread"], check=True)
    return out


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    rng = random.Random(seed)
    reqs = [make(rng) for _ in range(count)]
    lines = "".join(json.dumps(r) + "\n" for r in reqs)
    got = subprocess.run([signer()], input=lines, text=True, stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in got.stdout.splitlines()]
    wrong = 0 if len(answers) == count else 1
    for req, ours in zip(reqs, answers):
        want = botocore_sign(req)
        bad = [k for k in ("canonical", "to_sign", "signature") if ours.get(k) != want[k]]
        if bad:
            wrong += 1
            if wrong <= 3:
                print("# differs in", bad[0], "\n# request", json.dumps(req))
                print("# want", json.dumps(want.get(bad[0])), "\n# got ", json.dumps(ours.get(bad[0], ours)))
    print("1..1")
    print(f"{'not ok' if wrong else 'ok'} 1 - {count} random requests signed as botocore "
          f"{botocore.__version__} signs them (seed {seed}, {wrong} differ)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
