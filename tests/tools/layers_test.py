#!/usr/bin/python3
"""tools/layers against small trees that keep and break its rules."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kit"))
from tap import check, check_eq, run, test  # noqa: E402
from load import load_tool  # noqa: E402

layers = load_tool("layers")


def judged(files):
    """(errors, warnings) over a tree of {path below src: text}."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, "src", path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as f:
                f.write(text)
        return layers.judge_tree(root)


CLEAN = {
    "base/mem.h": "", "base/mem_priv.h": "",
    "base/mem.c": '#include "base/mem.h"\n#include "mem_priv.h"\n#include <stdlib.h>\n',
    "http2/conn.h": '#include "base/mem.h"\n',
    "http2/conn_test.c": '#include "http2/conn.h"\n#include "tap.h"\n',
    "proxy/pool.c": '#include "http2/conn.h"\n',
    "main.c": '#include "proxy/pool.h"\n',
    "proxy/pool.h": "",
}


def only_error(files, words):
    errors, _ = judged({**CLEAN, **files})
    check_eq(len(errors), 1, "number of errors")
    for word in words:
        check(word in errors[0], f"{word!r} is missing from {errors[0]!r}")


@test
def a_tree_that_keeps_the_rules_is_accepted():
    check_eq(judged(CLEAN), ([], []))


@test
def an_include_upwards_is_caught_with_file_and_line():
    only_error({"base/log.c": "\n#include \"http2/conn.h\"\n"}, ["src/base/log.c:2", "may not include"])


@test
def an_include_upwards_in_angle_brackets_is_caught():
    only_error({"base/log.c": "#  include <http2/conn.h>\n"}, ["base may not include http2"])


@test
def an_include_sideways_is_caught():
    only_error({"http1/parse.c": '#include "http2/conn.h"\n'}, ["http1 may not include http2"])


@test
def an_include_upwards_from_a_test_is_caught():
    only_error({"base/log_test.c": '#include "http2/conn.h"\n'}, ["base may not include http2"])


@test
def the_proxy_never_includes_hub_or_admin():
    only_error({"admin/page.h": "", "proxy/x.c": '#include "admin/page.h"\n'}, ["proxy may not"])


@test
def a_private_header_of_another_room_is_caught():
    only_error({"http2/x.c": '#include "base/mem_priv.h"\n'}, ["private to base"])


@test
def a_source_file_of_another_room_is_caught():
    only_error({"http2/x.c": '#include "base/mem.c"\n'}, ["a source file of base"])


@test
def a_path_that_climbs_out_is_caught():
    only_error({"base/x.c": '#include "../http2/conn.h"\n'}, ["write the path from src/"])


@test
def a_header_that_does_not_exist_is_caught():
    only_error({"http2/x.c": '#include "base/gone.h"\n'}, ["does not exist"])


@test
def an_unknown_room_is_caught():
    only_error({"attic/x.c": ""}, ["src/attic", "no room"])


@test
def a_file_over_a_thousand_lines_is_caught_and_one_over_six_hundred_is_asked_about():
    only_error({"base/long.c": "\n" * 1001}, ["1001 lines"])
    errors, warnings = judged({**CLEAN, "base/long.c": "\n" * 1000, "base/ok.c": "\n" * 600})
    check_eq((len(errors), len(warnings)), (0, 1))


@test
def a_tree_without_sources_is_an_error():
    errors, _ = judged({"base/readme.txt": ""})
    check_eq(len(errors), 1)


if __name__ == "__main__":
    run()
