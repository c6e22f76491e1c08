#!/usr/bin/python3
"""lifecycle_test.py - starting, reloading and ending: what cannot start says why in one line, a reload is never
noticed by a stream, and nobody is cut off without a word."""
import contextlib
import copy
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from kit import Baseline, Peer, Weir, eventually, free_port, one_route, weir_binary  # noqa: E402
from tap import cases, check, check_eq, run, skip, test  # noqa: E402
from sockets import congestion_controls  # noqa: E402
from calls import SERVICE, Channel  # noqa: E402
import raw  # noqa: E402
from raw import Upstream, Wire  # noqa: E402


# ---- start

def start_fails(cfg, *words, **how):
    """Weir ends with an error that names these words on one line, and within a moment."""
    weir = Weir(cfg, **how)
    try:
        code = weir.wait()
        check(code > 0, f"exit status is {code}")
        lines = [line for line in weir.stderr().splitlines() if all(w in line for w in words)]
        check_eq(len(lines), 1, f"lines that say {words} in {weir.stderr()!r}")
        check_eq(weir.children(), [], "processes left behind")
    finally:
        weir.destroy()


@cases("listener", "admin")
def a_port_in_use_is_named_and_nothing_starts(which):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        start_fails(one_route(9, **{which: port}), f"127.0.0.1:{port}", "in use")


@test
def a_port_without_permission_is_named_and_nothing_starts():
    if os.getuid():
        skip("only root can become nobody here")
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
        if int(f.read()) <= 81:
            skip("every port is open to everyone here")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
    if subprocess.run([*nobody, weir_binary(), "version"], capture_output=True).returncode:
        skip("nobody may not run this binary")
    start_fails(one_route(9, listener=81), "127.0.0.1:81", "ermission", prefix=nobody)


@test
def a_bad_configuration_is_answered_with_every_error_and_its_place():
    text = "listeners:\n  - {name: in, adress: '127.0.0.1:1'}\nroutes: [{name: a, cluster: nope}]\n" \
        "clusters: [{name: up, endpoints: ['127.0.0.1:x']}]\n"
    start_fails(text, "weir.yaml:2:16", "adress", "address")
    start_fails(text, "weir.yaml:3:", "nope")
    start_fails(text, "weir.yaml:4:", "127.0.0.1:x")


@test
def a_missing_configuration_file_is_named():
    r = subprocess.run([weir_binary(), "run", "--config", "/nonexistent/weir.yaml"],
                       capture_output=True, text=True, timeout=30)
    check(r.returncode > 0)
    check_eq(len(r.stderr.strip().splitlines()), 1, f"lines of {r.stderr!r}")
    check("/nonexistent/weir.yaml" in r.stderr and "o such file" in r.stderr, r.stderr)


@test
def an_upstream_that_is_not_there_at_the_start_is_found_when_it_comes():
    port = free_port()
    with Weir(one_route(port)) as weir, Channel(weir.target()) as client:
        check_eq(client.unary()[0], "UNAVAILABLE")
        with Peer("py", "server", port=port):
            eventually(lambda: client.unary()[0] == "OK", "a call through the server that came")


@test
def the_admin_port_tells_liveness_readiness_and_the_configuration():
    with Weir(one_route()) as weir:
        for page in ("/live", "/ready", "/healthz/live", "/healthz/ready"):
            check_eq(weir.get(page)[0], 200, page)
        status, text = weir.get("/config")
        check_eq((status, '"name": "all"' in text), (200, True), "/config")
        check_eq(weir.get("/nowhere")[0], 404, "/nowhere")
        check_eq(weir.get("/drain")[0], 405, "GET /drain")
        check_eq(weir.get("/ready")[0], 200, "/ready after GET /drain")
        with Wire.connect(int(weir.cfg["admin"].rsplit(":", 1)[1])) as wire:
            wire.start()
            wire.headers(1, raw.request("/metrics", method="GET", grpc=False), end=True)
            head, content, _ = wire.collect(1)
            check_eq(head[":status"], "200")
            check(b"weir_build_info" in content)


# ---- reload

class Load:
    """Calls of all kinds in threads, until stopped; every one must succeed."""

    def __init__(self, target, threads=4):
        self.target, self.stop, self.problems, self.calls = target, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def run(self):
        with Channel(self.target) as client:
            while not self.stop.is_set():
                status, details, _ = client.unary(b"x" * 500)
                if status != "OK":
                    self.problems.append((status, details))
                chat = client.chat()
                for _ in range(3):
                    chat.turn()
                end = chat.close()
                if end[0] != "OK":
                    self.problems.append(end)
                self.calls += 2

    def __exit__(self, *exc):
        self.stop.set()
        for t in self.threads:
            t.join(30)


def reload(weir, cfg, counter="weir_config_reloads_total"):
    before = weir.metrics().sum(counter)
    weir.write(cfg)
    weir.signal(signal.SIGHUP)
    eventually(lambda: weir.metrics().sum(counter) == before + 1, counter)


@cases(1, 2)
def streams_live_through_reloads_under_load_and_keep_their_route(workers):
    with Peer("py", "server") as one, Peer("py", "server") as two:
        cfg = one_route(one.port, workers=workers)
        other = copy.deepcopy(cfg)
        other["routes"][0]["name"] = "renamed"
        other["clusters"][0]["endpoints"] = [f"127.0.0.1:{two.port}"]
        with Weir(cfg) as weir, Channel(weir.target()) as client:
            base = Baseline(weir, rss_slack_kb=32768)
            old = client.chat()
            old.turn()
            with Load(weir.target()) as load:
                for i in range(10):
                    reload(weir, cfg if i % 2 else other)
                    at = load.calls
                    eventually(lambda: load.calls > at + 8, "calls between the reloads")
                    old.turn()
                reload(weir, other)
            check_eq(load.problems, [], "calls that failed")
            old.turn()
            with Channel(weir.target()) as fresh:
                new = fresh.chat()
                new.turn()
                m = weir.metrics()
                check_eq(m.sum("weir_config_generation"), 12)
                check_eq(m.sum("grpc_streams_active", rt_route="all"), 1, "streams of the old route")
                check_eq(m.sum("grpc_streams_active", rt_route="renamed"), 1, "streams of the new one")
                check_eq(m.sum("weir_config_generation_streams", generation="1"), 1)
                check_eq(new.close()[0], "OK")
            check_eq(old.close()[0], "OK")
            # The first generation is gone with its last stream.
            eventually(lambda: not weir.metrics().sum("weir_config_generation_streams",
                                                      generation="1"), "its end")
            base.returns()


@cases(1, 2)
def connections_have_their_listeners_and_clusters_congestion_control_and_new_ones_what_a_reload_says(workers):
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
        system = f.read().strip()
    with Peer("py", "server") as one, Peer("py", "server") as two:
        cfg = one_route(one.port, workers=workers, cluster={"congestion_control": "reno"})
        cfg["listeners"][0]["congestion_control"] = "reno"
        with Weir(cfg) as weir, Channel(weir.target()) as client:
            def controls(server):
                all_ = [s for s in congestion_controls(weir.pid) if s[1]]  # those with a peer
                return [{control for mine, peer, control in all_ if port in (mine, peer)}
                        for port in (weir.port(), server.port)]
            old = client.chat()
            old.turn()
            check_eq(controls(one), [{"reno"}, {"reno"}], "at the start, downstream and upstream")
            other = copy.deepcopy(cfg)
            del other["listeners"][0]["congestion_control"], other["clusters"][0]["congestion_control"]
            other["clusters"][0]["endpoints"] = [f"127.0.0.1:{two.port}"]
            reload(weir, other)
            with Channel(weir.target()) as fresh:
                check_eq(fresh.unary()[0], "OK")
                # The old connection stays as it was.
                check_eq(controls(two), [{"reno", system}, {system}], "after the reload")
            check_eq(controls(one)[1], {"reno"}, "the old upstream connection")
            bad = copy.deepcopy(other)
            bad["listeners"][0]["congestion_control"] = "no-such-control"
            reload(weir, bad, "weir_config_reload_errors_total")
            check("listeners[0].congestion_control: expected" in weir.stderr(), weir.stderr())
            old.turn()
            check_eq(old.close()[0], "OK")


@test
def a_reload_in_another_order_leaves_each_cluster_its_servers_and_connections():
    names = ["a", "b", "c", "d", "e"]
    servers = {name: Upstream(raw.echo) for name in names}
    with contextlib.ExitStack() as stack:
        for server in servers.values():
            stack.enter_context(server)

        def cfg_of(order, cfg):
            cfg["clusters"] = [{"name": n, "endpoints": [f"127.0.0.1:{servers[n].port}"]} for n in order]
            cfg["routes"] = [{"name": n, "cluster": n,
                              "match": {"method": {"service": n}}} for n in order]
            return cfg
        cfg = cfg_of("abcd", one_route(servers["a"].port))
        weir = stack.enter_context(Weir(cfg))
        wire = stack.enter_context(Wire.connect(weir.port()))
        wire.start()
        stream = -1
        for order in ("abcd", "dcba", "bead", "abcde", "e", "cadbe"):
            reload(weir, cfg_of(order, cfg))
            for name in order:
                stream += 2
                wire.headers(stream, raw.request(f"/{name}/M"), end=True)
                wire.collect(stream)
        # A connection lives until a file does not name its cluster: all but e were left out once, c twice.
        m = weir.metrics()
        check_eq([m.sum("grpc_streams_started_total", cluster=n) for n in names], [5, 5, 4, 5, 4])
        check_eq([m.sum("weir_connections_opened_total", name=n) for n in names], [2, 2, 3, 2, 1])


@test
def a_bad_reload_is_refused_with_its_errors_and_the_old_configuration_stays():
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, \
            Channel(weir.target()) as client:
        base = Baseline(weir)
        chat = client.chat()
        chat.turn()
        for bad, word in (("listeners: [", "weir.yaml:"), ('{"listeners": []}', "listeners"),
                          (weir_without_cluster(weir.cfg), "nope")):
            reload(weir, bad, "weir_config_reload_errors_total")
            check(word in weir.stderr().splitlines()[-1] or word in weir.stderr(), weir.stderr())
        os.unlink(weir.file)
        weir.signal(signal.SIGHUP)
        eventually(lambda: weir.metrics().sum("weir_config_reload_errors_total") == 4, "the fourth")
        check("refused" in weir.stderr(), weir.stderr())
        m = weir.metrics()
        check_eq((m.sum("weir_config_generation"), m.sum("weir_config_reloads_total")), (1, 0))
        chat.turn()
        check_eq(chat.close()[0], "OK")
        check_eq(client.unary()[0], "OK")
        base.returns()


def weir_without_cluster(cfg):
    cfg = copy.deepcopy(cfg)
    cfg["routes"][0]["cluster"] = "nope"
    return cfg


@test
def a_reload_adds_and_removes_listeners():
    with Peer("py", "server") as server:
        cfg = one_route(server.port)
        with Weir(cfg) as weir, Channel(weir.target()) as first:
            check_eq(first.unary()[0], "OK")
            old = first.chat()
            old.turn()
            extra = f"127.0.0.1:{free_port()}"
            both = copy.deepcopy(cfg)
            both["listeners"].append({"name": "second", "address": extra})
            reload(weir, both)
            with Channel(extra) as second:
                check_eq(second.unary()[0], "OK")
            only = copy.deepcopy(both)
            only["listeners"] = only["listeners"][1:]
            reload(weir, only)
            old.turn()
            check_eq(old.close()[0], "OK")
            with Channel(extra) as second:
                check_eq(second.unary()[0], "OK")

            def refused():
                with socket.socket() as s:
                    return s.connect_ex(("127.0.0.1", weir.port())) != 0
            eventually(refused, "the removed listener being closed")


# ---- end

def port_is_closed(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


@cases("SIGTERM", "SIGINT", "POST /drain")
def a_drain_waits_for_open_streams_and_ends_when_they_do(how):
    with Peer("py", "server") as server, Weir(one_route(server.port, grace="60s")) as weir, \
            Channel(weir.target()) as client:
        chats = [client.chat() for _ in range(5)]
        for c in chats:
            c.turn()
        check_eq(weir.metrics().sum("weir_drain_start_time_seconds"), 0)
        before = time.time()
        if how == "POST /drain":
            status, _ = weir.get("/drain", method="POST")
            check(200 <= status < 300, f"POST /drain answers {status}")
        else:
            weir.signal(getattr(signal, how))
        eventually(lambda: weir.get("/ready")[0] == 503, "/ready failing")
        check_eq(weir.get("/live")[0], 200, "/live while draining")
        m = weir.metrics()
        check_eq(m.sum("weir_draining"), 1)
        check_eq(m.sum("weir_drain_grace_seconds"), 60)
        check(before - 1 <= m.sum("weir_drain_start_time_seconds") <= time.time(), "begin of the drain")
        for c in chats:
            c.turn()
        for c in chats[1:]:
            check_eq(c.close()[0], "OK")
        chats[0].turn()
        check_eq(weir.process.poll(), None)
        check_eq(chats[0].close()[0], "OK")
        check_eq(weir.wait(), 0, "exit status")


@cases(1, 2)
def streams_that_outlive_the_grace_end_in_trailers_that_say_so(workers):
    with Peer("py", "server") as server:
        with Weir(one_route(server.port, workers=workers, grace="300ms")) as weir, \
                Channel(weir.target()) as client, Wire.connect(weir.port()) as wire:
            chats = [client.chat() for _ in range(10)]
            for c in chats:
                c.turn()
            wire.start()
            wire.headers(1, raw.request(f"/{SERVICE}/Chat"))
            wire.data(1, raw.message(b"%08d" % 0))
            wire.expect("DATA")
            weir.signal(signal.SIGTERM)
            for c in chats:
                status, details = c.end()
                check_eq(status, "UNAVAILABLE")
                check("shutting down" in details, details)
            goaway = wire.expect("GOAWAY")
            check_eq((goaway.last_stream_id, goaway.error_code), (0x7fffffff, 0))
            trailers = wire.expect("HEADERS", stream=1)
            while not trailers.end:
                trailers = wire.expect("HEADERS", stream=1)
            check_eq(trailers.dict["grpc-status"], "14")
            check_eq(weir.wait(), 0, "exit status")
        # The server was told too.
        with Channel(f"127.0.0.1:{server.port}") as direct:
            eventually(lambda: direct.unary(method="Stats")[2] == b'{"open": 0}', "their end there")


@test
def an_idle_weir_ends_at_once_and_closes_its_connections_in_order():
    with Upstream(raw.echo) as server, Weir(one_route(server.port, grace="600s")) as weir, \
            Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, raw.request("/a.B/C"), end=True)
        wire.collect(1)
        weir.signal(signal.SIGTERM)
        frames = wire.wait_closed()
        check_eq([f.error_code for f in frames if f.name == "GOAWAY"][-1:], [0], "codes of GOAWAY")
        check_eq(weir.wait(), 0, "exit status")
        check(port_is_closed(weir.port()), "the port is still open")


if __name__ == "__main__":
    run()
