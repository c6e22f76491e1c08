"""kit.py - the end-to-end harness: programs under test, their ports, files and ends.

    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, \\
            Peer("py", "client", weir.target()) as client:
        counts = client.do("unary")
        eventually(lambda: weir.metrics().sum("grpc_streams_active") == 0)

Every program here is a child of the test, is ended by its pid, and must have left nothing behind. Waiting is
polling for a condition with a deadline, never a sleep of a guessed length.
"""
import contextlib
import ctypes
import hashlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "kit"))
import tap  # noqa: E402

PYTHON = "/usr/bin/python3"
DIRECT = bool(os.environ.get("WEIR_DIRECT"))  # clients straight to servers, to try the harness itself
PATIENCE_S = 30


def weir_binary():
    return os.environ.get("WEIR") or os.path.join(ROOT, "build", "weir")


def eventually(condition, what="the condition", within_s=PATIENCE_S):
    """Poll until condition() is true, and return its value. An AssertionError in it counts as false."""
    end = time.monotonic() + within_s
    pause = 0.002
    while True:
        why = ""
        try:
            value = condition()
            if value:
                return value
        except AssertionError as e:
            why = f": {e}"
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true in {within_s} s{why}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


_ports = iter(())


def free_port():
    """A port of 127.0.0.1 below the ephemeral range that nobody listens on."""
    global _ports
    while True:
        port = next(_ports, None)
        if port is None:
            start = 10000 + os.getpid() * 61 % 20000
            _ports = iter(range(start, start + 2000))
            continue
        if port >= 32768:
            _ports = iter(range(10000, 30000))
            continue
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


# ---- programs

@contextlib.contextmanager
def unreachable_port():
    """A listener with a full backlog: the kernel drops further SYNs, so whoever connects waits. Yields it and a
    function that empties the backlog."""
    with socket.socket() as listener, contextlib.ExitStack() as fillers:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen(0)
        for _ in range(8):
            s = fillers.enter_context(socket.socket())
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                s.connect(listener.getsockname())

        def accept_fillers():
            fillers.close()
            listener.listen(128)
        yield listener, accept_fillers


class Program:
    """A child process with its own session, its stderr in a file."""

    def __init__(self, argv, name, env=None):
        self.name = name
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
            bufsize=1, start_new_session=True, env={**os.environ, **(env or {})})
        self.pid = self.process.pid

    def stderr(self):
        """Without moving the place where the child writes on: it shares that with us."""
        fd = self.log.fileno()
        return os.pread(fd, os.fstat(fd).st_size, 0).decode(errors="replace")

    def line(self, within_s=60):
        """The next line of its stdout."""
        fd = self.process.stdout
        ready, _, _ = select.select([fd], [], [], within_s)
        text = fd.readline() if ready else ""
        if not text:
            raise AssertionError(f"{self.name} said nothing (exit {self.process.poll()}): "
                                 f"{self.stderr()[-2000:]}")
        return text

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, within_s=PATIENCE_S):
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {within_s} s") from None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for f in (self.process.stdin, self.process.stdout, self.log):
            with contextlib.suppress(OSError):
                f.close()

    def children(self):
        """Processes of its session: none may outlive it."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/stat") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                if int(fields[3]) == self.pid and int(pid) != self.pid and fields[0] != "Z":
                    found.append(int(pid))
        return found

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def is_sanitized(self):
        with open(f"/proc/{self.pid}/maps") as f:
            return "libasan" in f.read()

    def rss_kb(self):
        with open(f"/proc/{self.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


class Peer(Program):
    """A client or server of PEERS.md in one of KINDS."""

    def __init__(self, kind, role, target=None, port=None):
        self.kind, self.role = kind, role
        self.port = port or free_port() if role == "server" else None
        argv, env = peer_command(kind)
        super().__init__([*argv, role, str(self.port or target)], f"{kind} {role}", env)

    def __enter__(self):
        if self.role == "server":
            try:
                tap.check(json.loads(self.line())["ready"])
            except BaseException:
                self.kill()
                raise
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def do(self, scenario, within_s=90, **args):
        """Run a scenario; its counts."""
        self.process.stdin.write(json.dumps({"do": scenario, **args}) + "\n")
        answer = json.loads(self.line(within_s))
        if not answer["ok"]:
            raise AssertionError(f"{self.name}, {scenario}: {answer['error']}")
        return answer["counts"]


KINDS = ("py", "js", "cpp")


def peer_command(kind):
    """(argv, environment) of a kind; skips the test where it cannot run here."""
    if kind == "py":
        return [PYTHON, os.path.join(HERE, "py", "peer.py")], {}
    if kind == "js":
        return ["node", os.path.join(HERE, "js", "peer.js")], {"NODE_PATH": js_modules()}
    binary = os.environ.get("WEIR_CPP_PEER") or os.path.join(
        ROOT, "build", "tests", "e2e", "e2e_cpp_peer")
    if not os.path.exists(binary):
        tap.skip("the C++ peer is not built (libgrpc++-dev missing?)")
    return [binary], {}


def quick_kind():
    """The kind of peer that does thousands of streams in least time."""
    try:
        peer_command("cpp")
        return "cpp"
    except tap.Skip:
        return "py"


def js_modules(caches=os.path.join(ROOT, ".cache")):
    """npm's packages of js/package-lock.json, installed once into a git-ignored cache."""
    source = os.path.join(HERE, "js")
    if not shutil.which("node") or not shutil.which("npm"):
        tap.skip("node or npm is not installed")
    digest = hashlib.sha256()
    for name in ("package.json", "package-lock.json"):
        with open(os.path.join(source, name), "rb") as f:
            digest.update(f.read())
    cache = os.path.join(caches, "e2e-js-" + digest.hexdigest()[:16])
    modules = os.path.join(cache, "node_modules")
    if os.path.exists(os.path.join(cache, "complete")):
        return modules
    os.makedirs(cache, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(source, name), cache)
    try:
        r = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts",
                            "--fetch-retries=1", "--fetch-retry-mintimeout=1000"], cwd=cache,
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
    except subprocess.TimeoutExpired:
        tap.skip("npm ci did not end in 100 s")
    if r.returncode:
        tap.skip("npm ci failed: " + " ".join((r.stderr or r.stdout).split())[:200])
    open(os.path.join(cache, "complete"), "w").close()
    return modules


# ---- weir

def config(routes, clusters, workers=1, listener=None, admin=None, limits=None, grace="5s"):
    """A configuration as a dict, which is YAML too once it is JSON. Ports are chosen where none is given."""
    return {
        "workers": workers,
        "admin": f"127.0.0.1:{admin or free_port()}",
        "listeners": [{"name": "in", "address": f"127.0.0.1:{listener or free_port()}"}],
        "routes": routes,
        "clusters": clusters,
        "limits": limits or {},
        "drain": {"grace": grace},
    }


def one_route(*ports, workers=1, cluster=None, **more):
    """Everything goes to one cluster, "up", by the route "all"."""
    up = {"name": "up", "endpoints": [f"127.0.0.1:{p}" for p in ports], **(cluster or {})}
    return config([{"name": "all", "cluster": "up"}], [up], workers, **more)


class Weir(Program):
    """`weir run`, ready when entered. Leaving stops it and insists on a clean end."""

    def __init__(self, cfg, prefix=()):
        self.cfg = cfg
        self.dir = tempfile.mkdtemp(prefix="weir-e2e-")
        os.chmod(self.dir, 0o755)
        self.file = os.path.join(self.dir, "weir.yaml")
        self.write(cfg)
        super().__init__([*prefix, weir_binary(), "run", "--config", self.file], "weir")

    def write(self, cfg):
        text = cfg if isinstance(cfg, str) else json.dumps(cfg, indent=1)
        with open(self.file + ".new", "w") as f:
            f.write(text)
        os.rename(self.file + ".new", self.file)

    def target(self):
        return self.cfg["listeners"][0]["address"]

    def port(self):
        return int(self.target().rsplit(":", 1)[1])

    def get(self, path, method="GET", headers=None):
        """(HTTP status, text) of an admin page."""
        request = urllib.request.Request(f"http://{self.cfg['admin']}{path}", method=method,
                                         headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=10) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"weir ended with {self.process.returncode}: {self.stderr()}")
        try:
            return self.get("/ready")[0] == 200
        except OSError:
            return False

    def metrics(self):
        status, text = self.get("/metrics")
        tap.check_eq(status, 200, "status of /metrics")
        return Metrics(text)

    def __enter__(self):
        try:
            eventually(self.is_ready, "/ready")
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
            else:
                self.explain()
        finally:
            self.destroy()

    def explain(self):
        """What a failed test wants to know."""
        print("--- weir's log:\n" + self.stderr()[-6000:], file=sys.stderr)
        with contextlib.suppress(OSError, AssertionError):
            for line in self.get("/metrics")[1].splitlines():
                if not re.search(r"^#|_bucket\{| 0$|seconds", line):
                    print("    " + line, file=sys.stderr)

    def stop(self, within_s=PATIENCE_S):
        """SIGTERM; exit 0, no child, no bug counted on the way."""
        if self.process.poll() is None:
            with contextlib.suppress(OSError):
                tap.check_eq(self.metrics().sum("weir_bugs_total"), 0, "weir_bugs_total")
            self.signal(signal.SIGTERM)
        code = self.wait(within_s)
        if code:
            raise AssertionError(f"weir ended with {code}: {self.stderr()[:8000]}")
        tap.check_eq(self.children(), [], "processes left behind")

    def destroy(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)",?')


def ptrace(request, tid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


@contextlib.contextmanager
def stopped_thread(pid, name):
    """One thread of a program stands still, as if its turn did not end, while the others go on."""
    tasks = f"/proc/{pid}/task"
    tid, = (int(t) for t in os.listdir(tasks) if open(f"{tasks}/{t}/comm").read().strip() == name)
    try:
        ptrace(0x4206, tid)  # PTRACE_SEIZE
    except PermissionError:
        tap.skip("ptrace is not allowed here")
    ptrace(0x4207, tid)  # PTRACE_INTERRUPT
    os.waitpid(tid, 0x40000000)  # __WALL
    try:
        yield
    finally:
        ptrace(17, tid)  # PTRACE_DETACH: it goes on


class Metrics:
    """A scraped page: {name: {frozenset of labels: value}}."""

    def __init__(self, text):
        self.samples = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                key = frozenset(LABEL.findall(labels or ""))
                self.samples.setdefault(name, {})[key] = float(value)

    def sum(self, name, /, **labels):
        """Sum over the series that have these labels; 0 where there is none."""
        want = set(labels.items())
        return int(sum(v for k, v in self.samples.get(name, {}).items() if want <= k))

    def values(self, name, label):
        """The values that a label takes."""
        return {v for k in self.samples.get(name, {}) for n, v in k if n == label}


# ---- the baseline

class Baseline:
    """fds, streams and memory of a weir before a fault, and that they come back after it."""

    ZERO = ("grpc_streams_active", "weir_http2_streams", "weir_http2_held_bytes",
            "weir_memory_held_bytes", "weir_upstream_streams_waiting")

    def __init__(self, weir, rss_slack_kb=8192):
        self.weir = weir
        # AddressSanitizer keeps what was freed in a quarantine of 256 MiB.
        self.rss_slack_kb = rss_slack_kb + (256 * 1024 if weir.is_sanitized() else 0)
        self.fds, self.rss_kb = self.other_fds(weir.metrics()), weir.rss_kb()

    def other_fds(self, metrics):
        """Descriptors that are no connection that Weir admits to."""
        return self.weir.fds() - metrics.sum("weir_connections_open")

    def settled(self):
        m = self.weir.metrics()
        for name in self.ZERO:
            tap.check_eq(m.sum(name), 0, name)
        for worker in m.values("weir_calls_active", "worker") - {"control"}:  # which serves the page
            tap.check_eq(m.sum("weir_calls_active", worker=worker), 0, f"calls of worker {worker}")
        started, done = m.sum("grpc_streams_started_total"), m.sum("grpc_streams_completed_total")
        tap.check_eq(started, done, "streams started, against completed")
        fds = self.other_fds(m)
        tap.check(fds <= self.fds, f"{fds} fds that are no connection, {self.fds} before")
        return True

    def returns(self):
        """All calls ended; descriptors and memory are back. Connections may stay: whoever wants them gone
        asks weir_connections_open."""
        eventually(self.settled, "the baseline")
        rss = self.weir.rss_kb()
        tap.check(rss <= self.rss_kb + self.rss_slack_kb,
                  f"{rss} KB resident, {self.rss_kb} KB before")
