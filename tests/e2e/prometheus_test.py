#!/usr/bin/python3
"""prometheus_test.py METRICS_PAGE - a real Prometheus scrapes weir, and a page whose times are known.

Prometheus 2.40 or later with native histograms on asks for protobuf. Its answers to histogram_quantile() and the
like must be those of the times that were observed; from weir it must get every family without a complaint."""
import http.server
import math
import random
import re
import subprocess
import sys
import threading
import urllib.request
from kit import Weir, eventually, free_port, one_route
from prometheus import Prometheus
from tap import check, check_eq, run, test

METRICS_PAGE = sys.argv[1]
GAP = "weir_message_gap_seconds"
TYPES = {"protobuf": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
         "text": "text/plain; version=0.0.4"}


class Page:
    """Serves a page with `times` as the gaps of messages, and keeps what Accept said."""

    def __init__(self, times):
        page = self
        self.times, self.accept = times, None

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                page.accept = self.headers["accept"]
                kind = "protobuf" if page.accept.startswith("application/vnd.google.protobuf") else "text"
                body = subprocess.run([METRICS_PAGE, kind, *map(str, page.times)], check=True,
                                      capture_output=True).stdout
                self.send_response(200)
                self.send_header("content-type", TYPES[kind])
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def bucket(seconds):
    """(lower, upper] of the native bucket of a time."""
    if seconds <= 2**-20:
        return 0, 2**-20
    index = min(math.ceil(math.log2(seconds) * 8), 97)
    return 2**((index - 1) / 8), 2**(index / 8)


def check_quantile(prometheus, times, q):
    got = prometheus.value(f"histogram_quantile({q}, {GAP})")
    true = sorted(times)[max(math.ceil(q * len(times)), 1) - 1] / 1e9
    low, high = bucket(true)
    check(low * (1 - 1e-9) <= got <= high * (1 + 1e-9), f"quantile {q} is {got}, the bucket of {true} is {low}..{high}")


@test(timeout_s=120)
def prometheus_answers_from_native_histograms_what_was_observed():
    dice = random.Random(3)
    times = [dice.randrange(900) for _ in range(60)]  # the zero bucket
    times += [int(10**dice.uniform(3, 12)) for _ in range(500)] + [7200 * 10**9]
    with Page(times[40:90]) as page:
        with Prometheus({"page": page.address}) as prometheus:
            eventually(lambda: prometheus.value(f"histogram_count({GAP})") == 50, "a first scrape")
            check(page.accept.startswith("application/vnd.google.protobuf"), page.accept)
            page.times = times  # more buckets, and more in those that there were
            eventually(lambda: prometheus.value(f"histogram_count({GAP})") == len(times), "a scrape of all")
            check(abs(prometheus.value(f"histogram_sum({GAP})") / sum(times) * 1e9 - 1) < 1e-9, "sum")
            for q in (0.05, 0.2, 0.5, 0.75, 0.9, 0.99, 1):
                check_quantile(prometheus, times, q)
            for bound in (2**-20, 2**-10, 0.25, 1, 64):  # native bounds, so these are exact
                got = prometheus.value(f"histogram_fraction(0, {bound}, {GAP})")
                want = sum(t <= bound * 1e9 for t in times) / len(times)
                check(abs(got - want) < 1e-9, f"fraction up to {bound} is {got}, not {want}")
            check_eq(prometheus.value(f"resets({GAP}[1m])"), 0, "counter resets")


@test(timeout_s=120)
def prometheus_reads_all_of_weirs_own_page_as_protobuf():
    cfg = one_route(free_port())
    with Weir(cfg) as weir, Page([1]) as page, Prometheus({"weir": cfg["admin"], "page": page.address}) as prometheus:
        eventually(lambda: prometheus.value('up{job="weir"}') == 1, "a scrape of weir")
        eventually(lambda: page.accept, "a scrape of the page")
        request = urllib.request.Request(f"http://{cfg['admin']}/metrics", headers={"accept": page.accept})
        with urllib.request.urlopen(request, timeout=10) as r:
            check_eq(r.headers["content-type"], TYPES["protobuf"], "what weir answers such a scraper")
        targets = {t["labels"]["job"]: t for t in prometheus.ask("targets")["activeTargets"]}
        check_eq(targets["weir"]["lastError"], "", "what Prometheus says of weir's page")
        check(eventually(lambda: prometheus.value("sum(weir_loop_turns_total{job='weir'})"), "turns") > 0)
        check_eq(prometheus.value("weir_config_generation{job='weir'}"), 1, "a gauge")
        wanted = weir.metrics().samples

        def missing():
            names = set(prometheus.ask("label/__name__/values", **{"match[]": "{job='weir'}"}))
            return [n for n in wanted if not names & {n, re.sub("_(bucket|sum|count)$", "", n)}]
        eventually(lambda: not missing(), "every name of weir's text page in Prometheus")


if __name__ == "__main__":
    run(sys.argv[2:])
