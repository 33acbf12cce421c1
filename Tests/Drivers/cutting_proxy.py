"""A TCP proxy between drivers and servers that cuts connections at the moments where a retry is dangerous.

The proxy understands just enough of the protocol to know where a message starts and whether it is a write that a
driver or an application may send again. What happens to such a write is drawn from a seeded generator:

  before      the request never reaches the server
  sent        the request reaches the server; the client's connection ends while it runs: the retry races with it
  both        the same, and the server sees the end of the connection, too
  reply       the server has answered; the client never hears it
  half        the client gets a part of the reply
  late        the client's connection ends; the request reaches the server afterwards, often behind its own retry
  slow        the request is held for a moment and nothing is cut

With several servers each connection goes to one of them at random: a retry often meets another server.
"""

import asyncio
import random
import re
import socket
import struct
import threading
import time
from collections import Counter, defaultdict

import bson
from bson.errors import BSONError

MESSAGE_BYTES_MAX = 48_000_000 + 16_384
OP_MSG = 2013
LATE_SECONDS_MAX = 5
IN_FLIGHT_SECONDS_MAX = 60
MARKER = re.compile(rb"w\d+-\d+")
CUTS = {"before": 3, "sent": 4, "both": 2, "reply": 5, "half": 3, "late": 5}


class CuttingProxy:
    """Listens on `port`; passes each connection to one of `server_ports`."""

    def __init__(self, server_ports, seed, cut_share=0.12, slow_share=0.05):
        self.server_ports = server_ports
        self.random = random.Random(seed)
        self.cut_share = cut_share
        self.slow_share = slow_share
        self.counts = Counter()
        self.trace = defaultdict(list)  # marker of an operation → what happened to its requests
        self.in_flight = 0  # writes whose reply the proxy waits for after it has cut the client off
        self.seen = set()  # session and number of each write
        self.is_cutting = True
        self.started = time.monotonic()
        self.port = None
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def uri(self):
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def start(self):
        self._thread.start()
        self._listening.wait()
        return self

    def quiesce(self):
        """Cuts no more, and waits until each late request has been answered or its server is gone."""
        self.is_cutting = False
        deadline = time.monotonic() + IN_FLIGHT_SECONDS_MAX
        while self.in_flight > 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.in_flight} requests without an answer after {IN_FLIGHT_SECONDS_MAX} s")
            time.sleep(0.05)

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _accept(self, reader, writer):
        client = End(reader, writer)
        try:
            port = self.random.choice(self.server_ports)
            server = End(*await asyncio.open_connection("127.0.0.1", port))
        except OSError:
            client.abort()
            return
        await Link(self, client, server, f"server{self.server_ports.index(port)}").run()

    def fate(self, message, server_name):
        """Draws what happens to a request."""
        if (command := parse_command(message)) is None:
            return "pass"  # not one that has to be exactly-once
        fate = self._draw(command)
        if marker := MARKER.search(message):
            name, number = next(iter(command)), command.get("txnNumber")
            event = f"{time.monotonic() - self.started:.3f} {name} {number} {server_name} {fate}"
            self.trace[marker.group().decode()].append(event)
        return fate

    def _draw(self, command):
        if "txnNumber" in command and "lsid" in command:
            identity = (bytes(command["lsid"]["id"]), command["txnNumber"])
            self.counts["retried"] += identity in self.seen
            self.seen.add(identity)
        if not self.is_cutting:
            return "pass"
        draw = self.random.random()
        if draw < self.cut_share:
            fate = self.random.choices(list(CUTS), CUTS.values())[0]
        else:
            fate = "slow" if draw < self.cut_share + self.slow_share else "pass"
        self.counts[fate] += 1
        return fate


class End:
    """One side of a connection."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def message(self):
        """The next message, None at the end of the stream."""
        try:
            header = await self.reader.readexactly(16)
            length = struct.unpack_from("<i", header)[0]
            if not 16 <= length <= MESSAGE_BYTES_MAX:
                return None
            return header + await self.reader.readexactly(length - 16)
        except (asyncio.IncompleteReadError, OSError):
            return None

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    def abort(self, reset=False):
        if reset and (connection := self.writer.get_extra_info("socket")):
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass  # closed meanwhile
        self.writer.transport.abort()


class Link:
    """A client's connection and the server's connection that belongs to it."""

    def __init__(self, proxy, client, server, server_name):
        self.proxy = proxy
        self.server_name = server_name
        self.client = client
        self.server = server
        self.fate = "pass"  # of the request under way; a driver sends the next one after the reply

    async def run(self):
        replies = asyncio.ensure_future(self._pass_replies())
        try:
            orphan = await self._pass_requests()
            if orphan is not None:
                await self._deliver(orphan, replies)
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            replies.cancel()
            self._cut_client()
            self.server.abort()

    async def _pass_requests(self):
        """Ends with the client's connection. Returns a request that the server is to get without its client."""
        while (message := await self.client.message()) is not None:
            self.fate = self.proxy.fate(message, self.server_name)
            if self.fate == "before":
                return None
            if self.fate in ("sent", "late"):
                return message
            if self.fate == "slow":
                await asyncio.sleep(self.proxy.random.expovariate(20))
            await self.server.send(message)
            if self.fate == "both":
                await asyncio.sleep(self.proxy.random.choice([0, 0, 0.001, 0.005]))
                return None
        return None

    async def _deliver(self, message, replies):
        """Keeps the server's side until it has answered: only then is the outcome settled."""
        self.proxy.in_flight += 1
        try:
            if self.fate == "late":
                self._cut_client()
                await asyncio.sleep(min(LATE_SECONDS_MAX, self.proxy.random.expovariate(2)))
            await self.server.send(message)
            self._cut_client()
            await asyncio.wait_for(replies, IN_FLIGHT_SECONDS_MAX)
        finally:
            self.proxy.in_flight -= 1

    async def _pass_replies(self):
        while (message := await self.server.message()) is not None:
            self.proxy.counts["recognized"] += b"retriedStmtId" in message
            if self.fate in ("sent", "late"):
                return
            if self.fate == "half":
                await self.client.send(message[:self.proxy.random.randrange(1, len(message))])
            if self.fate in ("half", "reply"):
                break
            await self.client.send(message)
        self._cut_client()  # which ends the requests, too

    def _cut_client(self):
        self.client.abort(reset=self.proxy.random.random() < 0.5)


def parse_command(message):
    """The body of a write that somebody may send again, None for all else."""
    if struct.unpack_from("<i", message, 12)[0] != OP_MSG or message[20:21] != b"\0":
        return None
    if b"txnNumber" not in message and b"idempotencyKey" not in message:
        return None
    try:
        length = struct.unpack_from("<i", message, 21)[0]
        return bson.decode(message[21:21 + length])
    except (BSONError, struct.error):
        return None
