"""Asks the admin listener what it may be asked, and what it may not.

    Tests/Drivers/admin.py MARTLET
"""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from servers import Martlet, PostgreSQL, ServerError, free_port, temporary_directory, wait_until

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (-?[0-9.e+-]+)')


def ask(port, path, method="GET", headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request(method, path, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read().decode(), reply.headers
    finally:
        connection.close()


def expect(what, found, expected):
    if found != expected:
        raise ServerError(f"{what}: {found!r}, expected {expected!r}")


def parse(page):
    """The samples by name and labels; fails where Prometheus would."""
    types, samples = {}, {}
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name in types:
                raise ServerError(f"{name} twice")
            types[name] = kind
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            if not match:
                raise ServerError(f"not a sample: {line!r}")
            name, labels, value = match.groups()
            family = re.sub("_(bucket|sum|count)$", "", name)
            if not name.startswith("martlet_") or types.get(name, types.get(family)) is None:
                raise ServerError(f"a sample without a type, or not ours: {line!r}")
            samples[name, labels or ""] = float(value)
    return types, samples


def test_pages(port, uri):
    expect("livez", ask(port, "/livez")[:2], (200, "ok\n"))
    expect("readyz", ask(port, "/readyz?verbose")[:2], (200, "ok\n"))
    for path in ("/metrics/", "//", "/status", "/index.html", "/livezz", "/../etc/passwd", "/debug"):
        expect(path, ask(port, path)[0], 404)
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, _, headers = ask(port, "/metrics", method)
        expect(method, (status, headers["allow"]), (405, "GET"))
    with MongoClient(uri) as client:
        collection = client.admin_test.documents
        for _ in range(20):
            collection.update_one({"_id": 'a"\\\n'}, {"$inc": {"n": 1}}, upsert=True)
        try:
            client.admin_test.command("no such command")
        except PyMongoError:
            pass
        check_metrics(port, client)


def check_metrics(port, client):
    status, page, headers = ask(port, "/metrics")
    expect("metrics", (status, headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
    types, samples = parse(page)
    expect("updates", samples["martlet_commands_total", 'command="update"'], 20)
    expect("updates", samples["martlet_command_duration_seconds_bucket", 'command="update",le="+Inf"'], 20)
    expect("unknown", samples["martlet_command_errors_total", 'command="unknown"'], 1)
    expect("requests", samples["martlet_pool_requests_total", 'pool="writers"'] >= 20, True)
    expect("waits", samples["martlet_pool_queue_wait_seconds_count", 'pool="writers"'] >= 20, True)
    expect("a label that a client made", any("no such" in labels for _, labels in samples), False)
    documented = set(re.findall(r"^\| `(martlet_[a-z_]+)", open(documentation()).read(), re.MULTILINE))
    if set(types) != documented:
        raise ServerError(f"docs/metrics.md and the page differ: {set(types) ^ documented}")
    writes = client.admin.command("serverStatus")["martlet"]["pools"]["writers"]["requests"]
    expect("serverStatus", writes >= 20, True)


def documentation():
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/metrics.md")


def read_all(connection):
    data = b""
    try:
        while chunk := connection.recv(65_536):
            data += chunk
    except ConnectionError:
        pass
    return data


def test_hostile(port):
    for request in (b"GET /livez HTTP/1.1\r\nx: " + b"a" * 200_000, b"\x00" * 1_000, b"GET /" + b"a" * 200_000,
                    b"GET /livez HTTP/1.1\r\n" + b"a: b\r\n" * 50_000):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            try:
                connection.sendall(request)
            except ConnectionError:
                continue
            reply = read_all(connection)
            if reply and not re.match(rb"HTTP/1\.1 4", reply):
                raise ServerError(f"{request[:30]!r}: {reply[:100]!r}")
    # One request for each connection: a second one in the same packet is not answered.
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
        expect("pipelining", read_all(connection).count(b"HTTP/1.1 200"), 1)
    # Connections that send nothing, or drips, are closed; more than allowed are not served, and then are again.
    silent = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(60)]
    silent[0].sendall(b"GET /livez HT")
    for connection in silent:
        expect("a silent connection", read_all(connection), b"")
        connection.close()
    expect("livez after the flood", ask(port, "/livez")[0], 200)


def test_readiness(port, postmaster):
    """A PostgreSQL that hangs: alive, not ready; and ready again when it goes on."""
    backends = [int(pid) for pid in subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True,
                                                   text=True).stdout.split()]
    for pid in [postmaster, *backends]:
        os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(3):
            expect("livez", ask(port, "/livez")[0], 200)
            expect("readyz", ask(port, "/readyz")[0], 503)
    finally:
        for pid in [postmaster, *backends]:
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: ask(port, "/readyz")[0] == 200, 30, "readiness")


def test_taken_address(binary, directory, url, port):
    """Asked for and taken is an error; so is nonsense."""
    for address in (f"127.0.0.1:{port}", "nonsense"):
        command = [binary, "serve", "--listen", f"127.0.0.1:{free_port()}", "--postgresql-url", url,
                   "--admin-listen", address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=directory)
        if done.returncode == 0 or "admin-listen" not in done.stderr:
            raise ServerError(f"--admin-listen {address}: {done.returncode} {done.stderr}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: admin.py MARTLET")
    directory = temporary_directory()
    postgresql = PostgreSQL(directory)
    server = Martlet(sys.argv[1], directory, postgresql.url)
    port = free_port()
    server.options = ["--admin-listen", f"127.0.0.1:{port}"]
    try:
        postgresql.start()
        server.start()
        test_pages(port, server.uri)
        test_hostile(port)
        test_taken_address(server.binary, directory, postgresql.url, port)
        with open(os.path.join(postgresql.data_directory, "postmaster.pid")) as file:
            test_readiness(port, int(file.readline()))
        server.stop()
        postgresql.stop()
    except (ServerError, OSError, PyMongoError, http.client.HTTPException) as error:
        sys.exit(f"admin: {error}")
    finally:
        server.clean_up()
        postgresql.clean_up()
        shutil.rmtree(directory, ignore_errors=True)
    print("ok - admin")


main()
