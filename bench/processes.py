"""processes - what the benchmarks start and end: proxies, the load's server, one client at a time.

Every process is pinned to one core, gets a port below the ephemeral range on 127.0.0.1, is ended by
its own id, and is ended by the kernel should the runner be killed.
"""
import ctypes
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PORTS = range(20000, 32768)
START_S, STOP_S = 20, 20
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE, LOAD_CORE = CORES[0], CORES[-1]
_libc = ctypes.CDLL(None)
_libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


class Failed(Exception):
    """A process did not do what it should; the text says what."""


def build_dir():
    return os.path.join(ROOT, os.environ.get("BUILD", "build"))


def free_port():
    for _ in range(200):
        port = random.choice(PORTS)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failed("no free port below 32768")


def before_exec(core):
    def run():
        os.sched_setaffinity(0, {core})
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return run


def family(pid):
    """The process and all that descend from it."""
    pids = [pid]
    for p in pids:
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/children") as f:
                    pids += [int(word) for word in f.read().split()]
        except OSError:
            continue
    return pids


class Process:
    """A server of ours: started, waited for until it accepts connections, ended."""

    def __init__(self, name, argv, port, core, folder):
        self.name, self.port = name, port
        self.log = os.path.join(folder, f"{name.replace(' ', '-')}.log")
        with open(self.log, "w") as out:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                preexec_fn=before_exec(core), cwd=folder)
        try:
            self.wait_ready()
        except BaseException:
            self.end()
            raise
        self.pids = family(self.process.pid)

    def wait_ready(self):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended: {self.said()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"{self.name} does not accept connections: {self.said()}")

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()[-500:].strip() or "it said nothing"

    def end(self):
        pids = family(self.process.pid)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in pids[1:]:  # what its parent left behind
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)  # orphans are ours: see PR_SET_CHILD_SUBREAPER
            except (ProcessLookupError, ChildProcessError):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.end()

    def anonymous_bytes(self):
        """User memory of the whole family: resident, and backed by no file."""
        total = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/status") as f:
                found = re.search(r"^RssAnon:\s+(\d+) kB", f.read(), re.M)
            total += int(found[1]) * 1024 if found else 0
        return total


# ---- proxies ----

def weir_argv(config):
    return [os.path.join(build_dir(), "weir"), "run", "--log-level", "warn", "--config", config]


def program(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")


def version(argv, pattern):
    done = subprocess.run(argv, capture_output=True, text=True)
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "?"


class Kind:
    """One proxy: its name, configuration and command."""

    def __init__(self, name, config, argv, version, is_peer=True):
        self.name, self.config, self.argv = name, config, argv
        self.version, self.is_peer = version, is_peer

    def start(self, upstream, folder, core=None):
        port = free_port()
        config = None
        if self.config:
            with open(os.path.join(HERE, "peers", self.config)) as f:
                text = f.read()
            for word, value in (("@LISTEN@", port), ("@UPSTREAM@", upstream), ("@DIR@", folder)):
                text = text.replace(word, str(value))
            config = os.path.join(folder, f"{self.name.replace(' ', '-')}-{self.config}")
            with open(config, "w") as f:
                f.write(text)
        return Process(self.name, self.argv(config, port, upstream), port,
                       PROXY_CORE if core is None else core, folder)


def kinds():
    """Weir, Weir again, the relay, and the peers that are here: (list, [why others are not])"""
    weir = os.path.join(build_dir(), "weir")
    relay = os.path.join(build_dir(), "bench", "bench_relay")
    weir_version = version([weir, "version"], r"(\d\S+)")
    found = [
        Kind("weir", "weir.yaml", lambda c, p, u: weir_argv(c), weir_version, False),
        Kind("weir again", "weir.yaml", lambda c, p, u: weir_argv(c), weir_version, False),
        Kind("relay", None, lambda c, p, u: [relay, str(p), str(u)], weir_version, False),
    ]
    missing = []
    haproxy, nginx, nghttpx = (program(n) for n in ("haproxy", "nginx", "nghttpx"))
    envoy, linkerd = os.environ.get("ENVOY"), os.environ.get("LINKERD2_PROXY")
    if haproxy:
        found.append(Kind("HAProxy", "haproxy.cfg", lambda c, p, u: [haproxy, "-db", "-f", c],
                          version([haproxy, "-v"], r"version (\S+)")))
    if nginx:
        found.append(Kind("nginx", "nginx.conf",
                          lambda c, p, u: [nginx, "-e", "stderr", "-p", os.path.dirname(c), "-c", c],
                          version([nginx, "-v"], r"nginx/(\S+)")))
    if nghttpx:
        found.append(Kind("nghttpx", "nghttpx.conf", lambda c, p, u: [nghttpx, "--conf=" + c],
                          version([nghttpx, "--version"], r"nghttp2/(\S+)")))
    if envoy:
        found.append(Kind("Envoy", "envoy.yaml",
                          lambda c, p, u: [envoy, "--concurrency", "1", "-c", c, "-l", "error",
                                           "--disable-hot-restart"],
                          version([envoy, "--version"], r"version: \S*?/(\d[^/]*)")))
    if linkerd:  # its configuration comes from a control plane, so this names a script around it
        found.append(Kind("linkerd2-proxy", None, lambda c, p, u: [linkerd, str(p), str(u)], "?"))
    here = [k.name for k in found]
    for name, why in (("HAProxy", "not installed"), ("nginx", "not installed"),
                      ("nghttpx", "not installed"), ("Envoy", "no ENVOY="),
                      ("linkerd2-proxy", "no LINKERD2_PROXY=")):
        if name not in here:
            missing.append(f"{name}: {why}")
    return found, missing


def reno_kinds():
    """Weir and the relay, both with reno on their own sockets."""
    relay = os.path.join(build_dir(), "bench", "bench_relay")
    return [Kind("weir", "weir-reno.yaml", lambda c, p, u: weir_argv(c), "", False),
            Kind("relay", None, lambda c, p, u: [relay, str(p), str(u), "--congestion", "reno"], "",
                 False)]


# ---- the load ----

def load_program():
    return os.path.join(build_dir(), "bench", "bench_load")


_servers = []


def start_server(folder, core=None):
    port = free_port()
    _servers.append(Process("load-server", [load_program(), "server", str(port)], port,
                            LOAD_CORE if core is None else core, folder))
    return _servers[-1]


def client_argv(port, words, watch=()):
    argv = [load_program(), "client", words[0], str(port)] + [str(w) for w in words[1:]]
    return argv + (["--watch", ",".join(str(p) for p in watch)] if watch else [])


def load(proxy, words, core=None, timeout_s=90):
    """Runs one client to its end: its report."""
    done = subprocess.run(client_argv(proxy.port, words, proxy.pids), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout_s,
                          preexec_fn=before_exec(LOAD_CORE if core is None else core))
    if done.returncode != 0:
        why = done.stderr.strip() or f"status {done.returncode}"
        if done.returncode == -signal.SIGALRM:
            why = "the load did not come to its end"
        if _servers and _servers[-1].process.poll() is not None:
            why += f"; server: {_servers[-1].said()}"
        raise Failed(f"{proxy.name}: {why}")
    return json.loads(done.stdout.strip().splitlines()[-1])


class Held:
    """Idle streams or connections that are held open within the block."""

    def __init__(self, proxy, words):
        self.process = subprocess.Popen(client_argv(proxy.port, words), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        preexec_fn=before_exec(LOAD_CORE))
        self.name = proxy.name

    def __enter__(self):
        watchdog = signal.signal(signal.SIGALRM, self.overdue)
        signal.alarm(60)
        said = self.process.stdout.readline().strip()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, watchdog)
        if said != "holding":
            self.process.kill()
            raise Failed(f"{self.name}: {self.process.communicate()[1].strip()}")
        return self

    def overdue(self, *_):
        self.process.kill()

    def __exit__(self, *why):
        try:
            self.process.communicate("end\n", timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def temporary_folder():
    return tempfile.TemporaryDirectory(prefix="weir-bench.")
