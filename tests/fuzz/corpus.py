#!/usr/bin/env python3
"""corpus.py pack|unpack FILE DIR - a fuzz target's committed corpus: one input a line, in base64, sorted; and as libFuzzer's folder."""
import base64
import hashlib
import os
import sys


def pack(path, folder):
    inputs = set()
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), 'rb') as f:
            inputs.add(f.read())
    with open(path, 'wb') as f:
        for v in sorted(inputs, key=lambda v: (len(v), v)):
            f.write(base64.b64encode(v) + b'\n')


def unpack(path, folder):
    os.makedirs(folder, exist_ok=True)
    with open(path, 'rb') as f:
        for line in f:
            v = base64.b64decode(line)
            with open(os.path.join(folder, hashlib.sha1(v).hexdigest()), 'wb') as out:
                out.write(v)


{'pack': pack, 'unpack': unpack}[sys.argv[1]](sys.argv[2], sys.argv[3])
