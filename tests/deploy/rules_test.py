#!/usr/bin/python3
"""rules_test.py - deploy/prometheus/weir-rules.yaml, judged by promtool: when each alert fires, and when
not."""
import os
import random
import re
import tempfile
import promkit
from promkit import RULES, Judge, counter, gauge, promtool, rules_in, rules_in_comments, rules_of
from tap import cases, check, check_eq, run, test


# ---- the file

@test
def promtool_accepts_the_rules_and_the_example_of_a_configuration():
    status, said = promtool("check", "rules", RULES)
    check_eq((status, f"{len(rules_in())} rules found" in said), (0, True), said)
    status, said = promtool("check", "config", os.path.join(os.path.dirname(RULES), "prometheus.yaml"))
    check_eq(status, 0, said)


@test
def every_metric_and_label_in_the_rules_exists():
    judge = Judge(rules_in() + rules_in_comments())
    for rule in rules_in():
        name = rule.get("record") or rule["alert"]
        check_eq(judge.complaints(rule["expr"]), [], f"complaints about {name}")
        text = " ".join(rule.get("annotations", {}).values())
        has = set().union(*(judge.known[m] for m, _ in promkit.Uses(rule["expr"]).selectors))
        for label in re.findall(r"\$labels\.(\w+)", text):
            check(label in has, f"{name} speaks of a label {label}")
        for query in re.findall(r'printf "((?:[^"\\]|\\.)*)"', text):
            query = query.replace("%q", '"x"').replace('\\"', '"')
            check_eq(judge.complaints(query), [], f"complaints about the words of {name}")


@cases(("rate(weir_streams_endet_total[5m])", "there is no metric weir_streams_endet_total"),
       ('rate(weir_streams_ended_total{outcom="will"}[5m])', "weir_streams_ended_total has no label outcom"),
       ("sum by (job, route) (weir_streams_hung)", "nothing here has a label route"),
       ("weir_message_gap_seconds_total", "there is no metric weir_message_gap_seconds_total"),
       ("sum without (clutser) (route_cluster:grpc_streams_active:sum)", "nothing here has a label clutser"),
       ('route:grpc_streams_active:sum{cluster="up"}', "route:grpc_streams_active:sum has no label cluster"))
def a_metric_or_label_that_does_not_exist_is_found(expr, complaint):
    status, said = promtool_record(expr)
    check_eq(status, 0, said)  # promtool cannot know
    check_eq(Judge(rules_in()).complaints(expr), [complaint], "complaints")


def promtool_record(expr):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write(f"groups: [{{name: x, rules: [{{record: 'a:b:c', expr: {expr!r}}}]}}]")
        f.flush()
        return promtool("check", "rules", f.name)


@test
def every_threshold_that_an_alert_asks_for_is_in_the_first_group_and_every_one_there_is_used():
    first = {r["record"] for r in promkit.yaml_of(RULES)["groups"][0]["rules"]}
    asked = set(re.findall(r"scalar\(([\w:]+)\)", " ".join(r["expr"] for r in rules_in())))
    check_eq(asked, first, "thresholds")


@test
def every_alert_has_a_page_and_every_page_an_alert():
    alerts = {r["alert"]: r for r in rules_in() if "alert" in r}
    with open(os.path.join(promkit.ROOT, "docs", "alerts.md")) as f:
        pages = f.read()
    check_eq(set(re.findall(r"^### (Weir\w+)$", pages, re.M)), set(alerts), "sections of docs/alerts.md")
    for name, rule in alerts.items():
        check_eq(rule["annotations"]["runbook"], f"docs/alerts.md#{name.lower()}", "runbook")
        check_eq(set(rule["annotations"]), {"summary", "description", "runbook"}, f"annotations of {name}")
        check(rule["labels"]["severity"] in ("warning", "critical") and "for" in rule, name)


# ---- the message rate

def of_method(name, route="chat", cluster="up", instance="a", service="c.Chat"):
    return (f'{name}{{job="weir",instance="{instance}",listener="in",rt_route="{route}",cluster="{cluster}",'
            f'grpc_service="{service}",grpc_method="Talk"}}')


def streams(sent, active, received=None, **which):
    return {of_method("grpc_stream_sent_messages_total", **which): sent,
            of_method("grpc_stream_received_messages_total", **which): received or counter((len(sent) - 1, 0)),
            of_method("grpc_streams_active", **which): active}


DROP = "WeirMessageRateDropped"


@test
def rates_are_recorded_by_route_and_by_cluster():
    n = 30
    series = {**streams(counter((n, 60)), gauge((n, 4)), counter((n, 120))),
              **streams(counter((n, 30)), gauge((n, 2)), cluster="canary"),
              **streams(counter((n, 30)), gauge((n, 1)), instance="b"),
              **streams(counter((n, 6000)), gauge((n, 50)), route="other"),
              of_method("grpc_streams_started_total", service=""): counter((n, 600)),
              of_method("grpc_streams_active", service=""): gauge((n, 9))}
    with rules_of(series) as t:
        t.value(20, 'route_cluster:grpc_stream_sent_messages:rate5m{rt_route="chat",cluster="up"}', 1.5)
        t.value(20, 'route_cluster:grpc_stream_received_messages:rate5m{rt_route="chat",cluster="up"}', 2)
        t.value(20, 'route:grpc_stream_messages:rate5m{rt_route="chat"}', 4)
        t.value(20, 'cluster:grpc_stream_messages:rate5m{cluster="canary"}', 0.5)
        t.value(20, 'cluster:grpc_stream_messages:rate5m{cluster="up"}', 103.5)
        t.value(20, 'route:grpc_streams_active:sum{rt_route="chat"}', 7)
        t.value(20, "route_cluster:http_calls_started:rate5m", 10)


@test
def a_sudden_drop_of_the_message_rate_fires():
    with rules_of(streams(counter((100, 3000), (40, 300)), gauge((141, 20)), counter((100, 3000), (40, 300)))) as t:
        t.value(95, "route:grpc_stream_messages:rate5m", 100)
        t.is_quiet(104, DROP)
        for direction in ("sent", "received"):
            t.ask(112, f'count by (job, listener, rt_route, severity) (ALERTS{{alertname="{DROP}",'
                       f'alertstate="firing",direction="{direction}"}})', job="weir", listener="in", rt_route="chat",
                  severity="warning")
    with rules_of(streams(counter((100, 600), (40, 0)), gauge((141, 20)))) as t:
        t.fires(112, DROP, rt_route="chat", direction="sent")  # nothing at all comes any more
        t.fires(135, DROP, rt_route="chat", direction="sent")


@test
def a_server_that_falls_silent_while_its_clients_go_on_fires():
    with rules_of(streams(counter((141, 6000)), gauge((141, 20)), counter((100, 600), (40, 60)))) as t:
        t.fires(112, DROP, rt_route="chat", direction="received")
        t.says(112, DROP, {"job": "weir", "listener": "in", "rt_route": "chat", "direction": "received",
                           "severity": "warning"}, {
            "summary": "Streams of route chat are open, and their messages have dropped away",
            "description": "Route chat on listener in: messages received are down to 10% of what its open streams "
                           "carried in the hour before.",
            "runbook": "docs/alerts.md#weirmessageratedropped"})


def noisy(minutes, rise):
    dice, values = random.Random(7), [0]
    for _ in range(minutes):
        values.append(values[-1] + int(rise * dice.uniform(0.3, 1.7)))
    return values


QUIET = {
    "noise": streams(noisy(240, 600), gauge((241, 20))),
    "start: a burst, then a fifth of it": streams(counter((10, 6000), (150, 1200)), gauge((161, 20))),
    "start: the first hour": streams(counter((30, 6000), (25, 60)), gauge((56, 20))),
    "restart: counters begin again and streams come back in three minutes": streams(
        counter((100, 6000)) + [None, None] + counter((1, 600), (1, 2000), (1, 4000), (60, 6000)),
        gauge((101, 20)) + [None, None] + gauge((1, 2), (1, 8), (1, 14), (61, 20))),
    "a reset of the counters without a gap": streams(counter((100, 6000), "reset", (60, 6000)), gauge((162, 20))),
    "scrapes fail for four minutes": streams(
        counter((100, 6000)) + [None] * 4 + counter((60, 6000), start=105 * 6000), gauge((101, 20)) + [None] * 4 +
        gauge((61, 20))),
    "a reload moves the route to another cluster": {
        **streams(counter((100, 6000), (60, 0)), gauge((100, 20), (61, 0))),
        **streams([None] * 100 + counter((60, 6000)), [None] * 100 + gauge((61, 20)), cluster="other")},
    "an instance goes away, with its streams": {
        **streams(counter((160, 6000)), gauge((161, 20))),
        **streams(counter((100, 6000)) + ["stale"], gauge((101, 20)) + ["stale"], instance="b")},
    "clients go home": streams(counter((100, 6000), (60, 600)), gauge((101, 20), (60, 2))),
    "all clients go home": streams(counter((100, 6000), (60, 0)), gauge((101, 20), (60, 0))),
    "little traffic": streams(counter((100, 30), (60, 0)), gauge((161, 20))),
    "bursts of five minutes in twenty": streams(counter(*[(5, 6000), (15, 0)] * 10), gauge((201, 20))),
    "no traffic": streams(counter((160, 0)), gauge((161, 20))),
    "no such series": {'up{job="other"}': gauge((160, 1))},
}


@cases(*QUIET)
def the_drop_alert_stays_quiet_at(what):
    with rules_of(QUIET[what]) as t:
        t.never(DROP)


@test
def a_rate_over_the_threshold_fires_and_a_route_can_have_a_threshold_of_its_own():
    own = 'weir:route_messages_per_second:threshold{rt_route="%s"}'
    busy = {**streams(counter((30, 6_100_000)), gauge((31, 20))),
            **streams(counter((30, 6_100_000)), gauge((31, 20)), route="bulk"),
            **streams(counter((30, 600)), gauge((31, 20)), route="small"),
            **streams(counter((30, 600)), gauge((31, 20)), route="calm"),
            own % "bulk": gauge((31, 200_000)), own % "small": gauge((31, 5))}
    with rules_of(busy) as t:
        t.is_quiet(9, "WeirMessageRateHigh")
        t.ask(18, 'count by (rt_route) (ALERTS{alertname="WeirMessageRateHigh",alertstate="firing",rt_route="chat"})',
              rt_route="chat")
        t.ask(18, 'count by (rt_route) (ALERTS{alertname="WeirMessageRateHigh",alertstate="firing",rt_route="small"})',
              rt_route="small")
        t.is_quiet(29, "WeirMessageRateHigh", rt_route="bulk")
        t.is_quiet(29, "WeirMessageRateHigh", rt_route="calm")
    with rules_of(streams(counter((4, 10_000_000), (35, 600)), gauge((39, 20)))) as t:
        t.never("WeirMessageRateHigh")  # a burst


# ---- hung and stalled streams

def hung(state, *parts, cluster="up"):
    return {f'weir_streams_hung{{job="weir",instance="a",listener="in",rt_route="chat",cluster="{cluster}",'
            f'state="{state}"}}': gauge(*parts)}


@cases(("silent", "WeirStreamsSilent"), ("stalled", "WeirStreamsStalled"))
def hung_streams_fire_and_those_that_recover_do_not(state, alert):
    with rules_of({**hung(state, (10, 0), (20, 3)), **hung(state, (30, 0), cluster="calm")}) as t:
        t.is_quiet(10, alert)
        t.fires(18, alert, rt_route="chat", cluster="up", state=state, severity="warning")
    with rules_of(hung(state, *[(1, 4), (2, 0)] * 10)) as t:
        t.never(alert)
    other = {"silent": "stalled", "stalled": "silent"}[state]
    with rules_of(hung(other, (30, 5))) as t:
        t.never(alert)


@test
def what_is_said_of_hung_streams_has_their_number():
    with rules_of(hung("silent", (30, 3))) as t:
        t.says(10, "WeirStreamsSilent", {"job": "weir", "listener": "in", "rt_route": "chat", "cluster": "up",
                                         "state": "silent", "severity": "warning"}, {
            "summary": "Streams of route chat are open and say nothing",
            "description": "3 streams of route chat, cluster up, have carried no message in either direction for "
                           "longer than the route's silent_after.",
            "runbook": "docs/alerts.md#weirstreamssilent"})


def stalls(*parts, active=10):
    s = ('weir_stream_stalled_seconds_total{job="weir",instance="a",listener="in",rt_route="chat",cluster="up",'
         'direction="received",cause="peer_stream_window"}')
    values = counter(*parts)
    return {s: values, of_method("grpc_streams_active"): gauge((len(values), active))}


@test
def streams_that_spend_their_time_waiting_fire_with_the_cause():
    with rules_of(stalls((40, 240))) as t:  # 4 of 10 streams, always
        t.value(20, "route_cluster:weir_stream_stalled_seconds:rate5m", 4)
        t.is_quiet(14, "WeirStallTimeHigh")
        t.fires(23, "WeirStallTimeHigh", rt_route="chat", cluster="up", direction="received",
                cause="peer_stream_window", severity="warning")
    for quiet in (stalls((40, 60)), stalls((40, 30), active=1), stalls((9, 300), (30, 0)), stalls((40, 0), active=0)):
        with rules_of(quiet) as t:
            t.never("WeirStallTimeHigh")


# ---- resets

def resets(code, *parts, completed=600):
    values = counter(*parts)
    return {f'weir_http2_resets_total{{job="weir",instance="a",side="upstream",direction="in",code="{code}"}}': values,
            of_method("grpc_streams_completed_total"): counter((len(values) - 1, completed))}


@test
def resets_with_an_error_fire_and_cancels_few_or_rare_ones_do_not():
    with rules_of(resets("INTERNAL_ERROR", (10, 0), (20, 60))) as t:
        t.is_quiet(14, "WeirStreamsReset")
        t.fires(20, "WeirStreamsReset", job="weir", side="upstream", direction="in", code="INTERNAL_ERROR",
                severity="warning")
    for quiet in (resets("CANCEL", (30, 6000)), resets("NO_ERROR", (30, 6000)), resets("INTERNAL_ERROR", (30, 3)),
                  resets("INTERNAL_ERROR", (30, 60), completed=60000),
                  resets("INTERNAL_ERROR", (10, 0), (1, 1000), (30, 0), completed=6000000)):
        with rules_of(quiet) as t:
            t.never("WeirStreamsReset")


# ---- drain

def drain(start_minute, end_minute, grace_s=60):
    def series(name):
        return f'{name}{{job="weir",instance="a"}}'

    def values(draining, idle):
        return [idle] * start_minute + [draining] * (end_minute - start_minute) + ["stale"] * 5
    return {series("weir_draining"): values(1, 0),
            series("weir_drain_grace_seconds"): [grace_s] * end_minute + ["stale"],
            series("weir_drain_start_time_seconds"): values(start_minute * 60, 0),
            'weir_calls_active{job="weir",instance="a",worker="0"}': values(4, 4),
            'weir_calls_active{job="weir",instance="a",worker="1"}': values(3, 4),
            'weir_calls_active{job="weir",instance="a",worker="control"}': values(1, 1)}


@test
def a_drain_beyond_its_grace_fires():
    with rules_of(drain(10, 30)) as t:
        t.is_quiet(11, "WeirDrainStuck")
        t.fires(13, "WeirDrainStuck", instance="a", severity="warning")
        t.is_quiet(31, "WeirDrainStuck")
        t.says(13, "WeirDrainStuck", {"job": "weir", "instance": "a", "severity": "warning"}, {
            "summary": "a does not come to the end of its drain",
            "description": "a should have ended 2m 0s ago, when the grace of its drain was over. 7 calls are open.",
            "runbook": "docs/alerts.md#weirdrainstuck"})


@cases((10, 11, 60), (10, 40, 3600), (40, 40, 60))
def a_drain_within_its_grace_and_no_drain_are_quiet(start, end, grace_s):
    with rules_of(drain(start, end, grace_s)) as t:
        t.never("WeirDrainStuck")


# ---- the error budget

FAST, SLOWLY = "WeirErrorBudgetBurnsFast", "WeirErrorBudgetBurnsSlowly"


def ends(will, failure, excluded=None, protocol="grpc", instance="a"):
    def series(outcome):
        return (f'weir_streams_ended_total{{job="weir",instance="{instance}",listener="in",rt_route="chat",'
                f'cluster="up",protocol="{protocol}",outcome="{outcome}"}}')
    return {series("will"): will, series("failure"): failure,
            series("excluded"): excluded or counter((len(will) - 1, 0))}


@test
def the_service_level_is_reckoned_without_what_is_excluded():
    with rules_of(ends(counter((60, 45)), counter((60, 15)), counter((60, 900)))) as t:
        for window in ("5m", "30m", "1h", "2h", "6h"):
            t.value(60, f"route:weir_streams_ended:failure_ratio_rate{window}", 0.25)


@test
def a_budget_that_burns_fast_fires_critical_within_the_hour():
    series = ends(counter((120, 1000)), counter((60, 0), (60, 20)))
    with rules_of(series) as t:
        t.is_quiet(61, FAST)
        t.ask(72, f'count by (severity, protocol, rt_route) (ALERTS{{alertname="{FAST}",alertstate="firing",'
                  'window="1h"})', severity="critical", protocol="grpc", rt_route="chat")
    with rules_of(ends(counter((420, 1000)), counter((420, 0.8)))) as t:  # burns at 8: the longer windows see it
        t.is_quiet(415, FAST, window="1h")
        t.fires(415, FAST, window="6h", severity="critical")


@test
def all_streams_of_a_route_cut_at_once_fire():
    with rules_of(ends(counter((60, 10), (30, 0)), counter((60, 0), (1, 500), (29, 0)))) as t:
        t.ask(65, f'count by (severity) (ALERTS{{alertname="{FAST}",alertstate="firing",window="1h"}})',
              severity="critical")


@test(timeout_s=120)
def a_budget_that_burns_slowly_fires_a_warning():
    n, end = 78 * 12, 78 * 60 - 10  # three days and a quarter, in steps of five minutes
    with rules_of(ends(counter((n, 10000)), counter((n, 2))), step=5) as t:  # 0.02 %: burns at 2
        t.is_quiet(end, FAST)
        t.fires(end, SLOWLY, window="3d", severity="warning")
    with rules_of(ends(counter((n, 10000)), counter((n, 5))), step=5) as t:  # burns at 5
        t.ask(end, f'count by (severity) (ALERTS{{alertname="{SLOWLY}",alertstate="firing",window="1d"}})',
              severity="warning")


BUDGET_KEPT = {
    "a share within the objective": ends(counter((240, 100000)), counter((240, 5))),
    "a failure among few": ends(counter((240, 1)), counter((120, 0), (1, 1), (119, 0))),
    "no traffic": ends(counter((240, 0)), counter((240, 0))),
    "clients that vanish": ends(counter((240, 100)), counter((240, 0)), counter((240, 100))),
    "restarts": ends(counter((100, 1000), "reset", (140, 1000)), counter((10, 0), (1, 9), (89, 0), "reset", (140, 0))),
    "the first scrape of an old process": ends(counter((240, 1000), start=10 ** 6), counter((240, 0), start=10 ** 4)),
    "an instance that goes": {**ends(counter((240, 1000)), counter((240, 0))), **ends(
        counter((120, 1000)) + ["stale"], counter((120, 0)) + ["stale"], instance="b")},
}


@cases(*BUDGET_KEPT)
def the_budget_alerts_stay_quiet_at(what):
    with rules_of(BUDGET_KEPT[what], step=2, every=4) as t:
        t.never(FAST)
        t.never(SLOWLY)


@test
def a_burn_that_is_over_resolves_though_the_hour_remembers_it():
    with rules_of(ends(counter((120, 1000)), counter((30, 0), (20, 50), (70, 0)))) as t:
        t.ask(45, f'count by (severity) (ALERTS{{alertname="{FAST}",alertstate="firing",window="1h"}})',
              severity="critical")
        t.is_quiet(70, FAST, window="1h")


if __name__ == "__main__":
    run()
