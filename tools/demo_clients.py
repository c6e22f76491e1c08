#!/usr/bin/python3
"""demo_clients - gRPC clients that keep streams flowing: tools/demo_clients.py ADDRESS [--seconds N]

Six people in two chat rooms, six watchers of prices, one who imports old lines, one who posts: all
four kinds of call of demo_service.py, 14 streams, some 800 messages a second, on five connections.
Every stream numbers its messages and checks the numbers it gets.

Ends after N seconds, on SIGTERM or on Ctrl-C: people hang up, and Watch streams are cancelled. A
cancelled stream has messages on their way, so with --wait the clients say "finishing" on stderr when
nothing but Watch streams is left, and wait until the service ends those. Then they print what was
sent and received, as a table, or with --json as demo_service.py does. Exit status 1 when a call failed.
"""
import argparse
import asyncio
import json
import signal
import sys

try:
    import grpc
except ImportError:
    sys.exit("demo_clients: gRPC for Python is missing: apt-get install python3-grpcio")

PEOPLE = "ann bob cleo dan eve finn".split()
SYMBOLS = "RIVER LAKE BROOK POND DELTA FJORD".split()
WATCH_EVERY_MS = 20
TALK_EVERY_S = 0.06
IMPORT_LINES = 100
IMPORT_EVERY_S = 0.01
POST_EVERY_S = 0.05
FINISH_S = 8

OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),  # or channels to one address would share a connection
    ("grpc.enable_http_proxy", 0),
]


class Failed(Exception):
    pass


class Clients:
    def __init__(self, address, wait, town):
        self.channels = [grpc.aio.insecure_channel(address, options=OPTIONS) for _ in range(5)]
        self.wait = wait
        self.town = town
        self.stopping = asyncio.Event()
        self.counts = {}
        self.problems = []

    def count(self, method):
        return self.counts.setdefault(method, {"calls": 0, "sent": 0, "received": 0})

    def method(self, n, kind, path):
        return getattr(self.channels[n % len(self.channels)], kind)(
            "/" + path, request_serializer=lambda message: json.dumps(message).encode(),
            response_deserializer=json.loads)

    async def pause(self, seconds):
        """True when it is time to stop."""
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except asyncio.TimeoutError:
            pass
        return self.stopping.is_set()

    async def person(self, n, name):
        count = self.count("demo.Chat/Talk")
        call = self.method(n, "stream_stream", "demo.Chat/Talk")(
            metadata=(("room", self.town + ("rapids" if n % 2 else "falls")),))
        count["calls"] += 1

        async def listen():
            last = 0
            async for line in call:
                count["received"] += 1
                if line["from"] == name:
                    if line["number"] != last + 1:
                        raise Failed(f"Talk: line {line['number']} came after {last}")
                    last = line["number"]
            return last

        listener = asyncio.ensure_future(listen())
        number = 0
        try:
            while not listener.done() and not await self.pause(TALK_EVERY_S):
                number += 1
                await call.write({"from": name, "number": number, "text": "the water is high"})
                count["sent"] += 1
            await call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # the call is over: the listener knows why
        heard = await listener
        if heard != number:
            raise Failed(f"Talk: said {number} lines and heard {heard} of them")

    async def watcher(self, n, symbol):
        count = self.count("demo.Ticker/Watch")
        call = self.method(n, "unary_stream", "demo.Ticker/Watch")(
            {"symbol": symbol, "every_ms": WATCH_EVERY_MS})
        count["calls"] += 1
        count["sent"] += 1
        if not self.wait:
            cancel = asyncio.ensure_future(self.stopping.wait())
            cancel.add_done_callback(lambda _: call.cancel())
        number = 0
        try:
            async for tick in call:
                count["received"] += 1
                number += 1
                if tick["number"] != number:
                    raise Failed(f"Watch: tick {tick['number']} came as number {number}")
        except asyncio.CancelledError:
            if not self.stopping.is_set():
                raise

    async def importer(self, n):
        count = self.count("demo.Chat/Import")
        while not self.stopping.is_set():
            call = self.method(n, "stream_unary", "demo.Chat/Import")()
            count["calls"] += 1
            number = 0
            try:
                while number < IMPORT_LINES and not await self.pause(IMPORT_EVERY_S):
                    number += 1
                    await call.write({"room": "archive", "number": number})
                    count["sent"] += 1
                await call.done_writing()
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                pass  # as above
            receipt = await call
            count["received"] += 1
            if receipt["lines"] != number:
                raise Failed(f"Import: {receipt['lines']} of {number} lines arrived")

    async def poster(self, n):
        count = self.count("demo.Chat/Post")
        post = self.method(n, "unary_unary", "demo.Chat/Post")
        while not await self.pause(POST_EVERY_S):
            count["calls"] += 1
            await post({"room": "noticeboard", "text": "mind the gap"})
            count["sent"] += 1
            count["received"] += 1

    async def careful(self, who):
        """One client's failure is noted and does not stop the others."""
        try:
            await who
        except grpc.aio.AioRpcError as e:
            self.problems.append(f"{e.code().name}: {e.details()}")
        except Failed as e:
            self.problems.append(str(e))

    async def end(self, tasks):
        """Wait for them, but not for ever."""
        late = (await asyncio.wait(tasks, timeout=FINISH_S))[1]
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
            self.problems.append(f"{len(late)} clients did not end within {FINISH_S} s")

    async def run(self):
        def start(*clients):
            return [asyncio.ensure_future(self.careful(c)) for c in clients]

        active = start(*(self.person(n, name) for n, name in enumerate(PEOPLE)),
                       self.importer(3), self.poster(4))
        watchers = start(*(self.watcher(n, symbol) for n, symbol in enumerate(SYMBOLS)))
        stop = asyncio.ensure_future(self.stopping.wait())
        everybody = asyncio.ensure_future(asyncio.wait(active + watchers))
        await asyncio.wait([everybody, stop], return_when=asyncio.FIRST_COMPLETED)
        self.stopping.set()
        await self.end(active)
        print("finishing", file=sys.stderr, flush=True)
        await self.end(watchers)
        for channel in self.channels:
            await channel.close()


def table(counts):
    lines = [f"{'method':20} {'calls':>8} {'sent':>10} {'received':>10}"]
    for method, c in sorted(counts.items()):
        lines.append(f"{method:20} {c['calls']:8,} {c['sent']:10,} {c['received']:10,}")
    return "\n".join(lines)


async def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("address")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--town", default="", help="rooms of their own, when other clients are there too")
    args = parser.parse_args()

    clients = Clients(args.address, args.wait, args.town)
    loop = asyncio.get_running_loop()
    for number in signal.SIGTERM, signal.SIGINT:
        loop.add_signal_handler(number, clients.stopping.set)
    if args.seconds:
        loop.call_later(args.seconds, clients.stopping.set)
    await clients.run()
    print(json.dumps(clients.counts) if args.json else table(clients.counts), flush=True)
    for problem, times in {p: clients.problems.count(p) for p in clients.problems}.items():
        print(f"demo_clients: {times} x {problem}", file=sys.stderr)
    return 1 if clients.problems else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
