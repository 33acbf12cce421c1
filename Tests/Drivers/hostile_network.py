"""What people try who want to keep a server from serving others: slow clients, floods, bombs, hogs.

    Tests/Drivers/hostile_network.py MARTLET [NAME ...]

After each attempt another client must be able to read and write, and what the attempt took must be given back. Nothing
here asserts a time: the limits of the server are set low, and where it is waited for something, it is waited for long.
"""

import argparse
import os
import re
import socket
import sys
import threading
import time
import urllib.request
import zlib
from contextlib import ExitStack, contextmanager
from urllib.parse import urlparse

import bson

from servers import Martlet, cleaning_up, database, free_port, wait_until
from wire import Connection, body_section, frame, op_compressed, op_msg, sequence_section

DATABASE = "hostile"
PING = {"ping": 1, "$db": "admin"}
HELLO = {"hello": 1, "$db": "admin"}
MEGABYTE = 1 << 20
IN_FLIGHT = 128_000_000
SECONDS = 90  # until something is given up that should have happened
STRICT = ["--handshake-seconds", "2", "--message-seconds", "2", "--reply-seconds", "2", "--idle-seconds", "4",
          "--max-connections", "60", "--max-connections-per-address", "40",
          "--in-flight-max-bytes", str(IN_FLIGHT), "--log-format", "json"]


SAMPLE = re.compile(r'(\w+)(?:\{([^}]*)\})? (\S+)')


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def metrics(port):
    """The samples of the admin listener, by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as page:
        found = (SAMPLE.fullmatch(line) for line in page.read().decode().splitlines())
        return {(match[1], match[2] or ""): float(match[3]) for match in found if match}


class Target:
    """A server, and what it says of itself."""

    def __init__(self, server, admin_port):
        self.server = server
        self.uri = server.uri
        self.admin_port = admin_port
        address = urlparse(server.uri)
        self.address = (address.hostname, address.port)

    def connect(self, source=None):
        """A socket; from another address of this machine when `source` says so."""
        return socket.create_connection(self.address, SECONDS, source_address=(source, 0) if source else None)

    def metric(self, name, labels=""):
        return metrics(self.admin_port).get((name, labels), 0)

    def resident(self):
        with open(f"/proc/{self.server.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def check_alive(self, what, source=None):
        """Another client writes and reads."""
        client = Client(self.connect(source))
        with client:
            reply = client.command({"update": "alive", "$db": DATABASE,
                                    "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}, "upsert": True}]})
            check(reply and reply.get("n") == 1, f"{what}: another client cannot write: {reply}")
            reply = client.command({"find": "alive", "filter": {"_id": 1}, "$db": DATABASE})
            check(reply and len(reply["cursor"]["firstBatch"]) == 1, f"{what}: another client cannot read: {reply}")

    def wait_until_given_back(self, what):
        """Nothing is held any more for connections that are gone."""
        for name in ("martlet_in_flight_bytes", "martlet_in_flight_waiting"):
            wait_until(lambda: self.metric(name) == 0, SECONDS, f"{what}: {name} is 0 again")
        wait_until(lambda: self.metric("martlet_connections") <= 1, SECONDS, f"{what}: connections are gone")


class Client(Connection):
    def __init__(self, connected):
        self.socket = connected


def is_closed(connected):
    """Whether the server has closed a connection on which nothing is expected to come; waits for it."""
    connected.settimeout(SECONDS)
    try:
        while connected.recv(65_536):
            pass
        return True
    except (ConnectionResetError, BrokenPipeError):
        return True
    except (TimeoutError, socket.timeout):
        return False


@contextmanager
def trickling(connected, data, pause=0.2):
    """Sends one byte after the other until the server closes the connection, or the block ends."""
    over = threading.Event()

    def send():
        for byte in data:
            try:
                connected.sendall(bytes([byte]))
            except OSError:
                return
            if over.wait(pause):
                return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def greeted(target):
    client = Client(target.connect())
    check(client.command(HELLO)["ok"] == 1, "a handshake")
    return client


# Slow clients.


def slowloris(target):
    before = {limit: target.metric("martlet_connections_ended_total", f'limit="{limit}"')
              for limit in ("handshake", "slowMessage")}
    with ExitStack() as stack:
        silent = [stack.enter_context(target.connect()) for _ in range(10)]
        target.check_alive("silent connections")
        for connected in silent:
            check(is_closed(connected), "a connection that says nothing stays")
        connected = stack.enter_context(target.connect())
        with trickling(connected, op_msg(body_section(HELLO)) + bytes(1000)):
            check(is_closed(connected), "a first message that trickles goes on")
        for data in (op_msg(body_section({"ping": 1, "x": "x" * 5000, "$db": "admin"})), frame(2013, b"", 47_999_999)):
            client = stack.enter_context(greeted(target))
            with trickling(client.socket, data):
                target.check_alive("a message that trickles")
                check(is_closed(client.socket), "a message that trickles goes on")
    for limit, count in before.items():
        check(target.metric("martlet_connections_ended_total", f'limit="{limit}"') > count, f"{limit} is counted")


def slow_but_honest(target):
    """A message in parts that gets on is no attack."""
    data = op_msg(body_section({"insert": "slow", "$db": DATABASE, "documents": [{"x": "x" * (3 * MEGABYTE)}]}))
    with greeted(target) as client:
        for start in range(0, len(data), 256 * 1024):
            client.send(data[start:start + 256 * 1024])
            time.sleep(0.5)
        reply = client.receive()
        check(reply and reply.get("n") == 1, f"a message of 3 MB in parts: {reply}")


def idle(target):
    count = target.metric("martlet_connections_ended_total", 'limit="idle"')
    with greeted(target) as client:
        check(is_closed(client.socket), "an idle connection stays")
    check(target.metric("martlet_connections_ended_total", 'limit="idle"') > count, "idle ends are counted")


def slow_readers(target):
    """Clients that ask for much and take nothing."""
    with greeted(target) as client:
        for number in range(30):
            reply = client.command({"update": "large", "$db": DATABASE, "updates": [
                {"q": {"_id": number}, "u": {"x": os.urandom(MEGABYTE // 2).hex()}, "upsert": True}]})
            check(reply and reply.get("n") == 1, f"large documents: {str(reply)[:200]}")
    before, resident = target.metric("martlet_connections_ended_total", 'limit="slowReader"'), target.resident()
    with ExitStack() as stack:
        readers = [stack.enter_context(greeted(target)) for _ in range(20)]
        for reader in readers:
            # Requests without end: the server must not go on when nobody takes the replies.
            reader.socket.settimeout(2)
            try:
                for _ in range(50):
                    reader.send(op_msg(body_section({"find": "large", "$db": DATABASE})))
            except (TimeoutError, socket.timeout, OSError):
                pass
        check(target.metric("martlet_in_flight_bytes") < 3 * IN_FLIGHT, "what is in flight is bounded")
        wait_until(lambda: target.metric("martlet_connections_ended_total", 'limit="slowReader"') >= before + 20,
                   SECONDS, "clients that do not take their replies are closed")
        grown = target.resident() - resident
        target.check_alive("slow readers")
    return f"20 clients asked 50 times for 15 MB: {grown // MEGABYTE} MB more resident"


# Floods and hogs.


def flood(target):
    rejected = target.metric("martlet_connections_rejected_total", 'limit="address"')
    with ExitStack() as stack:
        connections = [stack.enter_context(target.connect()) for _ in range(200)]
        time.sleep(0.5)
        target.check_alive("a flood from one address", source="127.0.0.2")
        with Client(target.connect("127.0.0.3")) as client:
            figures = client.command({"serverStatus": 1, "$db": "admin"})["connections"]
            check(figures["current"] <= 60 and figures["current"] + figures["available"] == 60, f"{figures}")
            check(figures["rejected"] >= 160, f"{figures}")
        for number in range(200):
            stack.enter_context(target.connect(f"127.0.1.{number + 1}"))
        time.sleep(0.5)
        check(target.metric("martlet_connections") <= 60, "no more connections than there may be")
        del connections
    check(target.metric("martlet_connections_rejected_total", 'limit="address"') >= rejected + 160, "counted")
    wait_until(lambda: target.metric("martlet_connections") <= 1, SECONDS, "a flood is gone")
    with open(target.server.log_path, errors="replace") as log:
        lines = sum("connection refused because there are too many" in line for line in log)
    check(0 < lines < 100, f"{lines} lines of the log tell of some 400 connections")
    return f"400 connections, {lines} lines in the log"


def decompression_bombs(target):
    inner = op_msg(body_section({"ping": 1, "$db": "admin"}), sequence_section(b"x\0", []))[16:] + bytes(46_000_000)
    bomb = op_compressed(2, 2013, zlib.compress(inner, 9), len(inner))
    lie = op_compressed(2, 2013, zlib.compress(bytes(1000), 9), 47_000_000)
    resident = target.resident()
    with ExitStack() as stack:
        clients = [stack.enter_context(greeted(target)) for _ in range(30)]
        for client in clients:
            client.send(bomb)
        for client in clients:
            check(is_closed(client.socket), "a bomb is taken for a message")
        client = stack.enter_context(greeted(target))
        client.send(lie)
        check(is_closed(client.socket), "a size that is no size is believed")
        target.check_alive("bombs")
    grown = target.resident() - resident
    check(grown < 3 * IN_FLIGHT + 100 * MEGABYTE, f"{grown} bytes more resident after bombs")
    return f"30 of {len(bomb) // 1024} kB for 46 MB each: {grown // MEGABYTE} MB more resident"


def memory_hogs(target):
    """Messages of 47 MB without their end, from more clients than there is room for."""
    part = frame(2013, bytes(46_000_000), 47_999_999)
    resident = target.resident()
    with ExitStack() as stack:
        clients = [stack.enter_context(greeted(target)) for _ in range(20)]
        threads = [threading.Thread(target=lambda c=client: send_all(c.socket, part)) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(1)
        held = target.metric("martlet_in_flight_bytes")
        check(held < IN_FLIGHT + 50_000_000, f"{held} bytes in flight")
        target.check_alive("hogs that fill the memory for messages")
        for client in clients:
            check(is_closed(client.socket), "a message without an end")
        for thread in threads:
            thread.join()
    grown = target.resident() - resident
    return f"20 clients began messages of 48 MB: {int(held) // MEGABYTE} MB held, {grown // MEGABYTE} MB more resident"


def send_all(connected, data):
    connected.settimeout(SECONDS)
    try:
        connected.sendall(data)
    except OSError:
        pass


def large_messages_at_once(target):
    """More than there is room for, and all of them are served: they wait for each other."""
    document = {"x": "x" * (15 * MEGABYTE)}
    failures = []

    def insert(number):
        try:
            with greeted(target) as client:
                reply = client.command({"insert": "honest", "documents": [{"_id": number, **document}],
                                        "$db": DATABASE})
                if not reply or reply.get("n") != 1:
                    failures.append(str(reply)[:200])
        except OSError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not failures, f"20 inserts of 15 MB: {failures}")
    with greeted(target) as client:
        reply = client.command({"count": "honest", "$db": DATABASE})
        check(reply["n"] == 20, f"{reply}")
        client.command({"drop": "honest", "$db": DATABASE})
    return f"20 inserts of 15 MB, {int(target.metric('martlet_in_flight_waits_total'))} waits by now"


# Bombs in commands.


def expressions():
    yield "regular expression that backtracks", {"find": "words", "filter": {"x": {"$regex": "^(a+)+$"}}}
    yield "the same in an expression", {"find": "words", "filter": {"$expr": {
        "$regexMatch": {"input": "$x", "regex": "^(a|a)*$"}}}}
    yield "regular expression of 5,000 groups", {"find": "words", "filter": {"x": {"$regex": "(" * 5000}}}
    yield "regular expression of nested repetitions", {"find": "words", "filter": {"x": {
        "$regex": "((a{1,100}){1,100}){1,100}b"}}}
    condition = {"x": 1}
    for _ in range(180):
        condition = {"$nor": [condition]}
    yield "180 nested conditions", {"find": "words", "filter": condition}
    expression = "$x"
    for _ in range(90):
        expression = {"$toLower": [expression]}
    yield "90 nested expressions", {"find": "words", "filter": {"$expr": {"$eq": [expression, 1]}}}
    yield "a range of two thousand millions", pipeline({"$project": {"r": {"$range": [0, 2**31 - 1]}}})
    doubling = {"$concat": ["$$value", "$$value"]}
    yield "a string that doubles 60 times", pipeline({"$project": {"s": {"$reduce": {
        "input": {"$range": [0, 60]}, "initialValue": "xxxxxxxx", "in": doubling}}}})
    doubling = {"$concatArrays": ["$$value", "$$value"]}
    yield "an array that doubles 60 times", pipeline({"$project": {"s": {"$reduce": {
        "input": {"$range": [0, 60]}, "initialValue": [1, 2], "in": doubling}}}})
    grid = {"$map": {"input": {"$range": [0, 3000]}, "in": {"$range": [0, 3000]}}}
    yield "nine millions of numbers", pipeline({"$project": {"s": grid}})
    yield "groups that keep everything", pipeline(
        {"$unwind": {"path": "$many"}}, {"$group": {"_id": None, "all": {"$push": "$$ROOT"}}})
    yield "a product of products", pipeline(*[{"$unwind": "$many"}, {"$unwind": "$more"}] * 3,
                                            {"$group": {"_id": "$many", "n": {"$sum": 1}}})
    yield "1,001 stages", pipeline(*[{"$match": {}}] * 1001)
    facet = {"$facet": {"a": [{"$match": {}}]}}
    yield "100 facets of everything", pipeline({"$facet": {f"f{n}": [{"$match": {}}] for n in range(100)}}, facet)
    yield "a hundred thousand values", {"find": "words", "filter": {"x": {"$in": ["x" * 100] * 100_000}}}
    yield "a sort by 200 fields", {"find": "words", "sort": {f"f{n}": 1 for n in range(200)}}
    yield "a limit beyond all numbers", {"find": "words", "limit": bson.Int64(2**63 - 1), "skip": bson.Int64(2**63 - 1)}


def pipeline(*stages):
    return {"aggregate": "words", "pipeline": list(stages), "cursor": {}}


def bombs(target):
    """What is small to send and large to do: it ends by an error or by maxTimeMS, within bounds of memory."""
    words = [{"_id": n, "x": "a" * 40 + "b", "many": list(range(400)), "more": list(range(400))} for n in range(50)]
    with greeted(target) as client:
        client.command({"drop": "words", "$db": DATABASE})
        check(client.command({"insert": "words", "documents": words, "$db": DATABASE})["n"] == 50, "words")
    resident, outcomes = target.resident(), []
    for name, command in expressions():
        with greeted(target) as client:
            try:
                reply = client.command({**command, "maxTimeMS": 3000, "$db": DATABASE})
            except (TimeoutError, socket.timeout):
                raise AssertionError(f"{name}: goes on for more than {SECONDS} s") from None
            check(reply is not None, f"{name}: no answer")
            outcomes.append(f"{name}: {'done' if reply['ok'] else reply['code']}")
        target.check_alive(name)
        check(target.resident() - resident < 700 * MEGABYTE, f"{name}: {target.resident()} bytes resident")
    return "; ".join(outcomes) + f"; {(target.resident() - resident) // MEGABYTE} MB more resident"


# Before a login.


def before_login(target):
    """On a server that asks for logins: what a stranger may send is short, and may not be inflated."""
    def sasl(count):
        return {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": b"n,,n=root,r=" + b"a" * count, "$db": "admin"}

    refused = target.metric("martlet_stranger_messages_refused_total")
    with greeted(target) as client:
        reply = client.command(sasl(50_000))
        check(reply and reply["ok"] == 0 and reply["code"] == 18, f"a payload of 50 kB: {reply}")
        check(client.command({"find": "c", "$db": DATABASE})["code"] == 13, "a find without a login")
    for name, message in [
        ("a payload of 1 MB", op_msg(body_section(sasl(MEGABYTE)))),
        ("an announced 48 MB", frame(2013, b"", 47_999_999)),
        ("a bomb", op_compressed(2, 2013, zlib.compress(bytes(40_000_000), 9), 40_000_000)),
        ("names without end", op_msg(body_section({"hello": 1, "client": {"x": "é" * 50_000}, "$db": "admin"}))),
    ]:
        with greeted(target) as client:
            send_all(client.socket, message)
            check(is_closed(client.socket), f"{name} is waited for")
    check(target.metric("martlet_stranger_messages_refused_total") >= refused + 4, "they are counted")
    for name in ("a\0b", "a" * 10_000, "\u202egnp.exe", "a\u0301", "'; DROP TABLE martlet.users; --"):
        with greeted(target) as client:
            reply = client.command({"saslStart": 1, "mechanism": "SCRAM-SHA-256", "$db": "admin",
                                    "payload": b"n,,n=" + name.encode().replace(b",", b"=2C") + b",r=abc"})
            check(reply and (reply["ok"] == 1 or reply["code"] == 18), f"user {name[:20]!r}: {reply}")
            check(client.command({"find": name, "$db": "admin"}) is not None, f"collection {name[:20]!r}")


# The flood comes first, while nothing else has used up what strangers may make the log say.
OPEN = [flood, slowloris, slow_but_honest, idle, slow_readers, decompression_bombs, memory_hogs,
        large_messages_at_once, bombs]
CLOSED = [before_login]


def run(attempts, target):
    for attempt in attempts:
        note = attempt(target)
        target.wait_until_given_back(attempt.__name__)
        check(target.server.is_running(), f"{attempt.__name__}: the server has ended")
        print(f"ok - {attempt.__name__}" + (f": {note}" if note else ""), flush=True)


def run_on_a_server(binary, options, attempts):
    with database() as (postgresql, directory):
        port = free_port()
        server = Martlet(binary, directory, postgresql.url, options=options,
                         environment={"MARTLET_ADMIN_LISTEN": f"127.0.0.1:{port}"})
        with cleaning_up([server]):
            server.start()
            run(attempts, Target(server, port))
            server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    for options, attempts in [(STRICT, OPEN), (STRICT + ["--auth"], CLOSED)]:
        attempts = [attempt for attempt in attempts if not arguments.names or attempt.__name__ in arguments.names]
        if attempts:
            run_on_a_server(arguments.server, options, attempts)
    print("ok - hostile_network")
    return 0


if __name__ == "__main__":
    sys.exit(main())
