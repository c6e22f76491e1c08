#!/usr/bin/python3
"""tools/check-verification against small trees with good and bad tables."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kit"))
from tap import check, check_eq, run, test  # noqa: E402
from load import load_tool  # noqa: E402

verification = load_tool("check-verification")

SOURCES = {
    "src/base/map_test.c": "TEST(map_finds)\n{\n}\n",
    "tests/h2/s6_test.c": "RAW_BOTH(rfc9113_6_7)\n{\n}\n",
    "tests/e2e/unary_test.py": "@test\ndef answers():\n    pass\n\n"
                               "@cases(\n    1, 2,\n)\n@other\ndef counts(n):\n    pass\n\n"
                               "def helper():\n    pass\n",
    "tools/layers": "#!/bin/sh\n",
}


def judged(*rows, ran=None, allow_todo=False):
    """(errors, warnings) for these test cells."""
    with tempfile.TemporaryDirectory() as root:
        table = "# T\n\n| requirement | test | figure |\n|---|---|---|\n"
        table += "".join(f"| r{i} | {cell} | |\n" for i, cell in enumerate(rows))
        for path, text in {**SOURCES, "docs/verification.md": table}.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as f:
                f.write(text)
        os.chmod(os.path.join(root, "tools/layers"), 0o755)
        errors, warnings, count = verification.judge(root, ran, allow_todo)
        check_eq(count, len(rows), "rows seen")
        return errors, warnings


@test
def references_to_tests_that_exist_are_accepted():
    check_eq(judged("`base/map_finds`", "`e2e/answers`, `e2e/counts`",
                    "`tests/e2e/unary_test.py::counts`", "`tests/e2e/unary_test.py`",
                    "`tools/layers`"), ([], []))


@test
def a_row_whose_test_does_not_exist_is_caught():
    for cell in ("`base/map_loses`", "`http2/map_finds`", "`e2e/helper`", "`tools/gone`",
                 "`src/base/map_test.c::gone`", "`src/base/gone_test.c::map_finds`",
                 "`base/map_finds`, `base/map_loses`"):
        errors, _ = judged(cell)
        check_eq(len(errors), 1, f"errors for {cell}")


@test
def a_row_without_a_test_is_caught():
    for cell in ("", "see the code"):
        errors, _ = judged(cell)
        check("names no test" in errors[0], errors)


@test
def a_row_with_todo_is_caught_unless_allowed():
    check_eq(len(judged("TODO")[0]), 1)
    errors, warnings = judged("TODO", allow_todo=True)
    check_eq((len(errors), len(warnings)), (0, 1))


@test
def a_table_without_rows_is_caught():
    check_eq(len(judged()[0]), 1)


@test
def a_test_that_did_not_pass_in_this_run_is_caught():
    cell = "`base/map_finds`"
    check_eq(judged(cell, ran={"map_finds": {"ok"}}), ([], []))
    check_eq(len(judged(cell, ran={"map_finds": {"ok", "fail"}})[0]), 0)
    check_eq(len(judged(cell, ran={"map_finds": {"fail"}})[0]), 1)
    check_eq(len(judged(cell, ran={})[0]), 1)
    errors, warnings = judged(cell, ran={"map_finds": {"skip"}})
    check_eq((len(errors), len(warnings)), (0, 1))
    check_eq(judged("`tools/layers`", ran={"tools/layers": {"ok"}}), ([], []))
    check_eq(judged("`h2/rfc9113_6_7`", ran={"rfc9113_6_7_as_client": {"ok"}}), ([], []))
    check_eq(len(judged("`tools/layers`", ran={})[0]), 1)
    check_eq(len(judged("`tests/e2e/unary_test.py`", ran={"answers": {"ok"}})[0]), 1)
    check_eq(judged("`tests/e2e/unary_test.py`", ran={"answers": {"ok"}, "counts": {"ok"}}), ([], []))


@test
def a_bar_inside_a_cell_can_be_escaped():
    check_eq(len(judged("`base/map_finds` a\\|b")[0]), 0)


if __name__ == "__main__":
    run()
