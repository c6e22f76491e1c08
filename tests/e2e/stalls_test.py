#!/usr/bin/python3
"""stalls_test.py - a stream that cannot go on has its cause in /streams, in the seconds by cause, in the gauge and
in one line of the log, for each cause and direction; one that moves, however slowly, does not hang."""
import contextlib
import json
import os
import queue
import socket
import threading

import raw
from calls import SERVICE, Channel
from kit import Peer, Weir, config, eventually, unreachable_port
from raw import Upstream, Wire
from tap import cases, check, check_eq, run, test

LARGE = (1 << 31) - 1
CAUSES = ("peer_stream_window", "peer_connection_window", "socket")
SETTINGS = {"peer_stream_window": {4: 65535}}  # what the reader allows a stream; else all there is
CREDIT = {"peer_connection_window": 0}         # and the connection, besides the 65,535 that all begin with


def route_to(port, stalled_after="100ms", **more):
    return config([{"name": "all", "cluster": "up", "stalled_after": stalled_after}],
                  [{"name": "up", "endpoints": [f"127.0.0.1:{port}"]}], **more)


def streams(weir, query=""):
    status, text = weir.get("/streams" + query)
    check_eq(status, 200, text)
    return json.loads(text)["streams"]


def check_stalled(weir, direction, cause):
    """What Weir shows of its one stream."""
    stream, = eventually(lambda: streams(weir, "?state=stalled"), f"a stream stalled by {cause}")
    other, = {"sent", "received"} - {direction}
    check_eq((stream[direction]["stalled"], stream[other]["stalled"]), (cause, "none"))
    check(stream[direction]["stalled_ms"] >= 100 and stream[direction]["stalled_seconds"][cause] >= 0.1, stream)
    check(stream[direction]["queued_bytes"] > 0, stream)
    metrics = weir.metrics()
    check_eq(metrics.sum("weir_streams_hung", state="stalled", rt_route="all"), 1)
    seconds = {dict(labels)["cause"]: value
               for labels, value in metrics.samples["weir_stream_stalled_seconds_total"].items()
               if value and dict(labels)["direction"] == direction}
    check(seconds.get(cause, 0) >= 0.1, f"seconds by cause: {seconds}")
    line, = [text for text in weir.stderr().splitlines() if "stream stalled" in text]
    check(f"{direction}_blocked_by={cause}" in line and f"{other}_blocked_by=none" in line, line)


@cases(*CAUSES)
def a_client_that_takes_no_more_is_named_by_what_it_does_not_give(cause):
    with Peer("py", "server") as server, Weir(route_to(server.port)) as weir, \
            Wire.connect(weir.port(), receive_buffer=4096 if cause == "socket" else None) as wire:
        wire.auto = False
        wire.start(SETTINGS.get(cause, {4: LARGE}))
        if credit := CREDIT.get(cause, 1 << 30):
            wire.credit(0, credit)
        wire.headers(1, raw.request(f"/{SERVICE}/Produce"))
        wire.data(1, raw.message(b"2000 100000"), end=True)
        check_stalled(weir, "received", cause)


@cases(*CAUSES)
def a_server_that_takes_no_more_is_named_by_what_it_does_not_give(cause):
    over = threading.Event()

    def serve(wire, _nth):
        wire.auto = False
        wire.accept(SETTINGS.get(cause, {4: LARGE}))
        if credit := CREDIT.get(cause, 1 << 30):
            wire.credit(0, credit)
        while cause != "socket" and not over.is_set():
            with contextlib.suppress(AssertionError):  # nothing came
                wire.read(0.1)
        over.wait(60)
    with Upstream(serve) as server, Weir(route_to(server.port)) as weir, Channel(weir.target()) as client:
        chat = client.chat()
        for _ in range(1000):
            chat.say(16000)
        try:
            check_stalled(weir, "sent", cause)
        finally:
            over.set()
        chat.cancel()


@test
def a_call_that_waits_for_a_stream_slot_is_named_so_and_goes_on_when_one_is_free():
    requests = queue.Queue()

    def serve(wire, _nth):
        wire.accept({3: 1})  # SETTINGS_MAX_CONCURRENT_STREAMS
        while True:
            requests.put((wire, wire.expect("HEADERS", within_s=120).stream))

    def answer():
        wire, stream = requests.get(timeout=60)
        wire.headers(stream, [*raw.RESPONSE, *raw.OK], end=True)

    with Upstream(serve) as server, Weir(route_to(server.port)) as weir, Wire.connect(weir.port()) as client:
        client.start()
        client.headers(1, raw.request("/t.T/First"), end=True)
        eventually(lambda: requests.qsize() == 1, "the first request")
        server.listener.shutdown(socket.SHUT_RDWR)  # it takes no further connection
        client.headers(3, raw.request("/t.T/Second"))
        client.data(3, raw.message(b"x" * 1000), end=True)
        check_stalled(weir, "sent", "stream_slot")
        second, = streams(weir, "?method=Second")
        check_eq((second["sent"]["queued_bytes"], second["upstream"]), (1005, None))
        answer()
        client.collect(1)
        second, = eventually(lambda: [s for s in streams(weir) if s["upstream"]], "a stream of its own")
        check_eq((second["method"], second["sent"]["stalled"]), ("Second", "none"))
        check(second["sent"]["stalled_seconds"]["stream_slot"] >= 0.1, second)
        answer()
        client.collect(3)


@test
def a_call_that_waits_for_a_connection_is_named_so():
    with unreachable_port() as (listener, accept_fillers):
        cfg = route_to(listener.getsockname()[1])
        cfg["clusters"][0]["connect_timeout"] = "60s"
        with Weir(cfg) as weir, Wire.connect(weir.port()) as client:
            client.start()
            client.headers(1, raw.request("/t.T/M"))
            client.data(1, raw.message(b"x"), end=True)
            check_stalled(weir, "sent", "stream_slot")
            accept_fillers()
            sock = listener.accept()[0]
            while not sock.recv(1):  # a filler, which has gone
                sock = listener.accept()[0]
            with sock:
                eventually(lambda: streams(weir)[0]["sent"]["stalled"] == "none", "the call going on")


@test
def a_stream_that_waits_for_the_memory_budget_is_named_so_and_goes_on_when_there_is_room():
    with Peer("py", "server") as server, Weir(route_to(server.port, limits={"memory": "1MiB"})) as weir, \
            Channel(weir.target()) as client, Wire.connect(weir.port()) as wire:
        chat = client.chat()
        chat.turn()
        wire.auto = False
        wire.start()
        wire.credit(0, 1 << 30)
        for stream in range(1, 13, 2):
            wire.headers(stream, raw.request(f"/{SERVICE}/Produce"))
            wire.data(stream, raw.message(b"2000 1000"), end=True)
        eventually(lambda: weir.metrics().sum("weir_memory_credit_stops_total"), "80 % of the budget")

        def waits():
            chat.turn(16000)
            shown, = streams(weir, "?method=Chat")
            return shown["sent"]["stalled"] == shown["received"]["stalled"] == "memory_budget"
        eventually(waits, "both directions waiting for the budget")
        wire.close()
        eventually(lambda: weir.metrics().sum("weir_memory_held_bytes") == 0, "room")
        for _ in range(100):
            chat.turn(16000)
        shown, = streams(weir)
        check_eq((shown["sent"]["stalled"], shown["received"]["stalled"]), ("none", "none"))
        check_eq(chat.close()[0], "OK")
        seconds = weir.metrics().samples["weir_stream_stalled_seconds_total"]
        for direction in ("sent", "received"):
            check(any(value and {("cause", "memory_budget"), ("direction", direction)} <= labels
                      for labels, value in seconds.items()), seconds)


@test
def a_reader_that_is_slow_and_moves_on_hangs_only_when_it_stops():
    with Peer("py", "server") as server, Weir(route_to(server.port, "1s")) as weir, \
            Wire.connect(weir.port()) as wire:
        wire.auto = False
        wire.start()
        wire.credit(0, 1 << 30)
        wire.headers(1, raw.request(f"/{SERVICE}/Produce"))
        wire.data(1, raw.message(b"100000 1000"), end=True)
        eventually(lambda: [s for s in streams(weir) if s["received"]["stalled"] == "peer_stream_window"], "a stall")

        def blocked_for_three_seconds():
            wire.credit(1, 100)
            wire.expect("DATA")
            shown, = streams(weir)
            return shown["received"]["stalled_seconds"]["peer_stream_window"] >= 3 and shown["state"] == "open"
        eventually(blocked_for_three_seconds, "a stream that was blocked for long, and is not stalled")
        eventually(lambda: streams(weir)[0]["state"] == "stalled", "the stall, when it moves no more")
        wire.credit(1, 100)
        eventually(lambda: streams(weir)[0]["state"] == "open", "the end of it")


if __name__ == "__main__":
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    run()
