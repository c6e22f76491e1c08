#!/usr/bin/python3
"""views_test.py - /streams, /connections, /clusters and /routes say of live traffic over two workers what its two
ends, and /metrics, say of it."""
import contextlib
import json
import socket

import kit
from kit import Peer, Weir, config, eventually, one_route
from tap import check, check_eq, run, test
from calls import SERVICE, Channel
import raw
from raw import Upstream, Wire

PRODUCE = f"/{SERVICE}/Produce"


def view(weir, path):
    """The page as JSON, and what holds for every one."""
    status, text = weir.get(path)
    check_eq(status, 200, f"status of {path}: {text[:200]}")
    page = json.loads(text)
    check_eq(page["workers"], weir.cfg["workers"], "workers")
    check_eq(page["missing_workers"], [], "missing workers")
    name = path[1:].partition("?")[0]
    check_eq(page["shown"], len(page[name]), "shown")
    check(page["total"] >= page["shown"], page["total"])
    return page


def rows(weir, path):
    page = view(weir, path)
    return page[path[1:].partition("?")[0]]


def two_routes(ports, dead=(), workers=2, **route):
    """The admin method Produce goes to "bulk", the rest to "up"."""
    return config([{"name": "produce", "cluster": "bulk", **route,
                    "match": {"method": {"service": SERVICE, "method": "Produce"}}},
                   {"name": "rest", "cluster": "up", **route}],
                  [{"name": "up", "endpoints": [f"127.0.0.1:{p}" for p in [*ports, *dead]]},
                   {"name": "bulk", "endpoints": [f"127.0.0.1:{p}" for p in ports]}], workers)


@contextlib.contextmanager
def channels(weir):
    """Two connections on different workers, in their order; each has done one unary call."""
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as more:
        found, known = {}, set()
        while len(found) < 2:  # a worker keeps a connection when it is only one ahead
            channel = Channel(weir.target())
            check_eq(channel.unary()[0], "OK")
            new = {c["id"] for c in rows(weir, "/connections?side=downstream")} - known
            check_eq(len(new), 1, "new connections")
            known |= new
            worker = new.pop().partition("-")[0]
            (more if worker in found else stack).enter_context(channel)
            found.setdefault(worker, channel)
        more.close()
        eventually(lambda: len(rows(weir, "/connections?side=downstream")) == 2, "two being left")
        yield found["0"], found["1"]


# ---- streams

@test
def streams_of_two_workers_show_what_their_clients_know_of_them():
    with Peer("py", "server") as server, Weir(one_route(server.port, workers=2)) as weir, channels(weir) as both:
        chats = [both[i % 2].chat() for i in range(6)]
        for i, chat in enumerate(chats):
            for _ in range(i + 1):
                chat.turn(100)
        page = view(weir, "/streams")
        check_eq(page["total"], 6)
        check_eq({s["id"].partition("-")[0] for s in page["streams"]}, {"0", "1"}, "workers that have streams")
        check_eq(len({s["id"] for s in page["streams"]}), 6, "different ids")
        check_eq(sorted(s["sent"]["messages"] for s in page["streams"]), [1, 2, 3, 4, 5, 6])
        connections = {c["id"]: c for c in rows(weir, "/connections")}
        for s in page["streams"]:
            n = s["sent"]["messages"]
            check_eq([s["sent"]["bytes"], s["received"]["messages"], s["received"]["bytes"]], [105 * n, n, 105 * n])
            check_eq([s["listener"], s["route"], s["cluster"], s["protocol"], s["service"], s["method"], s["path"]],
                     ["in", "all", "up", "grpc", SERVICE, "Chat", f"/{SERVICE}/Chat"])
            check_eq([s["authority"], s["endpoint"]], [weir.target(), f"127.0.0.1:{server.port}"])
            check_eq([s["state"], s["http_status"], s["grpc_status"]], ["open", 200, None])
            check(0 <= s["sent"]["last_message_ms"] <= s["age_ms"], s)
            check_eq(s["received"]["stalled"], "none")
            down, up = connections[s["downstream"]["connection"]], connections[s["upstream"]["connection"]]
            check_eq([down["side"], down["peer"], down["name"]], ["downstream", s["client"], "in"])
            check_eq([up["side"], up["peer"], up["name"]], ["upstream", s["endpoint"], "up"])
            check(s["downstream"]["stream"] % 2 and s["upstream"]["stream"] % 2, s)
            check(min(s[e][w] for e in ("downstream", "upstream")
                      for w in ("send_window", "receive_window", "connection_send_window")) > 60000, s)
        for chat in chats:
            check_eq(chat.close()[0], "OK")
        eventually(lambda: view(weir, "/streams")["total"] == 0, "no stream left")


@test
def a_stream_that_waits_for_the_first_answer_has_neither_status_nor_message_from_the_server():
    with Peer("py", "server") as server, Weir(one_route(server.port, workers=2)) as weir, channels(weir) as (c, _):
        call = c.channel.unary_unary(f"/{SERVICE}/Sleep").future(b"x", timeout=60)
        s = eventually(lambda: rows(weir, "/streams?method=Sleep"), "the stream")[0]
        check_eq([s["http_status"], s["grpc_status"], s["received"]["last_message_ms"],
                  s["received"]["last_content_ms"], s["received"]["messages"]], [None, None, None, None, 0])
        check_eq(s["sent"]["messages"], 1)
        call.cancel()


@test
def a_client_that_reads_nothing_is_stalled_by_its_stream_window_and_first_of_the_stalled():
    cfg_of = lambda port: two_routes([port], stalled_after="100ms")  # noqa: E731
    with Peer("py", "server") as server, Weir(cfg_of(server.port)) as weir, channels(weir) as (a, b):
        chats = [a.chat(), b.chat()]
        for chat in chats:
            chat.turn()
        unread = b.produce(100000, 1000)
        next(unread)
        found = eventually(lambda: rows(weir, "/streams?state=stalled"), "the stall")
        check_eq(len(found), 1)
        s = found[0]
        check_eq([s["method"], s["route"], s["state"]], ["Produce", "produce", "stalled"])
        check_eq([s["sent"]["stalled"], s["sent"]["stalled_ms"]], ["none", 0])
        check_eq(s["received"]["stalled"], "peer_stream_window")
        check(s["received"]["stalled_ms"] >= 100, s)
        check(0.1 <= s["received"]["stalled_seconds"]["peer_stream_window"] <= s["age_ms"] / 1000 + 0.001, s)
        check(set(s["received"]["stalled_seconds"]) <= {"peer_stream_window", "socket"}, s)  # the begin is fast
        check(s["received"]["queued_bytes"] > 0 and s["downstream"]["send_window"] < 1000, s)
        check_eq(rows(weir, "/streams?sort=stalled")[0]["id"], s["id"])
        check_eq({x["id"] for x in rows(weir, "/streams?state=open")},
                 {x["id"] for x in rows(weir, "/streams?method=Chat")})
        unread.cancel()
        eventually(lambda: not rows(weir, "/streams?state=stalled"), "the end of the stall")
        for chat in chats:
            chat.close()


@test
def the_longest_stall_is_first_among_several_and_reading_ends_it():
    with Peer("py", "server") as server, Weir(two_routes([server.port], stalled_after="50ms")) as weir, \
            Wire.connect(weir.port()) as wire:
        wire.start()
        wire.credit(0, 1 << 30)
        wire.auto = False
        for stream in (1, 3):
            wire.headers(stream, raw.request(PRODUCE))
            wire.data(stream, raw.message(b"200 1000"), end=True)
            eventually(lambda: len(rows(weir, "/streams?state=stalled")) == (stream + 1) // 2, f"stall {stream}")
        order = rows(weir, "/streams?sort=stalled")
        check_eq([s["downstream"]["stream"] for s in order], [1, 3])
        check(order[0]["received"]["stalled_ms"] > order[1]["received"]["stalled_ms"], order)
        check_eq([s["downstream"]["send_window"] for s in order], [0, 0])
        wire.credit(1, 1 << 20)
        wire.collect(1)
        eventually(lambda: [s["downstream"]["stream"] for s in rows(weir, "/streams?sort=stalled")] == [3],
                   "the first being through")


@test
def each_order_puts_its_own_first_and_a_limit_cuts_the_rest_off():
    with Peer("py", "server") as server, Weir(one_route(server.port, workers=2)) as weir, channels(weir) as both:
        chats = []
        for i in range(8):
            chats.append(both[i % 2].chat())
            chats[-1].turn()

        def pump():
            for _ in range(50):
                chats[5].turn()
            page = view(weir, "/streams?sort=busiest&limit=3")
            check_eq([page["total"], page["shown"]], [8, 3])
            check_eq(page["streams"], sorted(page["streams"], key=lambda s: -s["rate"]))
            return page["streams"][0] if page["streams"][0]["rate"] > 20 else None
        busy = eventually(pump, "a rate")
        check_eq(busy["sent"]["messages"], chats[5].said)
        oldest = rows(weir, "/streams")
        check_eq([s["age_ms"] for s in oldest], sorted((s["age_ms"] for s in oldest), reverse=True))
        check_eq([s["id"] for s in oldest][:3], [s["id"] for s in rows(weir, "/streams?sort=oldest&limit=3")])
        check_eq(busy["id"], oldest[5]["id"])
        for i, chat in enumerate(chats):
            if i != 2:
                chat.turn()
        silent = rows(weir, "/streams?sort=silent")
        check_eq(silent[0]["id"], oldest[2]["id"], "the one that said nothing")
        quiet = [min(s["sent"]["last_content_ms"], s["received"]["last_content_ms"]) for s in silent]
        check_eq(quiet, sorted(quiet, reverse=True))
        for chat in chats:
            chat.close()


@test
def filters_choose_by_name_state_and_id():
    with Peer("py", "server") as server, Weir(two_routes([server.port])) as weir, channels(weir) as (a, b):
        chats = [a.chat(), b.chat(), b.chat()]
        for chat in chats:
            chat.turn()
        waiting = a.produce(5, 10, metadata=[("x-wait", "1")])
        next(waiting)
        eventually(lambda: view(weir, "/streams")["total"] == 4, "four streams")
        for query, n in (("", 4), ("route=rest", 3), ("route=produce", 1), ("cluster=bulk", 1), ("method=Chat", 3),
                         (f"service={SERVICE}", 4), ("service=weir.e2e.Pee", 0), ("listener=in", 4),
                         ("listener=", 0), ("state=open", 4), ("state=silent", 0),
                         ("route=rest&cluster=bulk", 0), ("%72oute=re%73t&limit=2", 3)):
            page = view(weir, "/streams?" + query)
            check_eq(page["total"], n, query)
            check_eq(page["shown"], min(n, 2) if "limit" in query else n, query)
        for s in rows(weir, "/streams"):
            check_eq([x["id"] for x in rows(weir, "/streams?id=" + s["id"])], [s["id"]])
        check_eq(rows(weir, "/streams?id=77-1"), [])
        waiting.cancel()
        for chat in chats:
            chat.close()


@test
def a_query_that_is_not_understood_is_400_and_says_what_is():
    with Weir(one_route(9, workers=2)) as weir:
        for path, words in (("/streams?sort=newest", 'no such value: "sort=newest"; allowed: sort=oldest|busiest|'),
                            ("/streams?limit=10001", "limit=1..10000"), ("/streams?x", 'unknown key "x"'),
                            ("/streams?id=5", "id=W-N"), ("/connections?side=left", "side=downstream|upstream"),
                            ("/clusters?limit=1", "allowed: cluster=TEXT"), ("/routes?sort=oldest", "route=TEXT")):
            status, text = weir.get(path)
            check_eq(status, 400, path)
            check(words in text, f"{words!r} is missing from {text!r}")


@test(timeout_s=120)
def thousands_of_streams_are_looked_through_in_several_turns_and_none_is_missing():
    kind = kit.quick_kind()
    n = 10000 if kind == "cpp" else 1000
    cfg_of = lambda port: one_route(port, workers=2, limits={"streams_per_connection": 20000})  # noqa: E731
    with Peer(kind, "server") as server, Weir(cfg_of(server.port)) as weir, \
            Peer(kind, "client", weir.target()) as client, channels(weir) as (other, _):
        client.do("many_open", n=n - 1)
        chat = other.chat()
        chat.turn()
        page = view(weir, "/streams?limit=10000")
        check_eq([page["total"], page["shown"]], [n, n])
        check_eq(len({s["id"] for s in page["streams"]}), n, "different ids")
        ages = [s["age_ms"] for s in page["streams"]]
        check_eq(ages, sorted(ages, reverse=True))
        few = view(weir, "/streams?limit=7")
        check_eq([few["total"], few["shown"]], [n, 7])
        check_eq([s["id"] for s in few["streams"]], [s["id"] for s in page["streams"][:7]])
        chat.turn()  # other streams go on
        chat.close()
        client.do("many_close")


@contextlib.contextmanager
def thousands(limits=None):
    """A weir with two clients' idle streams on its two workers, and a channel to each worker: (weir, how many, both)."""
    kind = kit.quick_kind()
    n = 10000 if kind == "cpp" else 1000
    limits = {"streams_per_connection": 20000, **(limits or {})}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Peer(kind, "server"))
        weir = stack.enter_context(Weir(one_route(server.port, workers=2, limits=limits)))
        both = stack.enter_context(channels(weir))
        clients = [stack.enter_context(Peer(kind, "client", weir.target())) for _ in range(2)]
        for client in clients:
            client.do("many_open", n=n // 2)
        yield weir, n, both
        for client in clients:
            client.do("many_close")


def stalled_ms(stream):
    return max(stream[lane]["stalled_ms"] for lane in ("sent", "received"))


def silent_ms(stream):
    quiet = [stream[lane]["last_content_ms"] for lane in ("sent", "received")]
    return min([ms for ms in quiet if ms is not None] or [stream["age_ms"]])


@test(timeout_s=120)
def every_order_and_every_limit_is_right_among_thousands_of_streams():
    orders = {"oldest": lambda s: s["age_ms"], "busiest": lambda s: s["rate"], "stalled": stalled_ms,
              "silent": silent_ms}
    with thousands() as (weir, n, both), Wire.connect(weir.port()) as wire:
        wire.start()
        wire.credit(0, 1 << 30)
        wire.auto = False
        wire.headers(1, raw.request(PRODUCE))
        wire.data(1, raw.message(b"200 1000"), end=True)  # 200 KB for a window of 64
        busy = [channel.chat() for channel in both]

        total = n + 3
        eventually(lambda: stalled_ms(rows(weir, "/streams?sort=stalled&limit=1")[0]) > 0, "the stall")

        def page_is_right(sort, limit):
            for chat in busy * 25:
                chat.turn()
            page = view(weir, f"/streams?sort={sort}&limit={limit}")
            check_eq([page["total"], page["shown"]], [total, min(limit, total)])
            found = page["streams"]
            check_eq(len({s["id"] for s in found}), len(found), "different ids")
            ranks = [orders[sort](s) for s in found]
            check_eq(ranks, sorted(ranks, reverse=True))
            if sort == "busiest":
                check_eq([s["method"] for s in found[:2]], ["Chat", "Chat"][:limit])
                check_eq([s["rate"] > 10 for s in found[:3]], [True, True, False][:limit])
            if sort == "stalled":
                check_eq([stalled_ms(s) > 0 for s in found[:2]], [True, False][:limit])
            if sort == "silent" and limit < n:
                check(all(s["sent"]["messages"] == 1 for s in found), "one that spoke is among the silent")
            return True
        for sort in orders:
            for limit in (1, 2, 3, 100, 2048, 5000, 10000):
                if sort == "busiest":  # after a page that took seconds nobody was busy of late
                    eventually(lambda: page_is_right(sort, limit), f"{sort}, {limit}")
                else:
                    page_is_right(sort, limit)
        for filtered, count in (("method=Produce", 1), ("state=open", total), ("method=Chat", total - 1)):
            check_eq(view(weir, f"/streams?{filtered}&limit=5")["total"], count, filtered)
        for chat in busy:
            check_eq(chat.close()[0], "OK")


@test(timeout_s=120)
def who_reads_thousands_of_rows_slowly_holds_no_worker_and_gets_them_whole():
    with thousands() as (weir, n, both), socket.socket() as slow:
        chats = [channel.chat() for channel in both]
        for chat in chats:
            chat.turn()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, _, port = weir.cfg["admin"].rpartition(":")
        slow.connect((host, int(port)))
        slow.settimeout(60)
        slow.sendall(b"GET /streams?limit=10000 HTTP/1.1\r\nHost: %s\r\n\r\n" % weir.cfg["admin"].encode())
        head = b""
        while b"\r\n\r\n" not in head:  # so the rows are there, and wait
            head += slow.recv(1)
        check(head.startswith(b"HTTP/1.1 200"), head)
        size = int(dict(line.split(": ") for line in head.decode().lower().split("\r\n")[1:] if line)["content-length"])
        check(size > n * 400, f"{size} bytes")
        for _ in range(20):
            for chat in chats:
                chat.turn()
            check_eq(both[0].unary()[0], "OK")
        check_eq(view(weir, "/streams?limit=3")["total"], n + 2)
        check_eq(view(weir, "/streams?limit=10000")["shown"], min(n + 2, 10000))  # for who reads it
        m = weir.metrics()
        check_eq([m.sum(f"weir_gather_{x}_total") for x in ("missed_answers", "late_answers", "refused")], [0, 0, 0])
        check_eq(m.sum("weir_admin_pages_refused_total"), 0)
        body = bytearray()
        while len(body) < size:
            more = slow.recv(1 << 16)
            check(more, f"the end after {len(body)} of {size} bytes")
            body += more
        page = json.loads(body)
        check_eq([page["total"], page["shown"], len({s["id"] for s in page["streams"]})],
                 [n + 2, min(n + 2, 10000), min(n + 2, 10000)])
        for chat in chats:
            check_eq(chat.close()[0], "OK")


# ---- connections

@test(timeout_s=120)
def every_order_and_every_limit_is_right_among_hundreds_of_connections():
    many = 500
    with Peer("py", "server") as server, Weir(one_route(server.port, workers=2)) as weir, channels(weir) as (a, b), \
            contextlib.ExitStack() as stack:
        for _ in range(many):
            stack.enter_context(Wire.connect(weir.port())).start()
        for channel, calls in ((a, 40), (b, 20)):
            for _ in range(calls):
                check_eq(channel.unary()[0], "OK")
        total = many + 2
        eventually(lambda: view(weir, "/connections?side=downstream&limit=1")["total"] == total, "all connections")
        orders = {"oldest": lambda c: c["age_ms"], "idle": lambda c: c["idle_ms"],
                  "reused": lambda c: c["streams_total"], "busiest": lambda c: c["streams"]}
        for sort, rank in orders.items():
            for limit in (1, 2, 3, 100, 10000):
                page = view(weir, f"/connections?side=downstream&sort={sort}&limit={limit}")
                check_eq([page["total"], page["shown"]], [total, min(limit, total)], f"{sort}, {limit}")
                found = page["connections"]
                ranks = [rank(c) for c in found]
                check_eq(ranks, sorted(ranks, reverse=True), f"{sort}, {limit}")
                check_eq(len({c["id"] for c in found}), len(found), "different ids")
                if sort == "reused":
                    check_eq([c["streams_total"] > 20 for c in found[:3]], [True, True, False][:limit])


@test
def connections_show_their_streams_now_and_ever_and_what_they_moved():
    with Peer("py", "server") as server, Weir(one_route(server.port, workers=2)) as weir, channels(weir) as (a, b):
        before = {c["id"]: c["streams_total"] for c in rows(weir, "/connections")}
        more = lambda c: (c["streams"], c["streams_total"] - before[c["id"]])  # noqa: E731
        chat = a.chat()
        chat.turn()
        for _ in range(30):
            check_eq(a.unary()[0], "OK")
        check_eq(b.unary()[0], "OK")
        down = rows(weir, "/connections?side=downstream&sort=reused")
        check_eq([more(c) for c in down], [(1, 31), (0, 1)])
        check_eq([c["waits"] for c in down], ["peer", "idle"])
        check_eq([c["state"] for c in down], ["open", "open"])
        up = rows(weir, "/connections?side=upstream&sort=busiest")
        check_eq([more(c) for c in up], [(1, 31), (0, 1)])
        check_eq({c["peer"] for c in up}, {f"127.0.0.1:{server.port}"})
        check_eq([c["id"].partition("-")[0] for c in up], [c["id"].partition("-")[0] for c in down],
                 "a stream stays on its worker")
        both = rows(weir, "/connections")
        check_eq([c["age_ms"] for c in both], sorted((c["age_ms"] for c in both), reverse=True))
        for c in both:
            check_eq([c["protocol"], c["unwritten_bytes"], c["ping_ms"], c["ping_waits_ms"]], ["h2", 0, None, None])
            check(c["bytes_in"] > 100 and c["bytes_out"] > 100 and c["idle_ms"] <= c["age_ms"], c)
            check(c["tcp_rtt_ms"] > 0 and c["socket_unsent_bytes"] >= 0, c)
        for side, name in (("downstream", "in"), ("upstream", "up")):
            for key, metric in (("bytes_in", "received"), ("bytes_out", "sent")):
                def both_say():
                    say = [sum(c[key] for c in rows(weir, f"/connections?side={side}&name={name}")),
                           weir.metrics().sum(f"weir_connection_{metric}_bytes_total", side=side, name=name)]
                    again = sum(c[key] for c in rows(weir, f"/connections?side={side}&name={name}"))
                    return say if say[0] == again else None  # no control frame came in between
                page, counted = eventually(both_say, "quiet")
                for c in (a, b):
                    c.unary(b"x" * 1000)
                more_page, more_counted = eventually(both_say, "quiet")
                check_eq(more_page - page, more_counted - counted, f"{key} {side}")
                check(more_page - page > 2000, (page, more_page))
        check_eq([c["id"] for c in rows(weir, "/connections?id=" + up[0]["id"])], [up[0]["id"]])
        chat.close()


@test
def a_round_trip_is_measured_when_asked_for_and_the_next_only_later():
    with Upstream(raw.echo) as server, Weir(one_route(server.port, workers=2)) as weir, \
            Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, raw.request("/a.B/C"), end=True)
        wire.collect(1)
        check_eq([c["ping_ms"] for c in rows(weir, "/connections")], [None, None])
        asked = rows(weir, "/connections?ping=1")
        check_eq([c["ping_waits_ms"] is None for c in asked], [False, False])
        rows(weir, "/connections?ping=1")
        wire.expect("PING")  # which answers it
        measured = eventually(lambda: [c for c in rows(weir, "/connections?ping=1") if c["ping_ms"] is not None] or 0,
                              "an answer")
        eventually(lambda: all(c["ping_ms"] is not None for c in rows(weir, "/connections")), "both answers")
        check(all(0 < c["ping_ms"] < 30000 for c in measured), measured)
        for _ in range(3):
            rows(weir, "/connections?ping=1")  # within 10 s: no other
        wire.headers(3, raw.request("/a.B/C"), end=True)
        seen = []
        while not (seen and seen[-1].stream == 3 and seen[-1].end):
            seen.append(wire.read())
        check_eq([f.name for f in seen if f.name == "PING"], [], "further PINGs")


@test
def a_connection_says_what_it_waits_for():
    def produce(wire, _nth):
        wire.accept({4: (1 << 31) - 1})
        while True:
            head = wire.expect("HEADERS")
            wire.headers(head.stream, raw.RESPONSE)
            wire.data(head.stream, raw.message(b"x" * 60000))
    with Upstream(produce) as server, Weir(one_route(server.port, workers=2)) as weir, \
            Wire.connect(weir.port()) as window, Wire.connect(weir.port(), receive_buffer=4096) as deaf, \
            socket.create_connection(("127.0.0.1", weir.port())) as mute:
        def waits(wire):
            peer = "%s:%d" % wire.getsockname()
            found = [c for c in rows(weir, "/connections?side=downstream") if c["peer"] == peer]
            return found[0] if found else {"waits": None}
        eventually(lambda: waits(mute)["waits"] == "preface", "the preface")
        check_eq(waits(mute)["protocol"], "unknown")
        window.auto = deaf.auto = False
        window.start({4: 1 << 20})  # streams may have more than the connection
        window.headers(1, raw.request("/a.B/C"))
        window.headers(3, raw.request("/a.B/C"))
        eventually(lambda: waits(window.sock)["waits"] == "peer_connection_window", "the connection's window")
        deaf.start({4: 1 << 30})
        deaf.credit(0, 1 << 30)
        for stream in range(1, 400, 2):
            deaf.headers(stream, raw.request("/a.B/C"))
        row = eventually(lambda: waits(deaf.sock)["waits"] == "socket" and waits(deaf.sock), "the socket")
        check(row["unwritten_bytes"] > 0 and row["socket_unsent_bytes"] > 0, row)


@test
def a_draining_connection_is_shown_with_the_round_trip_of_its_goaway():
    with Upstream(raw.echo) as server, Weir(one_route(server.port, workers=2, grace="30s")) as weir, \
            Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, raw.request("/a.B/C"))
        wire.expect("SETTINGS")
        eventually(lambda: view(weir, "/streams")["total"] == 1, "the stream")
        check_eq(weir.get("/drain", "POST")[0], 202)
        wire.expect("PING")
        wire.expect("GOAWAY")

        def drained():
            c = rows(weir, "/connections?side=downstream")[0]
            return c["state"] == "draining" and c["ping_ms"]
        check(eventually(drained, "the drain's round trip") > 0)
        wire.data(1, raw.message(b"x"), end=True)
        wire.collect(1)
        check_eq(weir.wait(), 0, "exit code after the drain")


# ---- clusters and routes

@test
def clusters_show_a_dead_endpoint_with_its_last_error_beside_one_that_works():
    with Peer("py", "server") as server, socket.socket() as dead:  # bound, and not listening: refuses
        dead.bind(("127.0.0.1", kit.free_port()))
        dead_port = dead.getsockname()[1]
        with Weir(two_routes([server.port], [dead_port])) as weir, channels(weir) as both:
            idle = rows(weir, "/clusters?cluster=bulk")
            check_eq([(c["name"], [e["state"] for e in c["endpoints"]]) for c in idle], [("bulk", ["idle"])])
            chats = [c.chat() for c in both]
            for chat in chats:
                chat.turn()

            def tried():
                for c in both:
                    check_eq(c.unary()[0], "OK")
                by = {e["address"]: e for e in rows(weir, "/clusters?cluster=up")[0]["endpoints"]}
                return by if by[f"127.0.0.1:{dead_port}"]["failures_total"] else None
            by = eventually(tried, "a failed connect")
            check_eq(len(by), 2)
            gone, good = by[f"127.0.0.1:{dead_port}"], by[f"127.0.0.1:{server.port}"]
            check(gone["state"] in ("backoff", "down"), gone)
            check("connection refused" in gone["last_error"], gone)
            check(gone["state"] == "down" or 0 <= gone["retry_in_ms"] <= 12000, gone)
            check_eq([gone["connections"], gone["connecting"], gone["streams"]], [0, 0, 0])
            check_eq([good["state"], good["connections"], good["streams"], good["failures_total"],
                      good["last_error"], good["retry_in_ms"]], ["up", 2, 2, 0, None, None])
            m = weir.metrics()
            check_eq(gone["failures_total"], m.sum("weir_upstream_connect_failures_total", cluster="up"))
            check(good["calls_total"] >= m.sum("grpc_streams_started_total", cluster="up"), good)
            page = view(weir, "/clusters")
            check_eq([page["total"], [c["name"] for c in page["clusters"]]], [2, ["bulk", "up"]])
            check_eq([c["waiting_calls"] for c in page["clusters"]], [0, 0])
            for chat in chats:
                chat.close()


@test
def an_endpoint_that_a_reload_removed_is_shown_while_it_has_connections():
    with Peer("py", "server") as old, Peer("py", "server") as new, Weir(one_route(old.port, workers=2)) as weir, \
            channels(weir) as (c, _):
        chat = c.chat()
        chat.turn()
        weir.cfg["clusters"][0]["endpoints"] = [f"127.0.0.1:{new.port}"]
        weir.write(weir.cfg)
        weir.signal(1)

        def states():
            return {e["address"]: e["state"] for e in rows(weir, "/clusters")[0]["endpoints"]}
        eventually(lambda: states() == {f"127.0.0.1:{old.port}": "retired", f"127.0.0.1:{new.port}": "idle"}, "reload")
        check_eq({x["state"] for x in rows(weir, "/connections?side=upstream")}, {"closing"})
        chat.turn()
        check_eq(chat.close()[0], "OK")
        eventually(lambda: states() == {f"127.0.0.1:{new.port}": "idle"}, "its going")


@test
def routes_add_up_to_what_the_metrics_say():
    with Peer("py", "server") as server, Weir(two_routes([server.port], stalled_after="50ms")) as weir, \
            channels(weir) as (a, b):
        before = rows(weir, "/routes?route=rest")[0]
        chats = [a.chat(), b.chat()]
        for chat in chats:
            for _ in range(7):
                chat.turn()
        for c in (a, b):
            check_eq(c.unary()[0], "OK")
            check_eq(c.unary(metadata=[("x-fail", "5")])[0], "NOT_FOUND")
            check_eq(len(list(c.produce(9, 100))), 9)
        unread = a.produce(100000, 1000)
        next(unread)
        stalled = lambda: [r["hung"]["stalled"] for r in rows(weir, "/routes?route=produce")] == [1]  # noqa: E731
        eventually(stalled, "the stall")
        page = view(weir, "/routes")
        check_eq([(r["listener"], r["route"], r["cluster"]) for r in page["routes"]],
                 [("in", "produce", "bulk"), ("in", "rest", "up")])
        produce, rest = page["routes"]
        check_eq([rest["active"], rest["started"] - before["started"]], [2, 6])
        check_eq(rest["completed_by_status"], {"NOT_FOUND": 2, "OK": 2 + before["completed_by_status"]["OK"]})
        check_eq([produce["active"], produce["completed_by_status"]], [1, {"OK": 2}])
        check_eq([rest[d]["messages"] - before[d]["messages"] for d in ("sent", "received")], [18, 16])
        check_eq(rest["hung"], {"stalled": 0, "silent": 0})
        check(produce["stalled_seconds"]["received"]["peer_stream_window"] >= 0.05, produce)
        check(set(produce["stalled_seconds"]["sent"]) <= {"stream_slot"}, produce)  # until it was connected
        unread.cancel()
        for chat in chats:
            chat.close()
        eventually(lambda: sum(r["active"] for r in rows(weir, "/routes")) == 0, "the end of all")
        m = weir.metrics()
        for r in rows(weir, "/routes"):
            of = {"rt_route": r["route"], "listener": r["listener"], "cluster": r["cluster"]}
            check_eq(r["started"], m.sum("grpc_streams_started_total", **of))
            for d in ("sent", "received"):
                check_eq(r[d]["messages"], m.sum(f"grpc_stream_{d}_messages_total", **of))
                check_eq(r[d]["bytes"], m.sum(f"grpc_stream_{d}_bytes_total", **of))
                for cause, seconds in r["stalled_seconds"][d].items():
                    exact = sum(v for k, v in m.samples["weir_stream_stalled_seconds_total"].items()
                                if {*of.items(), ("direction", d), ("cause", cause)} <= k)
                    check(abs(seconds - exact) <= 0.001, (r["route"], d, cause, seconds, exact))
            for status, n in r["completed_by_status"].items():
                check_eq(n, m.sum("grpc_streams_completed_total", grpc_status=status, **of))
        check_eq(view(weir, "/routes?limit=1")["total"], 2)
        check_eq([r["route"] for r in rows(weir, "/routes?limit=1")], ["produce"])
        check_eq(rows(weir, "/routes?cluster=none"), [])


# ---- under load

@test(timeout_s=120)
def views_under_load_disturb_no_call_and_lose_no_answer():
    kind = kit.quick_kind()
    with Peer(kind, "server") as server, Weir(one_route(server.port, workers=2)) as weir, \
            Peer(kind, "client", weir.target()) as client, Peer(kind, "client", weir.target()) as other:
        for round_ in range(5):
            for c in (client, other):
                c.process.stdin.write(json.dumps({"do": ("unary", "chat_pipelined")[round_ % 2]}) + "\n")
            answered = {}
            while len(answered) < 2:
                for path in ("/streams?sort=busiest&limit=5", "/connections?sort=busiest", "/clusters", "/routes"):
                    view(weir, path)
                for c in (client, other):
                    if c not in answered and kit.select.select([c.process.stdout], [], [], 0)[0]:
                        answered[c] = json.loads(c.line())
            check(all(a["ok"] for a in answered.values()), answered)
        m = weir.metrics()
        check_eq([m.sum(f"weir_gather_{x}_total") for x in ("missed_answers", "late_answers", "refused")], [0, 0, 0])


if __name__ == "__main__":
    run()
