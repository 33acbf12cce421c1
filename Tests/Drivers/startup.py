"""Starts a Martlet server before its PostgreSQL takes connections. What passes by itself is waited for; what does not
ends the start at once.

    Tests/Drivers/startup.py MARTLET
"""

import os
import socket
import struct
import subprocess
import sys
import threading

from pymongo import MongoClient

from servers import (Martlet, PostgreSQL, ServerError, free_port, postgresql_tool, temporary_directory, wait_until)

REFUSALS = [("57P03", "the database system is starting up"), ("57P03", "el sistema de base de datos está arrancando"),
            ("53300", "sorry, too many clients already")]
REFUSED_EACH = 3
# Far below the minute for which a server waits.
AT_ONCE_SECONDS = 30


class Gate:
    """Stands before PostgreSQL's socket on a TCP port: refuses connections as PostgreSQL does, then lets them pass."""

    def __init__(self, target):
        self.target = target
        self.refused = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            startup = self._read_startup(client)
            if not startup:
                return
            number = len(self.refused)
            if number < REFUSED_EACH * len(REFUSALS):
                code, text = REFUSALS[number // REFUSED_EACH]
                self.refused.append(code)
                fields = b"".join(tag + value.encode() + b"\0" for tag, value in
                                  ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", code), (b"M", text))) + b"\0"
                client.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)
                return
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(self.target)
                server.sendall(startup)
                threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
                self._pump(client, server)

    def _read_startup(self, client):
        while True:
            head = client.recv(8, socket.MSG_WAITALL)
            if len(head) < 8:
                return None
            length, code = struct.unpack("!ii", head)
            if code in (80877103, 80877104):  # encryption wanted
                client.sendall(b"N")
                continue
            return head + client.recv(length - 8, socket.MSG_WAITALL)

    @staticmethod
    def _pump(source, destination):
        try:
            while data := source.recv(65536):
                destination.sendall(data)
            destination.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def start_in_background(server):
    problems = []

    def start():
        try:
            server.start()
        except ServerError as error:
            problems.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    return thread, problems


def log_of(server):
    return open(server.log_path, errors="replace").read() if os.path.exists(server.log_path) else ""


def use(server):
    with MongoClient(server.uri, serverSelectionTimeoutMS=20_000) as client:
        client.test.c.insert_one({"_id": server.port})
        if client.test.c.count_documents({}) < 1:
            raise ServerError("what was inserted is not there")
    server.stop()


def waits_for_a_server_that_is_not_there(binary, directory, postgresql):
    server = Martlet(binary, directory, postgresql.url)
    thread, problems = start_in_background(server)
    wait_until(lambda: "waiting for PostgreSQL" in log_of(server) or problems, 30, "the server says what it waits for")
    postgresql.start()
    thread.join()
    if problems:
        raise problems[0]
    use(server)


def waits_for_a_server_that_refuses(binary, directory, postgresql):
    gate = Gate(f"{postgresql.socket_directory}/.s.PGSQL.{postgresql.port}")
    url = f"postgresql://postgres@127.0.0.1:{gate.port}/postgres?sslmode=disable"
    server = Martlet(binary, directory, url)
    server.start()
    use(server)
    if len(gate.refused) != REFUSED_EACH * len(REFUSALS):
        raise ServerError(f"started after {gate.refused}")
    if REFUSALS[0][1] not in log_of(server):
        raise ServerError("the log does not say what was waited for")
    gate.listener.close()


def fails_at_once(binary, directory, postgresql):
    subprocess.run([postgresql_tool("psql"), "-q", postgresql.url, "-c",
                    "CREATE ROLE guarded LOGIN PASSWORD 'right'"], check=True)
    hba = os.path.join(postgresql.data_directory, "pg_hba.conf")
    with open(hba) as file:
        rules = file.read()
    with open(hba, "w") as file:
        file.write("local all guarded scram-sha-256\n" + rules)
    subprocess.run([postgresql_tool("psql"), "-q", postgresql.url, "-c", "SELECT pg_reload_conf()"], check=True,
                   stdout=subprocess.DEVNULL)
    url = postgresql.url
    for what, wrong in (("no such database", url.replace("/postgres?", "/nothing?")),
                        ("no such role", url.replace("postgres@", "nobody@")),
                        ("a wrong password", url.replace("postgres@", "guarded:wrong@")),
                        ("no password", url.replace("postgres@", "guarded@")),
                        ("an option that does not exist", url + "&colour=red")):
        done = subprocess.run([binary, "serve", "--listen", f"127.0.0.1:{free_port()}", "--postgresql-url", wrong],
                              env={**os.environ, "MARTLET_ADMIN_LISTEN": "off"}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=AT_ONCE_SECONDS)
        if done.returncode != 1 or "PostgreSQL cannot be used" not in done.stdout:
            raise ServerError(f"{what}: status {done.returncode}\n{done.stdout}")
        if "waiting for PostgreSQL" in done.stdout:
            raise ServerError(f"{what}: waited\n{done.stdout}")


def main():
    binary = os.path.abspath(sys.argv[1])
    directory = temporary_directory()
    postgresql = PostgreSQL(directory)
    try:
        for test in (waits_for_a_server_that_is_not_there, waits_for_a_server_that_refuses, fails_at_once):
            test(binary, directory, postgresql)
    except (ServerError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"startup: {error}")
    finally:
        postgresql.clean_up()
        subprocess.run(["rm", "-rf", directory])
    print("ok - startup")


main()
