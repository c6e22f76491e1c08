#!/usr/bin/python3
"""Our HPACK against python3-hpack, both ways, through hpack_pipe (whose path is the first argument).

To replay a failure: HPACK_SEED=n in the environment (each failure prints its seed).
"""
import os
import random
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kit"))
from tap import check, check_eq, run, test  # noqa: E402

import hpack  # noqa: E402

PIPE = sys.argv.pop(1)
NAMES = [b":method", b":path", b":authority", b":status", b"te", b"content-type", b"user-agent", b"cookie",
         b"authorization", b"grpc-timeout", b"grpc-accept-encoding", b"x-request-id", b"x-own", b"set-cookie",
         b"date", b"content-length", b"accept-encoding", b"traceparent"]
VALUES = [b"", b"GET", b"POST", b"/", b"200", b"404", b"trailers", b"application/grpc", b"100m", b"gzip, deflate",
          b"session=0123456789abcdef0123", b"/chat.Chat/Subscribe", b"/search?q=1"]
LIMITS = [0, 33, 64, 100, 500, 1000, 4096, 8192, 65536]


class Pipe:
    """One hpack_pipe: one of our encoders and one of our decoders."""

    def __enter__(self):
        self.process = subprocess.Popen([PIPE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, kind, *_):
        self.process.stdin.close()
        status = self.process.wait(timeout=20)
        self.process.stdout.close()
        if kind is None:
            check_eq(status, 0)

    def ask(self, command, body=b""):
        self.process.stdin.write(command + struct.pack(">I", len(body)) + body)
        self.process.stdin.flush()
        head = self.process.stdout.read(4)
        check_eq(len(head), 4)
        n, = struct.unpack(">I", head)
        return self.process.stdout.read(n)

    def encode(self, fields):
        return self.ask(b"E", b"".join(struct.pack(">BII", never, len(n), len(v)) + n + v for n, v, never in fields))

    def decode(self, block):
        """The fields, or None when the block is refused."""
        answer = self.ask(b"D", block)
        if answer[0]:
            return None
        at, fields = 1, []
        while at < len(answer):
            never, n, v = struct.unpack_from(">BII", answer, at)
            at += 9
            fields.append((answer[at:at + n], answer[at + n:at + n + v], never))
            at += n + v
        return fields


def random_fields(rng):
    fields = []
    for _ in range(rng.randrange(12)):
        name = rng.choice(NAMES) if rng.random() < .8 else bytes(rng.choices(b"abcx-", k=rng.randrange(1, 30)))
        kind = rng.random()
        if kind < .6:
            value = rng.choice(VALUES)
        elif kind < .8:
            value = bytes(rng.choices(b"0123456789abcdef-", k=rng.randrange(60)))
        else:
            value = rng.randbytes(rng.choice([1, 5, 100, 1500]))
        fields.append((name, value, rng.random() < .1))
    return fields


def seeds(count):
    only = os.environ.get("HPACK_SEED")
    return [int(only)] if only else range(1, count + 1)


def plain(decoded):
    return [(bytes(n), bytes(v)) for n, v in decoded]


def never(decoded):
    return [not f.indexable for f in decoded]


@test(timeout_s=120)
def python_hpack_decodes_what_we_encode_under_table_size_changes():
    for seed in seeds(40):
        rng = random.Random(seed)
        decoder = hpack.Decoder(max_header_list_size=1 << 24)
        with Pipe() as pipe:
            for block_no in range(60):
                if rng.random() < .1:
                    limit = rng.choice(LIMITS)
                    pipe.ask(b"e", struct.pack(">I", limit))
                    decoder.max_allowed_table_size = limit
                fields = random_fields(rng)
                decoded = decoder.decode(pipe.encode(fields), raw=True)
                where = f"HPACK_SEED={seed} block {block_no}"
                check_eq(plain(decoded), [(n, v) for n, v, _ in fields], where)
                check(all(got or not want for got, (_, _, want) in zip(never(decoded), fields)), where)


@test(timeout_s=120)
def we_decode_what_python_hpack_encodes_under_table_size_changes():
    for seed in seeds(40):
        rng = random.Random(1000 + seed)
        encoder, referee = hpack.Encoder(), hpack.Decoder(max_header_list_size=1 << 24)
        with Pipe() as pipe:
            for block_no in range(60):
                if rng.random() < .1:
                    limit = rng.choice(LIMITS)
                    pipe.ask(b"d", struct.pack(">I", limit))
                    encoder.header_table_size = referee.max_allowed_table_size = limit
                fields = random_fields(rng)
                block = encoder.encode(fields, huffman=rng.random() < .7)
                where = f"HPACK_SEED={seed} block {block_no}"
                # it sends a sensitive field by index when a table has all of it: its decoder knows
                sent = referee.decode(block, raw=True)
                check_eq(plain(sent), [(n, v) for n, v, _ in fields], where)
                check_eq(pipe.decode(block), [(n, v, int(s)) for (n, v), s in zip(plain(sent), never(sent))], where)
                table, = struct.unpack(">I", pipe.ask(b"t"))
                check_eq(table, encoder.header_table._current_size, where)


@test
def both_refuse_the_same_broken_blocks():
    for block in [b"\x80", b"\xbe", b"\xff\x80\x80\x80\x80\x80\x80\x01", b"\x00\x01a\x84\xff\xff\xff\xff",
                  b"\x82\x20", b"\x3f\xe2\x1f", b"\x00\x05ab", b"\x00\x01a\x81\x18", b"\x7e\x01a"]:
        try:
            hpack.Decoder().decode(block)
            refused = False
        except (hpack.HPACKError, UnicodeDecodeError):
            refused = True
        check(refused, f"python3-hpack takes {block.hex()}")
        with Pipe() as pipe:
            check(pipe.decode(block) is None, f"we take {block.hex()}")


if __name__ == "__main__":
    run()
