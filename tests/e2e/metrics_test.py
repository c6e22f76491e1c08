#!/usr/bin/python3
"""metrics_test.py - what is counted besides streams: connections, the protocol, the process. And that the
harness itself leaves out visibly what cannot run."""
import json
import os
import socket
import tempfile
import time
import kit
from kit import HERE, Peer, Weir, eventually, one_route
from tap import Skip, check, check_eq, run, skip, test
from calls import SERVICE, Channel
import raw
from raw import Upstream, Wire


@test
def connections_are_counted_with_their_calls_their_bytes_and_why_they_closed():
    with Upstream(raw.echo) as server, Weir(one_route(server.port)) as weir:
        def side(name, side="downstream", which="in", **labels):
            return weir.metrics().sum(f"weir_{name}", side=side, name=which, **labels)
        first, second = Wire.connect(weir.port()), Wire.connect(weir.port())
        for wire, calls in ((first, 3), (second, 1)):
            wire.start()
            for n in range(calls):
                wire.headers(2 * n + 1, raw.request("/a.B/C"))
                wire.data(2 * n + 1, raw.message(b"x" * 100), end=True)
                wire.collect(2 * n + 1)
        check_eq(side("connections_opened_total"), 2)
        check_eq(side("connections_open"), 2)
        check_eq(side("connections_open", "upstream", "up"), 1)
        sent = first.sent_bytes + second.sent_bytes
        eventually(lambda: side("connection_received_bytes_total") == sent, f"{sent} bytes in")
        first.close()
        second.reset()
        eventually(lambda: side("connections_open") == 0, "the end of both")
        check_eq(side("connections_closed_total", reason="peer_closed"), 1)
        check_eq(side("connections_closed_total", reason="reset"), 1)
        check_eq(side("connection_calls_count"), 2)
        check_eq(side("connection_calls_sum"), 4)
        upstream = server.wires[0]
        check_eq(side("connection_received_bytes_total", "upstream", "up"), upstream.sent_bytes)
        check(side("connection_sent_bytes_total") >= 4 * 105)
        check_eq(weir.metrics().sum("weir_upstream_connect_attempts_total", cluster="up"), 1)


@test
def what_waits_in_weir_when_its_server_is_done_is_timed_as_any_other():
    def timed(weir):
        return weir.metrics().sum("weir_message_residence_seconds_count", direction="received")
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, Channel(weir.target()) as client, \
            Wire.connect(weir.port()) as wire:
        for nth in range(1, 11):  # the answer and its end come in one turn
            check_eq(client.unary(b"x" * 10000 * nth)[0], "OK")
            eventually(lambda: timed(weir) == nth, f"reply {nth} being timed")
        wire.start({4: 2500})
        wire.auto = False
        wire.headers(1, raw.request(f"/{SERVICE}/Produce"))
        wire.data(1, raw.message(b"5 1000"), end=True)

        def is_done():  # the server: it has no part in the stream any more
            shown, = json.loads(weir.get("/streams")[1])["streams"]
            return shown["received"]["messages"] == 5 and not shown["upstream"]
        eventually(is_done, "the server's end")
        check(timed(weir) < 15, "what waits is timed when it has left")
        wire.credit(1, 100000)
        wire.collect(1)
        eventually(lambda: timed(weir) == 15, "what waited being timed")


@test
def resets_goaways_and_errors_are_counted_by_side_and_code():
    def script(wire, _nth):
        wire.accept()
        head = wire.expect("HEADERS")
        wire.rst(head.stream, 0xbad)
        wire.expect("HEADERS")
        wire.goaway(0x7fffffff, raw.ENHANCE_YOUR_CALM)
        wire.wait_closed()
    with Upstream(script) as server, Weir(one_route(server.port)) as weir, \
            Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, raw.request("/a.B/C"), end=True)
        check_eq(wire.expect("RSTSTREAM", stream=1).error_code, 0xbad)
        wire.headers(3, raw.request("/a.B/C"))
        eventually(lambda: weir.metrics().sum("weir_http2_goaways_total", side="upstream",
                                              direction="in", code="ENHANCE_YOUR_CALM") == 1, "GOAWAY")
        wire.rst(3, raw.CANCEL)
        wire.send(b"\0\0\1\0\0\0\0\0\0x")  # DATA on stream 0
        check_eq(wire.expect("GOAWAY").error_code, raw.PROTOCOL_ERROR)
        want = [("resets", "upstream", "in", "UNKNOWN"), ("resets", "downstream", "out", "UNKNOWN"),
                ("resets", "downstream", "in", "CANCEL"), ("resets", "upstream", "out", "CANCEL"),
                ("goaways", "downstream", "out", "PROTOCOL_ERROR")]

        def counted():
            m = weir.metrics()
            for what, side, direction, code in want:
                check_eq(m.sum(f"weir_http2_{what}_total", side=side, direction=direction, code=code), 1,
                         f"{what} {direction} {side} with {code}")
            check_eq(m.sum("weir_http2_errors_total", side="downstream", fault="stream_zero"), 1)
            return True
        eventually(counted, "the counters")


@test
def the_page_tells_of_the_process_its_loops_its_budget_and_its_build():
    started = time.time()
    cfg = one_route(workers=2, limits={"memory": "64MiB"})
    with Weir(cfg) as weir:
        m = weir.metrics()
        check_eq(m.values("weir_loop_turns_total", "worker"), {"0", "1", "control"})
        check(m.sum("weir_loop_turns_total", worker="control") > 0)
        check(m.sum("weir_loop_lag_seconds_count", worker="control") > 0)
        check_eq(m.sum("weir_memory_limit_bytes"), 64 << 20)
        check_eq(m.sum("weir_memory_held_bytes"), 0)
        check_eq(m.sum("weir_config_generation"), 1)
        check_eq(m.sum("weir_build_info"), 1)
        check_eq(m.sum("weir_bugs_total"), 0)
        check(abs(m.sum("process_start_time_seconds") - started) < 60)
        check(abs(m.sum("process_open_fds") - weir.fds()) < 5)
        check(0.5 < m.sum("process_resident_memory_bytes") / 1024 / weir.rss_kb() < 2)
        status, text = weir.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        check_eq((status, text.endswith("# EOF\n")), (200, True), "OpenMetrics")


@test
def the_lockfile_names_no_host_that_packages_come_from():
    with open(os.path.join(HERE, "js", "package-lock.json")) as f:
        lock = json.load(f)
    packages = {name: p for name, p in lock["packages"].items() if name}
    check(all("integrity" in p for p in packages.values()), "a package without its hash")
    check(not any("resolved" in p for p in packages.values()), "a package with its host")


@test
def without_npm_or_its_registry_the_npm_client_is_a_visible_skip():
    kept = dict(os.environ)
    if not kit.shutil.which("npm"):
        skip("npm is not installed")
    with socket.socket() as nobody:  # bound, and not listening: refuses
        nobody.bind(("127.0.0.1", kit.free_port()))
        registry = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        for env, words in (({"PATH": "/nonexistent"}, "not installed"),
                           ({"npm_config_registry": registry, "npm_config_fetch_retries": "0"},
                            "npm ci failed")):
            with tempfile.TemporaryDirectory() as empty:
                os.environ.update(env, npm_config_cache=os.path.join(empty, "npm"))
                try:
                    kit.js_modules(empty)
                    check(False, "it did not skip")
                except Skip as s:
                    check(words in str(s), str(s))
                finally:
                    os.environ.clear()
                    os.environ.update(kept)


if __name__ == "__main__":
    run()
