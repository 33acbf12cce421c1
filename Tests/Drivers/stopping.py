"""Signals, and what a service manager is told: an orderly end while clients are in the middle of things.

    Tests/Drivers/stopping.py MARTLET
"""

import os
import signal
import socket
import subprocess
import sys
import threading

from pymongo import CursorType, MongoClient
from pymongo.errors import PyMongoError

from servers import STOP_SECONDS, Martlet, ServerError, directory_with, wait_until

def log_of(server):
    return open(server.log_path, errors="replace").read()


class Manager:
    """The socket to which systemd would listen."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(STOP_SECONDS)

    def expect(self, state):
        try:
            told = self.socket.recv(4096).decode()
        except TimeoutError:
            raise ServerError(f"the service manager was not told {state}") from None
        if told != state:
            raise ServerError(f"the service manager was told {told}, not {state}")

    def expect_nothing_more(self):
        self.socket.setblocking(False)
        try:
            raise ServerError(f"the service manager was told {self.socket.recv(4096).decode()} as well")
        except BlockingIOError:
            pass


class Busy:
    """Clients that are in the middle of something: a transaction, a wait at the end of a capped collection, inserts."""

    def __init__(self, uri):
        self.client = MongoClient(uri, serverSelectionTimeoutMS=2_000, retryWrites=False)
        self.database = self.client.test
        self.database.create_collection("capped", capped=True, size=1 << 20)
        self.database.capped.insert_one({"_id": 0})
        self.database.create_collection("c")
        self.session = self.client.start_session()
        self.session.start_transaction()
        self.database.c.insert_one({"_id": "open"}, session=self.session)
        self.acknowledged = []
        self.problems = []
        self.is_ending = False
        self.threads = [threading.Thread(target=self._run, args=(work,)) for work in (self._follow, self._insert)]
        for thread in self.threads:
            thread.start()
        wait_until(lambda: len(self.acknowledged) > 20 or self.problems, 60, "clients are at work")
        if self.problems:
            raise self.problems[0]

    def _run(self, work):
        try:
            work()
        except PyMongoError as error:
            if not self.is_ending:
                self.problems.append(error)

    def _follow(self):
        cursor = self.database.capped.find(cursor_type=CursorType.TAILABLE_AWAIT).max_await_time_ms(600_000)
        while cursor.alive:
            for _ in cursor:
                pass

    def _insert(self):
        while True:
            number = len(self.acknowledged)
            self.database.c.insert_one({"_id": number})
            self.acknowledged.append(number)

    def end(self):
        for thread in self.threads:
            thread.join()
        self.client.close()


def ends_in_order(server, with_signal):
    """While clients are busy; what was acknowledged is there afterwards, what was not committed is not."""
    busy = Busy(server.uri)
    busy.is_ending = True
    server.process.send_signal(with_signal)
    try:
        status = server.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise ServerError(f"not stopped {STOP_SECONDS} s after {with_signal.name}\n{server.log_tail()}") from None
    if status != 0:
        raise ServerError(f"{with_signal.name}: status {status}\n{server.log_tail()}")
    busy.end()
    for sign in ("unexpectedly", "does not stop", "Fatal error", " critical "):
        if sign in log_of(server):
            raise ServerError(f"{with_signal.name}: the log says '{sign}'\n{server.log_tail(40)}")
    server.start()
    with MongoClient(server.uri) as client:
        found = {document["_id"] for document in client.test.c.find()}
        lost = set(busy.acknowledged) - found
        if lost or "open" in found or len(found) > len(busy.acknowledged) + 1:
            raise ServerError(f"{with_signal.name}: lost {lost}, {len(found)} are there")
        client.drop_database("test")


def is_told(server, name, address):
    """By a socket that is called `name` in the environment."""
    manager = Manager(address)
    server.environment["NOTIFY_SOCKET"] = name
    server.start()
    manager.expect("READY=1")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "no certificates to read again" in log_of(server), STOP_SECONDS, "SIGHUP is noticed")
    with MongoClient(server.uri) as client:
        client.admin.command("ping")
    server.stop()
    manager.expect("STOPPING=1")
    manager.expect_nothing_more()
    server.environment.clear()


def main():
    try:
        with directory_with(lambda directory: [Martlet(sys.argv[1], directory)]) as [server]:
            path = os.path.join(server.directory, "notify")
            is_told(server, path, path)
            is_told(server, "@" + path, "\0" + path)
            for number in (signal.SIGTERM, signal.SIGINT):
                server.start()
                ends_in_order(server, number)
                server.stop()
    except (ServerError, OSError, PyMongoError) as error:
        sys.exit(f"stopping: {error}")
    print("ok - stopping")


main()
