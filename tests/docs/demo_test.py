#!/usr/bin/python3
"""make demo: with and without a terminal, ended by time, by Ctrl-C, by a signal and by force."""
import atexit
import contextlib
import glob
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "kit"))
from tap import check, check_eq, run, test  # noqa: E402

ROOT = os.path.realpath(os.path.join(HERE, "..", ".."))
DROPPED = re.compile(r"^(MAKE.*|MFLAGS|DEMO_SECONDS|TMPDIR|TERM)$")
EQUAL = r"Equal: weir counted each of the [\d,]+ messages"


class Watched:
    """A run of the demo whose processes, ports and files can be found again afterwards."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-demo-test.")
        self.env = {k: v for k, v in os.environ.items() if not DROPPED.match(k)}
        self.env.update(TMPDIR=self.folder, TERM="xterm")
        atexit.register(self.clean_up)  # a test that failed half-way leaves nothing either

    def clean_up(self):
        """The processes that were left."""
        left = self.processes()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
        return left

    def processes(self):
        """Those that have our folder in their environment."""
        mark, found = f"TMPDIR={self.folder}".encode(), []
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                with open(path, "rb") as f:
                    if mark in f.read().split(b"\0"):
                        found.append(int(path.split("/")[2]))
            except OSError:
                pass
        return found

    def check_nothing_left(self, output, files=True):
        until = time.monotonic() + 20
        while self.processes() and time.monotonic() < until:
            time.sleep(0.05)
        files_left = os.listdir(self.folder)
        left = self.clean_up()
        check(not left, f"processes {left} were left\n{output}")
        if files:
            check_eq(files_left, [], "files left")
        ports = {int(p) for p in re.findall(r"127\.0\.0\.1:(\d+)", output)}
        check(len(ports) >= 2 or not files, f"the demo named the ports {ports}\n{output}")
        for port in ports:
            check(port < 32768, f"port {port} is one of the kernel's")
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, argv, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execvpe(argv[0], argv, env)
        self.output = ""

    def read(self, until, timeout_s):
        """Reads until the pattern was seen, or the end."""
        end = time.monotonic() + timeout_s
        while not (until and re.search(until, self.output)):
            ready = select.select([self.fd], [], [], max(end - time.monotonic(), 0))[0]
            check(ready, f"no '{until}' within {timeout_s} s:\n{self.output[-2000:]}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                check(not until, f"it ended before '{until}':\n{self.output[-2000:]}")
                return
            self.output += data.decode(errors="replace")

    def status(self):
        self.read(None, 60)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return status


@test(timeout_s=120)
def the_demo_ends_by_itself_and_weir_counted_all_messages():
    w = Watched()
    p = subprocess.run(["make", "demo", "DEMO_SECONDS=5"], cwd=ROOT, env=w.env, text=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check_eq(p.returncode, 0, f"exit status\n{p.stdout}\n")
    check(re.search(EQUAL, p.stdout), p.stdout)
    check("\033" not in p.stdout, "escape sequences without a terminal")
    check(p.stdout.count("ROUTE, METHOD") >= 3, f"too few tables\n{p.stdout}")
    for word in "/metrics", "/ready", "/live", "/config", "demo.Chat/Talk", "demo.Ticker/Watch":
        check(word in p.stdout, f"no {word} in\n{p.stdout}")
    w.check_nothing_left(p.stdout)


@test(timeout_s=120)
def in_a_terminal_the_table_is_live_and_ctrl_c_ends_it_cleanly():
    w = Watched()
    t = Terminal(["make", "demo"], w.env)
    t.read(r"demo\.Chat/Talk +6 +6 +0 +[1-9]\d+ +[1-9]\d+ ", 60)
    check("Ctrl-C ends the demo" in t.output, t.output)
    t.read(r"\033\[\d+A", 60)  # the next table is drawn in its place
    os.write(t.fd, b"\x03")
    check_eq(t.status(), 0, f"exit status\n{t.output[-3000:]}\n")
    check(re.search(EQUAL, t.output), t.output[-3000:])
    check("make: ***" not in t.output, "make calls it a failure")
    w.check_nothing_left(t.output)


@test(timeout_s=120)
def in_a_terminal_it_ends_by_itself_too():
    w = Watched()
    t = Terminal(["make", "demo", "DEMO_SECONDS=3"], w.env)
    check_eq(t.status(), 0, f"exit status\n{t.output[-3000:]}\n")
    check(re.search(EQUAL, t.output), t.output[-3000:])
    w.check_nothing_left(t.output)


@test(timeout_s=120)
def ctrl_c_while_it_starts_leaves_nothing():
    w = Watched()
    t = Terminal(["tools/demo"], w.env)
    until = time.monotonic() + 30
    while len(w.processes()) < 4 and time.monotonic() < until:  # it, its shadow and the backends
        time.sleep(0.01)
    os.write(t.fd, b"\x03")
    check_eq(t.status(), 0, f"exit status\n{t.output}\n")
    check_eq(os.listdir(w.folder), [], "files left")
    w.check_nothing_left(t.output, files=False)


@test(timeout_s=120)
def sigterm_to_make_ends_it_cleanly():
    w = Watched()
    t = Terminal(["make", "demo"], w.env)
    t.read(r"demo\.Chat/Talk +6 ", 60)
    os.kill(t.pid, signal.SIGTERM)
    t.status()
    check(re.search(EQUAL, t.output), t.output[-3000:])
    w.check_nothing_left(t.output)


@test(timeout_s=120)
def a_demo_that_is_killed_takes_its_processes_along():
    w = Watched()
    p = subprocess.Popen(["tools/demo"], cwd=ROOT, env=w.env, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in p.stdout:
        if "demo.Chat/Talk" in line:
            break
    p.kill()
    p.wait()
    p.stdout.close()
    w.check_nothing_left("", files=False)


@test
def what_is_missing_is_said():
    with tempfile.TemporaryDirectory() as elsewhere:
        shutil.copytree(os.path.join(ROOT, "tools"), os.path.join(elsewhere, "tools"))
        p = subprocess.run([os.path.join(elsewhere, "tools", "demo")], capture_output=True, text=True,
                           stdin=subprocess.DEVNULL)
        check_eq(p.returncode, 1, "exit status")
        check("build/weir is not there: run make first" in p.stderr, p.stderr)
        check_eq(len(p.stderr.splitlines()), 1, "lines")


@test
def a_wrong_demo_seconds_is_refused():
    for seconds in "soon", "0", "-3", "1e9":
        p = subprocess.run(["tools/demo"], cwd=ROOT, capture_output=True, text=True,
                           stdin=subprocess.DEVNULL, env={**os.environ, "DEMO_SECONDS": seconds})
        check_eq(p.returncode, 1, "exit status")
        check(f"DEMO_SECONDS is '{seconds}'" in p.stderr, p.stderr)


if __name__ == "__main__":
    run()
