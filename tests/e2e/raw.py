"""raw.py - HTTP/2 by hand, for what no well-behaved peer does: a scripted server and a client on one socket.

    def script(wire, nth):                    # runs in a thread for the nth connection, from 0
        wire.accept()                         # preface and SETTINGS
        head = wire.expect("HEADERS")
        wire.headers(head.stream, RESPONSE)
        wire.goaway(head.stream, 0)
    with Upstream(script) as server: ...      # a script's exception fails the test at the end

    wire = Wire.connect(port); wire.start(); wire.headers(1, request("/a.B/C")); ...

Nothing is checked and nothing is forbidden here. Frames are hyperframe's, header blocks python3-hpack's.
"""
import contextlib
import select
import socket
import struct
import threading
import time
import hpack
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame,
                              RstStreamFrame, SettingsFrame, WindowUpdateFrame)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 2, 7, 8, 11
RESPONSE = [(":status", "200"), ("content-type", "application/grpc")]
OK = [("grpc-status", "0")]


def request(path, *more, method="POST", authority="e2e.test", grpc=True):
    kind = [("content-type", "application/grpc"), ("te", "trailers")] if grpc else []
    return [(":method", method), (":scheme", "http"), (":authority", authority), (":path", path),
            *kind, *more]


def message(data, flag=0):
    return struct.pack(">BI", flag, len(data)) + data


class Closed(Exception):
    """The peer closed the connection (or reset it)."""


class Wire:
    """One connection. `auto`: SETTINGS and PING are answered and received DATA is credited."""

    def __init__(self, sock, server=False):
        self.sock, self.server, self.auto = sock, server, True
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 24
        self.buffer = b""
        self.sent_bytes = self.received_bytes = 0
        self.frames = []  # read while waiting for others

    @classmethod
    def connect(cls, port, receive_buffer=None):
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(30)
        sock.connect(("127.0.0.1", port))
        return cls(sock)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.close()

    def reset(self):
        """Close with a TCP RST."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    # -- out

    def send(self, *frames):
        data = b"".join(f if isinstance(f, bytes) else f.serialize() for f in frames)
        self.sent_bytes += len(data)
        self.sock.sendall(data)

    def settings(self, settings=None):
        frame = SettingsFrame(0)
        frame.settings = settings or {}
        self.send(frame)

    def start(self, settings=None):
        """A client's preface."""
        self.send(PREFACE)
        self.settings(settings)

    def accept(self, settings=None):
        """A server's: reads the client's preface, sends SETTINGS."""
        self.fill(len(PREFACE), time.monotonic() + 30)
        preface, self.buffer = self.buffer[:len(PREFACE)], self.buffer[len(PREFACE):]
        if preface != PREFACE:
            raise AssertionError(f"preface is {preface!r}")
        self.settings(settings)

    def headers(self, stream, fields, end=False):
        block = self.encoder.encode(fields, huffman=False)
        first, rest = block[:16384], block[16384:]
        frame = HeadersFrame(stream, first)
        if end:
            frame.flags.add("END_STREAM")
        frames = [frame]
        while rest:
            frames.append(ContinuationFrame(stream, rest[:16384]))
            rest = rest[16384:]
        frames[-1].flags.add("END_HEADERS")
        self.send(*frames)

    def data(self, stream, data, end=False):
        for at in range(0, max(len(data), 1), 16384):
            frame = DataFrame(stream, data[at:at + 16384])
            if end and at + 16384 >= len(data):
                frame.flags.add("END_STREAM")
            self.send(frame)

    def rst(self, stream, code):
        self.send(RstStreamFrame(stream, error_code=code))

    def goaway(self, last, code=NO_ERROR, debug=b""):
        self.send(GoAwayFrame(0, last_stream_id=last, error_code=code, additional_data=debug))

    def credit(self, stream, bytes_):
        self.send(WindowUpdateFrame(stream, window_increment=bytes_))

    # -- in

    def fill(self, size, end):
        while len(self.buffer) < size:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise AssertionError("nothing came")
            try:
                got = self.sock.recv(262144)
            except OSError as e:
                raise Closed(str(e)) from None
            if not got:
                raise Closed("closed")
            self.buffer += got
            self.received_bytes += len(got)

    def read(self, within_s=30):
        """The next frame. Header blocks are decoded into .fields, with CONTINUATION joined."""
        end = time.monotonic() + within_s
        self.fill(9, end)
        frame, length = Frame.parse_frame_header(memoryview(self.buffer[:9]))
        self.fill(9 + length, end)
        frame.parse_body(memoryview(self.buffer[9:9 + length]))
        self.buffer = self.buffer[9 + length:]
        frame.stream, frame.name = frame.stream_id, type(frame).__name__[:-5].upper()
        if isinstance(frame, HeadersFrame):
            block, last = frame.data, frame
            while "END_HEADERS" not in last.flags:
                last = self.read(within_s)
                block += last.data
            frame.fields = self.decoder.decode(block)
            frame.dict = dict(frame.fields)
        frame.end = "END_STREAM" in frame.flags
        if self.auto:
            self.answer(frame)
        return frame

    def answer(self, frame):
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.send(SettingsFrame(0, flags=["ACK"]))
        elif isinstance(frame, PingFrame) and "ACK" not in frame.flags:
            self.send(PingFrame(0, frame.opaque_data, flags=["ACK"]))
        elif isinstance(frame, DataFrame) and frame.flow_controlled_length:
            n = frame.flow_controlled_length
            self.credit(0, n)
            if not frame.end:
                self.credit(frame.stream, n)

    def expect(self, *names, stream=None, within_s=30):
        """The next frame of one of these kinds (and this stream), whatever comes before it."""
        def fits(f):
            return f.name in names and (stream is None or f.stream == stream)
        for f in self.frames:
            if fits(f):
                self.frames.remove(f)
                return f
        while True:
            frame = self.read(within_s)
            if fits(frame):
                return frame
            if frame.name in ("HEADERS", "DATA", "RSTSTREAM", "GOAWAY"):
                self.frames.append(frame)

    def collect(self, stream, within_s=30):
        """All of a response: (fields of the head, content, fields of the trailers or None)."""
        head = self.expect("HEADERS", stream=stream, within_s=within_s)
        content, ended, trailers = b"", head.end, None
        while not ended:
            f = self.expect("HEADERS", "DATA", "RSTSTREAM", stream=stream, within_s=within_s)
            if f.name == "RSTSTREAM":
                raise AssertionError(f"stream {stream} was reset with {f.error_code}")
            if f.name == "DATA":
                content += f.data
            else:
                trailers = f.dict
            ended = f.end
        return head.dict, content, trailers

    def wait_closed(self, within_s=30):
        """Reads until the peer closes; the frames on the way."""
        seen = []
        try:
            while True:
                seen.append(self.read(within_s))
        except Closed:
            return seen


class Upstream:
    """Listens, and runs script(wire, nth) in a thread for each connection. A script that ends closes its
    connection; Closed ends it silently."""

    def __init__(self, script, port=None):
        self.script, self.errors, self.wires, self.threads = script, [], [], []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port is None:
            from kit import free_port
            port = free_port()
        self.port = port
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(128)

    def __enter__(self):
        self.acceptor = threading.Thread(target=self.run, daemon=True)
        self.acceptor.start()
        return self

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            wire = Wire(sock, server=True)
            self.wires.append(wire)
            t = threading.Thread(target=self.serve, args=(wire, len(self.wires) - 1), daemon=True)
            self.threads.append(t)
            t.start()

    def serve(self, wire, nth):
        try:
            self.script(wire, nth)
        except (Closed, BrokenPipeError, ConnectionResetError):
            pass
        except Exception as e:
            if not wire.sock._closed:
                self.errors.append(e)
        finally:
            wire.close()

    def __exit__(self, kind, value, trace):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for wire in self.wires:
            with contextlib.suppress(OSError):
                wire.sock.shutdown(socket.SHUT_RDWR)
            wire.close()
        self.acceptor.join(10)
        for t in self.threads:
            t.join(10)
        if kind is None and self.errors:
            raise self.errors[0]


def echo(wire, _nth=0):
    """A script: a gRPC server that answers each request with its content and OK, at its end."""
    wire.accept()
    content = {}
    while True:
        f = wire.expect("HEADERS", "DATA", "RSTSTREAM")
        if f.name == "RSTSTREAM":
            content.pop(f.stream, None)
            continue
        content[f.stream] = content.get(f.stream, b"") + (f.data if f.name == "DATA" else b"")
        if f.end:
            wire.headers(f.stream, RESPONSE)
            wire.data(f.stream, content.pop(f.stream))
            wire.headers(f.stream, OK, end=True)
