#!/usr/bin/python3
"""The README does what it says: its tour is run as it stands there, line by line.

Blocks ```sh tour are one script. A ```text block shows lines that the block before it prints; digits
may differ.
"""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "kit"))
from tap import check, check_eq, run, skip, test  # noqa: E402

ROOT = os.path.realpath(os.path.join(HERE, "..", ".."))
TOUR_PORTS = (8080, 9000, 9901)
# Blocks that are not of the tour, and who shows that they work.
ELSEWHERE = {"make demo": "tests/docs/demo_test.py", "make test": "this run itself"}
DROPPED = re.compile(r"^(MAKE.*|MFLAGS|.*_proxy|.*_PROXY|DEMO_SECONDS)$")
ENV = {k: v for k, v in os.environ.items() if not DROPPED.match(k)}


def blocks():
    """(info, content) of each fenced block."""
    with open(os.path.join(ROOT, "README.md")) as f:
        return re.findall(r"^```([^\n]*)\n(.*?)^```$", f.read(), re.M | re.S)


def tour():
    """[(commands, [lines that they print])]"""
    steps = []
    for info, content in blocks():
        if info == "sh tour":
            steps.append((content, []))
        elif info == "text":
            steps[-1][1].extend(content.splitlines())
    return steps


def need_ports():
    for port in TOUR_PORTS:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                skip(f"the tour uses port {port}, which somebody else has")


def is_printed(line, output):
    """Is `line` somewhere in `output`, whatever its numbers and the width of its gaps?"""
    words = re.split(r"(\d[\d,.]*[kM]?| +)", line)
    pattern = "".join(r"\d[\d,.]*[kM]?" if re.match(r"\d", w) else " +" if w.startswith(" ")
                      else re.escape(w) for w in words)
    return re.search(pattern, output)


def run_script(script, timeout_s):
    """(exit status, output); nothing of it is left behind."""
    with tempfile.TemporaryFile("w+") as out:
        p = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, env=ENV,
                             stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                             start_new_session=True)
        try:
            status = p.wait(timeout_s)
        except subprocess.TimeoutExpired:
            status = 124
        try:
            os.killpg(p.pid, signal.SIGKILL)
            left = True
        except ProcessLookupError:
            left = False
        p.wait()
        out.seek(0)
        return status, out.read(), left


@test(timeout_s=180)
def every_command_of_the_tour_works_as_written():
    need_ports()
    steps = tour()
    check(len(steps) >= 5, "the README has no tour")
    status, output, left = run_script(
        "".join(f"echo '@@ step {n}'\n{commands}" for n, (commands, _) in enumerate(steps)), 150)
    check_eq(status, 0, f"exit status of the tour\n{output[-3000:]}\n")
    check(not left, f"the tour left processes behind\n{output}")
    parts = re.split(r"^@@ step \d+\n", output, flags=re.M)[1:]
    for (commands, lines), printed in zip(steps, parts):
        for line in lines:
            check(is_printed(line, printed), f"'{line}' is not printed by\n{commands}\nbut\n{printed}")


@test
def every_other_command_is_tested_elsewhere():
    for info, content in blocks():
        if info == "sh":
            check(content.strip() in ELSEWHERE, f"'{content}' is not part of the tour")


@test
def its_configurations_are_accepted():
    found = [content for info, content in blocks() if info == "yaml"]
    check(found, "the README has no configuration")
    for content in found:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(content)
            f.flush()
            p = subprocess.run([sys.argv[1], "check", "--config", f.name], text=True,
                               capture_output=True)
            check_eq(p.returncode, 0, f"weir check\n{p.stdout}{p.stderr}\n")


if __name__ == "__main__":
    run(sys.argv[2:])
