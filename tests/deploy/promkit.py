"""promkit.py - the shipped rules, what they use, and promtool.

    with rules_of(SERIES) as t: t.fires(112, "WeirX", rt_route="chat"); t.never("WeirX")

builds one file of `promtool test rules` over deploy/prometheus/weir-rules.yaml and runs it. SERIES is {name with
labels: [value a minute]}; None is a scrape that did not come, "stale" a target that went.
"""
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES = os.path.join(ROOT, "deploy", "prometheus", "weir-rules.yaml")
sys.path.insert(0, os.path.join(ROOT, "tests", "kit"))
from tap import check, check_eq, skip  # noqa: E402


def yaml_of(path):
    try:
        import yaml
    except ImportError:
        skip("no python3-yaml")
    with open(path) as f:
        return yaml.safe_load(f)


def rules_in(path=RULES):
    """All rules of all groups, as dicts."""
    return [rule for group in yaml_of(path)["groups"] for rule in group["rules"]]


def rules_in_comments(path=RULES):
    """Rules that the file only shows, for users to add."""
    import yaml
    with open(path) as f:
        return [yaml.safe_load(m) for m in re.findall(r"^ *# +- (\{record: .*\})$", f.read(), re.M)]


def promtool(*args):
    """(exit status, what it said)"""
    binary = shutil.which("promtool") or skip("no promtool: install Debian's package prometheus")
    r = subprocess.run([binary, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return r.returncode, r.stdout + r.stderr


# ---- what exists, and what an expression uses

TARGET_LABELS = {"job", "instance"}
KEYWORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan"}
GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|\[[^\]]*\]|[a-zA-Z_:][\w:]*|[\d.]+\w*|[=!]~|[=!<>]=|\S')


def metrics_that_exist():
    """{name of a sample: its labels} from src/metrics/metrics.def, as tools/check-reference reads it."""
    loader = importlib.machinery.SourceFileLoader("check_reference", os.path.join(ROOT, "tools", "check-reference"))
    tool = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(tool)
    found = {}
    for name, (kind, labels, _) in tool.metrics(tool.read(ROOT, "src/metrics/metrics.def")).items():
        own = set(re.findall(r"`(\w+)`", labels)) | TARGET_LABELS
        found[name] = own  # of a histogram: where Prometheus has it as a native one
        if kind == "histogram":
            found[name + "_bucket"] = own | {"le"}
            found[name + "_sum"] = found[name + "_count"] = own
    return found


class Uses:
    """What an expression uses: .selectors [(metric, labels that it matches)]; .by, .without, .on: {label}."""

    def __init__(self, expr):
        self.selectors, self.by, self.without, self.on = [], set(), set(), set()
        tokens = TOKEN.findall(re.sub(r"#.*", "", expr)) + [""]
        i = 0
        while tokens[i]:
            word, after = tokens[i], tokens[i + 1]
            i += 1
            if not re.match(r"[a-zA-Z_:]", word) or word.lower() in KEYWORDS:
                continue
            if word in GROUPING:
                if after == "(":
                    end = tokens.index(")", i)
                    kind = {"by": self.by, "without": self.without}.get(word, self.on)
                    kind |= {t for t in tokens[i + 1:end] if t != ","}
                    i = end + 1
            elif after == "{":
                end = tokens.index("}", i)
                inside = tokens[i + 1:end]
                self.selectors.append((word, {t for t, op in zip(inside, inside[1:]) if op in ("=", "!=", "=~", "!~")}))
                i = end + 1
            elif after not in ("(", "by", "without"):
                self.selectors.append((word, set()))


class Judge:
    """Says of an expression which metrics and labels in it nobody has."""

    def __init__(self, rules=()):
        self.known = {**metrics_that_exist(), "up": TARGET_LABELS}
        for rule in rules:  # in the order of the file, so that what a rule uses is known
            if "record" in rule:
                uses = Uses(rule["expr"])
                labels = uses.by or set().union(*(self.known.get(m, set()) for m, _ in uses.selectors)) - uses.without
                self.known[rule["record"]] = labels | set(rule.get("labels", {}))

    def complaints(self, expr):
        uses, all_labels, said = Uses(expr), set(), []
        for metric, matched in uses.selectors:
            if metric not in self.known:
                said.append(f"there is no metric {metric}")
                continue
            all_labels |= self.known[metric]
            said += [f"{metric} has no label {label}" for label in sorted(matched - self.known[metric])]
        if not said:
            asked = uses.by | uses.without | uses.on
            said = [f"nothing here has a label {label}" for label in sorted(asked - all_labels)]
        return said


# ---- Grafana's dashboard

DASHBOARD = os.path.join(ROOT, "deploy", "grafana", "weir-streams.json")


def dashboard():
    with open(DASHBOARD) as f:
        return json.load(f)


def panels_of(dash):
    for panel in dash["panels"]:
        yield panel
        yield from panel.get("panels", ())


def targets_of(dash):
    """(panel, target) of all that it asks."""
    return ((panel, target) for panel in panels_of(dash) for target in panel.get("targets", ()))


def plain_promql(expr, interval="5m"):
    """Its variables replaced as Grafana does when everything is chosen."""
    return re.sub(r"\$\w+", ".*", re.sub(r"\$__(rate_interval|range)\b", interval, expr))


# ---- promtool test rules

def counter(*parts, start=0):
    """[start, ...]: each part is (minutes, rise a minute), or "reset": begins again at 0."""
    values = [start]
    for part in parts:
        if part == "reset":
            values.append(0)
            continue
        minutes, rise = part
        for _ in range(minutes):
            values.append(values[-1] + rise)
    return values


def gauge(*parts):
    """Each part is (minutes, value)."""
    return [value for minutes, value in parts for _ in range(minutes)]


class RuleTest:
    def __init__(self, series, step, every):
        self.series, self.step, self.every, self.asked = series, step, every or step, []
        self.end = max(map(len, series.values()))

    def ask(self, minute, expr, **labels):
        """The expression has one sample with these labels and value 1 at that minute; none where labels are None."""
        said = ", ".join(f'{k}="{v}"' for k, v in labels.items())
        self.asked.append({"expr": expr, "eval_time": f"{minute}m", "exp_samples": [
            {"labels": "{" + said + "}", "value": 1}]})

    def fires(self, minute, alert, **labels):
        """It fires then, once, with these labels."""
        by = ", ".join(labels)
        self.ask(minute, f'count by ({by}) (ALERTS{{alertname="{alert}",alertstate="firing"}})', **labels)

    def is_quiet(self, minute, alert, **labels):
        match = "".join(f',{k}="{v}"' for k, v in labels.items())
        self.asked.append({"expr": f'ALERTS{{alertname="{alert}",alertstate="firing"{match}}}',
                           "eval_time": f"{minute}m", "exp_samples": []})

    def never(self, alert):
        """It has not fired in the whole time."""
        self.asked.append({
            "expr": f'count_over_time(ALERTS{{alertname="{alert}",alertstate="firing"}}[{self.end * self.step}m])',
            "eval_time": f"{self.end * self.step}m", "exp_samples": []})

    def value(self, minute, expr, value):
        """The expression's only sample has that value (labels are left out)."""
        self.asked.append({"expr": f"sum({expr})", "eval_time": f"{minute}m",
                           "exp_samples": [{"labels": "{}", "value": value}]})

    def says(self, minute, alert, labels, annotations):
        self.asked.append({"alert": alert, "minute": minute, "labels": labels, "annotations": annotations})

    def file(self):
        def text(v):
            return "_" if v is None else str(v)
        return {"rule_files": [RULES], "evaluation_interval": f"{self.every}m", "tests": [{
            "interval": f"{self.step}m",
            "input_series": [{"series": k, "values": " ".join(map(text, v))} for k, v in self.series.items()],
            "promql_expr_test": [a for a in self.asked if "expr" in a],
            "alert_rule_test": [{"eval_time": f"{a['minute']}m", "alertname": a["alert"], "exp_alerts": [
                {"exp_labels": a["labels"], "exp_annotations": a["annotations"]}]}
                for a in self.asked if "alert" in a]}]}


@contextlib.contextmanager
def rules_of(series, step=1, every=None):
    """Groups are evaluated in any order, so an alert may come an evaluation later than its values: ask with a margin.
    `step`: minutes between the values, and between evaluations where `every` is not given (5 at most: groups see
    each other's values of the evaluation before)."""
    t = RuleTest(series, step, every)
    yield t
    with tempfile.TemporaryDirectory(prefix="weir-rules-") as d:
        path = os.path.join(d, "test.yaml")
        with open(path, "w") as f:
            json.dump(t.file(), f)
        status, said = promtool("test", "rules", path)
        check(t.asked, "nothing was asked")
        check_eq(status, 0, f"promtool says {said}; its exit status")
