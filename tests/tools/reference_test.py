#!/usr/bin/python3
"""tools/check-reference against small trees whose page and code agree, and do not."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kit"))
from tap import check, check_eq, run, test  # noqa: E402
from load import load_tool  # noqa: E402

reference = load_tool("check-reference")

CODE = {
    "src/metrics/metrics.def": 'GROUP(G, "side,name*")\n'
                               'METRIC(A, G, COUNTER, weir_a, "", "Help, with (brackets).")\n'
                               'METRIC(B, G, GAUGE, weir_b_bytes, "bytes", "Help.")\n',
    "src/call/reason.def": 'REASON(NONE, "none", 2, 500)\nREASON(LOST, "lost", 14, 502)\n',
    "src/http2/error.def": '/* H2_FAULT(id, code, scope, "text") */\n'
                           'H2_FAULT(BAD, PROTOCOL_ERROR, CONN, "bad (very)")\n'
                           'H2_FAULT(WORSE, CANCEL, STREAM, "worse")\n',
    "src/admin/admin.c": '#define READ "GET, HEAD"\nstatic const struct page pages[] = {\n'
                         '\t{"/", READ, index, NULL},\n\t{"/drain", "POST", drain, "x"},\n};\n',
    "src/filter/accesslog.c": '{"sent_x", "sent_y"},\n} keys[] = {\n\t[A] = {"sent_x"},\n};\n'
                              'jsonw_str(&j, "time", time);\n\ttext(j, "path", c->path, 1);\n'
                              'jsonw_str(j, "now", x);\n',
    "src/proxy/view_a.c": 'const struct introspect_page view_a = {\n\t.path = "/a",\n\t.keys = k,\n};\n'
                          'jsonw_u64(j, "rows", 1);\n\t[T_NAME] = "name",\n\tview_write_id(j, "id", 1);\n',
    "src/net/x.c": 'log_line(LOG_WARN, f("a, (b", ","), "cause",\n\tg(1, "no"), "file", p, NULL);\n',
}
PAGE = """# Reference
## Metrics
| metric | type | labels | meaning |
|---|---|---|---|
| `weir_a_total` | counter | `side`, `name` | x |
| `weir_b_bytes` | gauge | `side`, `name` | x |
## Log fields
| field | meaning |
|---|---|
| `cause` | x |
| `file` | x |
## Access log lines
| key | meaning |
|---|---|
| `time` | x |
| `path` | x |
| `sent_x` | x |
## Answers that Weir gives itself
| reason | grpc-status | HTTP status | when |
|---|---|---|---|
| `lost` | 14 UNAVAILABLE | 502 | x |
## Protocol errors
| fault | code | ends | what the peer did |
|---|---|---|---|
| `bad` | PROTOCOL_ERROR | connection | bad (very) |
| `worse` | CANCEL | stream | worse |
## Admin pages
| path | methods | answer |
|---|---|---|
| `/` | GET, HEAD | x |
| `/drain` | POST | x |
| `/a` | GET, HEAD | x |
## Live views
| key | meaning |
|---|---|
| `rows` | x |
| `id`, `name` | x |
"""


def errors(page=PAGE, **code):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**CODE, "docs/reference.md": page, **code}.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as f:
                f.write(text)
        return reference.judge(root)[0]


def only_error(words, **how):
    found = errors(**how)
    check_eq(len(found), 1, f"errors in {found}: their number")
    check(words in found[0], f"{words!r} is missing from {found[0]!r}")


@test
def a_page_that_agrees_with_the_code_is_accepted():
    check_eq(errors(), [])


@test
def a_metric_that_is_missing_or_gone_is_caught():
    only_error("lacks a row for weir_a_total", page=PAGE.replace("| `weir_a_total`", "| x"))
    only_error("has a row for weir_c", page=PAGE.replace(
        "## Log", "| `weir_c` | gauge | `side` | x |\n## Log"))


@test
def a_metric_with_other_labels_or_another_type_is_caught():
    only_error("stands with", page=PAGE.replace("counter | `side`, `name`", "counter | `side`"))
    only_error("stands with", page=PAGE.replace("| gauge |", "| counter |"))


@test
def a_key_of_the_access_log_that_is_missing_or_gone_is_caught():
    only_error("'Access log lines' lacks a row for sent_x", page=PAGE.replace("| `sent_x`", "| x"))
    only_error("'Access log lines' lacks a row for path", page=PAGE.replace("| `path`", "| x"))
    only_error("has a row for old", page=PAGE.replace("| `time` | x |", "| `time` | x |\n| `old` | x |"))


@test
def a_page_of_another_room_and_its_keys_that_are_missing_are_caught():
    only_error("'Admin pages' lacks a row for /a", page=PAGE.replace("| `/a`", "| x"))
    only_error("'Live views' lacks name", page=PAGE.replace("`id`, `name`", "`id`"))
    only_error("'Live views' lacks rows", page=PAGE.replace("| `rows` |", "| rows |"))


@test
def a_row_without_a_meaning_is_caught():
    only_error("has no meaning", page=PAGE.replace("| `file` | x |", "| `file` |  |"))


@test
def a_log_field_that_is_missing_is_caught():
    only_error("lacks a row for file", page=PAGE.replace("| `file` | x |\n", ""))


@test
def a_log_field_that_nobody_could_look_up_is_caught():
    only_error("is no literal", **{"src/net/y.c": "log_line(LOG_INFO, \"a\", key, value, NULL);\n"})


@test
def an_answer_with_another_status_is_caught():
    only_error("lost stands with", page=PAGE.replace("14 UNAVAILABLE", "13 INTERNAL"))


@test
def a_protocol_error_that_is_missing_gone_or_told_otherwise_is_caught():
    only_error("lacks a row for bad", page=PAGE.replace("| `bad` |", "| bad |"))
    only_error("has a row for odd", page=PAGE.replace("| `worse`", "| `odd` | X | stream | x |\n| `worse`"))
    only_error("worse stands with", page=PAGE.replace("CANCEL | stream", "CANCEL | connection"))
    only_error("bad stands with", page=PAGE.replace("bad (very)", "not so bad"))


@test
def an_admin_page_that_is_missing_or_takes_another_method_is_caught():
    only_error("lacks a row for /", page=PAGE.replace("| `/` |", "| / |"))
    only_error("/drain stands with", page=PAGE.replace("POST", "GET"))


if __name__ == "__main__":
    run()
