#!/usr/bin/python3
"""upstream_test.py - servers that die, hang, refuse, reset, talk nonsense or say goodbye: the client learns the
truth, the next call works, and nothing is left behind in Weir."""
import os
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from kit import Baseline, Peer, Weir, config, eventually, free_port, one_route  # noqa: E402
from tap import cases, check, check_eq, run, test  # noqa: E402
from calls import Channel  # noqa: E402
import raw  # noqa: E402
from raw import Upstream, Wire  # noqa: E402


def names(text, *words):
    for word in words:
        check(word in text, f"{text!r} does not say {word!r}")


@cases(1, 2)
def calls_of_a_killed_upstream_end_as_UNAVAILABLE_and_the_next_server_is_found(workers):
    server = Peer("py", "server").__enter__()
    with Weir(one_route(server.port, workers=workers)) as weir:
        with Channel(weir.target()) as client:
            check_eq(client.unary()[0], "OK")
            base = Baseline(weir)
            chats = [client.chat() for _ in range(20)]
            for c in chats:
                c.turn()
            server.signal(signal.SIGKILL)
            for c in chats:
                status, details = c.end()
                check_eq(status, "UNAVAILABLE")
                names(details, f"127.0.0.1:{server.port}", "lost", "up")
            m = weir.metrics()
            check_eq(m.sum("weir_local_replies_total", reason="upstream_lost"), 20)
            check_eq(m.sum("grpc_streams_completed_total", grpc_status="UNAVAILABLE"), 20)
            server.__exit__()
            status, details, _ = client.unary()
            check_eq(status, "UNAVAILABLE")
            names(details, "up", f"127.0.0.1:{server.port}")
            again = Peer("py", "server", port=server.port)
            with again:
                eventually(lambda: client.unary()[0] == "OK", "a call through the new server")
                base.returns()


@test
def a_stopped_upstream_stalls_its_own_streams_only_and_they_go_on_with_it():
    with Peer("py", "server") as slow, Peer("py", "server") as fast:
        routes = [{"name": "slow", "match": {"headers": [{"name": "x-to", "exact": "slow"}]},
                   "cluster": "slow"}, {"name": "fast", "cluster": "fast"}]
        clusters = [{"name": n, "endpoints": [f"127.0.0.1:{p.port}"]}
                    for n, p in (("slow", slow), ("fast", fast))]
        with Weir(config(routes, clusters)) as weir, Channel(weir.target()) as client:
            base = Baseline(weir)
            stalled = [client.chat(metadata=(("x-to", "slow"),)) for _ in range(5)]
            for c in stalled:
                c.turn()
            slow.signal(signal.SIGSTOP)
            try:
                for c in stalled:
                    c.say(100)
                for i in range(50):
                    check_eq(client.unary(b"y" * i * 100)[0], "OK")
                gone = stalled.pop()
                gone.cancel()
                eventually(lambda: weir.metrics().sum("grpc_streams_active", rt_route="slow") == 4,
                           "the cancelled stream ending")
                status = client.unary(timeout=0.3, metadata=(("x-to", "slow"),))[0]
                check_eq(status, "DEADLINE_EXCEEDED")
            finally:
                slow.signal(signal.SIGCONT)
            for c in stalled:
                c.hear()
                check_eq(c.close()[0], "OK")
            base.returns()


@test
def a_refusing_upstream_is_named_to_gRPC_and_to_plain_HTTP_clients():
    port = free_port()
    with Weir(one_route(port)) as weir, Channel(weir.target()) as client:
        base = Baseline(weir)
        status, details, _ = client.unary()
        check_eq(status, "UNAVAILABLE")
        names(details, f"127.0.0.1:{port}", "refused", "up")
        with Wire.connect(weir.port()) as wire:
            wire.start()
            wire.headers(1, raw.request("/", method="GET", grpc=False), end=True)
            head, content, _ = wire.collect(1)
            check_eq(head[":status"], "503")
            names(content.decode(), f"127.0.0.1:{port}")
        m = weir.metrics()
        check(m.sum("weir_upstream_connect_failures_total", cluster="up") >= 1)
        check_eq(m.sum("weir_local_replies_total"), 2)
        base.returns()


@test
def a_cluster_without_endpoints_says_so():
    with Weir(one_route()) as weir, Channel(weir.target()) as client:
        status, details, _ = client.unary()
        check_eq(status, "UNAVAILABLE")
        names(details, "up", "no endpoint")


@test
def a_connect_that_takes_too_long_is_UNAVAILABLE_and_named():
    # A listener whose backlog is full drops further SYNs, as a host that is gone would.
    with socket.socket() as full:
        full.bind(("127.0.0.1", free_port()))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = []
        for _ in range(8):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
            fillers.append(s)
        try:
            cluster = {"connect_timeout": "200ms"}
            with Weir(one_route(port, cluster=cluster)) as weir, Channel(weir.target()) as client:
                base = Baseline(weir)
                status, details, _ = client.unary()
                check_eq(status, "UNAVAILABLE")
                names(details, f"127.0.0.1:{port}", "time")
                check(weir.metrics().sum("weir_upstream_connect_failures_total") >= 1)
                base.returns()
        finally:
            for s in fillers:
                s.close()


# What an upstream may do to a connection at once, and what the client is told.
NONSENSE = {
    "reset": lambda w: w.reset(),
    "close": lambda w: w.close(),
    "garbage": lambda w: w.send(bytes(range(256)) * 4),
    "http1": lambda w: w.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    "settings_on_a_stream": lambda w: w.send(b"\0\0\0\4\0\0\0\0\1"),
    "frame_too_large": lambda w: (w.settings(), w.send(b"\xff\xff\xff\0\0\0\0\0\1")),
    "goaway_with_an_error": lambda w: (w.settings(), w.goaway(0, raw.PROTOCOL_ERROR, b"no")),
}


@cases(*NONSENSE)
def an_upstream_that_talks_nonsense_costs_its_calls_and_nothing_else(kind):
    def script(wire, _nth):
        wire.fill(1, time.monotonic() + 60)
        NONSENSE[kind](wire)
        with_timeout_drain(wire)
    with Upstream(script) as bad, Peer("py", "server") as good:
        routes = [{"name": "bad", "match": {"headers": [{"name": "x-to", "exact": "bad"}]},
                   "cluster": "bad"}, {"name": "good", "cluster": "good"}]
        clusters = [{"name": n, "endpoints": [f"127.0.0.1:{p.port}"]}
                    for n, p in (("bad", bad), ("good", good))]
        with Weir(config(routes, clusters)) as weir, Channel(weir.target()) as client:
            sibling = client.chat()
            sibling.turn()
            base = Baseline(weir)
            status, details, _ = client.unary(metadata=(("x-to", "bad"),))
            check_eq(status, "UNAVAILABLE", f"status ({details})")
            names(details, f"127.0.0.1:{bad.port}")
            for _ in range(20):
                sibling.turn()
            check_eq(sibling.close()[0], "OK")
            base.returns()


def with_timeout_drain(wire):
    """Read what the peer still sends until it closes."""
    try:
        while wire.sock.fileno() >= 0 and wire.sock.recv(65536):
            pass
    except OSError:
        pass


@test
def nonsense_in_mid_stream_ends_in_trailers_that_name_it():
    def script(wire, _nth):
        wire.accept()
        head = wire.expect("HEADERS")
        wire.headers(head.stream, raw.RESPONSE)
        wire.data(head.stream, raw.message(b"%08d" % 0))
        wire.expect("DATA")
        wire.send(b"\0\0\5\0\0\0\0\0\0hello")  # DATA on stream 0
        wire.wait_closed()
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        chat = client.chat()
        chat.hear()
        chat.say()
        status, details = chat.end()
        check_eq(status, "UNAVAILABLE")
        names(details, f"127.0.0.1:{server.port}", "HTTP/2")
        check(weir.metrics().sum("weir_http2_errors_total", side="upstream") == 1)
        base.returns()


@test
def an_upstream_that_does_not_acknowledge_settings_ends_its_calls_and_the_next_connection_is_another():
    def script(wire, nth):
        if nth > 0:
            raw.echo(wire)
        wire.auto = False
        wire.accept()
        check_eq(wire.expect("GOAWAY").error_code, 4)  # SETTINGS_TIMEOUT
        wire.wait_closed()
    limits = {"settings_timeout": "300ms"}
    with Upstream(script) as server, Weir(one_route(server.port, limits=limits)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        status, details, _ = client.unary()
        check_eq(status, "UNAVAILABLE")
        names(details, f"127.0.0.1:{server.port}", "SETTINGS", "not acknowledged")
        m = weir.metrics()
        check_eq(m.sum("weir_http2_errors_total", side="upstream", fault="settings_timeout"), 1)
        check_eq(m.sum("weir_local_replies_total", reason="upstream_protocol_error"), 1)
        eventually(lambda: weir.metrics().sum("weir_connections_closed_total", side="upstream",
                                              reason="settings_timeout") == 1, "its end")
        check_eq(client.unary()[0], "OK")
        base.returns()


@test
def a_request_that_the_upstream_has_said_is_too_large_is_not_sent_and_the_client_is_told():
    def script(wire, _nth):
        wire.accept({6: 1000})  # SETTINGS_MAX_HEADER_LIST_SIZE
        while True:
            f = wire.expect("HEADERS", "DATA")
            if f.end:
                wire.headers(f.stream, [*raw.RESPONSE, *raw.OK], end=True)
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Wire.connect(weir.port()) as wire:
        base = Baseline(weir)
        wire.start()
        wire.headers(1, raw.request("/a.B/C"), end=True)
        check_eq(wire.collect(1)[0]["grpc-status"], "0")
        large = ("x-large", "x" * 1000)
        wire.headers(3, raw.request("/a.B/C", large), end=True)
        head = wire.collect(3)[0]
        check_eq(head["grpc-status"], "8")
        names(head["grpc-message"], "headers are larger", f"127.0.0.1:{server.port}")
        wire.headers(5, raw.request("/a.B/C", large, grpc=False), end=True)
        head, content, _ = wire.collect(5)
        check_eq(head[":status"], "431")
        check(b"headers are larger" in content, content)
        wire.headers(7, raw.request("/a.B/C"))  # and trailers
        wire.headers(7, [large], end=True)
        head = wire.collect(7)[0]
        check_eq(head["grpc-status"], "8")
        names(head["grpc-message"], "trailers are larger", f"127.0.0.1:{server.port}")
        wire.headers(9, raw.request("/a.B/C"), end=True)
        check_eq(wire.collect(9)[0]["grpc-status"], "0")
        m = weir.metrics()
        check_eq(m.sum("weir_http2_errors_total", side="upstream", fault="peer_header_list"), 3)
        check_eq(m.sum("weir_local_replies_total", reason="upstream_header_bytes"), 3)
        check_eq(m.sum("weir_connections_opened_total", side="upstream"), 1)
        check_eq(m.sum("weir_bugs_total"), 0)
        wire.close()
        base.returns()


# RST_STREAM by the upstream: its code, and the status that a gRPC client makes of it.
RESETS = {
    "CANCEL": (raw.CANCEL, "CANCELLED"),
    "INTERNAL_ERROR": (raw.INTERNAL_ERROR, "INTERNAL"),
    "ENHANCE_YOUR_CALM": (raw.ENHANCE_YOUR_CALM, "RESOURCE_EXHAUSTED"),
}


@cases(*RESETS)
def a_reset_by_the_upstream_reaches_the_client_with_its_code(name):
    code, want = RESETS[name]

    def script(wire, _nth):
        wire.accept()
        while True:
            head = wire.expect("HEADERS")
            wire.headers(head.stream, raw.RESPONSE)
            wire.data(head.stream, raw.message(b"%08d" % 0))
            wire.expect("DATA", stream=head.stream)
            wire.rst(head.stream, code)
    with Upstream(script) as server, Weir(one_route(server.port)) as weir:
        base = Baseline(weir)
        with Channel(weir.target()) as client:
            chat = client.chat()
            chat.hear()
            chat.say()
            check_eq(chat.end()[0], want)
        with Wire.connect(weir.port()) as wire:
            wire.start()
            wire.headers(1, raw.request("/weir.e2e.Peer/Chat"))
            wire.expect("DATA")
            wire.data(1, raw.message(b"x"))
            check_eq(wire.expect("RSTSTREAM", stream=1).error_code, code)
        eventually(lambda: weir.metrics().sum("grpc_streams_completed_total", grpc_status=want) == 2,
                   "both calls counted")
        base.returns()


@test
def a_server_that_ends_and_resets_a_call_twice_costs_no_other_call():
    # gRPC's own server does so when a deadline passes while it answers.
    def serve(wire, _nth):
        wire.accept()
        chat = wire.expect("HEADERS").stream
        wire.headers(chat, raw.RESPONSE)
        late = wire.expect("HEADERS").stream
        wire.expect("DATA", stream=late)
        for _ in range(2):
            wire.headers(late, [*raw.RESPONSE, ("grpc-status", "4"), ("grpc-message", "Deadline Exceeded")], end=True)
            wire.rst(late, raw.NO_ERROR)
        wire.data(chat, wire.expect("DATA", stream=chat).data)
        wire.expect("DATA", stream=chat)
        wire.headers(chat, raw.OK, end=True)
        wire.wait_closed()
    with Upstream(serve) as server, Weir(one_route(server.port)) as weir, Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, raw.request("/a.B/Chat"))
        wire.expect("HEADERS", stream=1)
        wire.headers(3, raw.request("/a.B/Late"))
        wire.data(3, raw.message(b"x"), end=True)
        check_eq(wire.collect(3)[0]["grpc-status"], "4")
        wire.data(1, raw.message(b"hello"))
        check_eq(wire.expect("DATA", stream=1).data, raw.message(b"hello"))
        wire.data(1, b"", end=True)
        check_eq(wire.expect("HEADERS", stream=1).dict["grpc-status"], "0")
        m = weir.metrics()
        check_eq(m.sum("weir_http2_errors_total", side="upstream", fault="stream_was_reset"), 1)
        check_eq(m.sum("weir_connections_closed_total", side="upstream"), 0)


@test
def late_answers_to_a_thousand_streams_that_were_cancelled_at_once_cost_nothing():
    def script(wire, _nth):
        wire.accept()
        gone = []
        while True:
            f = wire.expect("HEADERS", "RSTSTREAM")
            if f.name == "HEADERS":
                wire.headers(f.stream, raw.RESPONSE)
                continue
            gone.append(f.stream)
            if len(gone) == 1000:  # as if all of this had been under way
                for stream in gone:
                    wire.data(stream, raw.message(b"late"))
                    wire.headers(stream, raw.OK, end=True)
                    wire.rst(stream, raw.NO_ERROR)
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Wire.connect(weir.port()) as wire, Channel(weir.target()) as client:
        base = Baseline(weir)
        chat = client.chat()
        chat.call.initial_metadata()  # the upstream's SETTINGS are known: one connection will do
        wire.start()
        for stream in range(1, 2001, 2):
            wire.headers(stream, raw.request("/weir.e2e.Peer/Chat"))
        for stream in range(1, 2001, 2):
            wire.expect("HEADERS", stream=stream)
        for stream in range(1, 2001, 2):
            wire.rst(stream, raw.CANCEL)

        def all_came():
            m = weir.metrics()
            return m.sum("weir_http2_resets_total", side="upstream", direction="in") == 1000
        eventually(all_came, "the late frames")
        m = weir.metrics()
        check_eq(m.sum("weir_http2_errors_total", side="upstream"), 0, "errors of the upstream")
        check_eq(m.sum("weir_connections_open", side="upstream"), 1, "upstream connections")
        check_eq(m.sum("grpc_streams_active"), 1, "streams left")
        chat.cancel()
        base.returns()


@test
def a_refused_stream_is_sent_again_with_its_content():
    refused = []

    def script(wire, _nth):
        wire.accept()
        head = wire.expect("HEADERS")
        while not wire.expect("DATA").end:
            pass
        refused.append(head.stream)
        wire.rst(head.stream, raw.REFUSED_STREAM)
        serve_echo(wire)
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        status, details, reply = client.unary(b"z" * 30000)
        check_eq((status, reply), ("OK", b"z" * 30000), f"answer ({details})")
        check_eq(len(refused), 1)
        m = weir.metrics()
        check_eq(m.sum("weir_upstream_replays_total"), 1)
        check_eq(m.sum("grpc_stream_sent_messages_total"), 1)
        check_eq(m.sum("grpc_streams_started_total"), 1)
        base.returns()


def serve_echo(wire):
    """raw.echo after the handshake."""
    accept, wire.accept = wire.accept, lambda: None
    try:
        raw.echo(wire)
    finally:
        wire.accept = accept


@test
def a_refused_call_that_was_too_large_to_hold_is_UNAVAILABLE():
    def script(wire, _nth):
        wire.accept()
        head = wire.expect("HEADERS")
        got = 0
        while got < 200_000:
            got += len(wire.expect("DATA").data)
        wire.rst(head.stream, raw.REFUSED_STREAM)
        wire.wait_closed()
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        status, details, _ = client.unary(b"z" * 400_000)
        check_eq(status, "UNAVAILABLE")
        names(details, "refused")
        m = weir.metrics()
        check_eq(m.sum("weir_upstream_replays_total"), 0)
        check_eq(m.sum("weir_upstream_replays_impossible_total"), 1)
        base.returns()


@test
def a_call_goes_to_the_other_endpoint_when_one_refuses_connections():
    with Peer("py", "server") as good:
        with Weir(one_route(free_port(), good.port)) as weir, Channel(weir.target()) as client:
            for _ in range(10):
                check_eq(client.unary()[0], "OK")


def goaway_script(where):
    """GOAWAY at one point of the first call of the first connection; later connections just work."""
    def script(wire, nth):
        wire.accept()
        if nth > 0:
            return serve_echo(wire)
        if where == "before_any_call":
            wire.goaway(0)
            return wire.wait_closed()
        head = wire.expect("HEADERS")
        if where == "below_the_call":
            wire.goaway(0)
            return wire.wait_closed()
        if where == "below_the_call_after_its_content":
            while not wire.expect("DATA").end:
                pass
            wire.goaway(0)
            return wire.wait_closed()
        if where == "above_the_call":
            wire.goaway(head.stream)
        if where == "in_two_phases":
            wire.goaway(0x7fffffff)
            wire.goaway(head.stream)
        while not wire.expect("DATA").end:
            pass
        wire.headers(head.stream, raw.RESPONSE)
        if where == "after_the_response_head":
            wire.goaway(head.stream)
        wire.data(head.stream, raw.message(b"x"))
        if where == "after_a_message":
            wire.goaway(head.stream)
        wire.headers(head.stream, raw.OK, end=True)
        if where == "after_the_trailers":
            wire.goaway(head.stream)
        wire.wait_closed()
    return script


GOAWAYS = ("before_any_call", "below_the_call", "below_the_call_after_its_content", "above_the_call",
           "in_two_phases", "after_the_response_head", "after_a_message", "after_the_trailers")


@cases(*GOAWAYS)
def a_goaway_in_order_costs_no_call(where):
    with Upstream(goaway_script(where)) as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        for i in range(5):
            status, details, reply = client.unary(b"x")
            check_eq((status, reply), ("OK", b"x"), f"call {i} ({details})")
        m = weir.metrics()
        goaways = m.sum("weir_http2_goaways_total", side="upstream", direction="in", code="NO_ERROR")
        check(goaways >= 1, f"{goaways} GOAWAY counted")
        check(len(server.wires) >= 2, "no new connection was made")
        replays = 1 if "below" in where else 0
        check(m.sum("weir_upstream_replays_total") >= replays)
        base.returns()


@test
def streams_go_on_after_a_goaway_that_covers_them_while_new_calls_take_a_new_connection():
    ready = threading.Event()

    def script(wire, nth):
        if nth > 0:
            return raw.echo(wire)
        wire.accept()
        head = wire.expect("HEADERS")
        wire.headers(head.stream, raw.RESPONSE)
        wire.goaway(head.stream)
        ready.set()
        left = 10 * len(raw.message(b"x" * 64))
        while left:
            f = wire.expect("DATA", stream=head.stream)
            left -= len(f.data)
            wire.data(head.stream, f.data)
        wire.headers(head.stream, raw.OK, end=True)
        wire.wait_closed()
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        chat = client.chat()
        ready.wait(30)
        for _ in range(10):
            check_eq(client.unary(b"x")[0], "OK")
            chat.turn()
        check_eq(chat.end()[0], "OK")
        base.returns()


@test
def a_goaway_with_an_error_in_mid_stream_is_told_to_the_client():
    def script(wire, _nth):
        wire.accept()
        head = wire.expect("HEADERS")
        wire.headers(head.stream, raw.RESPONSE)
        wire.data(head.stream, raw.message(b"%08d" % 0))
        wire.expect("DATA")
        wire.goaway(head.stream, raw.ENHANCE_YOUR_CALM, b"too_many_pings")
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        chat = client.chat()
        chat.hear()
        chat.say()
        status, details = chat.end()
        check_eq(status, "UNAVAILABLE")
        names(details, f"127.0.0.1:{server.port}", "ENHANCE_YOUR_CALM", "too_many_pings")
        base.returns()


@test
def more_connections_are_opened_when_the_upstream_allows_few_streams():
    def script(wire, _nth):
        wire.accept({3: 2})  # MAX_CONCURRENT_STREAMS
        serve_chats(wire)
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        chats = []
        for _ in range(7):  # one after the other: the limit is known from the first turn on
            chats.append(client.chat())
            chats[-1].turn()
        check_eq(len(server.wires), 4, "connections for 7 streams of 2 each")
        check(weir.metrics().sum("weir_upstream_stream_limit_splits_total") >= 3)
        for c in chats:
            check_eq(c.close()[0], "OK")
        base.returns()


def serve_chats(wire):
    """Echoes each DATA at once."""
    while True:
        f = wire.expect("HEADERS", "DATA", "RSTSTREAM")
        if f.name == "HEADERS":
            wire.headers(f.stream, raw.RESPONSE)
        if f.name == "DATA" and f.data:
            wire.data(f.stream, f.data)
        if f.name == "DATA" and f.end:
            wire.headers(f.stream, raw.OK, end=True)


@test
def an_upstream_that_stops_reading_one_stream_does_not_slow_its_siblings():
    def script(wire, _nth):
        wire.accept()
        wire.auto = False  # streams are credited by hand: all but the first
        stuck = None
        while True:
            f = wire.expect("SETTINGS", "PING", "HEADERS", "DATA", "RSTSTREAM")
            if f.name in ("SETTINGS", "PING"):
                wire.answer(f)
            elif f.name == "HEADERS":
                stuck = stuck or f.stream
                wire.headers(f.stream, raw.RESPONSE)
            elif f.name == "DATA":
                if f.data:
                    wire.credit(0, f.flow_controlled_length)
                if f.stream != stuck:
                    if f.data:
                        wire.credit(f.stream, f.flow_controlled_length)
                        wire.data(f.stream, f.data)
                    if f.end:
                        wire.headers(f.stream, raw.OK, end=True)
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir, rss_slack_kb=16384)
        stuck = client.chat()
        stuck.call.initial_metadata()  # waits until it is the upstream's first stream
        sibling = client.chat()
        for _ in range(100):
            stuck.say(100_000)
        for _ in range(300):
            sibling.turn(5000)
        held = weir.metrics().sum("weir_memory_held_bytes")
        check(held < 4 << 20, f"{held} bytes held for a stream that nobody reads")
        check_eq(sibling.close()[0], "OK")
        stuck.cancel()
        base.returns()


@test
def an_answer_before_the_end_of_the_request_arrives_whole():
    def script(wire, _nth):
        wire.accept()
        while True:
            head = wire.expect("HEADERS")
            wire.headers(head.stream, raw.RESPONSE)
            wire.data(head.stream, raw.message(b"early"))
            wire.headers(head.stream, [("grpc-status", "9"), ("grpc-message", "enough")], end=True)
            wire.rst(head.stream, raw.NO_ERROR)
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        for _ in range(5):
            chat = client.chat()
            check_eq(next(chat.call), b"early")
            check_eq(chat.end(), ("FAILED_PRECONDITION", "enough"))
        base.returns()


@test
def trailers_only_1xx_and_HEAD_pass_as_they_are():
    def script(wire, _nth):
        wire.accept()
        while True:
            f = wire.expect("HEADERS")
            if f.dict[":method"] == "HEAD":
                wire.headers(f.stream, [(":status", "200"), ("content-length", "5000")], end=True)
            elif f.dict[":method"] == "GET":
                wire.headers(f.stream, [(":status", "103"), ("link", "</a>")])
                wire.headers(f.stream, [(":status", "404"), ("x-a", "b")])
                wire.data(f.stream, b"not here")
                wire.headers(f.stream, [("x-trailer", "t")], end=True)
            else:
                wire.headers(f.stream, [*raw.RESPONSE, ("grpc-status", "5"), ("grpc-message", "no")],
                             end=True)
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, raw.request("/x", method="HEAD", grpc=False), end=True)
        head, content, trailers = wire.collect(1)
        check_eq((head[":status"], head["content-length"], content, trailers), ("200", "5000", b"", None))
        wire.headers(3, raw.request("/y", method="GET", grpc=False), end=True)
        info = wire.expect("HEADERS", stream=3)
        check_eq((info.dict[":status"], info.dict["link"], info.end), ("103", "</a>", False))
        head, content, trailers = wire.collect(3)
        check_eq((head[":status"], content, trailers), ("404", b"not here", {"x-trailer": "t"}))
        wire.headers(5, raw.request("/a.B/C"), end=True)
        head, content, trailers = wire.collect(5)
        check_eq((head["grpc-status"], head["grpc-message"], trailers), ("5", "no", None))


if __name__ == "__main__":
    run()
