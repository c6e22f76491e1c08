"""calls.py - python3-grpcio as the client inside a fault test: what does a user of the library see?"""
import os
import queue

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
import grpc  # noqa: E402

SERVICE = "weir.e2e.Peer"


def payload(seq, size):
    return (b"%08d" % seq + bytes([seq & 255]) * (size - 8))[:size]


class Channel:
    """A connection of its own to a target."""

    def __init__(self, target, *options):
        self.channel = grpc.insecure_channel(target, options=[
            ("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1),
            ("grpc.enable_retries", 0), ("grpc.max_send_message_length", -1), *options])

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.channel.close()

    def unary(self, data=b"x", method="Unary", timeout=30, service=SERVICE, **how):
        """(status name, details, reply)"""
        call = self.channel.unary_unary(f"/{service}/{method}")
        try:
            reply, c = call.with_call(data, timeout=timeout, **how)
            return c.code().name, c.details(), reply
        except grpc.RpcError as e:
            return e.code().name, e.details(), None

    def chat(self, timeout=60, method="Chat", **how):
        return Chat(self.channel.stream_stream(f"/{SERVICE}/{method}"), timeout, how)

    def produce(self, count, size, timeout=60, **how):
        return self.channel.unary_stream(f"/{SERVICE}/Produce")(b"%d %d" % (count, size),
                                                                timeout=timeout, **how)


class Chat:
    """A bidirectional stream that is fed by say()."""

    def __init__(self, method, timeout, how):
        self.queue = queue.Queue()
        self.said = self.heard = 0
        self.call = method(iter(self.queue.get, None), timeout=timeout, **how)

    def say(self, size=64):
        self.queue.put(payload(self.said, size))
        self.said += 1

    def hear(self):
        data = next(self.call)
        if data != payload(self.heard, len(data)):
            raise AssertionError(f"message {self.heard} is wrong")
        self.heard += 1

    def turn(self, size=64):
        self.say(size)
        self.hear()

    def close(self):
        """Half-closes, reads to the end: (status name, details)."""
        self.queue.put(None)
        return self.end()

    def end(self):
        try:
            while True:
                self.hear()
        except StopIteration:
            pass
        except grpc.RpcError:
            pass
        self.queue.put(None)
        return self.call.code().name, self.call.details()

    def cancel(self):
        self.call.cancel()
        self.queue.put(None)
