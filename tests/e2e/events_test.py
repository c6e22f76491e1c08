#!/usr/bin/python3
"""events_test.py - GET /events on the wire: framing over HTTP/1.1 and HTTP/2, slow readers, limits, and the end."""
import contextlib
import json
import signal
import socket
from calls import Channel
from kit import Peer, Weir, eventually, one_route
from tap import cases, check, check_eq, run, skip, test  # noqa: F401
import raw
from raw import Upstream, Wire

VIEWS = {"routes", "streams", "connections", "clusters"}


class Http1:
    """An event stream over HTTP/1.1, read byte by byte as RFC 9112 7.1 and the HTML standard's 9.2 have it."""

    def __init__(self, weir, query="interval=250", path="/events", method="GET", host=None):
        address = weir.cfg["admin"]
        self.sock = socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1])), timeout=30)
        self.sock.sendall(f"{method} {path}?{query} HTTP/1.1\r\nHost: {host or address}\r\n\r\n".encode())
        self.buffer, self.text, self.over = b"", "", False
        head = self.until(b"\r\n\r\n").decode()
        self.status = int(head.split()[1])
        self.head = {k.lower(): v for k, v in (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def more(self):
        data = self.sock.recv(65536)
        check(data, "the connection ended")
        self.buffer += data

    def until(self, mark):
        while mark not in self.buffer:
            self.more()
        data, self.buffer = self.buffer.split(mark, 1)
        return data

    def chunk(self):
        size = int(self.until(b"\r\n"), 16)
        while len(self.buffer) < size + 2:
            self.more()
        data, self.buffer = self.buffer[:size], self.buffer[size + 2:]
        self.over = size == 0
        self.text += data.decode()

    def event(self):
        """The next event as a dict of its fields; None at the end of the stream. Comments have the name ""."""
        while "\n\n" not in self.text and not self.over:
            self.chunk()
        if self.over:
            check_eq(self.text, "", "half an event at the end")
            return None
        block, self.text = self.text.split("\n\n", 1)
        fields = [line.split(": ", 1) for line in block.split("\n")]
        check_eq(len({name for name, _ in fields}), len(fields), f"fields of {block!r}")
        return dict(fields)

    def snapshot(self):
        e = self.event()
        check(e and e.get("event") == "snapshot", e)
        return int(e["id"]), json.loads(e["data"])


def admin_wire(weir, settings=None):
    """HTTP/2 by hand to the admin address."""
    wire = Wire.connect(int(weir.cfg["admin"].rsplit(":", 1)[1]))
    wire.start(settings)
    return wire


def events_of(data):
    """Whole events in these bytes."""
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in data.decode().split("\n\n")[:-1]]


@contextlib.contextmanager
def weir_with(**more):
    with Upstream(raw.echo) as server, Weir(one_route(server.port, **more)) as weir:
        yield weir


def metric(weir, name):
    return weir.metrics().sum("weir_admin_event_" + name)


@test
def each_snapshot_is_one_event_with_all_that_the_pages_say():
    with Peer("py", "server") as server, Weir(one_route(server.port, workers=2)) as weir, Channel(weir.target()) as channel:
        chats = [channel.chat() for _ in range(3)]
        for c in chats:
            c.turn()
        with Http1(weir, "interval=250&sort=busiest&limit=2") as events:
            check_eq((events.status, events.head["content-type"]), (200, "text/event-stream"))
            check_eq((events.head["transfer-encoding"], events.head["cache-control"]), ("chunked", "no-store"))
            check("content-length" not in events.head and "access-control-allow-origin" not in events.head)
            check_eq(events.event(), {"retry": "2000"})
            number, s = events.snapshot()
            check_eq(number, 1)
            check_eq(set(s), VIEWS | {"stalled", "health"})
            health = s["health"]
            check_eq({k: health[k] for k in ("ready", "live", "draining", "why", "generation")},
                     {"ready": True, "live": True, "draining": False, "why": None, "generation": 1})
            check_eq(s["routes"]["routes"][0], json.loads(weir.get("/routes")[1])["routes"][0])
            check_eq((s["streams"]["total"], len(s["streams"]["streams"])), (3, 2))
            check_eq(s["stalled"]["total"], 3)
            for view in VIEWS:
                check_eq(s[view]["missing_workers"], [])
                check_eq(set(s[view]), set(json.loads(weir.get("/" + view)[1])))
            chats[0].turn()
            for want in (2, 3, 4):
                number, s = events.snapshot()
                check_eq(number, want)
            check_eq(s["routes"]["routes"][0]["sent"]["messages"], 4)
            check(s["health"]["uptime_ms"] > health["uptime_ms"])
        for c in chats:
            check_eq(c.close()[0], "OK")
        eventually(lambda: metric(weir, "streams") == 0, "the end of the event stream")
        check(metric(weir, "snapshots_total") >= 4)


@test
def a_reload_is_seen_and_the_stream_goes_on():
    with weir_with() as weir, Http1(weir) as events:
        events.event()
        check_eq(events.snapshot()[1]["health"]["generation"], 1)
        weir.signal(signal.SIGHUP)
        eventually(lambda: events.snapshot()[1]["health"]["generation"] == 2, "the next generation")


@test
def it_is_the_same_over_http2():
    with weir_with() as weir, admin_wire(weir) as wire:
        wire.headers(1, raw.request("/events?interval=250", method="GET", authority="localhost", grpc=False), end=True)
        head = wire.expect("HEADERS", stream=1)
        check_eq(dict(wire.decoder.decode(head.data))["content-type"], "text/event-stream")
        data = b""
        while len(events_of(data)) < 4:
            data += wire.expect("DATA", stream=1).data
        names = [e.get("event") for e in events_of(data)]
        check_eq(names[:4], [None, "snapshot", "snapshot", "snapshot"])
        check_eq([e["id"] for e in events_of(data)[1:4]], ["1", "2", "3"])
        wire.rst(1, raw.CANCEL)
        eventually(lambda: metric(weir, "streams") == 0, "the end of the event stream")


@test
def a_reader_that_takes_nothing_skips_snapshots_and_makes_weir_hold_one_at_most():
    with weir_with() as weir, admin_wire(weir, {4: 0}) as wire:  # SETTINGS_INITIAL_WINDOW_SIZE
        wire.headers(1, raw.request("/events?interval=250", method="GET", authority="localhost", grpc=False), end=True)
        wire.expect("HEADERS", stream=1)
        eventually(lambda: metric(weir, "snapshots_skipped_total") >= 4, "skipped snapshots")
        check_eq(metric(weir, "snapshots_total"), 1)
        wire.credit(1, 100)  # a part of it
        skipped = metric(weir, "snapshots_skipped_total")
        eventually(lambda: metric(weir, "snapshots_skipped_total") >= skipped + 3, "more skipped snapshots")
        check_eq(metric(weir, "snapshots_total"), 1)
        wire.credit(1, 1 << 20)
        data = b""
        while len(events_of(data)) < 4:
            data += wire.expect("DATA", stream=1).data
        check_eq([e.get("id") for e in events_of(data)[:4]], [None, "1", "2", "3"])  # none of them cut
        for e in events_of(data)[1:4]:
            check_eq(set(json.loads(e["data"])), VIEWS | {"stalled", "health"})


@test
def a_reader_that_takes_nothing_for_too_long_is_cut():
    with weir_with(limits={"admin_idle": "300ms"}) as weir, admin_wire(weir, {4: 0}) as wire:
        wire.headers(1, raw.request("/events?interval=250", method="GET", authority="localhost", grpc=False), end=True)
        check_eq(wire.expect("RSTSTREAM", stream=1).error_code, raw.CANCEL)
        eventually(lambda: metric(weir, "streams") == 0, "the end of the event stream")


@test
def so_many_event_streams_and_no_more():
    with weir_with(limits={"admin_event_streams": 2}) as weir, contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(Http1(weir)) for _ in range(2))
        for events in first, second:
            check_eq(events.status, 200)
        with Http1(weir) as third:
            check_eq(third.status, 503)
            check(int(third.head["retry-after"]) > 0)
        check_eq((metric(weir, "streams"), metric(weir, "streams_refused_total")), (2, 1))
        with Http1(weir, method="HEAD") as head:
            check_eq(head.status, 503)
        first.sock.close()
        eventually(lambda: metric(weir, "streams") == 1, "room")
        with Http1(weir, method="HEAD") as head:
            check_eq((head.status, head.head["content-type"]), (200, "text/event-stream"))
        check_eq(metric(weir, "streams"), 1)
        with Http1(weir) as third:
            third.event()
            check_eq(third.snapshot()[0], 1)


@test
def a_drain_is_followed_to_its_end_and_the_last_event_says_so():
    with Peer("py", "server") as server, Weir(one_route(server.port, grace="60s")) as weir, \
            Channel(weir.target()) as channel, Http1(weir) as events, admin_wire(weir) as wire:
        wire.headers(1, raw.request("/events?interval=250", method="GET", authority="localhost", grpc=False), end=True)
        chat = channel.chat()
        chat.turn()
        events.event()
        weir.get("/drain", method="POST")
        eventually(lambda: events.snapshot()[1]["health"]["draining"], "a snapshot of the drain")
        s = events.snapshot()[1]
        check_eq((s["health"]["ready"], s["health"]["why"], s["streams"]["total"]), (False, "draining", 1))
        check_eq(chat.close()[0], "OK")
        e = events.event()
        while e["event"] == "snapshot":
            e = events.event()
        check_eq((e["event"], e["data"]), ("end", '{"reason":"shutdown"}'))
        check_eq(events.event(), None)
        wire.auto = False  # nobody is there any more to be answered
        data, frame = b"", wire.expect("DATA", stream=1)
        while "END_STREAM" not in frame.flags:
            data += frame.data
            frame = wire.expect("DATA", stream=1)
        check_eq(events_of(data + frame.data)[-1]["event"], "end")
        check_eq(weir.wait(), 0)


@cases("interval=249", "interval=60001", "interval=x", "limit=0", "limit=1001", "sort=best", "colour=red",
       "interval=1000&interval=1000", "route")
def a_query_that_is_not_understood_is_refused_with_a_reason(query):
    with weir_with() as weir:
        status, text = weir.get("/events?" + query)
        check_eq(status, 400)
        check(query.split("=")[0] in text, text)
        check_eq(metric(weir, "streams"), 0)


@cases("/events", "/dashboard", "/streams", "/config", "/")
def a_web_page_whose_own_name_resolves_here_reads_nothing(path):
    with weir_with() as weir:
        for host in "evil.example:9901", "evil.example", "10.0.0.1.evil.example", "local", "127.0.0.1", "[::1]:9901", \
                "localhost:80", "weir", "weir.mesh.svc.cluster.local:9901", "weir.mesh.svc":
            status, text = weir.get(path, method="HEAD", headers={"Host": host})
            check_eq(status, 421 if "evil" in host else 200, f"status for {host}")
        for open_to_all in "/metrics", "/ready", "/healthz/live":
            check_eq(weir.get(open_to_all, headers={"Host": "evil.example"})[0], 200)
        check_eq(weir.get("/drain", method="POST", headers={"Host": "evil.example", "Origin": "http://evil.example"})[0], 421)


if __name__ == "__main__":
    run()
