#!/usr/bin/python3
"""matrix_test.py - real gRPC clients stream to real gRPC servers through Weir, and its counters equal what
the clients really did.

Every kind of client against every kind of server with one worker and with two. One weir and one server serve
all clients of a combination; every scenario's counts are compared as it ends, and the totals once more before
the end. WEIR_DIRECT=1 leaves Weir out, to try the peers themselves."""
import atexit
import collections
import json
import grpc
from kit import DIRECT, KINDS, Baseline, Peer, Weir, eventually, one_route
from tap import cases, check, check_eq, run, skip

SERVICE = "weir.e2e.Peer"
# No call of these ever succeeds, so they get no series of their own.
OTHERS = ("Nope", "Sleep")
COUNTERS = {
    "started": "grpc_streams_started_total",
    "sent": "grpc_stream_sent_messages_total",
    "received": "grpc_stream_received_messages_total",
    "sent_bytes": "grpc_stream_sent_bytes_total",
    "received_bytes": "grpc_stream_received_bytes_total",
}
NAMES = [c.name for c in grpc.StatusCode]
# Where two may end a call at the same time: the client's clock or the server's; and node's http2 ends the
# request in order before it resets it, so that the server may answer OK in between.
RACES = {"deadline": ("CANCELLED", "DEADLINE_EXCEEDED"), "cancel": ("CANCELLED", "OK")}


def labels_of(method):
    other = method in OTHERS
    return {"listener": "in", "rt_route": "all", "cluster": "up",
            "grpc_service": "_OTHER" if other else SERVICE,
            "grpc_method": "_OTHER" if other else method}


class Expected:
    """What the counters must be, by series: the sum of all that clients said they did."""

    def __init__(self):
        self.numbers = collections.Counter()  # (labels, metric) -> value
        self.unknown = set()                  # of those, the ones that compression hides
        self.statuses = collections.Counter()  # (labels, status) -> value
        self.either = collections.Counter()    # (labels, statuses of which it is one) -> value

    def add(self, counts, scenario):
        for method, count in counts.items():
            labels = frozenset(labels_of(method).items())
            for key, metric in COUNTERS.items():
                if count[key] is None:
                    self.unknown.add((labels, metric))
                else:
                    self.numbers[labels, metric] += count[key]
            self.numbers[labels, "grpc_streams_active"] += count["started"]
            for status, n in count["status"].items():
                if scenario in RACES:
                    self.either[labels, RACES[scenario]] += n
                else:
                    self.statuses[labels, status] += n
                self.numbers[labels, "grpc_streams_active"] -= n

    def compare(self, metrics):
        """True, or an AssertionError that names the counter."""
        for (labels, metric), want in self.numbers.items():
            labels = dict(labels)
            if (frozenset(labels.items()), metric) not in self.unknown:
                check_eq(metrics.sum(metric, **labels), want, f"{metric} of {labels['grpc_method']}")
            if metric.endswith("_messages_total"):
                size = metric.replace("_messages_total", "_message_size_bytes_count")
                check_eq(metrics.sum(size, **labels), want, f"{size} of {labels['grpc_method']}")
        for labels in {labels for labels, _ in [*self.statuses, *self.either]}:
            self.compare_statuses(metrics, labels)
        check_eq(metrics.sum("weir_truncated_messages_total"), 0, "weir_truncated_messages_total")
        return True

    def compare_statuses(self, metrics, labels):
        got, sure = (collections.Counter({s: of(s) for s in NAMES}) for of in (
            lambda s: metrics.sum("grpc_streams_completed_total", grpc_status=s, **dict(labels)),
            lambda s: self.statuses[labels, s]))
        races = {names: n for (of, names), n in self.either.items() if of == labels}
        check_eq(sum(got.values()), sum(sure.values()) + sum(races.values()), f"ends of {dict(labels)}")
        open_to = {name for names in races for name in names}
        for s in NAMES:
            what = f"grpc_streams_completed_total {s} of {dict(labels)['grpc_method']}"
            if s in open_to:
                check(got[s] >= sure[s], f"{what} is {got[s]}, at least {sure[s]} expected")
            else:
                check_eq(got[s], sure[s], what)


class World:
    """One server, one weir, and a client of each kind once it is asked for."""

    current = None

    def __init__(self, server, workers):
        self.key = (server, workers)
        self.clients = {}
        self.expected = Expected()
        self.server = Peer(server, "server").__enter__()
        self.weir = None if DIRECT else Weir(one_route(self.server.port, workers=workers)).__enter__()
        self.baseline = None if DIRECT else Baseline(self.weir, rss_slack_kb=192 * 1024)

    @classmethod
    def of(cls, server, workers):
        if cls.current and cls.current.key != (server, workers):
            cls.current.destroy()
        if not cls.current:
            cls.current = cls(server, workers)
        return cls.current

    def client(self, kind):
        if kind not in self.clients:
            target = self.weir.target() if self.weir else f"127.0.0.1:{self.server.port}"
            self.clients[kind] = Peer(kind, "client", target).__enter__()
        return self.clients[kind]

    def do(self, kind, *scenarios):
        for scenario in scenarios:
            counts = self.client(kind).do(scenario)
            self.expected.add(counts, scenario)
        if self.weir:
            eventually(lambda: self.expected.compare(self.weir.metrics()), "the counters")

    def disconnect(self):
        for client in self.clients.values():
            client.__exit__()
        self.clients = {}

    def destroy(self):
        World.current = None
        self.disconnect()
        self.server.__exit__()
        if self.weir:
            self.weir.destroy()


atexit.register(lambda: World.current and World.current.destroy())


class Matrix:
    """Runs every scenario of one combination before the next one's."""

    def __init__(self):
        self.tests, self.ends = [], []

    def cases(self, fn):
        self.tests.append(fn)
        return fn

    def last(self, fn):
        self.ends.append(fn)
        return fn

    def register(self):
        for workers in (1, 2):
            for server in KINDS:
                for client in KINDS:
                    for fn in self.tests:
                        cases((client, server, workers), timeout_s=120)(fn)
                for fn in self.ends:
                    cases((server, workers), timeout_s=120)(fn)


matrix = Matrix()


@matrix.cases
def unary_client_server_and_bidi_streams_pass_in_order(client, server, workers):
    World.of(server, workers).do(client, "unary", "collect", "produce", "chat_lockstep",
                                 "chat_pipelined")


@matrix.cases
def binary_metadata_comes_back_as_headers_and_as_trailers(client, server, workers):
    World.of(server, workers).do(client, "metadata")


@matrix.cases
def messages_of_16_MB_pass_both_ways(client, server, workers):
    World.of(server, workers).do(client, "large")


@matrix.cases
def a_cancel_ends_the_stream_at_the_server_too(client, server, workers):
    world = World.of(server, workers)
    world.do(client, "cancel")
    eventually(lambda: stats(world)["open"] == 0, "the server ending each stream")


@matrix.cases
def a_deadline_ends_the_call_on_both_sides(client, server, workers):
    world = World.of(server, workers)
    world.do(client, "deadline")
    eventually(lambda: stats(world)["open"] == 0, "the server ending the call")


@matrix.cases
def compressed_messages_are_counted_as_messages(client, server, workers):
    World.of(server, workers).do(client, "compression")


@matrix.cases
def every_error_status_arrives_with_its_unicode_message(client, server, workers):
    World.of(server, workers).do(client, "errors")


@matrix.cases
def counters_equal_what_was_sent_while_streams_are_open(client, server, workers):
    world = World.of(server, workers)
    world.do(client, "collect", "produce", "chat_lockstep")  # the methods have series from here on
    world.do(client, "hold_open")
    if world.weir:
        active = {m: world.weir.metrics().sum("grpc_streams_active", **labels_of(m))
                  for m in ("Chat", "Collect", "Produce")}
        check_eq(active, {"Chat": 5, "Collect": 1, "Produce": 1}, "grpc_streams_active")
    world.do(client, "hold_close")


@matrix.cases
def a_thousand_streams_are_open_at_once(client, server, workers):
    world = World.of(server, workers)
    world.do(client, "many_open")
    if world.weir:
        check_eq(world.weir.metrics().sum("grpc_streams_active"), 1000, "grpc_streams_active")
    world.do(client, "many_close")


@matrix.last
def totals_stay_exact_and_weir_ends_cleanly(server, workers):
    world = World.of(server, workers)
    if not world.weir:
        world.destroy()
        skip("WEIR_DIRECT is set")
    world.disconnect()
    world.baseline.returns()
    check_eq(stats(world)["open"], 0, "calls open at the server")
    world.expected.compare(world.weir.metrics())
    world.weir.stop()
    world.destroy()


def stats(world):
    """The server's own view, asked past Weir."""
    with grpc.insecure_channel(f"127.0.0.1:{world.server.port}") as channel:
        return json.loads(channel.unary_unary(f"/{SERVICE}/Stats")(b"", timeout=10))


matrix.register()

if __name__ == "__main__":
    run()
