#!/usr/bin/python3
"""peer.py - client and server with python3-grpcio (grpc.aio): see ../PEERS.md."""
import asyncio
import json
import sys
import grpc
import grpc.aio

SERVICE = "/weir.e2e.Peer/"
UNICODE = "größer als 100 % \u2013 火\nzweite Zeile"
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
           ("grpc.so_reuseport", 0), ("grpc.use_local_subchannel_pool", 1)]
CODES = {c.value[0]: c for c in grpc.StatusCode}


def payload(seq, size):
    return (b"%08d" % seq + bytes([seq & 255]) * (size - 8))[:size]


def same(seq, data):
    return data == payload(seq, len(data))


# ---- server

class Service(grpc.GenericRpcHandler):
    def __init__(self):
        self.open = 0
        self.handlers = {
            SERVICE + "Unary": grpc.unary_unary_rpc_method_handler(self.counted(self.unary)),
            SERVICE + "Sleep": grpc.unary_unary_rpc_method_handler(self.counted(self.sleep)),
            SERVICE + "Stats": grpc.unary_unary_rpc_method_handler(self.stats),
            SERVICE + "Collect": grpc.stream_unary_rpc_method_handler(self.counted(self.collect)),
            SERVICE + "Produce": grpc.unary_stream_rpc_method_handler(self.counted(self.produce)),
            SERVICE + "Chat": grpc.stream_stream_rpc_method_handler(self.counted(self.chat)),
        }

    def service(self, details):
        return self.handlers.get(details.method)

    def counted(self, handler):
        async def run(request, context):
            self.open += 1
            try:
                return await handler(request, context)
            finally:
                self.open -= 1
        return run

    @staticmethod
    async def maybe_fail(context):
        md = dict(context.invocation_metadata())
        if "x-fail" in md:
            await context.abort(CODES[int(md["x-fail"])],
                                md.get("x-fail-message-bin", b"").decode())

    async def unary(self, request, context):
        md = [(k, v) for k, v in context.invocation_metadata() if k in ("x-echo", "x-echo-bin")]
        if md:
            context.set_trailing_metadata(md)
        await self.maybe_fail(context)
        if md:
            await context.send_initial_metadata(md)
        return request

    async def sleep(self, _request, _context):
        await asyncio.Event().wait()

    async def stats(self, _request, _context):
        return json.dumps({"open": self.open}).encode()

    async def collect(self, _requests, context):
        n = size = 0
        while (m := await context.read()) is not grpc.aio.EOF:
            if not same(n, m):
                await context.abort(grpc.StatusCode.DATA_LOSS, f"message {n}")
            n += 1
            size += len(m)
        return b"%d %d" % (n, size)

    async def produce(self, request, context):
        count, size = map(int, request.split())
        for i in range(count):
            await context.write(payload(i, size))
        await self.maybe_fail(context)
        if "x-wait" in dict(context.invocation_metadata()):
            await asyncio.Event().wait()

    async def chat(self, _requests, context):
        n = 0
        while (m := await context.read()) is not grpc.aio.EOF:
            if not same(n, m):
                await context.abort(grpc.StatusCode.DATA_LOSS, f"message {n}")
            n += 1
            await context.write(m)


async def serve(port):
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((Service(),))
    if not server.add_insecure_port(f"127.0.0.1:{port}"):
        sys.exit(f"port {port} is taken")
    await server.start()
    print(json.dumps({"ready": True}), flush=True)
    await read_line()
    await server.stop(0)


# ---- client

class Count(dict):
    """What one method did; bytes None = not to be known."""

    def __init__(self):
        super().__init__(started=0, sent=0, received=0, sent_bytes=0, received_bytes=0, status={})

    def sends(self, data):
        self["sent"] += 1
        self["sent_bytes"] += len(data) + 5
        return data

    def gets(self, data):
        self["received"] += 1
        self["received_bytes"] += len(data) + 5
        return data

    def ends(self, code):
        self["status"][code.name] = self["status"].get(code.name, 0) + 1


def check(cond, why):
    if not cond:
        raise AssertionError(why)


class Client:
    def __init__(self, target):
        self.channel = grpc.aio.insecure_channel(target, options=OPTIONS)
        self.counts = {}
        self.held = []

    def count(self, method):
        return self.counts.setdefault(method, Count())

    def start(self, method, kind, *args, **how):
        """A call object, counted as started."""
        self.count(method)["started"] += 1
        how.setdefault("timeout", 60)
        return getattr(self.channel, kind)(SERVICE + method)(*args, **how)

    async def finish(self, method, call, want=grpc.StatusCode.OK):
        code = await call.code()
        self.count(method).ends(code)
        check(code == want, f"{method} ended with {code}: {await call.details()}, not {want}")

    async def call_unary(self, data, method="Unary", want=grpc.StatusCode.OK, **how):
        count = self.count(method)
        call = self.start(method, "unary_unary", count.sends(data), **how)
        try:
            reply = count.gets(await call)
        except grpc.aio.AioRpcError:
            reply = None
        await self.finish(method, call, want)
        return call, reply

    async def unary(self):
        for size in [0, 1, 8, 100, 4091, 16379, 16384, 65536, 300000] * 3:
            data = payload(size, size)
            _, reply = await self.call_unary(data)
            check(reply == data, f"echo of {size} bytes differs")

    async def collect(self, n=300, **how):
        count = self.count("Collect")
        call = self.start("Collect", "stream_unary", **how)
        size = 0
        for i in range(n):
            data = payload(i, 8 + i * 7 % 900)
            size += len(data)
            await call.write(count.sends(data))
        await call.done_writing()
        check(count.gets(await call) == b"%d %d" % (n, size), "the server collected something else")
        await self.finish("Collect", call)

    async def produce(self, n=1000, size=100, md=None, want=grpc.StatusCode.OK, **how):
        count = self.count("Produce")
        call = self.start("Produce", "unary_stream", count.sends(b"%d %d" % (n, size)), metadata=md,
                          **how)
        for i in range(n):
            data = count.gets(await call.read())
            check(len(data) == size and same(i, data), f"message {i} is wrong")
        if want == grpc.StatusCode.OK:
            check(await call.read() is grpc.aio.EOF, "more messages than asked for")
        await self.finish("Produce", call, want)
        return call

    def open_chat(self, **how):
        call = self.start("Chat", "stream_stream", **how)
        call.written = call.seen = 0
        return call

    async def say(self, call, size):
        data = payload(call.written, size)
        call.written += 1
        await call.write(self.count("Chat").sends(data))

    async def hear(self, call):
        data = await call.read()
        check(data is not grpc.aio.EOF, "the stream ended early")
        self.count("Chat").gets(data)
        check(same(call.seen, data), f"message {call.seen} is wrong")
        call.seen += 1

    async def close_chat(self, call):
        await call.done_writing()
        while call.seen < call.written:
            await self.hear(call)
        check(await call.read() is grpc.aio.EOF, "more messages than were sent")
        await self.finish("Chat", call)

    async def chat_lockstep(self, n=150, **how):
        call = self.open_chat(**how)
        for i in range(n):
            await self.say(call, 8 + i)
            await self.hear(call)
        await self.close_chat(call)

    async def chat_pipelined(self, n=2000):
        call = self.open_chat()

        async def listen():
            for _ in range(n):
                await self.hear(call)
        listener = asyncio.ensure_future(listen())
        for i in range(n):
            await self.say(call, 8 + i % 300)
        await call.done_writing()
        await listener
        await self.close_chat(call)

    async def metadata(self):
        binary = bytes(range(256)) * 4
        md = (("x-echo", "plain text"), ("x-echo-bin", binary), ("x-echo", "second"),
              ("x-echo-bin", b""), ("x-echo-bin", b"\0"))
        call, _ = await self.call_unary(b"m", metadata=md)
        for where in (await call.initial_metadata(), await call.trailing_metadata()):
            got = [(k, v) for k, v in where if k.startswith("x-echo")]
            for key, join in (("x-echo", ", "), ("x-echo-bin", None)):
                values = [[v for k, v in pairs if k == key] for pairs in (got, md)]
                if join:  # one list or several fields: the same (RFC 9110 5.3), and some peers join
                    values = [join.join(v) for v in values]
                check(values[0] == values[1], f"{key} came back as {values[0]!r}"[:200])

    async def large(self):
        data = payload(7, 16_000_000)
        _, reply = await self.call_unary(data)
        check(reply == data, "echo of 16 MB differs")
        call = self.open_chat()
        for _ in range(2):
            await self.say(call, 16_000_000)
            await self.hear(call)
        await self.close_chat(call)

    async def cancel(self, n=10):
        for i in range(n):
            call = self.open_chat()
            for _ in range(i + 1):
                await self.say(call, 50)
                await self.hear(call)
            call.cancel()
            await self.finish("Chat", call, grpc.StatusCode.CANCELLED)

    async def deadline(self):
        await self.call_unary(b"zzz", "Sleep", grpc.StatusCode.DEADLINE_EXCEEDED, timeout=0.3)

    async def compression(self):
        gzip = grpc.Compression.Gzip
        data = payload(1, 200_000)
        _, reply = await self.call_unary(data, compression=gzip)
        check(reply == data, "echo differs")
        await self.collect(100, compression=gzip)
        await self.chat_lockstep(20, compression=gzip)
        for c in self.counts.values():
            c["sent_bytes"] = None

    async def errors(self):
        for code in range(1, 17):
            md = (("x-fail", str(code)), ("x-fail-message-bin", UNICODE.encode()))
            call, _ = await self.call_unary(b"e", want=CODES[code], metadata=md)
            check(await call.details() == UNICODE, f"details are {await call.details()!r}")
            call = await self.produce(3, 20, md, CODES[code])
            check(await call.details() == UNICODE, f"details are {await call.details()!r}")
        await self.call_unary(b"x", "Nope", grpc.StatusCode.UNIMPLEMENTED)

    async def hold_open(self):
        for i in range(5):
            call = self.open_chat()
            for _ in range(7 + i):
                await self.say(call, 100 * i + 8)
                await self.hear(call)
            self.held.append(("Chat", call))
        count = self.count("Collect")
        call = self.start("Collect", "stream_unary")
        for i in range(11):
            await call.write(count.sends(payload(i, 30)))
        self.held.append(("Collect", call))
        count = self.count("Produce")
        call = self.start("Produce", "unary_stream", count.sends(b"13 40"), metadata=(("x-wait", "1"),))
        for i in range(13):
            check(same(i, count.gets(await call.read())), f"message {i} is wrong")
        self.held.append(("Produce", call))

    async def hold_close(self):
        for method, call in self.held:
            if method == "Chat":
                await self.close_chat(call)
            elif method == "Collect":
                await call.done_writing()
                check(self.count("Collect").gets(await call) == b"11 330", "collected something else")
                await self.finish("Collect", call)
            else:
                call.cancel()
                await self.finish("Produce", call, grpc.StatusCode.CANCELLED)
        self.held = []

    async def many_open(self, n=1000):
        calls = [self.open_chat() for _ in range(n)]

        async def turn(call):
            await self.say(call, 64)
            await self.hear(call)
        await asyncio.gather(*(turn(c) for c in calls))
        self.held = calls

    async def many_close(self):
        async def turn(call):
            await self.say(call, 64)
            await self.hear(call)
            await self.close_chat(call)
        await asyncio.gather(*(turn(c) for c in self.held))
        self.held = []


async def read_line():
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def run_client(target):
    client = Client(target)
    while line := await read_line():
        args = json.loads(line)
        client.counts = {}
        try:
            await getattr(client, args.pop("do"))(**args)
            answer = {"ok": True, "counts": client.counts}
        except Exception as e:
            answer = {"ok": False, "error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)
    await client.channel.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[2]) if sys.argv[1] == "server" else run_client(sys.argv[2]))
