#!/usr/bin/python3
"""alerts_test.py - a real Prometheus with the shipped rules beside a real Weir: what was provoked is recorded and
fires, and the dashboard's questions have answers. The rules are those of deploy/prometheus with every `for` and
interval at one second."""
import os
import re
import sys
from kit import ROOT, Peer, Weir, eventually, one_route
from prometheus import Prometheus
from tap import cases, check, check_eq, run, test
from calls import SERVICE, Channel
import raw
from raw import Wire

sys.path.insert(0, os.path.join(ROOT, "tests", "deploy"))
import promkit  # noqa: E402


def quick_rules():
    with open(os.path.join(ROOT, "deploy", "prometheus", "weir-rules.yaml")) as f:
        text, waits = re.subn(r"^( +)(for|interval): \w+$", r"\1\2: 1s", f.read(), flags=re.M)
    check(waits > 10, f"{waits} waits in the rules")
    return text


def firing(prometheus, alert, **labels):
    """The description of this alert, when it fires once with these labels."""
    found = [a for a in prometheus.ask("alerts")["alerts"]
             if a["labels"]["alertname"] == alert and a["state"] == "firing" and labels.items() <= a["labels"].items()]
    return found[0]["annotations"]["description"] if len(found) == 1 else None


def scraped(prometheus, query):
    return eventually(lambda: prometheus.value(query) is not None, query)


@test(timeout_s=120)
def a_stalled_and_a_silent_stream_are_recorded_and_fire_until_they_go():
    with Peer("py", "server") as server:
        cfg = one_route(server.port)
        cfg["routes"][0].update(stalled_after="1s", silent_after="1s")
        with Weir(cfg) as weir, Prometheus({"weir": cfg["admin"]}, quick_rules()) as prometheus:
            with Channel(weir.target()) as client, Wire.connect(weir.port()) as slow:
                chats = [client.chat() for _ in range(3)]
                for c in chats:
                    c.turn()
                slow.start()  # and gives no credit beyond the first window
                slow.headers(1, raw.request(f"/{SERVICE}/Produce"))
                slow.data(1, raw.message(b"1000 1000"), end=True)

                def recorded(series, value):
                    eventually(lambda: prometheus.value(series) == value, f"{series} of {value}")
                recorded('route_cluster:weir_streams_hung:sum{state="stalled"}', 1)
                recorded('route_cluster:weir_streams_hung:sum{state="silent"}', 3)
                recorded("route:grpc_streams_active:sum", 4)
                recorded("cluster:grpc_streams_active:sum", 4)
                eventually(lambda: prometheus.value("route_cluster:weir_stream_stalled_seconds:rate5m{"
                                                    'cause="peer_stream_window",direction="received"} > 0'), "seconds")
                said = eventually(lambda: firing(prometheus, "WeirStreamsStalled", rt_route="all", cluster="up"),
                                  "WeirStreamsStalled")
                check(said.startswith("1 streams of route all, cluster up,"), said)
                said = eventually(lambda: firing(prometheus, "WeirStreamsSilent", rt_route="all", cluster="up"),
                                  "WeirStreamsSilent")
                check(said.startswith("3 streams of route all, cluster up,"), said)
                check_eq(firing(prometheus, "WeirStreamsReset"), None, "another alert")
                for c in chats:
                    check_eq(c.close()[0], "OK")
            eventually(lambda: not prometheus.ask("alerts")["alerts"], "the end of all alerts")


@test(timeout_s=120)
def streams_lost_with_their_server_are_recorded_as_failures_and_burn_the_budget():
    server = Peer("py", "server").__enter__()
    try:
        cfg = one_route(server.port)
        with Weir(cfg) as weir, Prometheus({"weir": cfg["admin"]}, quick_rules()) as prometheus, \
                Channel(weir.target()) as client:
            chats = [client.chat() for _ in range(12)]
            for c in chats:
                c.turn()
            scraped(prometheus, 'weir_streams_ended_total{outcome="failure"}')  # at 0
            for _ in range(4):
                check_eq(client.unary()[0], "OK")
            check_eq(firing(prometheus, "WeirErrorBudgetBurnsFast", window="1h"), None, "the alert before")
            server.kill()
            for c in chats:
                check_eq(c.end()[0], "UNAVAILABLE")

            def ratio(window):
                got = prometheus.value(f'route:weir_streams_ended:failure_ratio_rate{window}{{protocol="grpc"}}')
                return got is not None and abs(got - 0.75) < 1e-9
            for window in ("5m", "1h", "3d"):
                eventually(lambda: ratio(window), f"12 of 16 as the share of {window}")
            for window in ("1h", "6h"):
                said = eventually(lambda: firing(prometheus, "WeirErrorBudgetBurnsFast", window=window), "the alert")
                check(f"Over the last {window}, grpc streams of route all on listener in" in said, said)
    finally:
        server.__exit__()


@test(timeout_s=120)
def a_drain_fires_by_its_begin_and_its_grace():
    rules = quick_rules()
    early = rules.replace("threshold\n        expr: vector(30)\n", "threshold\n        expr: vector(-3600)\n")
    check(early != rules, "the margin is not where it was")
    with Peer("py", "server") as server, Weir(one_route(server.port, grace="1h")) as weir, \
            Channel(weir.target()) as client, Prometheus({"weir": weir.cfg["admin"]}, early) as prometheus:
        chat = client.chat()
        chat.turn()
        check_eq(scraped(prometheus, "weir_drain_grace_seconds"), True)
        check_eq(firing(prometheus, "WeirDrainStuck"), None, "the alert before the drain")
        weir.get("/drain", method="POST")
        # An hour of grace and an hour less of margin: it is late as soon as it begins.
        said = eventually(lambda: firing(prometheus, "WeirDrainStuck", instance=weir.cfg["admin"]), "WeirDrainStuck")
        check(said.endswith(" 1 calls are open."), said)
        check_eq(chat.close()[0], "OK")
        check_eq(weir.wait(), 0, "exit status")


FULL_ROWS = ("Overview: streams", "Routes", "Message timing", "Process and workers", "Plain HTTP")


def questions():
    """(row, panel's title, expression) of all that the dashboard asks."""
    row = None
    for panel in promkit.panels_of(promkit.dashboard()):
        row = panel["title"] if panel["type"] == "row" else row
        for target in panel.get("targets", ()):
            yield row, panel["title"], promkit.plain_promql(target["expr"], "1m")


@cases("native", "classic", timeout_s=120)
def each_question_of_the_dashboard_is_answered(histograms):
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, Channel(weir.target()) as client, \
            Prometheus({"weir": weir.cfg["admin"]}, native=histograms == "native") as prometheus:
        chat = client.chat()
        with Wire.connect(weir.port()) as browser:
            browser.start()
            n = 0

            def some_traffic():
                nonlocal n
                n += 1
                chat.turn()
                check_eq(client.unary()[0], "OK")
                browser.headers(2 * n - 1, raw.request("/page", method="GET", grpc=False), end=True)
                browser.expect("HEADERS", stream=2 * n - 1)

            def answered():
                some_traffic()
                for row, title, expr in questions():
                    answer = prometheus.ask("query", query=expr)["result"]  # raises where it makes no sense
                    if row in FULL_ROWS:
                        check(answer, f"{row}, {title}: {expr} has no answer")
                return True
            some_traffic()
            eventually(answered, "answers to all")
        check_eq(chat.close()[0], "OK")


if __name__ == "__main__":
    run()
