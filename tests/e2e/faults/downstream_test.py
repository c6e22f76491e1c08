#!/usr/bin/python3
"""downstream_test.py - clients that vanish, stop reading, open too much or send what is not HTTP/2: they get an
answer that names the cause, a metric counts it, and nobody else notices."""
import os
import signal
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from kit import Baseline, Peer, Weir, config, eventually, one_route, quick_kind  # noqa: E402
from tap import cases, check, check_eq, run, test  # noqa: E402
from calls import SERVICE, Channel  # noqa: E402
import raw  # noqa: E402
from raw import Upstream, Wire  # noqa: E402

CHAT = f"/{SERVICE}/Chat"


def open_at_server(server):
    with Channel(f"127.0.0.1:{server.port}") as direct:
        return direct.unary(method="Stats")[2]


def downstream(weir):
    return weir.metrics().sum("weir_connections_open", side="downstream", name="in")


@cases(1, 2)
def the_streams_of_a_client_that_is_killed_end_at_the_server(workers):
    with Peer("py", "server") as server, Weir(one_route(server.port, workers=workers)) as weir:
        base = Baseline(weir)
        client = Peer("py", "client", weir.target()).__enter__()
        client.do("many_open", n=100)
        check_eq(weir.metrics().sum("grpc_streams_active"), 100)
        client.signal(signal.SIGKILL)
        eventually(lambda: open_at_server(server) == b'{"open": 0}', "the server ending them")
        client.__exit__()
        eventually(lambda: downstream(weir) == 0, "the connection being closed")
        check_eq(weir.metrics().sum("grpc_streams_completed_total", grpc_status="CANCELLED"), 100)
        base.returns()


@cases("reset", "close", "goaway")
def a_connection_that_goes_ends_its_streams_and_no_others(how):
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as other:
        sibling = other.chat()
        sibling.turn()
        base_active = weir.metrics().sum("grpc_streams_active")
        wire = Wire.connect(weir.port())
        wire.start()
        for stream in range(1, 41, 2):
            wire.headers(stream, raw.request(CHAT))
            wire.data(stream, raw.message(b"%08d" % 0))
        for stream in range(1, 41, 2):
            wire.expect("DATA", stream=stream)
        check_eq(weir.metrics().sum("grpc_streams_active"), base_active + 20)
        if how == "goaway":
            wire.goaway(0, raw.INTERNAL_ERROR)
        wire.reset() if how == "reset" else wire.close()
        eventually(lambda: weir.metrics().sum("grpc_streams_active") == base_active, "their end")
        eventually(lambda: open_at_server(server) == b'{"open": 1}', "the server ending them")
        for _ in range(20):
            sibling.turn()
        check_eq(sibling.close()[0], "OK")


@test
def a_slow_reader_does_not_slow_streams_beside_it_and_holds_little_memory():
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, \
            Wire.connect(weir.port()) as wire:
        base = Baseline(weir, rss_slack_kb=16384)
        wire.start()
        wire.credit(0, 1 << 30)  # the connection is wide open, the first stream is never credited
        wire.headers(1, raw.request(f"/{SERVICE}/Produce"))
        wire.data(1, raw.message(b"100000 1000"), end=True)
        wire.expect("DATA", stream=1)
        wire.headers(3, raw.request(CHAT))
        wire.auto = False
        for i in range(200):
            wire.data(3, raw.message(b"%08d" % i + bytes([i & 255]) * 992))
            got = 0
            while got < 1005:
                f = wire.expect("DATA", stream=3)
                got += len(f.data)
            wire.credit(3, got)
        held = weir.metrics().sum("weir_memory_held_bytes")
        check(held < 2 << 20, f"{held} bytes held for a stream that nobody reads")
        wire.data(3, b"", end=True)
        check_eq(wire.expect("HEADERS", stream=3).dict.get(":status"), "200")
        check_eq(wire.expect("HEADERS", stream=3).dict["grpc-status"], "0")
        wire.rst(1, raw.CANCEL)
        base.returns()


@test
def a_client_that_reads_nothing_at_all_does_not_slow_other_connections():
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as other, Wire.connect(weir.port(), receive_buffer=4096) as wire:
        base = Baseline(weir, rss_slack_kb=32768)
        wire.start({4: 1 << 24})  # INITIAL_WINDOW_SIZE: flow control does not stop it, its socket does
        wire.credit(0, 1 << 30)
        for stream in (1, 3, 5, 7):
            wire.headers(stream, raw.request(f"/{SERVICE}/Produce"))
            wire.data(stream, raw.message(b"20000 1000"), end=True)
        eventually(lambda: weir.metrics().sum("grpc_stream_received_messages_total") > 100, "the flood")
        for i in range(100):
            check_eq(other.unary(b"a" * i * 50)[0], "OK")
        held = weir.metrics().sum("weir_memory_held_bytes")
        check(held < 16 << 20, f"{held} bytes held for a client that reads nothing")
        wire.reset()
        base.returns()


@test(timeout_s=120)
def ten_thousand_idle_streams_stay_open_and_leave_nothing_behind():
    limits = {"streams_per_connection": 10000}
    kind = quick_kind()
    with Peer(kind, "server") as server, Weir(one_route(server.port, limits=limits)) as weir:
        before_kb = weir.rss_kb()
        # What malloc keeps after the first round serves the second, which must add nothing.
        for base in (Baseline(weir, rss_slack_kb=80 * 1024), None):
            base = base or Baseline(weir, rss_slack_kb=8192)
            with Peer(kind, "client", weir.target()) as client:
                client.do("many_open", n=10000)
                m = weir.metrics()
                check_eq(m.sum("grpc_streams_active"), 10000)
                check_eq(m.sum("weir_memory_held_bytes"), 0)
                each = (weir.rss_kb() - before_kb) * 1024 / 10000
                check(each < 8192, f"{each:.0f} bytes of memory for each idle stream")
                client.do("many_close")
            eventually(lambda: downstream(weir) == 0, "the connection being closed")
            base.returns()
        check_eq(m.sum("grpc_stream_sent_messages_total"), 30000)
        check_eq(m.sum("grpc_stream_received_messages_total"), 30000)


@cases(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /a.B/C HTTP/1.0\r\n\r\n",
       b"GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
def http1_gets_a_505_with_a_text_and_is_counted(request):
    with Weir(one_route()) as weir:
        base = Baseline(weir)
        for pieces in ([request], [request[i:i + 1] for i in range(len(request))]):
            with socket.create_connection(("127.0.0.1", weir.port())) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                answer = b""
                try:
                    for p in pieces:
                        s.sendall(p)
                    while got := s.recv(4096):
                        answer += got
                except (ConnectionResetError, BrokenPipeError):
                    pass
                check(answer.startswith(b"HTTP/1.1 505 "), f"answer is {answer!r}")
                check(b"HTTP/2" in answer.split(b"\r\n\r\n", 1)[1], f"text is {answer!r}")
        check_eq(weir.metrics().sum("weir_http1_refused_total", listener="in"), 2)
        base.returns()


GARBAGE = {
    "zeros": b"\0" * 100,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x55" * 100,
    "preface_with_a_wrong_end": raw.PREFACE[:-1] + b"X",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
}


@cases(*GARBAGE)
def garbage_on_the_port_is_closed_and_counted_and_others_go_on(kind):
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        chat = client.chat()
        chat.turn()
        base = Baseline(weir)
        with socket.create_connection(("127.0.0.1", weir.port())) as s:
            s.settimeout(30)
            s.sendall(GARBAGE[kind])
            try:
                while s.recv(4096):
                    pass
            except ConnectionResetError:
                pass
        m = weir.metrics()
        counted = m.sum("weir_not_http2_connections_total", listener="in") + \
            m.sum("weir_http2_errors_total", side="downstream")
        check_eq(counted, 1, "connections counted as garbage")
        chat.turn()
        check_eq(chat.close()[0], "OK")
        base.returns()


@test
def a_connection_that_says_nothing_is_only_a_descriptor():
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        quiet = [socket.create_connection(("127.0.0.1", weir.port())) for _ in range(50)]
        eventually(lambda: downstream(weir) >= 50, "50 connections")
        check_eq(client.unary()[0], "OK")
        for s in quiet:
            s.close()
        eventually(lambda: downstream(weir) <= 1, "their end")
        base.returns()


@test
def headers_above_the_limit_are_RESOURCE_EXHAUSTED_or_431_and_siblings_go_on():
    limits = {"header_bytes": "8KiB"}
    with Peer("py", "server") as server, Weir(one_route(server.port, limits=limits)) as weir, \
            Wire.connect(weir.port()) as wire:
        base = Baseline(weir)
        wire.start()
        wire.headers(1, raw.request(CHAT))
        wire.data(1, raw.message(b"%08d" % 0))
        wire.expect("DATA", stream=1)
        wire.headers(3, raw.request(CHAT, *((f"x-{i}", "v" * 100) for i in range(200))), end=True)
        head, _, _ = wire.collect(3)
        check_eq((head[":status"], head["grpc-status"]), ("200", "8"))
        check("limits.header_bytes" in head["grpc-message"], head["grpc-message"])
        wire.headers(5, raw.request("/", ("x-a", "v" * 9000), method="GET", grpc=False), end=True)
        head, content, _ = wire.collect(5)
        check_eq(head[":status"], "431")
        check(b"limits.header_bytes" in content, content)
        wire.data(1, raw.message(b"%08d" % 1), end=True)
        wire.expect("DATA", stream=1)
        check_eq(weir.metrics().sum("weir_local_replies_total", reason="header_bytes"), 2)
        base.returns()


@test
def a_message_above_the_limit_is_RESOURCE_EXHAUSTED_with_both_numbers():
    limits = {"message_bytes": "100KiB"}
    with Peer("py", "server") as server, Weir(one_route(server.port, limits=limits)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        check_eq(client.unary(b"x" * 102400)[0], "OK")
        status, details, _ = client.unary(b"x" * 102401)
        check_eq((status, details), ("RESOURCE_EXHAUSTED",
                 "a request message of 102401 bytes is larger than limits.message_bytes (102400)"))
        stream = client.produce(3, 300000)
        try:
            next(stream)
            check(False, "the message came through")
        except StopIteration:
            check(False, "the stream ended in order")
        except Exception:
            check_eq((stream.code().name, stream.details()), ("RESOURCE_EXHAUSTED",
                     "a response message of 300000 bytes is larger than limits.message_bytes (102400)"))
        check_eq(weir.metrics().sum("weir_local_replies_total", reason="message_bytes"), 2)
        base.returns()


@test
def streams_above_the_limit_are_refused_and_may_come_again():
    limits = {"streams_per_connection": 5}
    with Peer("py", "server") as server, Weir(one_route(server.port, limits=limits)) as weir, \
            Wire.connect(weir.port()) as wire:
        base = Baseline(weir)
        wire.start()
        for stream in range(1, 15, 2):
            wire.headers(stream, raw.request(CHAT))
        for stream in (11, 13):
            check_eq(wire.expect("RSTSTREAM", stream=stream).error_code, raw.REFUSED_STREAM)
        check_eq(weir.metrics().sum("weir_streams_refused_total", listener="in"), 2)
        for stream in range(1, 11, 2):
            wire.data(stream, b"", end=True)
            head = wire.expect("HEADERS", stream=stream)
            if not head.end:
                wire.expect("HEADERS", stream=stream)
        wire.headers(15, raw.request(CHAT))
        wire.data(15, b"", end=True)
        check_eq(wire.expect("HEADERS", stream=15).dict[":status"], "200")
        # grpc's own client keeps to the limit and loses nothing.
        with Channel(weir.target()) as client:
            chats = [client.chat() for _ in range(12)]
            for c in chats:
                c.say()
                c.queue.put(None)
            for c in chats:
                check_eq(c.end()[0], "OK")
        base.returns()


@test
def connections_above_the_limit_are_closed_and_counted():
    limits = {"connections": 3}
    with Peer("py", "server") as server, Weir(one_route(server.port, limits=limits)) as weir, \
            Channel(weir.target()) as client:
        check_eq(client.unary()[0], "OK")
        keep = [socket.create_connection(("127.0.0.1", weir.port())) for _ in range(2)]
        eventually(lambda: downstream(weir) == 3, "three connections")
        with socket.create_connection(("127.0.0.1", weir.port())) as extra:
            extra.settimeout(30)
            try:
                check_eq(extra.recv(1), b"")
            except ConnectionResetError:
                pass
        check_eq(weir.metrics().sum("weir_connections_refused_total", listener="in"), 1)
        check_eq(client.unary()[0], "OK")
        for s in keep:
            s.close()


@test
def the_memory_budget_stops_a_flood_and_other_calls_go_on():
    limits = {"memory": "4MiB"}
    with Peer("py", "server") as server, Weir(one_route(server.port, limits=limits)) as weir, \
            Channel(weir.target()) as other, Wire.connect(weir.port()) as wire:
        base = Baseline(weir, rss_slack_kb=32768)
        wire.start()
        wire.credit(0, 1 << 30)
        # Streams that are never credited: each may hold a stream window's worth.
        for stream in range(1, 101, 2):
            wire.headers(stream, raw.request(f"/{SERVICE}/Produce"))
            wire.data(stream, raw.message(b"100000 1000"), end=True)
        eventually(lambda: weir.metrics().sum("weir_memory_credit_stops_total") > 0, "the brake")
        held = weir.metrics().sum("weir_memory_held_bytes")
        # A turn reads 4 MiB at most before the budget is looked at.
        check(held <= 8 << 20, f"{held} bytes held under a budget of 4 MiB")
        wire.reset()
        eventually(lambda: weir.metrics().sum("weir_memory_held_bytes") == 0, "the memory's return")
        for _ in range(20):
            check_eq(other.unary(b"x" * 1000)[0], "OK")
        base.returns()


@test
def without_a_route_gRPC_is_UNIMPLEMENTED_and_others_get_404():
    cfg = config([{"name": "only", "match": {"method": {"service": "a.B"}}, "cluster": "up"}],
                 [{"name": "up", "endpoints": []}])
    with Weir(cfg) as weir, Channel(weir.target()) as client, Wire.connect(weir.port()) as wire:
        base = Baseline(weir)
        status, details, _ = client.unary(service="c.D", method="E")
        check_eq(status, "UNIMPLEMENTED")
        check("route" in details, details)
        wire.start()
        wire.headers(1, raw.request("/x", method="GET", grpc=False), end=True)
        head, content, _ = wire.collect(1)
        check_eq(head[":status"], "404")
        check(b"route" in content, content)
        check_eq(weir.metrics().sum("weir_local_replies_total", reason="no_route"), 2)
        base.returns()


@test
def connect_is_refused_and_the_connection_goes_on():
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, \
            Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, [(":method", "CONNECT"), (":authority", "example.com:443")])
        head, content, _ = wire.collect(1)
        check_eq(head[":status"], "405")
        check(b"CONNECT" in content, content)
        wire.headers(3, raw.request(CHAT))
        wire.data(3, b"", end=True)
        check_eq(wire.expect("HEADERS", stream=3).dict[":status"], "200")


@test
def extended_CONNECT_which_is_not_offered_is_malformed_and_costs_its_stream_alone():
    websocket = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
                 (":path", "/chat"), (":authority", "e2e.test")]
    with Upstream(raw.echo) as server, Weir(one_route(server.port)) as weir, \
            Wire.connect(weir.port()) as wire:
        base = Baseline(weir)
        wire.start()
        check(8 not in wire.expect("SETTINGS").settings, "SETTINGS_ENABLE_CONNECT_PROTOCOL is offered")
        wire.headers(1, raw.request(CHAT))
        wire.headers(3, websocket)
        check_eq(wire.expect("RSTSTREAM", stream=3).error_code, raw.PROTOCOL_ERROR)
        wire.headers(5, [(":protocol", "websocket"), *raw.request(CHAT)], end=True)
        check_eq(wire.expect("RSTSTREAM", stream=5).error_code, raw.PROTOCOL_ERROR)
        wire.data(1, raw.message(b"on"), end=True)
        check_eq(wire.collect(1)[1], raw.message(b"on"))
        m = weir.metrics()
        check_eq(m.sum("weir_http2_errors_total", side="downstream", fault="pseudo_unknown"), 2)
        check_eq(m.sum("grpc_streams_started_total"), 1)
        wire.close()
        base.returns()


@test
def a_reset_by_the_client_reaches_the_upstream_with_its_code():
    codes = []

    def script(wire, _nth):
        wire.accept()
        while True:
            codes.append(wire.expect("RSTSTREAM").error_code)
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Wire.connect(weir.port()) as wire:
        base = Baseline(weir)
        wire.start()
        for n, code in enumerate((raw.CANCEL, raw.INTERNAL_ERROR, raw.NO_ERROR, 12345)):
            wire.headers(2 * n + 1, raw.request(CHAT))
            eventually(lambda: weir.metrics().sum("weir_http2_streams", side="upstream") == 1, "it")
            wire.rst(2 * n + 1, code)
            eventually(lambda: len(codes) == n + 1, "the reset's arrival")
        check_eq(codes, [raw.CANCEL, raw.INTERNAL_ERROR, raw.NO_ERROR, 12345])
        base.returns()


@test
def a_client_that_does_not_acknowledge_settings_is_ended_and_told_why():
    limits = {"settings_timeout": "300ms"}
    with Peer("py", "server") as server, Weir(one_route(server.port, limits=limits)) as weir, \
            Wire.connect(weir.port()) as polite, Wire.connect(weir.port()) as wire:
        base = Baseline(weir)
        polite.start()
        polite.expect("SETTINGS")  # and it acknowledges them
        wire.auto = False
        wire.start()
        wire.headers(1, raw.request(CHAT))
        goaway = wire.expect("GOAWAY")
        check_eq(goaway.error_code, 4)  # SETTINGS_TIMEOUT
        check(b"not acknowledged" in goaway.additional_data, goaway.additional_data)
        wire.wait_closed()
        wire.close()
        eventually(lambda: downstream(weir) == 1, "the connection being closed")
        m = weir.metrics()
        check_eq(m.sum("weir_http2_errors_total", side="downstream", fault="settings_timeout"), 1)
        check_eq(m.sum("weir_connections_closed_total", reason="settings_timeout"), 1)
        polite.headers(1, raw.request(CHAT))
        polite.data(1, b"", end=True)
        check_eq(polite.expect("HEADERS", stream=1).dict[":status"], "200")
        base.returns()


@test
def a_response_that_the_client_has_said_is_too_large_is_not_sent_and_the_client_is_told():
    large, path = ("x-large", "x" * 400), "/a.B/"

    def script(wire, _nth):
        wire.accept()
        while True:
            request = wire.expect("HEADERS")
            where, stream = request.dict[":path"], request.stream
            wire.headers(stream, [*raw.RESPONSE, large] if "head" in where else raw.RESPONSE)
            wire.data(stream, raw.message(b"content"))
            wire.headers(stream, [*raw.OK, large] if "trailers" in where else raw.OK, end=True)
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Wire.connect(weir.port()) as wire:
        base = Baseline(weir)
        wire.start({6: 300})  # SETTINGS_MAX_HEADER_LIST_SIZE
        for stream, end in ((1, True), (3, False)):  # and with a request that is still open
            wire.headers(stream, raw.request(path + "head"), end=end)
            head, content, _ = wire.collect(stream)
            check_eq((head["grpc-status"], content), ("8", b""))
            check("headers are larger" in head["grpc-message"], head)
        check_eq(wire.expect("RSTSTREAM", stream=3).error_code, raw.NO_ERROR)
        wire.headers(5, raw.request(path + "trailers"), end=True)
        head, content, trailers = wire.collect(5)
        check_eq((head[":status"], trailers["grpc-status"]), ("200", "8"))
        check_eq(content, raw.message(b"content"))
        check("trailers are larger" in trailers["grpc-message"], trailers)
        wire.headers(7, raw.request(path + "head", grpc=False), end=True)
        head, content, _ = wire.collect(7)
        check_eq(head[":status"], "500")
        check(b"headers are larger" in content, content)
        wire.headers(9, raw.request(path + "trailers", grpc=False), end=True)
        check_eq(wire.expect("RSTSTREAM", stream=9).error_code, raw.INTERNAL_ERROR)
        wire.headers(11, raw.request(path + "Fine"), end=True)
        check_eq(wire.collect(11)[2], {"grpc-status": "0"})
        m = weir.metrics()
        check_eq(m.sum("weir_http2_errors_total", side="downstream", fault="peer_header_list"), 5)
        check_eq(m.sum("weir_local_replies_total", reason="client_header_bytes"), 5)
        check_eq(m.sum("grpc_streams_completed_total", grpc_status="RESOURCE_EXHAUSTED"), 5)
        check_eq(m.sum("grpc_streams_completed_total", grpc_status="OK"), 1)
        check_eq(m.sum("weir_bugs_total"), 0)
        wire.close()
        base.returns()


@test
def methods_that_scanners_invent_make_no_series():
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        check_eq(client.unary()[0], "OK")
        for i in range(300):
            check_eq(client.unary(service=f"scan.S{i}", method=f"M{i}")[0], "UNIMPLEMENTED")
        m = weir.metrics()
        services = m.values("grpc_streams_started_total", "grpc_service")
        check_eq(services, {SERVICE, "_OTHER"}, "services with series")
        check_eq(m.sum("grpc_streams_completed_total", grpc_service="_OTHER",
                       grpc_status="UNIMPLEMENTED"), 300)
        check_eq(m.sum("weir_metrics_overflow_total"), 0)


@test
def series_are_bounded_by_their_limit_and_the_rest_is_OTHER():
    limits = {"series_per_family": 10}
    with Upstream(raw.echo) as server, Weir(one_route(server.port, limits=limits)) as weir, \
            Channel(weir.target()) as client:
        for i in range(40):
            check_eq(client.unary(service="a.B", method=f"M{i}")[0], "OK")
        m = weir.metrics()
        check(len(m.samples["grpc_streams_started_total"]) <= 10, "more series than the limit")
        check_eq(m.sum("grpc_streams_started_total"), 40)
        check_eq(m.sum("grpc_stream_sent_messages_total"), 40)
        check(m.sum("grpc_streams_started_total", grpc_method="_OTHER") >= 30)
        check(m.sum("weir_metrics_overflow_total") >= 1)


@test
def gRPC_Web_and_Connect_messages_are_counted_without_their_last_envelope():
    grpc_web = raw.message(b"one") + raw.message(b"two") + raw.message(b"grpc-status:0\r\n", 0x80)
    bodies = {  # content-type: (request, messages in it, response, messages in it)
        "application/grpc-web+proto": (raw.message(b"q"), 1, grpc_web, 2),
        "application/grpc-web-text": (b"AAAAAAFx", 1, b"AAAAAAFh" + b"AAAAAAFi" + b"gAAAAAJiOg==", 2),
        "application/connect+json": (raw.message(b"{}") * 3 + raw.message(b"", 0), 4,
                                     raw.message(b"{}") + raw.message(b"{}", 2), 1),
        "application/json": (b"{}", 1, b"{}", 1),  # Connect unary
    }

    def script(wire, _nth):
        wire.accept()
        while True:
            head = wire.expect("HEADERS")
            while not wire.expect("DATA", stream=head.stream).end:
                pass
            kind = head.dict["content-type"]
            wire.headers(head.stream, [(":status", "200"), ("content-type", kind)])
            for i in range(len(bodies[kind][2])):
                wire.data(head.stream, bodies[kind][2][i:i + 1], i + 1 == len(bodies[kind][2]))
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Wire.connect(weir.port()) as wire:
        wire.start()
        for n, (kind, (request, sent, response, received)) in enumerate(bodies.items()):
            version = [("connect-protocol-version", "1")] if kind == "application/json" else []
            wire.headers(2 * n + 1, [*raw.request(f"/a.B/M{n}", grpc=False), ("content-type", kind),
                                     *version])
            for i in range(len(request)):
                wire.data(2 * n + 1, request[i:i + 1], i + 1 == len(request))
            check_eq(wire.collect(2 * n + 1)[1], response)
            m = weir.metrics()
            got = [m.sum(f"grpc_stream_{x}_messages_total", grpc_method=f"M{n}")
                   for x in ("sent", "received")]
            check_eq(got, [sent, received], f"messages of {kind}")


@test
def a_message_cut_off_is_counted_as_truncated():
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, \
            Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, raw.request(CHAT))
        wire.data(1, raw.message(b"%08d" % 0))
        wire.expect("DATA", stream=1)
        wire.data(1, raw.message(b"12345678")[:9])
        wire.rst(1, raw.CANCEL)
        eventually(lambda: weir.metrics().sum("weir_truncated_messages_total") == 1, "the count")
        check_eq(weir.metrics().sum("grpc_stream_sent_messages_total"), 1)


if __name__ == "__main__":
    run()
