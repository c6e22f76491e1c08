"""browser.py - headless Chromium for tests, driven by the DevTools protocol over a pair of pipes: no port, no driver.

    with Browser(width=1600, height=1000) as page:
        page.open("http://127.0.0.1:9901/dashboard")
        page.eventually("document.title.startsWith('Weir')")
        check_eq(page.problems, [])          # console errors, exceptions, failed or external requests

The browser has a profile of its own in a temporary folder, and is ended by its pid. Its processes are in one session:
none may outlive it. One thread.
"""
import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

import kit
import tap
from kit import PATIENCE_S

BINARIES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
    "--disable-extensions", "--mute-audio", "--hide-scrollbars", "--force-color-profile=srgb", "--no-proxy-server",
    "--font-render-hinting=none", "--disable-features=Translate,MediaRouter,OptimizationHints",
)
# The protocol's descriptors are 3 and 4.
TAKE_PIPES = """import fcntl, os, sys
a, b = (fcntl.fcntl(int(n), fcntl.F_DUPFD_CLOEXEC, 10) for n in sys.argv[1:3])
os.dup2(a, 3); os.dup2(b, 4)
os.execv(sys.argv[3], sys.argv[3:])"""


class Browser:
    """One tab of one browser."""

    def __init__(self, width=1600, height=1000, scheme="light", scale=1):
        binary = next(filter(None, map(shutil.which, BINARIES)), None)
        if not binary:
            tap.skip("chromium is not installed")
        self.size, self.scheme, self.scale = (width, height), scheme, scale
        self.problems, self.requests, self.answers = [], [], {}
        self.number, self.rest, self.session, self.origin = 0, b"", None, None
        self.profile = tempfile.mkdtemp(prefix="weir-chromium-")
        self.start(binary)

    def start(self, binary):
        its_in, self.to = os.pipe()
        self.back, its_out = os.pipe()

        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(
            [kit.PYTHON, "-c", TAKE_PIPES, str(its_in), str(its_out), binary, *FLAGS, *sandbox,
             f"--user-data-dir={self.profile}", "about:blank"],
            pass_fds=(its_in, its_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, env={**os.environ, "HOME": self.profile})
        os.close(its_in)
        os.close(its_out)

    def __enter__(self):
        try:
            target = next(t for t in self.send("Target.getTargets")["targetInfos"] if t["type"] == "page")
            self.session = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.send(domain + ".enable")
            self.resize(*self.size)
            self.colours(self.scheme)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for fd in (self.to, self.back):
            os.close(fd)
        end = time.monotonic() + 10
        while time.monotonic() < end:  # its last processes may still write there
            shutil.rmtree(self.profile, ignore_errors=True)
            if not os.path.exists(self.profile):
                return
            time.sleep(0.05)

    # ---- the protocol: JSON texts that end in a zero byte

    def send(self, method, **params):
        """The result of a command; events that come meanwhile are noted."""
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        end = time.monotonic() + PATIENCE_S
        while number not in self.answers:
            self.receive(end - time.monotonic(), method)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def receive(self, within_s, waiting_for):
        if not select.select([self.back], [], [], max(within_s, 0))[0]:
            raise AssertionError(f"chromium did not answer {waiting_for} in {PATIENCE_S} s")
        data = os.read(self.back, 1 << 20)
        if not data:
            raise AssertionError(f"chromium ended ({self.process.poll()}) during {waiting_for}")
        *messages, self.rest = (self.rest + data).split(b"\0")
        for text in messages:
            message = json.loads(text)
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.note(message["method"], message["params"])

    def note(self, event, p):
        if event == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            self.problems.append("console: " + " ".join(str(a.get("value", a)) for a in p["args"]))
        elif event == "Runtime.exceptionThrown":
            details = p["exceptionDetails"]
            self.problems.append("exception: " + details.get("exception", {}).get("description", details["text"]))
        elif event == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
            self.problems.append("log: " + p["entry"]["text"] + " " + p["entry"].get("url", ""))
        elif event == "Network.requestWillBeSent":
            url = p["request"]["url"]
            self.requests.append(url)
            if self.origin and not url.startswith((self.origin, "data:", "about:")):
                self.problems.append("external request: " + url)
        elif event == "Network.loadingFailed" and not p.get("canceled"):
            self.problems.append("failed request: " + p["errorText"])
        elif event == "Network.responseReceived" and p["response"]["status"] >= 400:
            self.problems.append(f"status {p['response']['status']}: {p['response']['url']}")

    # ---- what tests do

    def open(self, url):
        self.origin = "/".join(url.split("/")[:3]) + "/"
        self.run("window.before = true")
        self.send("Page.navigate", url=url)
        self.eventually("!window.before && document.readyState == 'complete'")

    def resize(self, width, height):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=self.scale,
                  mobile=False)

    def colours(self, scheme):
        """What prefers-color-scheme says."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def run(self, expression):
        """The value of a JavaScript expression; promises are waited for."""
        r = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in r:
            d = r["exceptionDetails"]
            raise AssertionError(f"{expression}: {d.get('exception', {}).get('description', d['text'])}")
        return r["result"].get("value")

    def eventually(self, expression, within_s=PATIENCE_S):
        """Wait until the expression is true, and return its value."""
        end = time.monotonic() + within_s
        while True:
            value = self.run(expression)
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"{expression} did not become true in {within_s} s; problems: {self.problems}")
            time.sleep(0.05)

    def type(self, text):
        """Into whatever has the focus."""
        self.send("Input.insertText", text=text)

    def key(self, key, code=0, text=None):
        more = {"text": text} if text else {}
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def screenshot(self, path=None):
        """PNG bytes of what is to be seen; also written to `path`."""
        data = base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])
        if path:
            with open(path, "wb") as f:
                f.write(data)
        return data
