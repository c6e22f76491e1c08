"""tap.py - the test kit for Python: functions are tests, results are TAP 13 on stdout.

    from tap import test, cases, check, skip, run

    @test
    def the_server_answers_a_ping():
        check(rtt < 1, f"took {rtt} s")

    @cases(1, 2)                       # one result each: name[1], name[2]
    def counters_match_what_was_sent(workers): ...

    @test(timeout_s=120)               # a watchdog, not an assertion; 60 s unless told
    def ten_thousand_idle_streams(): ...

    if __name__ == "__main__":
        run()

A test fails by raising (check, assert, anything) and is left out by skip("why"). Names become rows
of docs/verification.md: let them read as sentences. `x_test.py WORD` runs only the tests whose name
contains WORD. What tests and their children print goes to stderr, so that stdout is TAP alone.
Run tests with /usr/bin/python3: Debian's packages are not seen by another one. One thread.
"""
import os
import signal
import sys
import time
import traceback

_tests = []


class Skip(Exception):
    """Raised by skip(); the test is reported as `ok N - name # SKIP why`."""


class Overdue(BaseException):
    """Raised in a test that outlives its watchdog; no `except Exception` swallows it."""


def test(fn=None, *, timeout_s=60):
    """Register a test function. Usable bare or with arguments."""
    def register(f):
        _tests.append((f.__name__, f, (), timeout_s))
        return f
    return register(fn) if fn else register


def cases(*values, timeout_s=60):
    """Register a test function once for each value; a tuple becomes several arguments."""
    def register(f):
        for v in values:
            args = v if isinstance(v, tuple) else (v,)
            label = ",".join(str(a) for a in args)
            _tests.append((f"{f.__name__}[{label}]", f, args, timeout_s))
        return f
    return register


def check(cond, why=""):
    """Like assert, but not switched off by -O."""
    if not cond:
        raise AssertionError(why)


def check_eq(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what} is {got!r}, expected {want!r}")


def skip(why):
    """Leave the running test out, visibly."""
    raise Skip(why)


def _overdue(signum, frame):
    raise Overdue()


def _run_one(fn, args, timeout_s):
    """(ok, skip reason or None, diagnostic text)"""
    signal.signal(signal.SIGALRM, _overdue)
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        fn(*args)
        return True, None, ""
    except Skip as s:
        return True, str(s) or "no reason given", ""
    except Overdue:
        return False, None, f"still running after {timeout_s} s\n" + traceback.format_exc()
    except KeyboardInterrupt:
        raise
    except BaseException:  # SystemExit too: a test must not end the run as a success
        return False, None, traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def run(argv=None):
    """Run the registered tests and exit: 0 when none failed and at least one ran."""
    word = (argv if argv is not None else sys.argv[1:])[:1]
    chosen = [t for t in _tests if not word or word[0] in t[0]]
    # The real stdout is kept for results; everything else that writes to fd 1 lands on stderr.
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.set_inheritable(out.fileno(), False)
    os.dup2(2, 1)

    print("TAP version 13", file=out)
    failed = 0
    for n, (name, fn, args, timeout_s) in enumerate(chosen, 1):
        started = time.monotonic()
        ok, why, text = _run_one(fn, args, timeout_s)
        for line in text.splitlines():
            print("#", line, file=out)
        note = f" # SKIP {' '.join(why.split())}" if why is not None else ""
        print(f"{'ok' if ok else 'not ok'} {n} - {name}{note}", file=out)
        print(f"# {name}: {time.monotonic() - started:.2f} s", file=sys.stderr)
        failed += not ok
    print(f"1..{len(chosen)}", file=out)
    sys.stdout.flush()
    sys.exit(1 if failed or not chosen else 0)
