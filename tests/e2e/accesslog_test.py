#!/usr/bin/python3
"""accesslog_test.py - the access log, written while real clients and servers talk: what its lines say, that nothing is
lost when a file is rotated, and that nobody waits for a reader. docs/reference.md has the keys."""
import contextlib
import glob
import gzip
import json
import os
import re
import shutil
import signal
import socket
import tempfile
import threading
from kit import Peer, Weir, eventually, free_port, one_route
from tap import cases, check, check_eq, run, test
from calls import SERVICE, Channel, payload
import raw
from raw import Upstream, Wire

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = (("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"),)


@contextlib.contextmanager
def log_file():
    """A path for an access log, in a directory of its own."""
    where = tempfile.mkdtemp(prefix="weir-accesslog-")
    try:
        yield os.path.join(where, "access.json")
    finally:
        shutil.rmtree(where)


def logged(port, path, every="0s", events=("open", "update", "close"), **more):
    cfg = one_route(port, **more)
    cfg["access_log"] = {"path": path, "every": every, "events": list(events)}
    return cfg


def lines(path, event=None):
    """The lines of a log as dicts; one that is not whole yet is left out."""
    with open(path) as f:
        whole = f.read().rpartition("\n")[0]
    found = [json.loads(line) for line in whole.splitlines()]
    for line in found:
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]), f"time of {line}")
    return [line for line in found if event in (None, line["event"])]


def closed(path, count=1):
    """The close lines, once there are so many."""
    eventually(lambda: len(lines(path, "close")) >= count, f"{count} close lines")
    return lines(path, "close")


def pick(line, *keys):
    return {k: line[k] for k in keys if k in line}


@test
def a_stream_is_in_the_log_when_it_opens_while_it_is_open_and_at_its_end():
    with log_file() as path, Peer("py", "server") as server, \
            Weir(logged(server.port, path, every="200ms")) as weir, Channel(weir.target()) as client:
        chat = client.chat(metadata=PARENT)
        for _ in range(3):
            chat.turn(100)
        eventually(lambda: len(lines(path, "update")) >= 2, "two update lines")
        check_eq([line["event"] for line in lines(path)][:3], ["open", "update", "update"], "events")
        check_eq(chat.close()[0], "OK")
        first, update, close = lines(path)[0], lines(path, "update")[1], closed(path)[0]
        what = {"id": "0-1", "listener": "in", "route": "all", "cluster": "up", "protocol": "grpc",
                "http_method": "POST", "path": f"/{SERVICE}/Chat", "service": SERVICE, "method": "Chat",
                "authority": weir.target(), "trace_id": TRACE}
        for line in (first, update, close):
            check_eq(pick(line, *what), what, "what a line is about")
            check(line["user_agent"].startswith("grpc-python/"), line["user_agent"])
            check(re.fullmatch(r"127\.0\.0\.1:\d+", line["client"]), line["client"])
        check_eq(set(first) - set(what), {"time", "event", "user_agent", "client"}, "further keys of an open line")
        counts = {"sent_messages": 3, "sent_bytes": 315, "received_messages": 3, "received_bytes": 315,
                  "endpoint": f"127.0.0.1:{server.port}", "http_status": 200}
        check_eq(pick(update, *counts), counts, "counts of an update")
        check_eq(update["sent_rate"], 0, "rate since the update before it")
        check(update["duration_ms"] >= update["sent_age_ms"] > 0, f"times of {update}")
        check("ended_by" not in update, f"{update}")
        counts |= {"grpc_status": "OK", "ended_by": "upstream", "reason": "complete"}
        check_eq(pick(close, *counts), counts, "counts at the end")
        check(close["duration_ms"] >= close["first_message_ms"] >= close["head_ms"] > 0, f"times of {close}")
        m = weir.metrics()
        check_eq(m.sum("weir_access_log_records_total"), len(lines(path)), "weir_access_log_records_total")
        check_eq(m.sum("weir_output_records_total", output=path), len(lines(path)), "weir_output_records_total")
        check_eq(m.sum("weir_output_written_bytes_total"), os.path.getsize(path), "weir_output_written_bytes_total")
        check_eq(m.sum("weir_output_waiting_bytes"), 0, "weir_output_waiting_bytes")
        check_eq(os.stat(path).st_mode & 0o137, 0, "nobody else may write, others not even read")


def silent(wire, _nth):
    wire.accept()
    wire.expect("HEADERS")
    wire.wait_closed()


def resets(wire, _nth):
    wire.accept()
    stream = wire.expect("HEADERS").stream
    wire.headers(stream, raw.RESPONSE)
    wire.rst(stream, raw.INTERNAL_ERROR)
    wire.wait_closed()


def one_call(port_or_script, do, cfg_more=None):
    """The close line of the one call that do(client, path of the log) makes."""
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(log_file())
        if callable(port_or_script):
            port_or_script = stack.enter_context(Upstream(port_or_script)).port
        cfg = logged(port_or_script, path) | (cfg_more or {})
        weir = stack.enter_context(Weir(cfg))
        do(stack.enter_context(Channel(weir.target())), path)
        close = closed(path)
        check_eq([line["event"] for line in lines(path)], ["open", "close"], "events")
        return close[0]


def cancel(client, path):
    chat = client.chat()
    eventually(lambda: lines(path, "open"), "an open line")
    chat.cancel()


def outlive(client, _path):
    check_eq(client.unary(timeout=0.3)[0], "DEADLINE_EXCEEDED")


@cases("cancel", "outlive")
def a_cancel_and_a_deadline_are_the_clients_doing(do):
    close = one_call(silent, globals()[do])
    check_eq(pick(close, "ended_by", "reason", "grpc_status", "h2_code"),
             {"ended_by": "client", "reason": "client_cancel", "h2_code": raw.CANCEL}, "the end")


def ends(status):
    return lambda client, _path: check_eq(client.unary()[0], status)


@test
def a_reset_by_the_server_says_with_which_code():
    close = one_call(resets, ends("INTERNAL"))
    check_eq(pick(close, "ended_by", "reason", "h2_code", "http_status"),
             {"ended_by": "upstream", "reason": "upstream_reset", "h2_code": raw.INTERNAL_ERROR, "http_status": 200},
             "the end")


@test
def what_weir_refuses_says_why():
    port = free_port()
    close = one_call(port, ends("UNAVAILABLE"))
    check_eq(pick(close, "ended_by", "reason", "grpc_status", "endpoint"),
             {"ended_by": "weir", "reason": "connect_refused", "grpc_status": "UNAVAILABLE",
              "endpoint": f"127.0.0.1:{port}"}, "the end")
    check("refused" in close["detail"], close["detail"])
    only = {"routes": [{"name": "all", "cluster": "up", "match": {"method": {"service": "another.Service"}}}]}
    close = one_call(port, ends("UNIMPLEMENTED"), only)
    check_eq(pick(close, "ended_by", "reason", "grpc_status", "route"),
             {"ended_by": "weir", "reason": "no_route", "grpc_status": "UNIMPLEMENTED"}, "the end")


IN_THE_BODY = {  # content-type: (body of the answer, grpc_status, reason)
    "application/grpc-web+proto": (raw.message(b"a") + raw.message(b"grpc-status:5\r\n", 0x80), "NOT_FOUND", "complete"),
    "application/grpc-web-text": (b"AAAAAAFhgAAAAA9ncnBjLXN0YXR1czowDQo=", "OK", "complete"),
    "application/connect+json": (raw.message(b'{"error":{"code":"aborted"}}', 2), "ABORTED", "complete"),
    "application/connect+proto": (raw.message(b"a"), None, "no_status"),
    "application/grpc-web": (raw.message(b"a") + raw.message(gzip.compress(b"grpc-status:10\r\n"), 0x81),
                             "ABORTED", "complete"),
    "application/connect+json; charset=utf-8": (
        raw.message(gzip.compress(b'{"error":{"code":"data_loss"}}'), 3), "DATA_LOSS", "complete"),
    "application/connect+x": (raw.message(b"\xce\xb2\xcf\x81", 3), None, "complete"),  # not gzip: nobody can say
    "application/json": (b'{"code":"out_of_range"}', "OUT_OF_RANGE", "complete"),  # Connect unary
    "application/json; gzip": (gzip.compress(b'{"code":"unauthenticated"}'), "UNAUTHENTICATED", "complete"),
}


@test
def the_status_of_gRPC_Web_and_Connect_is_read_from_the_body():
    def script(wire, _nth):
        wire.accept()
        for _ in IN_THE_BODY:
            head = wire.expect("HEADERS")
            kind = head.dict["content-type"]
            wire.headers(head.stream, [(":status", "400" if "/json" in kind else "200"), ("content-type", kind),
                                       *[("content-encoding", "gzip")][:"gzip" in kind]])
            body = IN_THE_BODY[kind][0]
            for i in range(len(body)):
                wire.data(head.stream, body[i:i + 1], i + 1 == len(body))
        wire.wait_closed()
    with log_file() as path, Upstream(script) as server, \
            Weir(logged(server.port, path, events=("close",))) as weir, Wire.connect(weir.port()) as wire:
        wire.start()
        for n, (kind, (body, status, reason)) in enumerate(IN_THE_BODY.items()):
            version = [("connect-protocol-version", "1")] if "/json" in kind else []
            wire.headers(2 * n + 1, [*raw.request("/a.B/C", grpc=False), ("content-type", kind), *version], end=True)
            check_eq(wire.collect(2 * n + 1)[1], body, f"the answer in {kind}")
            check_eq(pick(closed(path, n + 1)[n], "grpc_status", "reason"),
                     {k: v for k, v in (("grpc_status", status), ("reason", reason)) if v}, f"the line of {kind}")
        m = weir.metrics()
        completed = {"NOT_FOUND": 1, "OK": 1, "ABORTED": 2, "UNKNOWN": 2, "OUT_OF_RANGE": 1, "DATA_LOSS": 1,
                     "UNAUTHENTICATED": 1}
        check_eq({s: m.sum("grpc_streams_completed_total", grpc_status=s) for s in completed}, completed)
        check_eq(m.sum("weir_streams_ended_total", outcome="will"), len(IN_THE_BODY) - 1, "streams ended by will")
        check_eq(m.sum("weir_streams_ended_by_total", reason="no_status"), 1, "streams without a status")


def refusal(line):
    """Its keys but those that every line has; a refused stream has no id, and no route took it."""
    check(re.fullmatch(r"127\.0\.0\.1:\d+", line["client"]), line)
    check_eq(pick(line, "event", "listener", "id", "route"), {"event": "close", "listener": "in"}, "a refusal")
    return {k: v for k, v in line.items() if k not in ("time", "event", "listener", "client")}


CHAT = f"/{SERVICE}/Chat"


@test
def streams_that_were_refused_before_they_began_have_a_line_that_says_why():
    with log_file() as path, Upstream(silent) as server, \
            Weir(logged(server.port, path, limits={"streams_per_connection": 1})) as weir:
        with Wire.connect(weir.port()) as wire:
            wire.start()
            wire.headers(1, raw.request(CHAT))
            wire.headers(3, raw.request(CHAT))
            check_eq(wire.expect("RSTSTREAM", stream=3).error_code, raw.REFUSED_STREAM)
            check_eq(refusal(closed(path)[0]),
                     {"ended_by": "weir", "reason": "too_many_streams", "h2_code": raw.REFUSED_STREAM,
                      "detail": "beyond SETTINGS_MAX_CONCURRENT_STREAMS"}, "over the limit")
        closed(path, 2)  # the first stream's, with the connection
        with Wire.connect(weir.port()) as wire:
            wire.start()
            wire.headers(1, raw.request(CHAT, ("Upper", "case")))
            check_eq(wire.expect("RSTSTREAM", stream=1).error_code, raw.PROTOCOL_ERROR)
            check_eq(refusal(closed(path, 3)[2]),
                     {"ended_by": "weir", "reason": "field_name", "h2_code": raw.PROTOCOL_ERROR,
                      "detail": "field name with a forbidden character"}, "malformed")
        with socket.create_connection(("127.0.0.1", weir.port())) as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            check(s.recv(1000).startswith(b"HTTP/1.1 505"), "the answer to HTTP/1")
            check_eq(refusal(closed(path, 4)[3]),
                     {"ended_by": "weir", "reason": "http1", "http_status": 505}, "HTTP/1")
        check_eq(len(lines(path, "open")), 1, "open lines")
        check_eq(weir.metrics().sum("weir_access_log_records_total", event="close"), 4, "close lines")


@test
def a_client_that_the_memory_budget_refuses_is_told_counted_and_logged_and_served_when_there_is_room():
    STREAMS, EACH, WINDOW = 7, 195 * 1005, 65535  # held: 87 % of 1 MiB, between the refusals and the cut
    held = STREAMS * (EACH - WINDOW)
    with log_file() as path, Peer("py", "server") as server, \
            Weir(logged(server.port, path, limits={"memory": "1MiB"})) as weir, \
            Wire.connect(weir.port()) as hoard, Channel(weir.target()) as client:
        hoard.start()
        hoard.auto = False
        hoard.credit(0, 1 << 30)
        for stream in range(1, 2 * STREAMS, 2):  # whose windows are never opened again
            hoard.headers(stream, raw.request(f"/{SERVICE}/Produce"))
            hoard.data(stream, raw.message(b"195 1000"), end=True)
        read = 0
        while read < STREAMS * WINDOW:
            frame = hoard.read()
            if frame.name == "DATA":
                read += frame.flow_controlled_length
            else:
                hoard.answer(frame)
        eventually(lambda: weir.metrics().sum("weir_memory_held_bytes") == held, "the budget being used")
        eventually(lambda: weir.metrics().sum("weir_memory_credit_stops_total") == 1, "the brake")
        status, details, _ = client.unary(b"hello", metadata=PARENT)
        check_eq(status, "UNAVAILABLE", details)  # as gRPC maps REFUSED_STREAM: it may be sent again
        m = weir.metrics()
        refused = m.sum("weir_streams_refused_total", listener="in")
        check(refused >= 1, "nothing was counted")  # the library may have tried again by itself
        check_eq(m.sum("grpc_streams_started_total"), STREAMS, "calls that began")
        check_eq(m.sum("weir_memory_cut_streams_total"), 0, "streams cut")
        found = closed(path, refused)
        check_eq(len(found), refused, "close lines")
        for line in found:
            told = refusal(line)
            check(told.pop("user_agent").startswith("grpc-python/"), line)
            check_eq(told, {"ended_by": "weir", "reason": "memory_budget", "h2_code": raw.REFUSED_STREAM,
                            "protocol": "grpc", "http_method": "POST", "path": f"/{SERVICE}/Unary",
                            "authority": weir.target(), "trace_id": TRACE}, "what a line says")
        for stream in range(1, 2 * STREAMS, 2):
            hoard.rst(stream, raw.CANCEL)
        eventually(lambda: weir.metrics().sum("weir_memory_held_bytes") == 0, "the memory's return")
        check_eq(client.unary(b"hello")[0], "OK")
        check_eq(weir.metrics().sum("weir_streams_refused_total", listener="in"), refused)


@test
def a_stream_that_a_drain_refuses_has_a_line_with_its_path():
    with log_file() as path, Upstream(silent) as server, Weir(logged(server.port, path)) as weir, \
            Wire.connect(weir.port()) as wire:
        wire.start()
        wire.headers(1, raw.request(CHAT))
        eventually(lambda: lines(path, "open"), "an open line")
        weir.signal(signal.SIGTERM)
        wire.auto = False  # so that Weir's first GOAWAY is not followed by its second
        wire.expect("GOAWAY")
        wire.headers(3, raw.request(CHAT))
        check_eq(wire.expect("RSTSTREAM", stream=3).error_code, raw.REFUSED_STREAM)
        check_eq(refusal(closed(path)[0]),
                 {"ended_by": "weir", "reason": "shutdown", "h2_code": raw.REFUSED_STREAM, "protocol": "grpc",
                  "http_method": "POST", "path": CHAT, "authority": "e2e.test"}, "in a drain")
        wire.rst(1, raw.CANCEL)
        wire.close()
        check_eq(weir.wait(), 0, "exit code")


@test
def streams_that_a_drain_ends_are_in_the_log_before_the_process_ends():
    with log_file() as path, Peer("py", "server") as server, \
            Weir(logged(server.port, path, grace="100ms")) as weir, Channel(weir.target()) as client:
        chats = [client.chat() for _ in range(20)]
        for chat in chats:
            chat.turn()
        weir.signal(signal.SIGTERM)
        for chat in chats:
            check_eq(chat.end()[0], "UNAVAILABLE")
        check_eq(weir.wait(), 0, "exit code")
        ends = [pick(line, "ended_by", "reason", "grpc_status") for line in lines(path, "close")]
        check_eq(ends, [{"ended_by": "weir", "reason": "shutdown", "grpc_status": "UNAVAILABLE"}] * 20, "ends")


@test
def rotation_by_sighup_loses_nothing():
    with log_file() as path, Peer("py", "server") as server, \
            Weir(logged(server.port, path, workers=2, events=("close",))) as weir:
        calls, stop = [0, 0, 0], threading.Event()

        def call(i):
            with Channel(weir.target()) as client:
                while not stop.is_set():
                    check_eq(client.unary()[0], "OK")
                    calls[i] += 1
        threads = [threading.Thread(target=call, args=(i,)) for i in range(3)]
        for t in threads:
            t.start()
        for n in range(1, 11):
            before = sum(calls)
            eventually(lambda: sum(calls) > before + 10, "more calls")
            os.rename(path, f"{path}.{n}")
            if n == 5:  # a configuration that is refused rotates all the same
                weir.write("nonsense: [")
            weir.signal(signal.SIGHUP)
            eventually(lambda: os.path.exists(path), "a new file")
        stop.set()
        for t in threads:
            t.join()

        def made():
            return [line["id"] for name in glob.glob(path + "*") for line in lines(name)]
        eventually(lambda: len(made()) >= sum(calls), "all lines")
        check_eq((len(made()), len(set(made()))), (sum(calls), sum(calls)), "lines, and different ones")
        check(len(lines(f"{path}.7")) > 0, "the files between have lines")
        m = weir.metrics()
        check_eq(m.sum("weir_config_reload_errors_total"), 6, "reloads refused")
        check_eq(m.sum("weir_output_dropped_records_total"), 0, "dropped")
        check_eq(m.sum("weir_output_errors_total"), 0, "errors")


@test
def a_log_is_rotated_while_weir_drains():
    with log_file() as path, Peer("py", "server") as server, \
            Weir(logged(server.port, path, grace="60s")) as weir, Channel(weir.target()) as client:
        chat = client.chat()
        chat.turn()
        weir.signal(signal.SIGTERM)
        eventually(lambda: weir.metrics().sum("weir_draining") == 1, "the drain")
        os.rename(path, path + ".1")
        weir.signal(signal.SIGHUP)
        eventually(lambda: os.path.exists(path), "a new file")
        check_eq(chat.close()[0], "OK")
        check_eq(weir.wait(), 0, "exit code")
        check_eq([line["event"] for line in lines(path + ".1")], ["open"], "lines in the old file")
        check_eq([line["reason"] for line in lines(path)], ["complete"], "lines in the new file")


@test
def a_pipe_that_nobody_reads_stops_no_stream_and_what_is_dropped_is_counted():
    with log_file() as path, Peer("py", "server") as server:
        os.mkfifo(path)
        with Weir(logged(server.port, path, limits={"output_bytes": "16KiB"})) as weir, \
                Channel(weir.target()) as client:
            chat = client.chat()
            chat.turn()
            for _ in range(300):  # two lines each: more than the pipe and the limit take
                check_eq(client.unary()[0], "OK")
            chat.turn()
            m = weir.metrics()
            made, dropped = m.sum("weir_access_log_records_total"), m.sum("weir_output_dropped_records_total")
            check_eq(made, 601, "lines made")
            check(dropped > 0, "nothing was dropped")
            check(0 < m.sum("weir_output_waiting_bytes") <= 16384, "waiting bytes")
            fifo = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            text = b""

            def read_on():
                nonlocal text
                with contextlib.suppress(BlockingIOError):
                    text += os.read(fifo, 1 << 20)
                return text.count(b"\n") == made - dropped
            eventually(read_on, "the lines that were not dropped")
            seen = [json.loads(line) for line in text.splitlines()]
            ids = [int(line["id"].removeprefix("0-")) for line in seen]
            check_eq(ids, sorted(ids), "order")
            check_eq(chat.close()[0], "OK")
            made, text = 1, b""
            dropped = 0
            eventually(read_on, "the chat's last line")
            check_eq(json.loads(text)["id"], "0-1", "id of the chat")
            os.close(fifo)


@test
def off_is_the_default_and_writes_nothing():
    with Peer("py", "server") as server, Weir(one_route(server.port)) as weir, Channel(weir.target()) as client:
        check_eq(client.unary()[0], "OK")
        names = {open(f).read().strip() for f in glob.glob(f"/proc/{weir.pid}/task/*/comm")}
        check("writer" not in names, f"{names}: a thread that writes")
        m = weir.metrics()
        check_eq(m.sum("weir_access_log_records_total"), 0, "lines made")
        check_eq(m.values("weir_output_records_total", "output"), set(), "outputs")
        check("{" not in weir.stderr(), weir.stderr())


@test
def standard_error_takes_the_log_among_other_lines():
    with Peer("py", "server") as server, Weir(logged(server.port, "stderr")) as weir, \
            Channel(weir.target()) as client:
        check_eq(client.unary()[0], "OK")

        def events():
            return [json.loads(line)["event"] for line in weir.stderr().splitlines() if line.startswith("{")]
        eventually(lambda: events() == ["open", "close"], "two lines on stderr")
        check("info listening" in weir.stderr(), "the other lines are gone")


@test
def standard_error_that_nobody_reads_stops_neither_streams_nor_reloads():
    with log_file() as fifo, Peer("py", "server") as server:
        os.mkfifo(fifo)
        shell = ("/bin/sh", "-c", f'exec "$@" 2<>{fifo}', "sh")
        with Weir(logged(server.port, "stderr"), prefix=shell) as weir, Channel(weir.target()) as client:
            for _ in range(300):
                check_eq(client.unary()[0], "OK")
            weir.signal(signal.SIGHUP)
            eventually(lambda: weir.metrics().sum("weir_config_reloads_total") == 1, "a reload")
            m = weir.metrics()
            check_eq(m.sum("weir_log_lost_lines_total"), 1, "what the log says of it")
            check_eq(m.sum("weir_access_log_records_total"), 600, "lines made")


@test
def a_reload_moves_the_log_and_one_that_cannot_open_it_is_refused():
    with log_file() as path, Peer("py", "server") as server:
        cfg = logged(server.port, path, events=("close",))
        with Weir(cfg) as weir, Channel(weir.target()) as client:
            def reload(counter):
                before = weir.metrics().sum(counter)
                weir.write(cfg)
                weir.signal(signal.SIGHUP)
                eventually(lambda: weir.metrics().sum(counter) > before, counter)

            def installed():
                return weir.metrics().sum("weir_config_generation_streams", generation="2") > 0
            old = client.chat()
            old.turn()
            cfg["access_log"]["path"] = os.path.join(os.path.dirname(path), "absent", "log")
            reload("weir_config_reload_errors_total")
            check(re.search(r"cannot open an output key=access_log.path output=\S+absent/log cause=\"No such file",
                            weir.stderr()), weir.stderr())
            check_eq(client.unary()[0], "OK")
            closed(path, 1)
            cfg["access_log"]["path"] = path + ".new"
            cfg["routes"].insert(0, {"name": "quiet", "cluster": "up", "access_log": "off",
                                     "match": {"method": {"service": SERVICE, "method": "Collect"}}})
            reload("weir_config_reloads_total")
            new = client.chat()
            new.turn()
            eventually(installed, "a stream under the new configuration")
            check_eq(client.unary(payload(0, 8), method="Collect")[0], "OK")  # not in the log
            for chat in (old, new):
                check_eq(chat.close()[0], "OK")
            check_eq([line["id"] for line in closed(path, 2)][1:], ["0-1"], "the old stream's line")
            check_eq([line["method"] for line in closed(path + ".new", 1)], ["Chat"], "lines in the new file")


if __name__ == "__main__":
    run()
