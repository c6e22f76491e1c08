#!/usr/bin/python3
"""dashboard_test.py - deploy/grafana/weir-streams.json: a dashboard that Grafana can draw, of metrics that exist. That
each of its questions has an answer is asked of a real Prometheus in tests/e2e/alerts_test.py."""
import copy
import json
import re
import tempfile
from promkit import Judge, Uses, dashboard, panels_of, plain_promql, promtool, targets_of
from tap import cases, check, check_eq, run, test


def complaints(dash):
    """What is wrong with it, in words."""
    said, judge = [], Judge()
    ids = [p["id"] for p in panels_of(dash)]
    said += [f"two panels have the id {i}" for i in sorted(set(ids)) if ids.count(i) > 1]
    for panel in panels_of(dash):
        if panel["type"] == "row":
            continue
        title = panel.get("title")
        said += [f"panel {title} has no {key}" for key in ("title", "description", "gridPos") if not panel.get(key)]
        if not panel["fieldConfig"]["defaults"].get("unit"):
            said.append(f"panel {title} has no unit")
        for part in (panel, *panel["targets"]):
            if part.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
                said.append(f"panel {title} does not ask the chosen data source")
    for panel, target in targets_of(dash):
        expr = plain_promql(target["expr"])
        said += [f"panel {panel['title']}: {c}" for c in judge.complaints(expr)]
        uses = Uses(expr)
        shown = uses.by or set().union(*(judge.known.get(m, set()) for m, _ in uses.selectors))
        said += [f"panel {panel['title']}: its legend has no label {label}"
                 for label in re.findall(r"{{(\w+)}}", target["legendFormat"]) if label not in shown]
    return said


@test
def the_dashboard_is_whole_and_asks_for_what_exists():
    dash = dashboard()
    check_eq(complaints(dash), [], "complaints")
    check(len(list(targets_of(dash))) > 60, "questions")
    check(dash["uid"] and dash["title"] and dash["schemaVersion"] >= 36, "head")


def break_metric(panel):
    panel["targets"][0]["expr"] = panel["targets"][0]["expr"].replace("grpc_streams_active", "grpc_streams_alive")


def break_label(panel):
    panel["targets"][0]["expr"] = panel["targets"][0]["expr"].replace("rt_route=", "route=")


def break_legend(panel):
    panel["targets"][0]["legendFormat"] = "{{nobody}}"


def break_id(panel):
    panel["id"] = 3


def break_unit(panel):
    del panel["fieldConfig"]["defaults"]["unit"]


def break_description(panel):
    panel["description"] = ""


def break_source(panel):
    panel["targets"][0]["datasource"] = {"type": "prometheus", "uid": "mine"}


BREAKS = {"metric": (break_metric, "Open streams: there is no metric grpc_streams_alive"),
          "label": (break_label, "Open streams: grpc_streams_active has no label route"),
          "legend": (break_legend, "Open streams: its legend has no label nobody"),
          "id": (break_id, "two panels have the id 3"), "unit": (break_unit, "Open streams has no unit"),
          "description": (break_description, "Open streams has no description"),
          "source": (break_source, "Open streams does not ask the chosen data source")}


@cases(*BREAKS)
def a_mistake_in_the_dashboard_is_found(what):
    dash = copy.deepcopy(dashboard())
    spoil, words = BREAKS[what]
    spoil(next(p for p in panels_of(dash) if p["title"] == "Open streams"))
    said = complaints(dash)
    check(len(said) == 1 and words in said[0], f"complaints are {said}")


@test
def every_expression_is_promql():
    rules = [{"record": f"panel{panel['id']}:{target['refId']}:expr", "expr": plain_promql(target["expr"])}
             for panel, target in targets_of(dashboard())]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, f)
        f.flush()
        status, said = promtool("check", "rules", f.name)
        check_eq((status, f"SUCCESS: {len(rules)} rules found" in said), (0, True), said)


@test
def every_variable_is_defined_and_used():
    dash = dashboard()
    defined = {v["name"] for v in dash["templating"]["list"]}
    texts = [t["expr"] for _, t in targets_of(dash)] + [v["definition"] for v in dash["templating"]["list"][1:]]
    used = set(re.findall(r"\$(\w+)", " ".join(texts))) - {"__rate_interval", "__range"} | {"datasource"}
    check_eq(used, defined, "variables")
    judge = Judge()
    for v in dash["templating"]["list"][1:]:
        query, label = re.fullmatch(r"label_values\((.*), (\w+)\)", v["definition"]).groups()
        check_eq(judge.complaints(f"sum by ({label}) ({plain_promql(query)})"), [], f"complaints about ${v['name']}")
        check_eq(v["query"]["query"], v["definition"], "query")


@test
def panels_do_not_overlap_and_stand_below_their_rows():
    taken = set()
    for panel in panels_of(dashboard()):
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        check(at["x"] + at["w"] <= 24 and not cells & taken, f"{panel['title']} at {at}")
        check(panel["type"] == "row" or taken, "the first is a row")
        taken |= cells


@test
def streams_and_plain_http_are_apart():
    row = None
    for panel in panels_of(dashboard()):
        if panel["type"] == "row":
            row = panel["title"]
            continue
        for target in panel["targets"]:
            for selector in re.findall(r"\bgrpc_stream\w+{[^}]*}", target["expr"]):
                want = 'grpc_service=""' if row == "Plain HTTP" else 'grpc_service!=""'
                check(want in selector, f"{row}, {panel['title']}: {selector}")
            for selector in re.findall(r"\bweir_streams_ended\w*{[^}]*}", target["expr"]):
                check('protocol="grpc"' in selector, f"{row}, {panel['title']}: {selector}")


if __name__ == "__main__":
    run()
