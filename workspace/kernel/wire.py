"""Framed JSON to and from the server: a 4-byte big-endian length, then one UTF-8 JSON object.

Server to kernel: {"id", "op", …} asks, {"reply", …} answers a call of ours.
Kernel to server: {"id", "result"} answers, {"call", "op", …} asks, {"event", …} tells.
"""

import json
import struct
import threading

MAX_FRAME = 64 * 1024 * 1024


class CallError(Exception):
    """The server refused a call; the text is its reason."""


class Wire:
    def __init__(self, sock):
        self._sock = sock
        self._write_lock = threading.Lock()
        self._calls = {}
        self._calls_lock = threading.Lock()
        self._next_call = 1

    def send(self, message):
        data = json.dumps(message, ensure_ascii=True).encode()
        if len(data) > MAX_FRAME:
            raise ValueError(f"a message of {len(data)} bytes exceeds the frame limit of {MAX_FRAME}")
        with self._write_lock:
            self._sock.sendall(struct.pack(">I", len(data)) + data)

    def _read_exactly(self, count):
        parts = []
        while count:
            part = self._sock.recv(min(count, 1 << 20))
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def receive(self):
        """The next request; None when the server is gone. Answers to calls are handed to their callers on the way."""
        while True:
            head = self._read_exactly(4)
            if head is None:
                return None
            (length,) = struct.unpack(">I", head)
            if length > MAX_FRAME:
                raise ValueError(f"the server announced a frame of {length} bytes")
            data = self._read_exactly(length)
            if data is None:
                return None
            message = json.loads(data)
            if "reply" not in message:
                return message
            self._settle(message)

    def _settle(self, message):
        with self._calls_lock:
            waiting = self._calls.pop(message["reply"], None)
        if waiting:
            waiting["message"] = message
            waiting["done"].set()

    def call(self, op, **arguments):
        """Asks the server and waits for its answer."""
        waiting = {"done": threading.Event(), "message": None}
        with self._calls_lock:
            number = self._next_call
            self._next_call += 1
            self._calls[number] = waiting
        self.send({"call": number, "op": op, **arguments})
        if not waiting["done"].wait(60):
            raise CallError(f"{op}: the workspace server did not answer in 60 s")
        message = waiting["message"]
        if "error" in message:
            raise CallError(message["error"])
        return message.get("result")
