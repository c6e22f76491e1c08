#!/usr/bin/python3
"""What a message costs, held to what is recorded: ratchet_test.py WEIR BARE LOAD [--record | WORD]

Counts the user instructions of weir's worker thread with callgrind, under the loads of load.c, in the
real weir and in two that do not count (bare_main.c). Each figure is the difference of two runs, of N and 2N
rounds, so that start-up and end cancel out. ratchet.txt has the figures; one that is above by more
than 5 % fails, one that is below by more than 5 % asks to be recorded (make ratchet-record).
"""
import glob
import os
import platform
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "kit"))
from tap import cases, check, run, skip, test  # noqa: E402

RECORD = os.path.join(HERE, "ratchet.txt")
SLACK = 0.05
TRIES = 4
COUNTING_MAX = 60
UNWANTED_MAX = 6  # noise; a stage that only lets messages pass is above it
# shape: (rounds, messages a round, unit)
SHAPES = {
    "unary": (600, 1, "call"),
    "ping_pong": (1500, 2, "message"),
    "bidi_flood": (80, 128, "message"),
    "server_flood": (150, 64, "message"),
}
CHAINS = ("weir", "timed", "bare")  # weir as it is; two of bare_main.c
CONFIG = """\
workers: 1
admin: off
listeners:
  - {{name: ingress, address: "127.0.0.1:{weir}"}}
routes:
  - name: ratchet
    match: {{method: {{service: ratchet.Ratchet}}}}
    cluster: upstream
clusters:
  - name: upstream
    endpoints: ["127.0.0.1:{upstream}"]
"""
# The C library picks its copies and searches by what the CPU can do; here it takes the plain ones,
# so that the figures are those of every x86-64.
TUNABLES = "glibc.cpu.hwcaps=" + ",".join("-" + f for f in (
    "AVX_Fast_Unaligned_Load,AVX2,AVX512F,AVX512VL,AVX512BW,BMI1,BMI2,LZCNT,MOVBE,RTM,ERMS,FSRM,"
    "SSSE3,SSE4_1,SSE4_2,Fast_Unaligned_Copy").split(","))

weir, bare, load = sys.argv[1:4] if len(sys.argv) > 3 else sys.exit(__doc__)


def free_port():
    for port in random.sample(range(20000, 32768), 50):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise AssertionError("no free port from 20000 to 32767")


def end(process):
    """Its exit status; it gets time for callgrind to write."""
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def worker_instructions(folder):
    """Of the second thread: the first is main, which is control."""
    files = sorted(glob.glob(os.path.join(folder, "cg.out*-02")))
    check(len(files) == 1, f"callgrind left {os.listdir(folder)}")
    check(not glob.glob(os.path.join(folder, "cg.out*-03")), "weir ran a third thread")
    with open(files[0]) as f:
        return int(re.search(r"^(?:summary|totals): (\d+)", f.read(), re.M)[1])


def measure(chain, shape, rounds):
    """Instructions of the worker for a whole life with that many rounds."""
    folder = tempfile.mkdtemp(prefix="weir-ratchet.")
    ports = {"weir": free_port(), "upstream": free_port()}
    config, log = os.path.join(folder, "weir.yaml"), os.path.join(folder, "weir.log")
    with open(config, "w") as f:
        f.write(CONFIG.format(**ports))
    program = [weir, "run", "--config", config] if chain == "weir" else [bare, chain, config]
    try:
        with open(log, "w") as err:
            process = subprocess.Popen(
                ["valgrind", "--tool=callgrind", "--separate-threads=yes",
                 f"--callgrind-out-file={folder}/cg.out", *program],
                stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                env={**os.environ, "GLIBC_TUNABLES": TUNABLES})
        try:
            done = subprocess.run([load, shape, str(rounds), str(ports["weir"]),
                                   str(ports["upstream"])], capture_output=True, text=True,
                                  timeout=80)
        finally:
            status = end(process)
        with open(log) as f:
            said = f.read()
        check(done.returncode == 0, f"load: {done.stderr}\n{said}")
        check(status == 0, f"{chain} ended with status {status}\n{said}")
        return worker_instructions(folder)
    finally:
        shutil.rmtree(folder)


_least = {}


def measure_again(chain, shape):
    """Keeps the least of what was measured: a machine with much else to do makes turns longer, and a
    turn in which a millisecond has passed looks at the timers."""
    rounds = SHAPES[shape][0]
    for n in rounds, 2 * rounds:
        key = chain, shape, n
        _least[key] = min(_least.get(key, 1 << 62), measure(chain, shape, n))


def cost(chain, shape):
    """User instructions a message (or call)."""
    rounds, messages, _ = SHAPES[shape]
    if (chain, shape, rounds) not in _least:
        measure_again(chain, shape)
    return (_least[chain, shape, 2 * rounds] - _least[chain, shape, rounds]) / (rounds * messages)


def until_below(limit, figure, chains, shape):
    """The figure: measured again some times while it is above the limit."""
    for _ in range(TRIES):
        if figure() <= limit:
            break
        for chain in chains:
            measure_again(chain, shape)
    return figure()


def compiler():
    out = subprocess.run(["readelf", "-p", ".comment", weir], capture_output=True, text=True).stdout
    return f"{platform.machine()}, " + " ".join(re.findall(r"\]\s+(.*\S)", out)[:1])


def recorded():
    """({(chain, shape): instructions}, what they were recorded with)"""
    with open(RECORD) as f:
        text = f.read()
    rows = re.findall(r"^(\w+) +(\w+) +([\d.]+)$", text, re.M)
    return {(chain, shape): float(n) for shape, chain, n in rows}, \
        re.search(r"^# with: (.*)$", text, re.M)[1]


def able():
    if not shutil.which("valgrind"):
        skip("valgrind is not installed")


@cases(*((shape, chain) for shape in SHAPES for chain in CHAINS), timeout_s=120)
def a_message_costs_no_more_than_recorded(shape, chain):
    able()
    figures, recorded_with = recorded()
    if recorded_with != compiler():
        skip(f"the figures are of another compiler: {recorded_with}; this is {compiler()}")
    unit, was = SHAPES[shape][2], figures[chain, shape]
    limit = was * (1 + SLACK)
    got = until_below(limit, lambda: cost(chain, shape), [chain], shape)
    print(f"{shape:12} {chain:5} {got:9.1f} instructions a {unit}, recorded {was:.1f}")
    if got < was * (1 - SLACK):
        print(f"warning: {shape} {chain} got cheaper: 'make ratchet-record' keeps it so")
    check(got <= limit, f"{got:.1f} instructions a {unit} are more than 5 % above the recorded"
          f" {was:.1f}: make it cheaper, or say in a commit why it is worth it and run"
          " 'make ratchet-record'")


MESSAGE_SHAPES = [shape for shape in SHAPES if SHAPES[shape][2] == "message"]


def adds_at_most(limit, what, without, shape):
    """What weir has and the chain `without` has not, by the message."""
    able()
    added = until_below(limit, lambda: cost("weir", shape) - cost(without, shape), ("weir", without), shape)
    text = f"{what} {added:.1f} instructions a message"
    print(f"{shape:12} {text}")
    check(added <= limit, text)


@cases(*MESSAGE_SHAPES, timeout_s=120)
def counting_adds_at_most_60_instructions_a_message(shape):
    adds_at_most(COUNTING_MAX, "counting adds", "timed", shape)


@cases(*MESSAGE_SHAPES, timeout_s=120)
def filters_that_no_route_asks_for_add_nothing_to_a_message(shape):
    adds_at_most(UNWANTED_MAX, "filters that are off add", "counted", shape)


def record():
    lines = ["# User instructions of weir's worker thread, a message (unary: a call of two messages),",
             "# as callgrind counts them under the loads of load.c: 'weir' as it is; 'timed', which",
             "# takes the times of messages and does not count them; 'bare', which only relays.",
             "# Written by 'make ratchet-record', read by ratchet_test.py.",
             f"# with: {compiler()}", ""]
    for shape in SHAPES:
        for chain in CHAINS:
            for _ in range(TRIES):
                measure_again(chain, shape)
            lines.append(f"{shape:14} {chain:6} {cost(chain, shape):9.1f}")
            print(lines[-1], flush=True)
    with open(RECORD, "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    if "--record" in sys.argv[4:]:
        record()
    else:
        run(sys.argv[4:])
