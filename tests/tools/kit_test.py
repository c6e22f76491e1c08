#!/usr/bin/python3
"""The Python test kit, judged by what it prints about small programs."""
import os
import subprocess
import sys

KIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kit")
sys.path.insert(0, KIT)
from tap import check, check_eq, run, test  # noqa: E402


def printed(body, *argv):
    """(exit status, lines of stdout) of a program that uses the kit."""
    code = "from tap import *\n" + body + "\nrun()\n"
    p = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True,
                       stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": KIT}, timeout=30)
    return p.returncode, [line for line in p.stdout.splitlines() if not line.startswith("#")]


@test
def results_plan_and_exit_status_agree():
    status, lines = printed("@test\ndef a(): pass\n@test\ndef b(): check(False, 'no')\n")
    check_eq((status, lines), (1, ["TAP version 13", "ok 1 - a", "not ok 2 - b", "1..2"]))


@test
def a_skip_names_its_reason_and_is_no_failure():
    status, lines = printed("@test\ndef a(): skip('no npm')\n")
    check_eq((status, lines[1]), (0, "ok 1 - a # SKIP no npm"))


@test
def cases_are_one_result_each():
    status, lines = printed("@cases(1, (2, 'x'))\ndef a(n, s=''): check(n == 1, n)\n")
    check_eq((status, lines[1:3]), (1, ["ok 1 - a[1]", "not ok 2 - a[2,x]"]))


@test
def a_test_that_exits_has_failed():
    status, lines = printed("import sys\n@test\ndef a(): sys.exit(0)\n")
    check_eq((status, lines[1]), (1, "not ok 1 - a"))


@test
def a_test_that_hangs_is_ended_by_its_watchdog():
    status, lines = printed("import threading\n@test(timeout_s=0.2)\ndef a(): threading.Event().wait()\n")
    check_eq((status, lines[1]), (1, "not ok 1 - a"))


@test
def what_tests_and_children_print_stays_out_of_the_results():
    body = "import os\n@test\ndef a():\n    print('not ok 9')\n    os.system('echo not ok 8')\n"
    check_eq(printed(body), (0, ["TAP version 13", "ok 1 - a", "1..1"]))


@test
def no_test_is_a_failure():
    check(printed("")[0] != 0, "an empty program must not pass")
    check(printed("@test\ndef a(): pass\n", "zzz")[0] != 0, "a word that matches nothing")


if __name__ == "__main__":
    run()
