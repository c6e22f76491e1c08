#!/usr/bin/python3
"""demo_service - a small gRPC service with every kind of call: tools/demo_service.py [--port N]

    demo.Chat/Post     unary          one line into a room; answered with a receipt
    demo.Chat/Import   client stream  many lines; one receipt
    demo.Chat/Talk     bidi           what anybody in a room says goes to everybody in it
    demo.Ticker/Watch  server stream  a price every `every_ms`, until the service is told to stop

Messages are JSON, so that no generated code is needed. It says where it listens on stdout; without
--port on a free port below 32768, and a port that is taken is an error. On SIGTERM or Ctrl-C it ends
its Watch streams with OK, lets the others finish, and prints what it counted as one line of JSON:
{"Service/Method": {"calls":, "sent":, "received":}}, sent = client to server.
"""
import argparse
import asyncio
import json
import random
import signal
import sys

try:
    import grpc
except ImportError:
    sys.exit("demo_service: gRPC for Python is missing: apt-get install python3-grpcio")

STOP_GRACE_S = 5
PORTS = range(20000, 32768)  # below the kernel's ephemeral ports: nobody gets one by chance


class Rooms:
    """Who listens where; a member is a queue of lines."""

    def __init__(self):
        self.members = {}

    def join(self, room):
        queue = asyncio.Queue()
        self.members.setdefault(room, set()).add(queue)
        return queue

    def leave(self, room, queue):
        self.members[room].discard(queue)
        queue.put_nowait(None)  # behind all that was said before

    def say(self, room, line):
        for queue in self.members.get(room, ()):
            queue.put_nowait(line)


class Service:
    def __init__(self):
        self.rooms = Rooms()
        self.counts = {}
        self.stopping = asyncio.Event()

    def count(self, method):
        return self.counts.setdefault(method, {"calls": 0, "sent": 0, "received": 0})

    async def post(self, line, context):
        count = self.count("demo.Chat/Post")
        self.rooms.say(line["room"], line)
        count["calls"] += 1
        count["sent"] += 1
        count["received"] += 1
        return {"lines": 1}

    async def import_lines(self, lines, context):
        count = self.count("demo.Chat/Import")
        count["calls"] += 1
        total = 0
        async for line in lines:
            count["sent"] += 1
            total += 1
            self.rooms.say(line["room"], line)
        count["received"] += 1
        return {"lines": total}

    async def talk(self, lines, context):
        count = self.count("demo.Chat/Talk")
        count["calls"] += 1
        room = dict(context.invocation_metadata())["room"]
        queue = self.rooms.join(room)

        async def listen():
            try:
                async for line in lines:
                    count["sent"] += 1
                    self.rooms.say(room, line)
            finally:
                self.rooms.leave(room, queue)

        listener = asyncio.ensure_future(listen())
        try:
            while (line := await queue.get()) is not None:
                yield line
                count["received"] += 1
            await listener
        finally:
            listener.cancel()

    async def watch(self, request, context):
        count = self.count("demo.Ticker/Watch")
        count["calls"] += 1
        count["sent"] += 1
        price, number = 100.0, 0
        while not self.stopping.is_set():
            number += 1
            price = max(1.0, price + random.gauss(0, 0.2))
            yield {"symbol": request["symbol"], "number": number, "price": round(price, 2)}
            count["received"] += 1
            try:
                await asyncio.wait_for(self.stopping.wait(), request["every_ms"] / 1000)
            except asyncio.TimeoutError:
                pass


def handlers(service):
    wire = {"request_deserializer": json.loads,
            "response_serializer": lambda message: json.dumps(message).encode()}
    generic = grpc.method_handlers_generic_handler
    return (
        generic("demo.Chat", {
            "Post": grpc.unary_unary_rpc_method_handler(service.post, **wire),
            "Import": grpc.stream_unary_rpc_method_handler(service.import_lines, **wire),
            "Talk": grpc.stream_stream_rpc_method_handler(service.talk, **wire),
        }),
        generic("demo.Ticker", {
            "Watch": grpc.unary_stream_rpc_method_handler(service.watch, **wire),
        }),
    )


def bind(server, wanted):
    """The port that the server got."""
    for port in [wanted] if wanted else random.sample(PORTS, 20):
        try:
            if server.add_insecure_port(f"127.0.0.1:{port}") == port:
                return port
        except RuntimeError:
            pass
    sys.exit(f"demo_service: cannot listen on port {wanted}: is it taken?" if wanted
             else "demo_service: found no free port")


async def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--port", type=int, default=0)
    wanted = parser.parse_args().port

    service = Service()
    # Without this option two servers could share a port, and each get half of the connections.
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(handlers(service))
    port = bind(server, wanted)
    for number in signal.SIGTERM, signal.SIGINT:
        asyncio.get_running_loop().add_signal_handler(number, service.stopping.set)
    await server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await service.stopping.wait()
    await server.stop(STOP_GRACE_S)
    print(json.dumps(service.counts), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
