"""h2peer.py - HTTP/2 clients and servers that a test drives step by step, over python3-h2.

    with World() as w, Weir(one_route(w.server().port)) as weir:
        client = w.client(weir.port())
        call = client.request(path="/x")          # returns at once
        at = w.arrival()                          # the stream that weir opened at the server
        at.headers([(":status", "200")]); at.data(b"hi", end=True)
        w.until(lambda: call.ended)
        check_eq(call.body, b"hi")

One thread: until() pumps every socket of the world until its condition holds. Header checks of the library are
off, so that a test may send what it likes. A Wire credits what it receives, unless told otherwise."""
import select
import socket
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from kit import PATIENCE_S, free_port
from tap import check


class Stream:
    """One stream as one side sees it: what came, and verbs to send."""

    def __init__(self, wire, number):
        self.wire, self.number = wire, number
        self.head, self.infos, self.trailers = None, [], None
        self.body, self.ended, self.reset = b"", False, None

    def field(self, name):
        return dict(self.head or {}).get(name)

    def headers(self, fields, end=False):
        self.wire.h2.send_headers(self.number, fields, end_stream=end)
        self.wire.flush()

    def data(self, data, end=False):
        self.wire.h2.send_data(self.number, data, end_stream=end)
        self.wire.flush()

    def end(self):
        self.wire.h2.end_stream(self.number)
        self.wire.flush()

    def rst(self, code):
        self.wire.h2.reset_stream(self.number, code)
        self.wire.flush()

    def credit(self, count):
        self.wire.h2.increment_flow_control_window(count, self.number)
        self.wire.flush()

    def window(self):
        return self.wire.h2.local_flow_control_window(self.number)


class Wire:
    """One connection."""

    def __init__(self, world, sock, client, credit_conn=True, credit_stream=True, settings=None):
        self.world, self.sock = world, sock
        self.credit_conn, self.credit_stream = credit_conn, credit_stream
        self.streams, self.closed, self.goaways, self.out = {}, False, [], b""
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=client, header_encoding="utf-8", validate_inbound_headers=False,
            validate_outbound_headers=False, normalize_outbound_headers=False,
            normalize_inbound_headers=False))
        for name, value in (settings or {}).items():
            self.h2.local_settings[name] = value
        self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        sock.setblocking(False)
        world.wires.append(self)
        self.flush()

    def stream(self):
        """A client's next stream, nothing sent yet."""
        stream = Stream(self, self.h2.get_next_available_stream_id())
        self.streams[stream.number] = stream
        return stream

    def request(self, method="POST", path="/", fields=(), end=True, authority="test"):
        stream = self.stream()
        stream.headers([(":method", method), (":scheme", "http"), (":authority", authority),
                        (":path", path), *fields], end)
        return stream

    def grpc(self, path="/t.T/M", fields=(), end=False):
        return self.request("POST", path, [("te", "trailers"),
                                           ("content-type", "application/grpc"), *fields], end)

    def flush(self):
        self.out += self.h2.data_to_send()
        if self.closed:
            return
        try:
            while self.out:
                self.out = self.out[self.sock.send(self.out):]
        except BlockingIOError:
            pass
        except OSError:
            self.gone()

    def raw(self, data):
        """Bytes of the test's own, past the library."""
        self.out += data
        self.flush()

    def gone(self):
        self.closed = True
        self.sock.close()
        for s in self.streams.values():
            if not s.ended and s.reset is None:
                s.reset = "connection lost"

    def close(self):
        if not self.closed:
            self.gone()

    def readable(self):
        try:
            data = self.sock.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.gone()
            return
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as e:
            raise AssertionError(f"weir broke HTTP/2: {e}") from e
        for event in events:
            self.take(event)
        self.flush()

    def take(self, event):
        number = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            stream = self.streams[number] = Stream(self, number)
            stream.head = event.headers
            self.world.arrived.append(stream)
            return
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((event.last_stream_id, int(event.error_code), event.additional_data))
        stream = self.streams.get(number)
        if stream is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            stream.head = event.headers
        elif isinstance(event, h2.events.InformationalResponseReceived):
            stream.infos.append(event.headers)
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = event.headers
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            self.credit(number, event.flow_controlled_length)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.reset = int(event.error_code)

    def credit(self, number, count):
        if not count:
            return
        if self.credit_conn:
            self.h2.increment_flow_control_window(count)
        if self.credit_stream:
            try:
                self.h2.increment_flow_control_window(count, number)
            except h2.exceptions.StreamClosedError:
                pass


class Server:
    """A listening socket; every connection to it becomes a Wire with these options."""

    def __init__(self, world, port=None, **options):
        self.world, self.options, self.wires = world, options, []
        self.port = port or free_port()
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", self.port))
        self.sock.listen(64)
        self.sock.setblocking(False)

    def readable(self):
        sock, _ = self.sock.accept()
        self.wires.append(Wire(self.world, sock, client=False, **self.options))

    def close(self):
        self.sock.close()


class World:
    """All sockets of a test."""

    def __init__(self):
        self.wires, self.servers, self.arrived = [], [], []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for thing in (*self.wires, *self.servers):
            thing.close()

    def server(self, port=None, **options):
        self.servers.append(Server(self, port, **options))
        return self.servers[-1]

    def client(self, port, **options):
        return Wire(self, socket.create_connection(("127.0.0.1", port)), client=True, **options)

    def pump(self, wait_s=0.05):
        live = [w for w in self.wires if not w.closed]
        blocked = [w.sock for w in live if w.out]
        by_sock = {w.sock: w for w in live} | {s.sock: s for s in self.servers if s.sock.fileno() >= 0}
        read, write, _ = select.select(list(by_sock), blocked, [], wait_s)
        for sock in write:
            by_sock[sock].flush()
        for sock in read:
            by_sock[sock].readable()
        return bool(read)

    def until(self, condition, what="the condition", within_s=PATIENCE_S):
        end = time.monotonic() + within_s
        while not condition():
            check(time.monotonic() < end, f"{what} did not come true in {within_s} s")
            self.pump()

    def arrival(self):
        """The next stream that a server got."""
        self.until(lambda: self.arrived, "a stream at a server")
        return self.arrived.pop(0)
