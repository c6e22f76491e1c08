#!/usr/bin/python3
"""waiting_test.py - calls that wait for a stream to their endpoint: while it is connected to, and while the server
allows no more streams. However many they are, each ends or goes on, in order, and what happens to one of them
happens to no other."""
import contextlib
import os
import queue
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from kit import Baseline, Weir, eventually, free_port, one_route, unreachable_port  # noqa: E402
from tap import check, check_eq, run, test  # noqa: E402
import raw  # noqa: E402
from raw import Upstream, Wire  # noqa: E402

MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE = 3, 6  # SETTINGS, RFC 9113 section 6.5.2
CONNECTIONS, STREAMS = 20, 1000
LINKS_MAX = 64  # to one endpoint, from one worker
RESOURCE_EXHAUSTED = "8"


def waiting(weir):
    return weir.metrics().sum("weir_upstream_streams_waiting")


def begin(wire):
    """The client's preface; Weir's SETTINGS are acknowledged, so that it has time."""
    wire.start()
    wire.expect("SETTINGS")


def send_calls(clients):
    for wire in clients:
        begin(wire)
        for i in range(STREAMS):
            wire.headers(2 * i + 1, raw.request(f"/t.T/M{i}"), end=True)


def read_answers(clients):
    """[(status, message)] of every call, from trailers-only responses or trailers."""
    answers = []
    for wire in clients:
        left = STREAMS
        while left:
            f = wire.expect("HEADERS", "RSTSTREAM")
            if f.name == "RSTSTREAM":
                raise AssertionError(f"stream {f.stream} was reset with {f.error_code}")
            if f.end:
                answers.append((f.dict["grpc-status"], f.dict.get("grpc-message", "")))
                left -= 1
    return answers


@test(timeout_s=150)
def twenty_thousand_calls_that_wait_for_a_connection_end_when_the_server_takes_no_request_of_their_size():
    def serve(sock):
        wire = Wire(sock, server=True)
        wire.accept({MAX_HEADER_LIST_SIZE: 10})
        while True:  # those that were sent before that was known
            f = wire.expect("HEADERS", within_s=150)
            wire.headers(f.stream, [*raw.RESPONSE, *raw.OK], end=True)

    def accept(listener):
        with contextlib.suppress(OSError, raw.Closed):
            while True:
                sock, _ = listener.accept()
                with contextlib.suppress(OSError, raw.Closed), sock:
                    serve(sock)

    total = CONNECTIONS * STREAMS
    with unreachable_port() as (listener, accept_fillers):
        cfg = one_route(listener.getsockname()[1], cluster={"connect_timeout": "60s"})
        with Weir(cfg) as weir, contextlib.ExitStack() as stack:
            base = Baseline(weir, rss_slack_kb=16384)
            clients = [stack.enter_context(Wire.connect(weir.port())) for _ in range(CONNECTIONS)]
            send_calls(clients)
            eventually(lambda: waiting(weir) == total, "all calls waiting", within_s=60)
            accept_fillers()
            acceptor = threading.Thread(target=accept, args=(listener,), daemon=True)
            acceptor.start()
            answers = read_answers(clients)
            check_eq(len(answers), total)
            refused = [text for status, text in answers if status == RESOURCE_EXHAUSTED]
            check_eq({status for status, _ in answers} - {"0"}, {RESOURCE_EXHAUSTED})
            check(len(refused) >= total - 100, f"{len(refused)} calls were refused")  # 100 are sent before SETTINGS
            check_eq(len(set(refused)), 1)
            check("the request's headers are larger than endpoint 127.0.0.1:" in refused[0], refused[0])
            m = weir.metrics()
            check_eq(m.sum("weir_local_replies_total", reason="upstream_header_bytes"), len(refused))
            stack.close()
            base.returns()
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join(30)


class OneStreamServer(Upstream):
    """Allows one stream a connection. `arrived` gets (wire, stream, path) of each request; answering is the
    test's."""

    def __init__(self, **more):
        self.arrived = queue.Queue()
        super().__init__(self.take_requests, **more)

    def take_requests(self, wire, _nth):
        wire.accept({MAX_CONCURRENT_STREAMS: 1})
        while True:
            f = wire.expect("HEADERS", within_s=120)
            self.arrived.put((wire, f.stream, f.dict[":path"]))

    def next(self):
        return self.arrived.get(timeout=60)


def answer(request):
    wire, stream, _path = request
    wire.headers(stream, [*raw.RESPONSE, *raw.OK], end=True)


def call(wire, number):
    wire.headers(2 * number + 1, raw.request(f"/t.T/M{number}"), end=True)


def fill_links(server, client):
    """Calls 0 to LINKS_MAX - 1, each on a connection of its own; what arrived, in the order of the connections."""
    call(client, 0)
    running = [server.next()]  # from here on Weir knows the limit
    for n in range(1, LINKS_MAX):
        call(client, n)
        running.append(server.next())
    check_eq([server.wires.index(wire) for wire, _, _ in running], list(range(LINKS_MAX)))
    return running


def status_of(wire, number):
    head, _, trailers = wire.collect(2 * number + 1)
    return (trailers or head)["grpc-status"]


def number_of(request):
    return int(request[2].removeprefix("/t.T/M"))


@test(timeout_s=120)
def a_stream_that_becomes_free_on_any_connection_goes_to_the_call_that_has_waited_longest():
    with OneStreamServer() as server, Weir(one_route(server.port)) as weir, Wire.connect(weir.port()) as client:
        base = Baseline(weir)
        begin(client)
        running = fill_links(server, client)
        for n in range(LINKS_MAX, LINKS_MAX + 10):
            call(client, n)
            eventually(lambda: waiting(weir) == n + 1 - LINKS_MAX, "the call waiting")
        first, last, others = running[:5], running[-5:], running[5:-5]
        late = LINKS_MAX + 10
        for n, r in enumerate(x for pair in zip(first, last) for x in pair):
            call(client, late + n)  # comes when a stream may be free already, and is not served before the others
            answer(r)
            others.append(server.next())
            check_eq(number_of(others[-1]), LINKS_MAX + n)
            check_eq(others[-1][0], r[0], "the connection")
        for n in range(10):
            answer(others.pop(0))
            others.append(server.next())
            check_eq(number_of(others[-1]), late + n)
        for r in others:
            answer(r)
        check_eq({status_of(client, n) for n in range(late + 10)}, {"0"})
        check_eq(len(server.wires), LINKS_MAX)
        client.close()
        base.returns()


@test
def calls_wait_for_the_streams_of_a_server_that_takes_no_further_connection():
    with OneStreamServer() as server, Weir(one_route(server.port)) as weir, Wire.connect(weir.port()) as client:
        begin(client)
        call(client, 0)
        running = server.next()
        server.listener.shutdown(socket.SHUT_RDWR)  # from now on it refuses
        for n in range(1, 20):
            call(client, n)
        eventually(lambda: weir.metrics().sum("weir_upstream_connect_failures_total") >= 2, "attempts to connect")
        check_eq(waiting(weir), 19)
        for n in range(1, 20):
            answer(running)
            running = server.next()
            check_eq(number_of(running), n)
        answer(running)
        check_eq({status_of(client, n) for n in range(20)}, {"0"})


@test
def a_server_that_takes_connections_again_gets_them_although_no_stream_ends():
    with OneStreamServer() as server, Weir(one_route(server.port)) as weir, Wire.connect(weir.port()) as client:
        begin(client)
        call(client, 0)
        running = [server.next()]
        server.listener.shutdown(socket.SHUT_RDWR)
        call(client, 1)
        eventually(lambda: weir.metrics().sum("weir_upstream_connect_failures_total") >= 1, "an attempt to connect")
        server.listener.close()
        with OneStreamServer(port=server.port) as again:
            running.append(again.next())
            check_eq(number_of(running[1]), 1)
            for r in running:
                answer(r)
            check_eq({status_of(client, n) for n in range(2)}, {"0"})


@test
def calls_that_are_cancelled_while_they_wait_leave_the_others_their_places():
    with OneStreamServer() as server, Weir(one_route(server.port)) as weir, Wire.connect(weir.port()) as client:
        base = Baseline(weir)
        begin(client)
        running = fill_links(server, client)
        late = range(LINKS_MAX, LINKS_MAX + 9)
        for n in late:
            call(client, n)
        eventually(lambda: waiting(weir) == 9, "the calls waiting")
        for n in late[::2]:
            client.rst(2 * n + 1, raw.CANCEL)
        eventually(lambda: waiting(weir) == 4, "the cancelled calls gone")
        for n in late[1::2]:
            answer(running.pop(0))
            running.append(server.next())
            check_eq(number_of(running[-1]), n)
        for r in running:
            answer(r)
        check_eq({status_of(client, n) for n in [*range(LINKS_MAX), *late[1::2]]}, {"0"})
        client.close()
        base.returns()


@test
def calls_that_wait_for_an_endpoint_that_a_reload_takes_away_are_told():
    with OneStreamServer() as server, Weir(one_route(server.port)) as weir, Wire.connect(weir.port()) as client:
        base = Baseline(weir)
        begin(client)
        call(client, 0)
        running = server.next()
        server.listener.shutdown(socket.SHUT_RDWR)
        for n in range(1, 10):
            call(client, n)
        eventually(lambda: waiting(weir) == 9, "the calls waiting")
        weir.write({**one_route(free_port()), "admin": weir.cfg["admin"], "listeners": weir.cfg["listeners"]})
        weir.signal(signal.SIGHUP)
        check_eq({status_of(client, n) for n in range(1, 10)}, {"14"})
        answer(running)
        check_eq(status_of(client, 0), "0")
        base.returns()


if __name__ == "__main__":
    run()
