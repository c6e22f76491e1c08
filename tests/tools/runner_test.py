#!/usr/bin/python3
"""tools/test must not take a broken test program for a passed one."""
import contextlib
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kit"))
from tap import check, check_eq, run, test  # noqa: E402
from load import load_tool  # noqa: E402

runner = load_tool("test")


def counted(stdout, returncode=0, timed_out=False, stderr=""):
    """((passed, failed, skipped), what was said)"""
    r = runner.Results()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        runner.count_tap(r, ("s",), "p", stdout, stderr, returncode, timed_out)
    return (r.passed, r.failed, r.skipped), said.getvalue()


@test
def passes_failures_and_skips_are_counted_apart():
    got, said = counted("TAP version 13\nok 1 - a\n# why b\nnot ok 2 - b\nok 3 - c # SKIP no npm\n1..3\n", 1)
    check_eq(got, (1, 1, 1))
    check("SKIP p: c: no npm" in said and "# why b" in said, said)


@test
def a_program_that_crashes_has_failed():
    check_eq(counted("ok 1 - a\n", -11)[0], (1, 1, 0))
    check_eq(counted("ok 1 - a\n1..1\n", 139)[0], (1, 1, 0))


@test
def a_program_that_outlives_its_timeout_has_failed():
    check_eq(counted("ok 1 - a\n1..1\n", -15, timed_out=True)[0], (1, 1, 0))


@test
def a_program_that_prints_no_plan_has_failed():
    check_eq(counted("ok 1 - a\n")[0], (1, 1, 0))
    check_eq(counted("")[0], (0, 1, 0))


@test
def a_program_that_reports_more_or_fewer_than_planned_has_failed():
    check_eq(counted("1..3\nok 1 - a\n")[0], (1, 1, 0))
    check_eq(counted("ok 1\nok 2\n1..1\n")[0], (2, 1, 0))


@test
def a_program_without_tests_has_failed_unless_it_says_why():
    check_eq(counted("1..0\n")[0], (0, 1, 0))
    check_eq(counted("1..0 # SKIP no network\n")[0], (0, 0, 1))


@test
def an_exit_status_that_no_test_explains_is_a_failure():
    check_eq(counted("ok 1 - a\n1..1\n", 3)[0], (1, 1, 0))


@test
def a_todo_is_a_failure_and_a_failed_skip_too():
    check_eq(counted("not ok 1 - a # TODO later\n1..1\n")[0], (0, 1, 0))
    check_eq(counted("ok 1 - a # TODO later\n1..1\n")[0], (0, 1, 0))
    check_eq(counted("not ok 1 - a # SKIP\n1..1\n", 1)[0], (0, 1, 0))


@test
def a_test_that_meson_did_not_run_has_failed():
    r = runner.Results()
    line = json.dumps({"name": "weir:base / map", "stdout": "ok 1 - a\n1..1\n", "result": "OK",
                       "returncode": 0})
    with contextlib.redirect_stdout(io.StringIO()):
        runner.count_meson(r, [line], {"map": (("base",), "tap"), "gone": (("base",), "tap")})
    check_eq((r.passed, r.failed), (1, 1))
    check_eq(r.ran[0], ("ok", ("base",), "map", "a"))


@test
def a_test_without_tap_counts_by_its_exit_status():
    r = runner.Results()
    lines = [json.dumps({"name": f"weir / {n}", "result": v, "returncode": 0})
             for n, v in (("a", "OK"), ("b", "FAIL"), ("c", "SKIP"), ("d", "TIMEOUT"))]
    with contextlib.redirect_stdout(io.StringIO()):
        runner.count_meson(r, lines, {n: ((), "exitcode") for n in "abcd"})
    check_eq((r.passed, r.failed, r.skipped), (1, 2, 1))


@test
def a_reason_that_skips_many_tests_is_said_once_and_counted():
    r = runner.Results()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for n in range(5):
            r.skip((), "p", f"t{n}", "no npm")
        r.skip((), "p", "u", "no go")
        r.say_repeated_skips()
    check_eq(r.skipped, 6)
    check_eq(said.getvalue(), "  SKIP p: t0: no npm\n  SKIP p: u: no go\n  SKIP p: 4 more: no npm\n")


def conformance(out, status=0):
    r = runner.Results()
    with contextlib.redirect_stdout(io.StringIO()):
        runner.count_conformance(r, out, status)
    return (r.passed, r.failed, r.skipped), r.ran


@test
def cases_of_the_conformance_suite_are_counted():
    got, ran = conformance("== the engine\nh2spec: 145 tests, 145 passed, 0 skipped, 0 failed\n"
                           "h2spec: 57 tests, 55 passed, 1 skipped, 1 failed\n", 1)
    check_eq(got, (200, 2, 1))
    check_eq(ran[0][3], "tests/interop/run the engine")


@test
def a_conformance_suite_that_is_not_to_be_had_is_a_visible_skip():
    check_eq(conformance("== the engine\nSKIP h2spec: there is no go\n")[0], (0, 0, 1))
    check_eq(conformance("")[0], (0, 1, 0))


if __name__ == "__main__":
    run()
