#!/usr/bin/python3
"""bench_test - the harness of the benchmarks is judged: a small load through the relay and Weir.

    BUILD=BUILD_TREE bench/bench_test.py [WORD]
"""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests", "kit")]
from tap import cases, check, check_eq, run, test  # noqa: E402
from sockets import congestion_controls  # noqa: E402
import page  # noqa: E402
from processes import (Failed, Held, Process, PROXY_CORE, build_dir, free_port, kinds, load,  # noqa: E402
                       reno_kinds, start_server, temporary_folder)

# Work, its words, and messages at least.
LOADS = {
    "unary": (["unary", "--conns", 2, "--streams", 8], 300),
    "echo": (["echo", "--conns", 2, "--streams", 8], 1000),
    "server_flood": (["server_flood", "--conns", 2, "--streams", 4], 2000),
    "server_flood_large": (["server_flood", "--conns", 1, "--streams", 2, "--size", 100000], 20),
    "bidi_flood": (["bidi_flood", "--conns", 2, "--streams", 4], 2000),
    "connect": (["connect", "--conns", 4], 40),
    "offered_echo": (["echo", "--conns", 2, "--streams", 4, "--rate", 20000], 500),
    "offered_unary": (["unary", "--conns", 2, "--streams", 4, "--rate", 5000], 200),
}


def kind_named(name):
    return next(k for k in kinds()[0] if k.name == name)


def corrupting_relay(upstream, folder, offset):
    port = free_port()
    relay = os.path.join(build_dir(), "bench", "bench_relay")
    return Process("corrupting relay", [relay, str(port), str(upstream), "--corrupt", str(offset)],
                   port, PROXY_CORE, folder)


@cases(*((name, work) for name in ("relay", "weir") for work in LOADS))
def every_message_of_a_load_arrives_unchanged_and_is_counted(name, work):
    words, messages = LOADS[work]
    with temporary_folder() as folder, start_server(folder) as server, \
            kind_named(name).start(server.port, folder) as proxy:
        report = load(proxy, words + ["--messages", messages, "--patience", 40])
        check(report["in_all"] >= messages, f"only {report['in_all']} of {messages} messages")
        check(report["cpu_s"] > 0, "the proxy used no CPU time")
        if work not in ("server_flood", "server_flood_large", "bidi_flood"):
            check(report["latency_us"]["p50"] <= report["latency_us"]["max"], report["latency_us"])
        check(server.process.poll() is None, f"the server ended: {server.said()}")


@cases(50000, 150001, 99999)
def a_relay_that_corrupts_one_byte_is_caught(offset):
    with temporary_folder() as folder, start_server(folder) as server, \
            corrupting_relay(server.port, folder, offset) as proxy:
        # Nearly all bytes are payload; a frame's head is corrupted only within 9 of 16,393.
        check(min(offset % 16393, 16393 - offset % 16393) > 200, "choose another offset")
        try:
            load(proxy, ["server_flood", "--size", 100000, "--messages", 20, "--patience", 40])
        except Failed as why:
            check("a message is not what was sent" in str(why), why)
            return
        check(False, "nobody noticed")


@test
def a_relay_that_corrupts_nothing_is_not_blamed():
    with temporary_folder() as folder, start_server(folder) as server, \
            corrupting_relay(server.port, folder, 1 << 40) as proxy:
        load(proxy, ["server_flood", "--size", 100000, "--messages", 20, "--patience", 40])


@cases("relay", "weir")
def with_reno_every_socket_of_a_proxy_has_it(name):
    kind = next(k for k in reno_kinds() if k.name == name)
    with temporary_folder() as folder, start_server(folder) as server, \
            kind.start(server.port, folder) as proxy:
        with Held(proxy, ["idle", "--conns", 2, "--streams", 2]):
            found = [control for _, _, control in congestion_controls(proxy.process.pid)]
        # The listening socket, two clients' connections, one upstream or two.
        check(len(found) >= 4, f"only {len(found)} sockets")
        check_eq(set(found), {"reno"})


@test
def siblings_of_a_stream_that_gets_no_credit_go_on_through_weir():
    with temporary_folder() as folder, start_server(folder) as server, \
            kind_named("weir").start(server.port, folder) as proxy:
        # One window is 1 MiB: eight streams could not carry so much if all were stopped.
        load(proxy, ["server_flood", "--streams", 8, "--size", 10000, "--stall", 1, "--messages",
                     3000, "--patience", 40])


@test
def idle_streams_and_connections_are_held_and_given_back():
    with temporary_folder() as folder, start_server(folder) as server, \
            kind_named("weir").start(server.port, folder) as proxy:
        with Held(proxy, ["idle", "--conns", 2, "--streams", 20]) as held:
            pass
        check_eq(held.process.returncode, 0, "status of the client with streams")
        with Held(proxy, ["parked", "--conns", 5]) as held:
            pass
        check_eq(held.process.returncode, 0, "status of the client with connections")


@test(timeout_s=120)
def the_runner_writes_its_tables_and_pictures():
    env = {**os.environ, "QUICK": "1", "PEERS": "-", "ONLY": "works,reno,curves"}
    done = subprocess.run([os.path.join(HERE, "run")], env=env, capture_output=True, text=True)
    check_eq(done.returncode, 0, f"status of bench/run: {done.stdout}{done.stderr}\nit")
    out = os.path.join(build_dir(), "bench-quick")
    with open(os.path.join(out, "benchmarks.md")) as f:
        text = f.read()
    rows = re.findall(r"^\|[^|]+\| [\d.]+ \| [\d.]+ \| (?:hit|\*\*miss\*\*) \|", text, re.M)
    check_eq(len(rows), 7, f"rows with a verdict in {text}\nthey")
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
        check(f"loopback ({f.read().strip()})" in text, f"no word of the congestion control in {text}")
    with_reno = text[text.index("## With reno"):text.index("## Curves")]
    rows = re.findall(r"^\|[^|]+\| [\d.]+ \| [\d.]+ \| [\d.]+ \|$", with_reno, re.M)
    check_eq(len(rows), 5, f"rows with a ratio in {with_reno}\nthey")
    for picture in re.findall(r"\((img/[^)]+\.svg)\)", text):
        with open(os.path.join(out, picture)) as f:
            check("<polyline" in f.read(), f"no line in {picture}")


class Rounds:
    """As bench/run's Series, with figures that are known."""

    def __init__(self, cost):
        self.cost = cost

    def good(self):
        return True

    def ratio_to(self, other):
        return self.cost / other.cost


@test
def a_missed_target_is_called_a_miss():
    class work:
        title, relay_max, peer_max = "a work", 2.0, 0.5
    series = {"weir": Rounds(3), "weir again": Rounds(3), "relay": Rounds(2), "nginx": Rounds(5)}
    row = page.target_rows({"works": [(work, series, "nginx")]})[0]
    check_eq(row, ["a work", "1.50", "2.00", "hit", "nginx", "0.60", "0.50", "**miss**", "1.00"])


if __name__ == "__main__":
    run()
