#!/usr/bin/python3
"""endings_test.py - weir_streams_ended_total and weir_streams_ended_by_total: whose will was it that a call ended, as
real clients and servers see it. docs/reference.md has the table."""
import signal
import socket
from hyperframe.frame import PingFrame
from kit import Peer, Weir, eventually, one_route
from tap import cases, check, check_eq, run, test
from calls import SERVICE, Channel
import raw
from raw import Upstream, Wire

OUTCOMES = ("will", "failure", "excluded")


def endings(weir):
    """({outcome: n}, {(by, reason): n}) of gRPC calls, without what is 0."""
    m = weir.metrics()
    outcomes = {o: m.sum("weir_streams_ended_total", protocol="grpc", outcome=o) for o in OUTCOMES}
    why = {}
    for key, n in m.samples.get("weir_streams_ended_by_total", {}).items():
        labels = dict(key)
        if n and labels["protocol"] == "grpc":
            pair = labels["by"], labels["reason"]
            why[pair] = why.get(pair, 0) + int(n)
    return {o: n for o, n in outcomes.items() if n}, why


def ended(weir, outcomes, why):
    """Waits until all calls are over, then compares."""
    eventually(lambda: weir.metrics().sum("grpc_streams_active") == 0, "the end of all calls")
    check_eq(endings(weir), (outcomes, why), "endings")


def served(server):
    return one_route(server.port, limits={"message_bytes": "64KiB"})


@cases("py", "js", "cpp")
def answers_error_statuses_cancels_and_deadlines_are_somebodys_will(kind):
    with Peer(kind, "server") as server, Weir(one_route(server.port)) as weir, \
            Peer(kind, "client", weir.target()) as client:
        total = 0
        for scenario in ("unary", "errors", "chat_lockstep"):
            total += sum(c["started"] for c in client.do(scenario).values())
            ended(weir, {"will": total}, {("upstream", "complete"): total})
        cancels = sum(c["started"] for c in client.do("cancel").values())
        total += sum(c["started"] for c in client.do("deadline").values())
        eventually(lambda: weir.metrics().sum("grpc_streams_active") == 0, "the end of all calls")
        outcomes, why = endings(weir)
        # The deadline travels to the server too, which may be the first to act on it and answer; and a cancel may
        # come when the answer is complete already.
        check_eq(outcomes, {"will": total + cancels}, "outcomes")
        check_eq(sum(why.values()), total + cancels, "endings by whom")
        check_eq(set(why) - {("upstream", "complete"), ("client", "client_cancel"),
                             ("upstream", "upstream_cancel")}, set(), "reasons")
        check(("client", "client_cancel") in why, f"{why} has no cancel")


@test
def an_upstream_that_is_lost_or_cannot_be_reached_is_a_failure():
    server = Peer("py", "server").__enter__()
    try:
        with Weir(served(server)) as weir, Channel(weir.target()) as client:
            chats = [client.chat() for _ in range(5)]
            for c in chats:
                c.turn()
            check_eq(endings(weir), ({}, {}), "endings while all are open")
            server.signal(signal.SIGKILL)
            for c in chats:
                check_eq(c.end()[0], "UNAVAILABLE")
            ended(weir, {"failure": 5}, {("weir", "upstream_lost"): 5})
            server.wait()
            check_eq(client.unary()[0], "UNAVAILABLE")
            ended(weir, {"failure": 6}, {("weir", "upstream_lost"): 5, ("weir", "connect_refused"): 1})
    finally:
        server.__exit__()


@test
def what_weir_cuts_is_a_failure_and_what_it_never_accepted_is_excluded():
    with Peer("py", "server") as server:
        cfg = served(server)
        cfg["routes"][0]["match"] = {"method": {"service": SERVICE}}
        with Weir(cfg) as weir, Channel(weir.target()) as client:
            check_eq(client.unary(b"x" * 70000)[0], "RESOURCE_EXHAUSTED")
            ended(weir, {"failure": 1}, {("weir", "message_bytes"): 1})
            check_eq(client.unary(service="another.Service")[0], "UNIMPLEMENTED")
            ended(weir, {"failure": 1, "excluded": 1}, {("weir", "message_bytes"): 1, ("weir", "no_route"): 1})


@test
def streams_of_a_client_that_vanished_are_excluded():
    with Peer("py", "server") as server, Weir(served(server)) as weir:
        client = Peer("py", "client", weir.target()).__enter__()
        client.do("many_open", n=7)
        client.signal(signal.SIGKILL)
        client.__exit__()
        ended(weir, {"excluded": 7}, {("client", "client_gone"): 7})


@cases((raw.CANCEL, "will", "cancel"), (raw.NO_ERROR, "will", "cancel"), (raw.INTERNAL_ERROR, "failure", "reset"))
def a_reset_is_will_or_failure_by_its_code(code, outcome, reason):
    def script(wire, nth):
        wire.accept()
        wire.headers(wire.expect("HEADERS").stream, raw.RESPONSE)
        wire.rst(wire.expect("HEADERS").stream, code)
        wire.wait_closed()
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, raw.request("/a.B/C"))
        wire.expect("HEADERS", stream=1)
        wire.rst(1, code)
        ended(weir, {outcome: 1}, {("client", f"client_{reason}"): 1})
        wire.headers(3, raw.request("/a.B/C"))
        wire.expect("RSTSTREAM", stream=3)
        ended(weir, {outcome: 2}, {("client", f"client_{reason}"): 1, ("upstream", f"upstream_{reason}"): 1})


@test
def an_answer_without_grpc_status_is_a_failure_and_one_to_plain_http_is_counted_apart():
    def script(wire, nth):
        wire.accept()
        while True:
            wire.headers(wire.expect("HEADERS").stream, raw.RESPONSE, end=True)
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, raw.request("/a.B/C"), end=True)
        wire.collect(1)
        ended(weir, {"failure": 1}, {("upstream", "no_status"): 1})
        wire.headers(3, raw.request("/page", method="GET", grpc=False), end=True)
        wire.collect(3)
        ended(weir, {"failure": 1}, {("upstream", "no_status"): 1})
        check_eq(weir.metrics().sum("weir_streams_ended_total", protocol="http", outcome="will"), 1)


@test
def what_the_end_of_the_grace_cuts_is_a_failure():
    with Peer("py", "server") as server, Weir(one_route(server.port, grace="300ms")) as weir, \
            Wire.connect(weir.port(), receive_buffer=4096) as deaf, Channel(weir.target()) as client:
        # A client that does not read keeps weir from ending at once, so that the last counts can be seen. Its own
        # call ends with the others, and its connection is still heard: the PING has an answer.
        deaf.start({4: 1 << 30})
        deaf.credit(0, 1 << 30)
        deaf.headers(1, raw.request(f"/{SERVICE}/Produce"))
        deaf.data(1, raw.message(b"100000 1000"), end=True)
        chat = client.chat()
        chat.turn()
        eventually(lambda: weir.metrics().sum("weir_http2_held_bytes", side="downstream") > 50000, "a full socket")
        weir.signal(signal.SIGTERM)
        check_eq(chat.end()[0], "UNAVAILABLE")
        eventually(lambda: endings(weir) == ({"failure": 2}, {("weir", "shutdown"): 2}), "the account")
        deaf.send(PingFrame(0, b"still on"))
        deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        pings = [f for f in deaf.wait_closed() if isinstance(f, PingFrame)]
        check([f for f in pings if "ACK" in f.flags and f.opaque_data == b"still on"], "the PING's answer")
        check_eq(weir.wait(), 0, "exit status")


if __name__ == "__main__":
    run()
