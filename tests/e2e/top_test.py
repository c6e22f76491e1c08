#!/usr/bin/python3
"""top_test.py - `weir top` in a real terminal (tmux), in front of a real weir with real streams: what a person
sees and does."""
import contextlib
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import kit
from calls import Channel
from kit import Peer, Weir, eventually, one_route
from tap import check, check_eq, run, skip, test
import raw
from raw import Upstream, Wire


class Terminal:
    """A shell in a terminal of its own, in a tmux server of its own."""

    def __init__(self, columns=80, lines=24):
        if not shutil.which("tmux"):
            skip("tmux is not installed")
        self.dir = tempfile.mkdtemp(prefix="weir-tmux-")  # its socket outlives a server
        # $W is weir: a command that just fills a line makes tmux forget the end of that line
        self.env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", "W": kit.weir_binary()}
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines),
                  "-s", "t", "exec env TERM=screen-256color 'PS1=shell$ ' bash --norc --noprofile")

    def tmux(self, *argv):
        p = subprocess.run(["tmux", "-u", "-S", os.path.join(self.dir, "socket"), *argv], env=self.env, text=True,
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        check_eq(p.returncode, 0, f"tmux {' '.join(argv)}: {p.stderr}\nexit status")
        return p.stdout

    def __enter__(self):
        try:
            self.sees(r"^shell\$$")
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind:
                print("--- the screen:\n" + self.screen(), file=sys.stderr)
        finally:
            self.end()

    def end(self):
        self.tmux("kill-server")
        shutil.rmtree(self.dir)

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", "t")

    def styled(self):
        return self.tmux("capture-pane", "-p", "-e", "-t", "t")

    def keys(self, *keys):
        self.tmux("send-keys", "-t", "t", *keys)

    def type(self, text):
        self.tmux("send-keys", "-t", "t", "-l", text)

    def resize(self, columns, lines):
        self.tmux("resize-window", "-t", "t", "-x", str(columns), "-y", str(lines))

    def is_alternate(self):
        return self.tmux("display-message", "-p", "-t", "t", "#{alternate_on} #{cursor_flag}").split()

    def sees(self, pattern):
        """The match, once the screen shows it."""
        def found():
            screen = self.screen()
            match = re.search(pattern, screen, re.M)
            check(match, f"on the screen:\n{screen}")
            return match
        return eventually(found, f"/{pattern}/ on the screen")

    def top(self, weir, *argv):
        admin = weir if isinstance(weir, str) else weir.cfg["admin"]
        self.type(" ".join(['"$W"', "top", "--admin", admin, *argv]) + "\n")

    def rows(self, first=r"\d+-\d+"):
        """The first word of each row, from above."""
        return re.findall(rf"^({first}) ", self.screen(), re.M)


class Talker:
    """A bidirectional stream on which something is said, and heard, all the time."""

    def __init__(self, channel):
        self.chat = channel.chat(timeout=120)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.talk)
        self.thread.start()

    def talk(self):
        while not self.stopped.wait(0.005):
            self.chat.turn()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stopped.set()
        self.thread.join()
        self.chat.close()


def setting(*ports):
    """A route that calls a stream stalled early."""
    cfg = one_route(*ports)
    cfg["routes"][0]["stalled_after"] = "1s"
    return cfg


def number(text):
    """1.2k"""
    unit = {"k": 1e3, "M": 1e6}.get(text[-1])
    return float(text[:-1]) * unit if unit else float(text)


CHAT = r"^  weir\.e2e\.Peer/Chat +(?P<active>\d+) +(?P<started>\d+) +(?P<errors>\d+) +(?P<sent>[\d.k]+) "


@test
def routes_appear_with_rates_that_move_and_q_leaves_the_terminal_as_it_was():
    with Peer("py", "server") as server, Weir(setting(server.port)) as weir, \
            Channel(weir.target()) as channel, Terminal(90) as t:
        before = t.is_alternate()
        check_eq(before, ["0", "1"], "alternate screen, cursor")
        t.type("echo was here\n")
        t.sees("^was here")
        with Talker(channel):
            t.top(weir, "--interval", "100ms")
            t.sees(r"^ROUTE, METHOD +ACTIVE")
            t.sees(r"^all +1 ")
            eventually(lambda: number(t.sees(CHAT)["sent"]) > 5, "messages a second")
            check_eq(t.is_alternate(), ["1", "0"], "alternate screen, cursor")
            seen = t.sees(CHAT)["sent"]
            eventually(lambda: t.sees(CHAT)["sent"] != seen, "another rate")
        eventually(lambda: t.sees(CHAT)["sent"] == "0", "the rate of silence")
        t.keys("q")
        t.sees(r"^was here")  # what was there is there again
        check_eq(t.is_alternate(), before, "alternate screen, cursor")
        t.type("stty -a\n")
        t.sees(r"[^-]icanon")
        t.sees(r"[^-]echo ")
        t.type("echo $?\n")
        t.sees(r"^0$")


@test
def streams_are_sorted_filtered_and_one_is_opened():
    with Peer("py", "server") as server, Weir(setting(server.port)) as weir, \
            Channel(weir.target()) as first, Channel(weir.target()) as second, Terminal() as t:
        quiet = first.chat()
        quiet.turn()
        with Talker(second):
            t.top(weir, "streams", "--interval", "200ms")
            t.sees(r"^ID +PATH +AGE +SENT +RECV +MSG/s")
            eventually(lambda: len(t.rows()) == 2, "two streams")
            oldest = t.rows()
            t.keys("s")
            t.sees("busiest")
            eventually(lambda: t.rows() == oldest[::-1], "the busy one above")
            t.keys("r")
            eventually(lambda: t.rows() == oldest, "the order reversed")
            stuck = first.produce(1000, 10000)  # nobody reads it
            eventually(lambda: len(t.rows()) == 3, "a third stream")
            t.keys("/")
            t.type("produce")
            t.sees("^filter: produce")
            t.keys("Enter")
            eventually(lambda: len(t.rows()) == 1, "the filter to narrow")
            t.sees(r"Peer/Produce .* stalled recv: window")
            t.keys("Enter")
            t.sees(r"^stream \d+-\d+, open for ")
            t.sees(r"^Stalled: it has been blocked for longer than its route allows")
            t.sees(r"^Server to client is blocked \(peer_stream_window\): the client takes")
            t.sees(r"^request +/weir\.e2e\.Peer/Produce to ")
            t.sees(r"^blocked now +no +yes, for [1-9]\d*s")
            t.resize(100, 40)
            t.sees(r"^client +127\.0\.0\.1:\d+, stream \d+ of connection \d+-\d+")
            t.sees(r"^  may still get +0 bytes on this stream, \d+ on the connection")
            t.sees(rf"^server +127\.0\.0\.1:{server.port}, stream \d+ of connection")
            stuck.cancel()
            t.sees(r"is gone: it has ended")
            t.keys("Escape")
            t.sees("^nothing matches")
            t.keys("Escape")
            eventually(lambda: len(t.rows()) == 2, "the filter to be cleared")
            t.keys("/")
            t.type("state=stalled")
            t.keys("Enter")
            t.sees("^nothing matches")
            t.keys("q")
            t.sees(r"^shell\$$")
        quiet.close()


@test
def connections_and_clusters_are_shown_and_opened():
    with Peer("py", "server") as server, Weir(setting(server.port)) as weir, \
            Channel(weir.target()) as channel, Terminal(120, 40) as t:
        with Talker(channel):
            t.top(weir, "--interval", "200ms")
            t.sees("^all ")
            t.keys("3")
            t.sees(r"^\d+-\d+ +downstream +in +127\.0\.0\.1:\d+ ")
            t.sees(rf"^\d+-\d+ +upstream +up +127\.0\.0\.1:{server.port} +\d+s +\d+s +1 +1 ")
            t.keys("Enter")
            t.sees(r"^streams_total +1$")
            t.sees(r"^fd +\d+$")
            t.keys("Escape", "Tab")
            t.sees(r"^CLUSTER, ENDPOINT +STATE")
            t.sees(rf"^up +1 +1 [^\n]*\n  127\.0\.0\.1:{server.port} +up +1 +1 ")
            t.keys("Enter")  # the streams of the cluster
            t.sees(r"^filter: cluster=up")
            eventually(lambda: len(t.rows()) == 1, "its stream")
            t.keys("1")
            t.sees("^all ")
            t.keys("Enter")
            t.sees(r"^filter: route=all")
            eventually(lambda: len(t.rows()) == 1, "its stream")
            t.keys("q")
            t.sees(r"^shell\$$")


@test
def it_follows_the_size_of_its_window():
    with Peer("py", "server") as server, Weir(setting(server.port)) as weir, \
            Channel(weir.target()) as channel, Terminal() as t:
        chat = channel.chat()
        chat.turn()
        t.top(weir, "streams", "--interval", "1h")  # what is drawn anew is drawn for the window's sake
        t.sees(r"^0-\d+ ")
        t.resize(40, 10)
        t.sees(r"^0-\d+ ")
        eventually(lambda: max(map(len, t.screen().splitlines())) <= 40 and "Tab view" in t.screen())
        t.resize(39, 10)
        t.sees("^too small: 39x10, needs 40x8")
        t.resize(80, 7)
        t.sees("^too small: 80x7, needs 40x8")
        t.resize(200, 60)
        t.sees(rf"^0-\d+ .* 127\.0\.0\.1:\d+ +127\.0\.0\.1:{server.port} ")
        check_eq(t.screen().splitlines()[59][:8], "Tab view", "the last line")
        t.keys("?")
        t.sees("^Tab, 1 to 4")
        t.keys("x", "q")
        t.sees(r"^shell\$$")
        chat.close()


def hold(wire, _nth):
    """A server that takes a call and says nothing."""
    wire.accept()
    wire.expect("HEADERS")
    wire.wait_closed()


@test
def what_a_client_sends_as_path_is_harmless_text():
    # Weir itself refuses the control characters of ASCII in a path. Left are those of C1 (CSI in one character)
    # and what turns the direction of text around.
    path = "/a\u009b2Jb\u202ec\u00d6\u706b"
    with Upstream(hold) as server, Weir(setting(server.port)) as weir, \
            Wire.connect(weir.port()) as wire, Terminal(160, 30) as t:
        wire.start()
        wire.headers(1, raw.request(path))
        eventually(lambda: json.loads(weir.get("/streams")[1])["total"] == 1, "the stream")
        t.top(weir, "streams", "--interval", "200ms")
        t.sees("^0-\\d+ +/a\\?2Jb\\?c\u00d6\u706b")
        t.keys("Enter")
        t.sees("^request +/a\\?2Jb\\?c\u00d6\u706b")
        t.keys("q", "q")
        t.sees(r"^shell\$$")
        check("/a?2Jb?c\u00d6\u706b" in printed(weir, "streams", "--once"))


@contextlib.contextmanager
def admin_that_says(page):
    """The address of something that answers every request with this page."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_):
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", kit.free_port()), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


ESCAPES = "\x1b[2J\x1b]0;owned\x07\x1b[7mX\x1b[1;1H\r\n\x08\x9b31m\x0e"


@test
def an_admin_address_that_lies_cannot_touch_the_terminal():
    lane = {"messages": 3, "stalled": ESCAPES, "stalled_seconds": {ESCAPES: 5}}
    row = {k: ESCAPES for k in ("id", "path", "authority", "route", "state", "client", "endpoint", "service", "cluster")}
    page = {"total": 1, "streams": [{**row, "sent": lane, "received": lane, "downstream": {"connection": ESCAPES}}]}
    with admin_that_says(json.dumps(page).encode()) as admin, Terminal(160, 50) as t:
        title = t.tmux("display-message", "-p", "-t", "t", "#{pane_title}")
        t.top(admin, "streams", "--interval", "200ms")
        shown = re.escape("?[2J?]0;owned??[7mX?[1;1H")
        t.sees(r" \?\[2J\?\]0;owned\?")
        t.keys("Enter")
        t.sees(r"^request +" + shown)
        t.sees(r"^client +" + shown)
        check_eq(t.tmux("display-message", "-p", "-t", "t", "#{pane_title}"), title, "the title")
        check("\033[7mX" not in t.styled(), "a peer chose a style")
        t.keys("q", "q")
        t.sees(r"^shell\$$")
        for page_end in b"", b"x":
            with admin_that_says(json.dumps(page).encode() + page_end) as other:
                p = subprocess.run([kit.weir_binary(), "top", "streams", "--once", "--interval", "100ms", "--admin",
                                    other], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
            text = (p.stdout + p.stderr).decode()
            check(("not JSON" if page_end else "?[2J?..") in text, text)
            check(not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), repr(text))


def printed(weir, *argv, status=0):
    p = subprocess.run([kit.weir_binary(), "top", *argv, "--admin", weir.cfg["admin"]], text=True,
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                       env={**os.environ, "LANG": "C.UTF-8"})
    check_eq(p.returncode, status, f"{p.stderr}\nexit status of weir top {' '.join(argv)}")
    return p.stdout


@test
def a_weir_that_goes_away_is_told_of_and_shown_again_when_it_is_back():
    with Peer("py", "server") as server:
        cfg = setting(server.port)
        with Terminal() as t:
            t.top(cfg["admin"], "streams", "--interval", "100ms")
            t.sees("Connection refused")  # from the start: it waits for it
            for _ in range(2):
                with Weir(cfg) as weir, Channel(weir.target()) as channel:
                    chat = channel.chat()
                    chat.turn()
                    eventually(lambda: t.rows() and "refused" not in t.screen(), "the stream, and no notice")
                    chat.close()
                t.sees("Connection refused")
            t.keys("q")
            t.sees(r"^shell\$$")


@test
def an_admin_address_that_does_not_answer_is_told_of_and_holds_up_no_key():
    with socket.socket() as silent, Terminal() as t:
        silent.bind(("127.0.0.1", kit.free_port()))
        silent.listen()
        t.top("127.0.0.1:%d" % silent.getsockname()[1], "streams")
        t.sees("^waiting for an answer")
        t.keys("?")
        t.sees("^Tab, 1 to 4")
        t.keys("x", "+")
        t.sees(" every 2s, oldest")
        t.sees("no answer in 2000 ms")
        t.keys("q")
        t.sees(r"^shell\$$")


@test
def ctrl_z_gives_the_terminal_back_and_fg_takes_it_again():
    with Peer("py", "server") as server, Weir(setting(server.port)) as weir, Terminal() as t:
        t.top(weir, "streams")
        t.sees("^nothing yet")
        t.keys("C-z")
        t.sees(r"[Ss]topped")
        check_eq(t.is_alternate(), ["0", "1"], "alternate screen, cursor")
        t.type("stty -a\n")
        t.sees(r"[^-]icanon")
        t.type("fg\n")
        t.sees("^nothing yet")
        check_eq(t.is_alternate(), ["1", "0"], "alternate screen, cursor")
        t.keys("C-c")
        t.sees(r"[^-]icanon")
        check_eq(t.is_alternate(), ["0", "1"], "alternate screen, cursor")


@test
def once_prints_tables_and_json_one_document_of_each_view():
    with Peer("py", "server") as server, Weir(setting(server.port)) as weir, \
            Channel(weir.target()) as channel, Talker(channel):
        once = ("--once", "--interval", "200ms")
        check(re.search(CHAT, printed(weir, "routes", *once), re.M))
        check(re.search(r"^0-\d+ +\S*Peer/Chat ", printed(weir, "streams", *once), re.M))
        check(re.search(r"^0-\d+ +downstream +in ", printed(weir, "connections", *once), re.M))
        check(re.search(r"^up .*\n  127\.0\.0\.1:\d+ +up ", printed(weir, "clusters", *once), re.M))
        doc = json.loads(printed(weir, "streams", "--json", "--interval", "200ms"))
        check_eq((doc["view"], doc["total"], len(doc["streams"])), ("streams", 1, 1))
        stream = doc["streams"][0]
        check(stream["sent_messages_per_second"] > 5, stream)
        check_eq(stream["path"], "/weir.e2e.Peer/Chat")
        doc = json.loads(printed(weir, "streams", "--json"))
        check_eq(doc["streams"][0]["sent_messages_per_second"], None)
        doc = json.loads(printed(weir, "routes", "--json", "--interval", "200ms"))
        check(doc["routes"][0]["sent_messages_per_second"] > 5, doc)
        for view in "connections", "clusters":
            check(json.loads(printed(weir, view, "--json"))[view], view)


if __name__ == "__main__":
    run()
