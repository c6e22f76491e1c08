#!/usr/bin/python3
"""relay_test.py - HTTP semantics through Weir, driven frame by frame from both ends: half-close, 1xx, HEAD,
CONNECT, trailers, early answers, cancels with their codes, back-pressure, routes and balancing."""
import signal
import socket

import h2.exceptions

from h2peer import World
from kit import Weir, config, eventually, one_route
from tap import cases, check, check_eq, run, test

OK = [(":status", "200")]
GRPC_OK = [(":status", "200"), ("content-type", "application/grpc")]
FRAME = b"\0\0\0\0\5hello"


def message(size):
    """A gRPC message of this many bytes with its prefix; below 5 the first of them (a truncated one)."""
    return (b"\0" + max(size - 5, 0).to_bytes(4, "big") + b"x" * max(size - 5, 0))[:size]


class Relay:
    """A client, weir and a server, connected."""

    def __init__(self, workers=1, server=None, client=None, **more):
        self.world = World()
        self.server = self.world.server(**(server or {}))
        self.weir = Weir(one_route(self.server.port, workers=workers, **more))
        self.client_options = client or {}

    def __enter__(self):
        self.weir.__enter__()
        self.client = self.world.client(self.weir.port(), **self.client_options)
        return self

    def __exit__(self, *exc):
        self.world.__exit__(*exc)
        self.weir.__exit__(*exc)

    def until(self, condition, what="the condition"):
        self.world.until(condition, what)

    def exchange(self, **request):
        """A request and the stream that it became at the server."""
        call = self.client.request(**request)
        return call, self.world.arrival()

    def grpc(self, **request):
        call = self.client.grpc(**request)
        return call, self.world.arrival()


@test
def a_plain_exchange_keeps_fields_content_and_trailers():
    with Relay() as r:
        call, at = r.exchange(method="PUT", path="/a?b=c", fields=[("x-a", "1"), ("x-a", "2"), ("cookie", "k=v")],
                              end=False, authority="host:1")
        call.data(b"question", end=False)
        call.headers([("x-after", "t")], end=True)
        r.until(lambda: at.ended, "the request's end")
        check_eq(at.field(":method"), "PUT")
        check_eq(at.field(":path"), "/a?b=c")
        check_eq(at.field(":authority"), "host:1")
        check_eq([v for n, v in at.head if n == "x-a"], ["1", "2"])
        check_eq(at.field("cookie"), "k=v")
        check_eq(at.body, b"question")
        check_eq(at.trailers, [("x-after", "t")])
        at.headers([(":status", "418"), ("x-b", "ä")])
        at.data(b"answer")
        at.headers([("x-end", "e")], end=True)
        r.until(lambda: call.ended, "the response's end")
        check_eq(call.field(":status"), "418")
        check_eq(call.field("x-b"), "ä")
        check_eq(call.body, b"answer")
        check_eq(call.trailers, [("x-end", "e")])


@test
def te_trailers_reaches_a_grpc_server():
    with Relay() as r:
        _, at = r.grpc(end=True)
        check_eq(at.field("te"), "trailers")
        at.headers([*GRPC_OK, ("grpc-status", "0")], end=True)


@test
def informational_responses_come_before_the_final_one():
    with Relay() as r:
        call, at = r.exchange(fields=[("expect", "100-continue")], end=False)
        at.headers([(":status", "100")])
        at.headers([(":status", "103"), ("link", "</x>")])
        r.until(lambda: len(call.infos) == 2, "both 1xx heads")
        check(call.head is None and not call.ended)
        call.data(b"go", end=True)
        r.until(lambda: at.ended)
        at.headers(OK, end=True)
        r.until(lambda: call.ended)
        check_eq([dict(i)[":status"] for i in call.infos], ["100", "103"])
        check_eq(call.field(":status"), "200")


@test
def the_answer_to_head_has_a_length_and_no_content():
    with Relay() as r:
        call, at = r.exchange(method="HEAD")
        at.headers([*OK, ("content-length", "1000")], end=True)
        r.until(lambda: call.ended)
        check_eq(call.field("content-length"), "1000")
        check_eq((call.body, call.reset), (b"", None))


@cases("CONNECT", "connect")
def the_connect_method_is_refused_with_a_text(method):
    with Relay() as r:
        if method == "CONNECT":  # its shape: no :scheme and no :path (RFC 9113 8.5)
            call = r.client.stream()
            call.headers([(":method", "CONNECT"), (":authority", "example.com:443")])
            r.until(lambda: call.head, "an answer to CONNECT")
            check_eq(call.field(":status"), "405")
            r.until(lambda: call.ended or call.reset is not None)
            check(b"CONNECT" in call.body, call.body)
        else:  # methods are case-sensitive: this one is nobody's
            call, at = r.exchange(method=method)
            at.headers(OK, end=True)
            r.until(lambda: call.ended)


@test
def trailers_only_stays_one_header_section():
    with Relay() as r:
        call, at = r.grpc(end=True)
        at.headers([*GRPC_OK, ("grpc-status", "5"), ("grpc-message", "no%20such")], end=True)
        r.until(lambda: call.ended)
        check_eq(call.field("grpc-status"), "5")
        check_eq(call.field("grpc-message"), "no%20such")
        check_eq(call.trailers, None)


@test
def headers_come_before_any_message_does():
    with Relay() as r:
        call, at = r.grpc()
        at.headers(GRPC_OK)
        r.until(lambda: call.head is not None, "early headers")
        check_eq(call.body, b"")
        call.data(FRAME, end=True)
        r.until(lambda: at.ended)
        at.headers([("grpc-status", "0")], end=True)
        r.until(lambda: call.ended)


@test
def the_client_may_half_close_first():
    with Relay() as r:
        call, at = r.grpc()
        call.data(FRAME, end=True)
        r.until(lambda: at.ended, "the client's end at the server")
        check_eq(at.body, FRAME)
        at.headers(GRPC_OK)
        for _ in range(3):
            at.data(FRAME)
        r.until(lambda: call.body == 3 * FRAME)
        check(not call.ended)
        at.headers([("grpc-status", "0")], end=True)
        r.until(lambda: call.ended)


@test
def the_server_may_finish_first_and_the_rest_of_the_request_still_flows():
    with Relay() as r:
        call, at = r.exchange(end=False)
        at.headers(OK)
        at.data(b"done", end=True)
        r.until(lambda: call.ended, "the early response")
        check_eq((call.body, call.reset), (b"done", None))
        call.data(b"late", end=True)
        r.until(lambda: at.ended, "the rest of the request")
        check_eq(at.body, b"late")
        eventually(lambda: r.weir.metrics().sum("weir_calls_active") == 0, "the call's end")


@test
def no_error_after_an_early_response_arrives_behind_it():
    with Relay() as r:
        call, at = r.exchange(end=False)
        at.headers(OK)
        at.data(b"enough", end=True)
        at.rst(0)
        r.until(lambda: call.reset is not None, "the reset")
        check_eq((call.body, call.ended, call.reset), (b"enough", True, 0))


@cases(8, 2, 5, 11, 0x1234)
def a_cancel_of_the_client_keeps_its_code(code):
    with Relay() as r:
        call, at = r.grpc()
        call.rst(code)
        r.until(lambda: at.reset is not None, "the reset at the server")
        check_eq(at.reset, code)
        eventually(lambda: r.weir.metrics().sum("weir_calls_active") == 0, "the call's end")


@cases(8, 2, 11, 0xfe)
def a_reset_of_the_server_keeps_its_code(code):
    with Relay() as r:
        call, at = r.grpc()
        at.headers(GRPC_OK)
        at.data(FRAME)
        r.until(lambda: call.body == FRAME)
        at.rst(code)
        r.until(lambda: call.reset is not None, "the reset at the client")
        check_eq(call.reset, code)
        m = r.weir.metrics()
        check_eq(m.sum("weir_http2_resets_total", side="upstream", direction="in"), 1)
        check_eq(m.sum("weir_http2_resets_total", side="downstream", direction="out"), 1)


@test
def ids_are_remapped_and_many_clients_share_one_connection():
    with Relay() as r:
        clients = [r.client, *(r.world.client(r.weir.port()) for _ in range(9))]
        calls = [c.request(path=f"/{i}/{j}") for j in range(10) for i, c in enumerate(clients)]
        for _ in calls:
            at = r.world.arrival()
            at.headers(OK)
            at.data(at.field(":path").encode(), end=True)
        r.until(lambda: all(c.ended for c in calls))
        check_eq([c.body.decode() for c in calls], [f"/{i}/{j}" for j in range(10) for i in range(10)])
        check_eq(len(r.server.wires), 1)
        check_eq(r.weir.metrics().sum("weir_connections_open", side="upstream"), 1)


# ---- back-pressure

@test
def a_reader_that_stops_bounds_what_weir_takes_from_the_server():
    """The client credits nothing: the server may send the client's window and Weir's own, no more."""
    with Relay(client={"credit_stream": False, "credit_conn": True}) as r:
        call, at = r.exchange()
        at.headers(OK)
        sent = 0
        while True:
            room = min(at.window(), at.wire.h2.max_outbound_frame_size)
            if room <= 0:
                before = sent
                for _ in range(20):
                    r.world.pump(0.05)
                if at.window() <= 0:
                    break
                check(before == sent)
                continue
            at.data(b"x" * room)
            sent += room
            r.world.pump(0)
        check(sent <= 65535 + 262144, f"{sent} bytes were taken for a client that takes 65535")
        check_eq(len(call.body), 65535)
        # and all of it arrives once the client reads again
        r.client.credit_stream = True
        call.credit(len(call.body))
        r.until(lambda: len(call.body) == sent, "everything that was sent")
        at.end()
        r.until(lambda: call.ended)


@test
def a_stopped_reader_never_slows_its_siblings():
    with Relay(client={"credit_stream": False}) as r:
        slow, slow_at = r.exchange(path="/slow")
        slow_at.headers(OK)
        r.until(lambda: slow_at.window() > 0)
        while slow_at.window() > 0:
            slow_at.data(b"x" * min(slow_at.window(), 16384))
            r.world.pump(0.01)
        r.client.credit_stream = True
        fast, fast_at = r.exchange(path="/fast")
        fast_at.headers(OK)
        sent = 0
        while sent < 4 << 20:
            r.until(lambda: fast_at.window() > 0, "credit for the fast stream")
            n = min(fast_at.window(), 16384)
            fast_at.data(b"y" * n)
            sent += n
        r.until(lambda: len(fast.body) == sent, "the fast stream's bytes")
        check_eq(len(slow.body), 65535)


@test
def a_server_that_stops_reading_one_stream_does_not_slow_another():
    """It credits its connection, but not that stream: Weir holds no more than its windows."""
    with Relay(server={"credit_stream": False}) as r:
        slow, slow_at = r.exchange(path="/slow", end=False)
        sent = 0
        while True:
            if slow.window() <= 0:
                for _ in range(10):
                    r.world.pump(0.05)
                if slow.window() <= 0:
                    break
            n = min(slow.window(), 16384)
            slow.data(b"x" * n)
            sent += n
            r.world.pump(0)
        check_eq(len(slow_at.body), 65535)
        check(sent <= 65535 + 262144, f"{sent} bytes were taken for a server that takes 65535")
        r.server.wires[0].credit_stream = True
        fast, fast_at = r.exchange(path="/fast", end=False)
        done = 0
        while done < 2 << 20:
            r.until(lambda: fast.window() > 0, "credit for the fast stream")
            n = min(fast.window(), 16384)
            fast.data(b"y" * n)
            done += n
        r.until(lambda: len(fast_at.body) == done)


@test
def a_blocked_connection_window_sends_new_streams_elsewhere():
    """The server credits nothing on receipt: after 100 ms new streams take another connection, and it is counted."""
    from h2.settings import SettingCodes
    big_streams = {SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20}
    with Relay(server={"credit_stream": False, "credit_conn": False, "settings": big_streams}) as r:
        slow, _ = r.exchange(path="/slow", end=False)
        sent = 0
        while sent < 200000:
            r.until(lambda: slow.window() > 0, "window")
            n = min(slow.window(), 16384)
            slow.data(b"x" * n)
            sent += n
        eventually(lambda: r.weir.metrics().sum("weir_upstream_window_splits_total") == 1, "the split is counted")
        call, at = r.exchange(path="/other", end=False)
        check(at.wire is not r.server.wires[0], "the new stream is on the blocked connection")
        call.data(FRAME, end=True)
        r.until(lambda: at.ended, "the new stream's request")
        check_eq(at.body, FRAME)


@test
def a_full_connection_makes_weir_open_another():
    from h2.settings import SettingCodes
    with Relay(server={"settings": {SettingCodes.MAX_CONCURRENT_STREAMS: 3}}) as r:
        call, at = r.exchange()  # the server's SETTINGS are known after this
        at.headers(OK, end=True)
        r.until(lambda: call.ended)
        calls = [r.client.grpc(path=f"/t.T/M{i}", end=True) for i in range(7)]
        ats = [r.world.arrival() for _ in calls]
        per_wire = {id(a.wire): 0 for a in ats}
        for a in ats:
            per_wire[id(a.wire)] += 1
        check(max(per_wire.values()) <= 3, per_wire)
        check_eq(sum(per_wire.values()), 7)
        check(r.weir.metrics().sum("weir_upstream_stream_limit_splits_total") >= 1)
        for a in ats:
            a.headers([*GRPC_OK, ("grpc-status", "0")], end=True)
        r.until(lambda: all(c.ended for c in calls))
        check_eq({c.field("grpc-status") for c in calls}, {"0"})


# ---- the memory budget

@test
def the_memory_budget_refuses_new_streams_and_cuts_the_heaviest():
    """1 MiB in all. Readers that stop fill it: at 80 % credit stops and new streams are refused."""
    with Relay(client={"credit_stream": False}, limits={"memory": "1MiB"}) as r:
        calls, ats = [], []
        for i in range(8):
            call, at = r.grpc(path=f"/t.T/M{i}", end=True)
            at.headers(GRPC_OK)
            calls.append(call)
            ats.append(at)
        # The window of each stream is the client's 64 KiB and 256 KiB in Weir: 2 MiB would be held without a budget.
        quiet = 0
        while quiet < 20 and not any(c.ended for c in calls):
            sent = False
            for at in ats:
                if at.reset is None and at.window() > 0:
                    try:
                        at.data(message(min(at.window(), 16384)))
                        sent = True
                    except h2.exceptions.StreamClosedError:  # in the meantime
                        at.reset = at.reset or "gone"
            quiet = 0 if r.world.pump(0.02) or sent else quiet + 1
        m = r.weir.metrics()
        check(m.sum("weir_memory_credit_stops_total") >= 1, "credit never stopped")
        check(m.sum("weir_memory_cut_streams_total") >= 1, "nothing was cut")
        # One stream a turn is cut, until what is held is below the limit again.
        eventually(lambda: r.weir.metrics().sum("weir_memory_held_bytes") <= 1 << 20, "held bytes below the limit")
        cut = [c for c in calls if c.ended]
        check(cut, "no stream was ended")
        for c in cut:
            check_eq(dict(c.trailers)["grpc-status"], "8")
            check("limits.memory" in dict(c.trailers)["grpc-message"], c.trailers)
        check(len(cut) < len(calls), "all were cut")
        if m.sum("weir_memory_held_bytes") >= (1 << 20) * 8 // 10:
            late = r.client.grpc(path="/t.T/Late", end=True)
            r.until(lambda: late.reset is not None, "the refusal")
            check_eq(late.reset, 7)
            check(r.weir.metrics().sum("weir_streams_refused_total") >= 1)
        # Everybody reads again: the rest arrives whole.
        r.client.credit_stream = True
        rest = [c for c in calls if not c.ended and c.reset is None]
        for c in rest:
            c.credit(len(c.body))
        for c, at in zip(calls, ats):
            if c in rest and at.reset is None:
                at.headers([("grpc-status", "0")], end=True)
        r.until(lambda: all(c.ended for c in rest), "the survivors' ends")
        check_eq({dict(c.trailers)["grpc-status"] for c in rest}, {"0"})
        eventually(lambda: r.weir.metrics().sum("weir_memory_held_bytes") == 0, "the budget's return")


# ---- stalls

@test
def a_blocked_stream_is_charged_to_its_cause_counted_and_said_once():
    """The client stops reading: the response is blocked by the peer's stream window, and the stream is stalled."""
    with World() as w:
        server = w.server()
        cfg = config([{"name": "all", "cluster": "up", "stalled_after": "100ms"}],
                     [{"name": "up", "endpoints": [f"127.0.0.1:{server.port}"]}])
        with Weir(cfg) as weir:
            client = w.client(weir.port(), credit_stream=False)
            call = client.request(path="/slow")
            at = w.arrival()
            at.headers(OK)
            at.data(b"x" * 16000)
            w.until(lambda: len(call.body) == 16000)
            check_eq(weir.metrics().sum("weir_streams_hung"), 0)
            for _ in range(6):
                at.data(b"x" * 16000)
            eventually(lambda: weir.metrics().sum("weir_streams_hung", state="stalled", rt_route="all") == 1,
                       "the stall is counted")
            m = weir.metrics()
            blocked = {k: v for k, v in m.samples["weir_stream_stalled_seconds_total"].items()
                       if v > 0 and ("cause", "stream_slot") not in k}  # which it was until it was connected
            check_eq([dict(k)["cause"] for k in blocked], ["peer_stream_window"])
            check_eq([dict(k)["direction"] for k in blocked], ["received"])
            check(0.1 <= sum(blocked.values()) <= 60, blocked)
            call.credit(1 << 20)
            w.until(lambda: len(call.body) == 7 * 16000)
            eventually(lambda: weir.metrics().sum("weir_streams_hung") == 0, "the stall ends")
            at.end()
            w.until(lambda: call.ended)
            lines = [x for x in weir.stderr().splitlines() if "stream stalled" in x]
            check_eq(len(lines), 1, "lines about the stall")
            check("received_blocked_by=peer_stream_window" in lines[0] and "route=all" in lines[0]
                  and f"endpoint=127.0.0.1:{server.port}" in lines[0], lines[0])


@test
def a_silent_stream_is_found():
    with World() as w:
        server = w.server()
        cfg = config([{"name": "all", "cluster": "up", "silent_after": "100ms"}],
                     [{"name": "up", "endpoints": [f"127.0.0.1:{server.port}"]}])
        with Weir(cfg) as weir:
            client = w.client(weir.port())
            call = client.grpc()
            at = w.arrival()
            at.headers(GRPC_OK)
            at.data(FRAME)
            w.until(lambda: call.body == FRAME)
            eventually(lambda: weir.metrics().sum("weir_streams_hung", state="silent") == 1, "the zombie is found")
            check_eq(weir.metrics().sum("weir_message_gap_seconds_count"), 0)
            at.data(FRAME)
            w.until(lambda: len(call.body) == 2 * len(FRAME))
            m = weir.metrics()
            check_eq(m.sum("weir_message_gap_seconds_count", direction="received"), 1)
            check_eq(m.sum("weir_first_message_seconds_count", direction="received"), 1)
            check_eq(m.sum("weir_message_residence_seconds_count", direction="received"), 2)
            check(sum(m.samples["weir_message_gap_seconds_sum"].values()) >= 0.1)
            call.rst(8)


# ---- the end

@test
def a_second_sigterm_cuts_the_grace_short():
    import queue
    import grpc
    with World() as w:
        server = w.server()
        with Weir(one_route(server.port, grace="60s")) as weir, grpc.insecure_channel(weir.target()) as channel:
            requests = queue.Queue()
            call = channel.stream_stream("/t.T/M")(iter(requests.get, None))
            w.arrival().headers(GRPC_OK)
            weir.signal(signal.SIGTERM)
            eventually(lambda: "draining" in weir.stderr(), "the drain")
            check(call.is_active())
            weir.signal(signal.SIGTERM)
            check_eq(call.code(), grpc.StatusCode.UNAVAILABLE)
            requests.put(None)
            check_eq(weir.wait(), 0, "exit status")


@test
def however_many_sigterms_come_the_exit_status_is_0():
    with World() as w:
        server = w.server()
        with Weir(one_route(server.port)) as weir:
            while weir.process.poll() is None:
                weir.signal(signal.SIGTERM)
            check_eq(weir.process.returncode, 0, "exit status")


# ---- routes and balancing

@test
def routes_choose_by_host_method_path_and_header():
    with World() as w:
        servers = {n: w.server() for n in ("chat", "v1", "canary", "wild", "rest")}
        routes = [
            {"name": "chat", "match": {"hosts": ["chat.example.com"],
                                       "method": {"service": "chat.Chat", "method": "Subscribe"}}, "cluster": "chat"},
            {"name": "canary", "match": {"headers": [{"name": "x-env-tag", "exact": "canary"}]}, "cluster": "canary"},
            {"name": "v1", "match": {"path": {"prefix": "/v1/"}}, "cluster": "v1"},
            {"name": "wild", "match": {"hosts": ["*.example.org"]}, "cluster": "wild"},
            {"name": "rest", "match": {"hosts": ["rest"]}, "cluster": "rest"},
        ]
        clusters = [{"name": n, "endpoints": [f"127.0.0.1:{s.port}"]} for n, s in servers.items()]
        with Weir(config(routes, clusters)) as weir:
            client = w.client(weir.port())
            for want, args in [
                    ("chat", {"path": "/chat.Chat/Subscribe", "authority": "chat.example.com:80"}),
                    ("canary", {"path": "/chat.Chat/Subscribe", "fields": [("x-env-tag", "canary")]}),
                    ("v1", {"path": "/v1/x", "authority": "a.example.org"}),
                    ("wild", {"path": "/v2", "authority": "a.example.org"}),
                    ("rest", {"authority": "rest"})]:
                call = client.request(**args)
                at = w.arrival()
                check(at.wire in servers[want].wires, f"{args} did not go to {want}")
                at.headers(OK, end=True)
                w.until(lambda: call.ended)
            call = client.request(path="/nobody", authority="other")
            w.until(lambda: call.ended)
            check_eq(call.field(":status"), "404")
            check(b"no route matches other /nobody" in call.body, call.body)
            call = client.grpc(path="/no.Such/Method")
            w.until(lambda: call.ended)
            check_eq(call.field("grpc-status"), "12")
            check("no route" in call.field("grpc-message"), call.field("grpc-message"))
            check_eq(weir.metrics().sum("weir_local_replies_total", reason="no_route"), 2)


@test
def weights_split_the_traffic():
    with World() as w:
        a, b = w.server(), w.server()
        routes = [{"name": "all", "backends": [{"cluster": "a", "weight": 25}, {"cluster": "b", "weight": 75}]}]
        clusters = [{"name": n, "endpoints": [f"127.0.0.1:{s.port}"]} for n, s in (("a", a), ("b", b))]
        with Weir(config(routes, clusters)) as weir:
            client = w.client(weir.port())
            calls = [client.request() for _ in range(400)]
            hits = {id(a): 0, id(b): 0}
            for _ in calls:
                at = w.arrival()
                hits[id(a if at.wire in a.wires else b)] += 1
                at.headers(OK, end=True)
            w.until(lambda: all(c.ended for c in calls))
            # 400 draws with p = 1/4: mean 100, standard deviation 8.7; six of them on either side.
            check(48 <= hits[id(a)] <= 152, hits)


def spread(balance, busy):
    """How 40 short calls spread over three endpoints when the first has `busy` streams open."""
    with World() as w:
        servers = [w.server() for _ in range(3)]
        with Weir(one_route(*(s.port for s in servers), cluster={"balance": balance})) as weir:
            client = w.client(weir.port())
            held = []
            while len(held) < busy:
                call = client.grpc()
                at = w.arrival()
                if at.wire in servers[0].wires:
                    held.append(call)
                else:
                    at.headers([*GRPC_OK, ("grpc-status", "0")], end=True)
                    call.end()
                    w.until(lambda c=call: c.ended)
            hits = [0, 0, 0]
            for _ in range(39):
                call = client.request()
                at = w.arrival()
                hits[[at.wire in s.wires for s in servers].index(True)] += 1
                at.headers(OK, end=True)
                w.until(lambda c=call: c.ended)
            for c in held:
                c.rst(8)
            return hits


@test
def round_robin_takes_turns():
    check_eq(spread("round_robin", 0), [13, 13, 13])


@test
def least_streams_avoids_the_busy_endpoint():
    hits = spread("least_streams", 1)
    check_eq(hits[0], 0)
    check(hits[1] > 0 and hits[2] > 0, hits)


@test
def least_streams_counts_over_all_workers():
    """Two workers, and clients on both: the endpoint that one worker loads is avoided by the other."""
    with World() as w:
        servers = [w.server() for _ in range(2)]
        cfg = one_route(*(s.port for s in servers), workers=2, cluster={"balance": "least_streams"})
        with Weir(cfg) as weir:
            clients = [w.client(weir.port()) for _ in range(4)]
            per_server = [0, 0]
            for i in range(80):
                clients[i % 4].grpc(path="/t.T/Hold")
                at = w.arrival()
                per_server[0 if at.wire in servers[0].wires else 1] += 1
            # With two endpoints the two choices are both of them: always the less loaded.
            check_eq(per_server, [40, 40])


@test
def an_http1_request_gets_505_and_a_text():
    with Relay() as r:
        with socket.create_connection(("127.0.0.1", r.weir.port())) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while chunk := s.recv(4096):
                answer += chunk
        check(answer.startswith(b"HTTP/1.1 505 "), answer)
        check(b"HTTP/2" in answer.split(b"\r\n\r\n", 1)[1], answer)
        check_eq(r.weir.metrics().sum("weir_http1_refused_total"), 1)


def read_all(sock):
    answer = b""
    while chunk := sock.recv(4096):
        answer += chunk
    return answer


@test
def a_connection_without_a_preface_in_time_is_closed_and_counted():
    with Relay(limits={"preface_timeout": "50ms"}) as r:
        with socket.create_connection(("127.0.0.1", r.weir.port())) as s:
            s.sendall(b"PRI * HTTP/2.0")
            check_eq(read_all(s), b"")
        m = r.weir.metrics()
        check_eq(m.sum("weir_connections_closed_total", reason="preface_timeout"), 1)
        check_eq(m.sum("weir_not_http2_connections_total"), 1)


def admin_socket(weir):
    host, port = weir.cfg["admin"].rsplit(":", 1)
    return socket.create_connection((host, int(port)))


@test
def an_admin_client_may_half_close_and_still_gets_its_page():
    with Relay() as r, admin_socket(r.weir) as s:
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        answer = read_all(s)
        check(answer.startswith(b"HTTP/1.1 200 "), answer[:100])
        check(b"weir_build_info" in answer)


@test
def an_admin_connection_that_idles_is_closed():
    with Relay(limits={"admin_idle": "50ms"}) as r, admin_socket(r.weir) as s:
        s.sendall(b"GET /live HTTP/1.1\r\nHo")
        answer = read_all(s)
        check(answer.startswith(b"HTTP/1.1 408 "), answer[:100])
        s.close()
        eventually(lambda: r.weir.metrics().sum("weir_connections_closed_total", reason="idle") == 1, "the count")


if __name__ == "__main__":
    run()
