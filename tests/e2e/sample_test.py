#!/usr/bin/python3
"""sample_test.py - samples of messages between real clients and servers: what the ring, the log and the file have
is what was sent, and nothing of it shows a secret or holds up a stream."""
import base64
import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import grpc
from calls import Channel, payload
from kit import ROOT, Peer, Weir, eventually, one_route, weir_binary
from tap import check, check_eq, run, skip, test

B = 20
EVERYWHERE = ["ring", "log", "file"]


class Sampling:
    """A weir that samples by `rule` (None: not) in front of a server, and a channel to it."""

    def __init__(self, rule, workers=1, limits=None, **sampling):
        self.dir = tempfile.mkdtemp(prefix="weir-sample-")
        self.file = os.path.join(self.dir, "samples")
        self.rule, self.workers, self.limits = rule, workers, limits
        self.sampling = {"file": self.file, **sampling}

    def config(self, port):
        cfg = one_route(port, workers=self.workers, limits=self.limits)
        if self.rule:
            cfg["routes"][0]["sample"] = self.rule
        cfg["sampling"] = self.sampling
        return cfg

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.dir)
            self.server = stack.enter_context(Peer("py", "server"))
            self.weir = stack.enter_context(Weir(self.config(self.server.port)))
            self.channel = stack.enter_context(Channel(self.weir.target()))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exc):
        return self.stack.__exit__(*exc)

    def ring(self, query="?limit=1000", event="message"):
        status, text = self.weir.get("/samples" + query)
        check_eq(status, 200, text)
        return [s for s in json.loads(text)["samples"] if s["event"] == event]

    def in_log(self, event="message"):
        samples = [json.loads(line)["sample"] for line in self.weir.stderr().splitlines()
                   if line.startswith('{"sample":')]
        return [s for s in samples if s["event"] == event]

    def taken(self, **labels):
        return self.weir.metrics().sum("weir_samples_total", rt_route="all", **labels)

    def dropped(self, reason):
        return self.weir.metrics().sum("weir_samples_dropped_total", reason=reason)


# ---- a reader of docs/sample-format.md that has nothing of Weir's

NAMES = {1: "time", 2: "stream", 3: "listener", 4: "route", 5: "cluster", 6: "service", 7: "method", 8: "direction",
         9: "message", 10: "size", 11: "compressed", 12: "cut", 13: "payload", 14: "metadata", 15: "metadata_cut",
         16: "worker", 17: "event", 18: "response_metadata", 19: "response_metadata_cut", 20: "trailers",
         21: "trailers_cut", 22: "http_status", 23: "grpc_status", 24: "ended_by", 25: "reason"}
LISTS = (14, 18, 20)


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            at += value
            value = data[at - value:at]
            check_eq(len(data[:at]), at, "bytes of a field")
        yield tag >> 3, value


def decode(data):
    """The records of a file, whole ones only: (list, bytes used)."""
    found, at = [], 0
    while len(data) - at >= 4 and len(data) - at - 4 >= struct.unpack_from(">I", data, at)[0]:
        size, = struct.unpack_from(">I", data, at)
        record = {"event": 0, "payload": b"", "compressed": 0, "cut": 0, "size": 0, "worker": 0,
                  **{NAMES[n]: [] for n in LISTS}}
        for number, value in fields(data[at + 4:at + 4 + size]):
            if number in LISTS:
                pair = dict(fields(value))
                record[NAMES[number]].append((pair[1].decode(), pair.get(2)))
            else:
                record[NAMES[number]] = value.decode() if isinstance(value, bytes) and number != 13 else value
        found.append(record)
        at += 4 + size
    return found, at


def all_in_file(path):
    with open(path, "rb") as f:
        data = f.read()
    found, used = decode(data)
    check_eq(used, len(data), "whole records")
    return found


def in_file(path):
    return [r for r in all_in_file(path) if r["event"] == 0]


def key(direction, stream, message):
    return direction, stream, message


def by_json(samples):
    return {key(s["direction"], s["stream"], s["message"]): (base64.b64decode(s["payload"]), s["size"])
            for s in samples}


def by_record(samples):
    return {key(("", "sent", "received")[s["direction"]], f"{s['worker']}-{s['stream']}", s["message"]):
            (s["payload"], s["size"]) for s in samples}


# ---- tests

@test
def samples_are_the_first_bytes_of_what_was_sent_in_the_ring_the_log_and_the_file():
    sizes = [1, 7, 19, 20, 21, 300, 4096, 16384, 16385, 70000, 100, 1_000_000]
    with Sampling({"every": 1, "bytes": B, "to": EVERYWHERE}, workers=2) as s:
        chat = s.channel.chat()
        for size in sizes:
            chat.turn(size)
        check_eq(chat.close()[0], "OK")
        eventually(lambda: s.taken() == 2 * len(sizes), "all samples")
        ring = by_json(s.ring())
        streams = {k[1] for k in ring}
        check_eq(len(streams), 1)
        want = {key(direction, max(streams), i + 1): (payload(i, size)[:B], size)
                for i, size in enumerate(sizes) for direction in ("sent", "received")}
        check_eq(ring, want, "the ring")
        eventually(lambda: os.path.exists(s.file) and by_record(in_file(s.file)) == want, "the file")
        eventually(lambda: by_json(s.in_log()) == want, "the log")
        printed = subprocess.run([weir_binary(), "samples", s.file], capture_output=True, text=True, check=True)
        lines = [json.loads(line) for line in printed.stdout.splitlines()]
        check_eq(by_json(x for x in lines if x["event"] == "message"), want, "weir samples")
        one = s.ring("?limit=2")[0]
        check_eq((one["listener"], one["route"], one["cluster"], one["service"], one["method"]),
                 ("in", "all", "up", "weir.e2e.Peer", "Chat"))
        check_eq(s.ring("?route=other"), [])
        check_eq(len(s.ring("?stream=" + one["stream"])), 2 * len(sizes))
        check_eq(s.weir.get("/samples?limit=0")[0], 400)


@test
def without_a_rule_nothing_is_sampled():
    with Sampling(None) as s:
        chat = s.channel.chat()
        for _ in range(50):
            chat.turn()
        check_eq(chat.close()[0], "OK")
        check_eq(s.ring(), [])
        check_eq(s.in_log(), [])
        check(not os.path.exists(s.file), "there is a file")
        check_eq(s.taken(), 0)


@test
def of_each_ten_messages_one_is_sampled():
    with Sampling({"every": 10, "bytes": 8, "to": ["ring"]}) as s:
        for _ in range(4):
            chat = s.channel.chat()
            for _ in range(50):
                chat.turn()
            check_eq(chat.close()[0], "OK")
        check_eq(s.taken(direction="sent"), 20)
        check_eq(s.taken(direction="received"), 20)
        for sample in s.ring():
            check_eq(base64.b64decode(sample["payload"]), b"%08d" % (sample["message"] - 1))


@test
def a_header_asks_for_all_messages_of_its_call_and_of_no_other():
    rule = {"header": {"name": "x-debug-sample", "exact": "yes"}, "bytes": 8, "directions": ["received"]}
    with Sampling(rule) as s:
        for metadata in ((), (("x-debug-sample", "no"),), (("x-debug-sample", "yes"),)):
            chat = s.channel.chat(metadata=metadata)
            for _ in range(20):
                chat.turn()
            check_eq(chat.close()[0], "OK")
        samples = s.ring()
        check_eq(sorted(x["message"] for x in samples), list(range(1, 21)))
        check_eq({x["direction"] for x in samples}, {"received"})
        check_eq(len({x["stream"] for x in samples}), 1)


@test
def no_secret_reaches_the_ring_the_log_or_the_file():
    secret = "hunter2hunter2"
    names = ["authorization", "cookie", "x-api-key", "proxy-authorization", "x-session-token", "token-bin"]
    metadata = [(n, secret.encode() if n.endswith("-bin") else "Bearer " + secret) for n in names]
    with Sampling({"every": 1, "bytes": B, "to": EVERYWHERE}, redact=["X-Session-Token", "token-bin"]) as s:
        check_eq(s.channel.unary(b"hello", metadata=[*metadata, ("x-plain", "shown")])[0], "OK")
        eventually(lambda: os.path.exists(s.file) and len(in_file(s.file)) == 2, "the file")
        eventually(lambda: len(s.in_log()) == 2, "the log")
        with open(s.file, "rb") as f:
            outputs = [f.read(), s.weir.get("/samples")[1].encode(), s.weir.stderr().encode()]
        for text in outputs:
            check(b"hello" in text or base64.b64encode(b"hello") in text, "no sample in an output")
            check(secret.encode() not in text, "a secret in an output")
            check(base64.b64encode(secret.encode()).rstrip(b"=") not in text, "a secret in base64")
        for shown in (dict(in_file(s.file)[0]["metadata"]), dict(s.ring()[0]["metadata"]),
                      dict(s.in_log()[0]["metadata"])):
            check_eq([shown[n] for n in names], [None] * len(names), "redacted")
            check(shown["x-plain"] in ("shown", b"shown"), "what is no secret")


@test
def the_end_of_a_sampled_call_has_its_status_response_head_and_trailers_without_their_secrets():
    secret = "hunter2hunter2"
    sent = [("x-echo", "shown"), ("x-echo-bin", secret.encode())]  # the server sends both back, twice
    with Sampling({"every": 1, "bytes": B, "to": EVERYWHERE}, redact=["x-echo-bin"]) as s:
        check_eq(s.channel.unary(b"hello", metadata=sent)[0], "OK")
        check_eq(s.channel.unary(b"hello", metadata=[*sent, ("x-fail", "7")])[0], "PERMISSION_DENIED")
        eventually(lambda: os.path.exists(s.file) and len(all_in_file(s.file)) == 5, "the file")
        eventually(lambda: len(s.in_log("end")) == 2, "the log")
        ends = [r for r in all_in_file(s.file) if r["event"] == 1]
        check_eq([(r["http_status"], r["grpc_status"], r["ended_by"], r["reason"]) for r in ends],
                 [(200, 0, "upstream", "complete"), (200, 7, "upstream", "complete")])
        check_eq([r["stream"] for r in ends], [1, 2])
        for end in (*s.in_log("end"), *s.ring(event="end")):
            ok = end["grpc_status"] == "OK"
            check("direction" not in end and "payload" not in end, end)
            check_eq(dict(end["metadata"])["x-echo"], "shown")
            head, trailers = dict(end["response_metadata"]), dict(end.get("trailers", []))
            check_eq(head["content-type"], "application/grpc")
            where = trailers if ok else head  # an error without a message is told in the head
            check_eq((where["x-echo"], where["x-echo-bin"]), ("shown", None))
            check_eq(where["grpc-status"], "0" if ok else "7")
        received = [x for x in s.ring() if x["direction"] == "received"]
        check_eq([dict(x["response_metadata"])["x-echo"] for x in received], ["shown"])
        with open(s.file, "rb") as f:
            outputs = [f.read(), s.weir.get("/samples")[1].encode(), s.weir.stderr().encode()]
        for text in outputs:
            check(secret.encode() not in text, "a secret in an output")
            check(base64.b64encode(secret.encode()).rstrip(b"=") not in text, "a secret in base64")


@test
def with_no_bytes_samples_have_lengths_and_nothing_of_payloads():
    with Sampling({"every": 1, "bytes": 0, "to": EVERYWHERE}) as s:
        check_eq(s.channel.unary(b"hunter2hunter2")[0], "OK")
        eventually(lambda: os.path.exists(s.file) and len(in_file(s.file)) == 2, "the file")
        eventually(lambda: len(s.in_log()) == 2, "the log")
        for sample in (*in_file(s.file), *s.in_log(), *s.ring()):
            check_eq((sample["size"], len(sample["payload"])), (14, 0))


@test
def a_compressed_message_says_so_and_shows_what_was_on_the_wire():
    with Sampling({"every": 1, "bytes": 64, "directions": ["sent"]}) as s:
        call = s.channel.channel.unary_unary("/weir.e2e.Peer/Unary")
        call(b"a" * 5000, compression=grpc.Compression.Gzip, timeout=30)
        call(b"b" * 5000, timeout=30)
        plain, compressed = s.ring()
        check_eq((plain["compressed"], plain["size"]), (False, 5000))
        check(compressed["compressed"] and compressed["size"] < 200, compressed)
        check(base64.b64decode(compressed["payload"]).startswith(b"\x1f\x8b"), "gzip's magic number")


@test
def a_file_that_takes_nothing_costs_samples_and_no_stream():
    pipe = Sampling({"every": 1, "bytes": 1000, "to": ["file"]}, limits={"output_bytes": "4KiB"})
    os.mkfifo(pipe.file)
    reader = os.open(pipe.file, os.O_RDWR | os.O_NONBLOCK)
    try:
        with pipe as s:
            chat = s.channel.chat()
            for _ in range(200):
                chat.turn(1000)
            check_eq(chat.close()[0], "OK")
            eventually(lambda: s.weir.metrics().sum("weir_streams_ended_total") == 1, "the end of the call")
            check_eq(s.taken(), 400)
            dropped = s.dropped("file")
            check(200 <= dropped < 400, f"{dropped} dropped")
            check_eq(s.weir.metrics().sum("weir_output_dropped_records_total", output=s.file), dropped)
            data = b""

            def drained():
                nonlocal data
                with contextlib.suppress(BlockingIOError):
                    data += os.read(reader, 1 << 20)
                return len(decode(data)[0]) == 401 - dropped  # 400 messages and the end of the call
            eventually(drained, "the rest, in whole records")
            check_eq(decode(data)[1], len(data))
    finally:
        os.close(reader)


@test
def a_file_that_was_renamed_is_made_anew_on_SIGHUP():
    with Sampling({"every": 1, "bytes": 8, "to": ["file"]}) as s:
        chat = s.channel.chat()
        chat.turn()
        eventually(lambda: os.path.exists(s.file) and len(in_file(s.file)) == 2, "two samples")
        os.rename(s.file, s.file + ".1")
        s.weir.signal(signal.SIGHUP)
        eventually(lambda: os.path.exists(s.file), "a new file")
        chat.turn()
        check_eq(chat.close()[0], "OK")
        eventually(lambda: len(in_file(s.file)) == 2, "two more")
        check_eq([x["message"] for x in in_file(s.file) + in_file(s.file + ".1")], [2, 2, 1, 1])


@test
def a_reload_turns_sampling_on_for_later_calls_and_off_again():
    with Sampling(None) as s:
        def reload(rule, generation):
            s.rule = rule
            cfg = s.config(s.server.port)
            s.weir.write({**cfg, "admin": s.weir.cfg["admin"], "listeners": s.weir.cfg["listeners"]})
            s.weir.signal(signal.SIGHUP)
            eventually(lambda: s.weir.metrics().sum("weir_config_generation") == generation, "the reload")
        before = s.channel.chat()
        before.turn()
        reload({"every": 1, "bytes": 8}, 2)
        during = s.channel.chat()
        during.turn()
        reload(None, 3)
        after = s.channel.chat()
        for chat in (before, during, after):
            chat.turn()
        for chat in (before, during, after):
            check_eq(chat.close()[0], "OK")
        check_eq(s.taken(), 4)
        check_eq(sorted(x["message"] for x in s.ring()), [1, 1, 2, 2])


@test
def the_schema_in_the_docs_is_that_of_the_file():
    if not shutil.which("protoc"):
        skip("protoc is not installed")
    with Sampling({"every": 1, "bytes": B, "to": ["file"]}) as s:
        check_eq(s.channel.unary(b"hello", metadata=[("authorization", "x"), ("x-plain", "shown")])[0], "OK")
        eventually(lambda: os.path.exists(s.file) and len(all_in_file(s.file)) == 3, "the file")
        with open(s.file, "rb") as f:
            data = f.read()
    every = ('route: "all"', 'grpc_service: "weir.e2e.Peer"', 'grpc_method: "Unary"', 'name: "authorization"\n}',
             'value: "shown"', "stream: 1")
    judge_by_protoc(data, 0, (*every, "direction: SENT", "size: 5", 'payload: "hello"', "message: 1"))
    judge_by_protoc(data, 2, (*every, "event: END", "http_status: 200", "grpc_status: 0", 'ended_by: "upstream"',
                              'reason: "complete"', "response_metadata {", 'trailers {\n  name: "grpc-status"'))


def judge_by_protoc(data, index, wanted):
    for _ in range(index):
        data = data[4 + struct.unpack_from(">I", data)[0]:]
    size, = struct.unpack_from(">I", data)
    r = subprocess.run(["protoc", "--decode=weir.Sample", f"--proto_path={ROOT}/docs", "sample.proto"],
                       input=data[4:4 + size], capture_output=True, check=True)
    text = r.stdout.decode()
    for want in wanted:
        check(want in text, f"{want} in {text}")
    unknown = [line for line in text.splitlines() if line.strip()[:1].isdigit()]
    check_eq(unknown, [], "fields that the schema does not know")


if __name__ == "__main__":
    run()
