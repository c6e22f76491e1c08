"""judges_test.py METRICS_PAGE [WORD] - what parsers that nobody here wrote say about the metrics pages."""
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/kit"))
from tap import check, check_eq, run, skip, test  # noqa: E402

METRICS_PAGE = sys.argv[1]
DEF = pathlib.Path(__file__).with_name("metrics.def").read_text()
ROWS = [line for line in DEF.splitlines() if line.startswith("METRIC(")]


def page(kind):
    return subprocess.run([METRICS_PAGE, kind], check=True, capture_output=True).stdout


@test
def promtool_has_nothing_to_say_about_a_page_with_every_metric():
    promtool = shutil.which("promtool") or skip("no promtool: install Debian's package prometheus")
    r = subprocess.run([promtool, "check", "metrics"], input=page("text"), capture_output=True)
    check_eq((r.returncode, r.stdout, r.stderr), (0, b"", b""), "promtool's answer")


def families(kind, parse):
    found = {f.name: f for f in parse(page(kind).decode())}
    check_eq(len(found), len(ROWS), "number of families")
    for name, family in found.items():
        check(family.samples, f"{name} has no samples")
        check(family.documentation, f"{name} has no help")
    return found


def check_samples(found):
    sent = found["grpc_stream_sent_messages"]
    values = {s.labels["listener"] for s in sent.samples}
    check_eq(values, {"plain", 'a "quoted" \\ value\n', "été", ""}, "label values")
    lag = found["weir_loop_lag_seconds"]
    check_eq({s.labels.get("le") for s in lag.samples if s.name.endswith("_bucket")},
             {"0.0001", "0.0003", "0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1.0", "+Inf"}, "bounds")


@test
def the_text_page_is_read_by_the_python_client():
    try:
        from prometheus_client.parser import text_string_to_metric_families as parse
    except ImportError:
        skip("no python3-prometheus-client")
    check_samples(families("text", parse))


@test
def the_openmetrics_page_is_read_by_the_python_client():
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
    except ImportError:
        skip("no python3-prometheus-client")
    found = families("openmetrics", parse)
    check_samples(found)
    check_eq(found["grpc_stream_sent_bytes"].unit, "bytes", "unit")
    check_eq(found["weir_loop_lag_seconds"].type, "histogram", "type")


if __name__ == "__main__":
    run(sys.argv[2:])
