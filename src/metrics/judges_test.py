"""judges_test.py METRICS_PAGE [WORD] - what parsers that nobody here wrote say about the metrics pages."""
import math
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


# Of io/prometheus/client/metrics.proto: type, name, number; * = repeated.
PROTO = {
    "LabelPair": "string name 1, string value 2",
    "Gauge": "double value 1",
    "Counter": "double value 1",
    "Bucket": "uint64 cumulative_count 1, double upper_bound 2",
    "BucketSpan": "sint32 offset 1, uint32 length 2",
    "Histogram": "uint64 sample_count 1, double sample_sum 2, *Bucket bucket 3, sint32 schema 5, "
                 "double zero_threshold 6, uint64 zero_count 7, *BucketSpan positive_span 12, "
                 "*sint64 positive_delta 13",
    "Metric": "*LabelPair label 1, Gauge gauge 2, Counter counter 3, Histogram histogram 7",
    "MetricFamily": "string name 1, string help 2, int32 type 3, *Metric metric 4, string unit 5",
}


def family_class():
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        skip("no python3-protobuf")
    f = descriptor_pb2.FileDescriptorProto(name="metrics.proto", package="judge", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in PROTO.items():
        message = f.message_type.add(name=name)
        for field in fields.split(", "):
            kind, field_name, number = field.split()
            one = message.field.add(name=field_name, number=int(number))
            one.label = kinds.LABEL_REPEATED if kind[0] == "*" else kinds.LABEL_OPTIONAL
            kind = kind.lstrip("*")
            if kind in PROTO:
                one.type, one.type_name = kinds.TYPE_MESSAGE, f".judge.{kind}"
            else:
                one.type = getattr(kinds, "TYPE_" + kind.upper())
                one.options.packed = one.label == kinds.LABEL_REPEATED
    pool = descriptor_pool.DescriptorPool()
    pool.Add(f)
    return message_factory.MessageFactory(pool).GetPrototype(
        pool.FindMessageTypeByName("judge.MetricFamily"))


def delimited(data):
    while data:
        length = shift = 0
        while True:
            byte, data = data[0], data[1:]
            length |= (byte & 0x7f) << shift
            shift += 7
            if not byte & 0x80:
                break
        check(length <= len(data), "a message is cut off")
        yield data[:length]
        data = data[length:]


def proto_samples(family):
    """{(name, labels): value}, le as a number, as the text has them."""
    found = {}
    for m in family.metric:
        labels = {x.name: x.value for x in m.label}

        def put(suffix, value, **more):
            found[family.name + suffix, frozenset({**labels, **more}.items())] = value
        if family.type == 4:
            h = m.histogram
            for b in h.bucket:
                put("_bucket", b.cumulative_count, le=b.upper_bound)
            put("_bucket", h.sample_count, le=float("inf"))
            put("_sum", h.sample_sum)
            put("_count", h.sample_count)
        else:
            put("", m.counter.value if family.type == 0 else m.gauge.value)
    return found


def text_samples(family):
    found = {}
    for s in family.samples:
        labels = {k: float(v) if k == "le" else v for k, v in s.labels.items()}
        found[s.name, frozenset(labels.items())] = s.value
    return found


@test
def the_protobuf_page_is_decoded_by_googles_library_and_says_what_the_text_says():
    try:
        from prometheus_client.parser import text_string_to_metric_families as parse
    except ImportError:
        skip("no python3-prometheus-client")
    cls, texts = family_class(), families("text", parse)
    kinds = {"counter": 0, "gauge": 1, "histogram": 4}
    seen = 0
    for data in delimited(page("protobuf")):
        family = cls.FromString(data)
        check_eq(family.SerializeToString(deterministic=True), data, f"{family.name} written anew")
        text = texts[family.name[:-6] if family.type == 0 else family.name]
        check_eq(family.help, text.documentation, "help")
        check_eq(family.type, kinds[text.type], "type")
        check_eq(proto_samples(family), text_samples(text), family.name)
        seen += 1
    check_eq(seen, len(ROWS), "number of families")


def native_counts(h):
    """{index of a native bucket: its count}"""
    found, index, count, deltas = {}, 0, 0, iter(h.positive_delta)
    for span in h.positive_span:
        index += span.offset
        for _ in range(span.length):
            count += next(deltas)
            found[index] = count
            index += 1
    check_eq(list(deltas), [], "deltas left over")
    return found


@test
def native_buckets_have_what_was_observed():
    times = [0, 953, 954, 1000, 99_999_999, 100_000_000, 100_000_001, 250_000_000, 250_000_001, 10**9,
             10**9 + 1, 4096 * 10**9, 4096 * 10**9 + 1, 10**13]
    data = subprocess.run([METRICS_PAGE, "protobuf", *map(str, times)], check=True,
                          capture_output=True).stdout
    cls = family_class()
    found = {f.name: f for f in map(cls.FromString, delimited(data))}
    h = found["weir_message_gap_seconds"].metric[0].histogram
    want = {}
    for ns in times[2:]:
        index = min(math.ceil(math.log2(ns / 1e9) * 8), 97)
        want[index] = want.get(index, 0) + 1
    check_eq(native_counts(h), want, "native buckets")
    check_eq((h.schema, h.zero_threshold, h.zero_count), (3, 2**-20, 2), "schema and zero bucket")
    check_eq(h.sample_count, len(times), "count")
    check_eq(h.sample_sum, sum(times) / 1e9, "sum")
    classic = {b.upper_bound: b.cumulative_count for b in h.bucket}
    check_eq(classic, {le: sum(ns <= le * 1e9 for ns in times) for le in classic}, "classic buckets")


if __name__ == "__main__":
    run(sys.argv[2:])
