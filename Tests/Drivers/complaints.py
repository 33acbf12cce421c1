"""What the program says when it cannot do what it was asked to: every way of being wrong ends with one clear message
and the status that the manual page gives, and none with a stack trace.

    Tests/Drivers/complaints.py MARTLET
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import threading

from servers import (STOP_SECONDS, Martlet, PostgreSQL, ServerError, cleaning_up, free_port, postgresql_tool,
                     temporary_directory)

FAILED, USAGE = 1, 64
# Far below the minute for which a server waits for what passes by itself.
AT_ONCE_SECONDS = 45
# What must not be shown to people.
NOISE = ("Fatal error", "Error Domain", "errno:", "Swift.", "NIO", "Optional(", "0x00")


class Wanted:
    """A run of the program: it must end with `status` and say `text`."""

    def __init__(self, arguments, status, *text, file=None, environment=None, user=None):
        self.arguments = arguments
        self.status = status
        self.text = text
        self.file = file
        self.environment = environment or {}
        self.user = user

    def check(self, binary, directory):
        options = os.path.join(directory, "options.yaml")
        if self.file is not None:
            with open(options, "w") as file:
                file.write(self.file)
        words = [word.replace("{options}", options) for word in self.arguments]
        environment = {**os.environ, "MARTLET_ADMIN_LISTEN": "off", **self.environment}
        done = subprocess.run([binary, *words], env=environment, cwd=directory, user=self.user, group=self.user,
                              extra_groups=[] if self.user else None, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=AT_ONCE_SECONDS)
        what = f"martlet {' '.join(words)} {self.environment or ''} {self.file or ''}"
        if done.returncode != self.status:
            raise ServerError(f"{what}: status {done.returncode}, not {self.status}\n{done.stdout}")
        for text in self.text:
            if text not in done.stdout:
                raise ServerError(f"{what}: does not say '{text}'\n{done.stdout}")
        for noise in NOISE:
            if noise in done.stdout:
                raise ServerError(f"{what}: says '{noise}'\n{done.stdout}")
        if "waiting for PostgreSQL" in done.stdout:
            raise ServerError(f"{what}: waited for what does not pass\n{done.stdout}")


def serve(*options):
    return ["serve", "--listen", f"127.0.0.1:{free_port()}", *options]


def help_texts():
    for command in ("serve", "ping", "create-user", "sql"):
        yield Wanted([command, "--help"], 0, f"USAGE: martlet {command}")
    yield Wanted([], 0, "SUBCOMMANDS:")
    yield Wanted(["--version"], 0, "martlet ")


def options():
    yield Wanted(["nothing"], USAGE, "nothing")
    yield Wanted(["serve", "--nothing"], USAGE, "'--nothing'", "martlet serve --help")
    yield Wanted(["serve", "--listen", "here"], USAGE, "--listen takes HOST:PORT, not 'here'", "martlet serve --help")
    yield Wanted(["serve", "--listen", "127.0.0.1:70000"], USAGE, "--listen takes HOST:PORT")
    yield Wanted(["serve", "--log-level", "loud"], USAGE, "'loud'")
    yield Wanted(["serve", "--spill-max-bytes", "many"], USAGE, "'many'")
    yield Wanted(["serve", "--tls-key", "a.key"], USAGE, "both --tls-certificate and --tls-key")
    yield Wanted(["serve"], USAGE, "MARTLET_AUTH takes true or false", environment={"MARTLET_AUTH": "maybe"})
    yield Wanted(["serve"], USAGE, "MARTLET_ANALYTICS_THRESHOLD takes a whole number",
                 environment={"MARTLET_ANALYTICS_THRESHOLD": "lots"})
    yield Wanted(["ping", "--uri", "http://127.0.0.1/"], USAGE, "--uri takes mongodb://", "martlet ping --help")
    yield Wanted(["ping", "--timeout", "0"], USAGE, "--timeout takes")
    yield Wanted(["sql"], USAGE, "<command>", "martlet sql --help")


def files():
    config = ["serve", "--config", "{options}"]
    yield Wanted(["serve", "--config", "/nothing.yaml"], USAGE, "/nothing.yaml cannot be read: No such file")
    yield Wanted(["serve"], USAGE, "/nothing.yaml cannot be read: ", environment={"MARTLET_CONFIG": "/nothing.yaml"})
    yield Wanted(["serve", "--config", "/"], USAGE, "/ cannot be read: Is a directory")
    yield Wanted(config, USAGE, "there is no option lisen", file="lisen: 127.0.0.1:1\n")
    yield Wanted(config, USAGE, "there is no option tls", file="tls:\n  key: a.key\n")
    yield Wanted(config, USAGE, "auth in ", "takes true or false", file="auth: maybe\n")
    yield Wanted(config, USAGE, "analyticsThreshold in ", "takes a whole number", file="analyticsThreshold: lots\n")
    yield Wanted(config, USAGE, "listen in ", "takes text", file="listen: [1, 2]\n")
    yield Wanted(config, USAGE, "given twice", file="logLevel: info\nlogLevel: debug\n")
    yield Wanted(config, USAGE, "is not YAML", file="listen: [1\n")
    yield Wanted(config, USAGE, "line 2: there is no 'name: value'", file="---\nlisten\n")
    # Nothing is wrong with these two: they get as far as the address.
    yield Wanted(config, USAGE, "--listen takes HOST:PORT, not 'here'", file="# nothing\n",
                 environment={"MARTLET_LISTEN": "here"})
    yield Wanted(config, USAGE, "--listen takes HOST:PORT, not 'here'", file="'listen': here # a comment\n\nauth: no\n")


def addresses(directory):
    broken = os.path.join(directory, "broken.pem")
    with open(broken, "w") as file:
        file.write("nothing\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        yield Wanted(["serve", "--listen", address], FAILED, f"cannot listen on {address}", "Another server")
        yield Wanted(serve("--admin-listen", address), FAILED, f"cannot listen on {address}", "--admin-listen")
    yield Wanted(["serve", "--listen", "192.0.2.1:1"], FAILED, "cannot listen on 192.0.2.1:1: Cannot assign")
    yield Wanted(["serve", "--listen", "nowhere.invalid:1"], FAILED, "cannot listen on nowhere.invalid:1")
    yield Wanted(serve("--tls-certificate", "/no.pem", "--tls-key", broken), FAILED,
                 "--tls-certificate: /no.pem cannot be read: No such file")
    yield Wanted(serve("--tls-certificate", broken, "--tls-key", broken), FAILED, f"--tls-certificate: {broken}")
    nobody = f"127.0.0.1:{free_port()}"
    yield Wanted(["ping", "--uri", f"mongodb://user:secret@{nobody}/"], FAILED,
                 f"martlet: mongodb://***@{nobody}/: Connection refused")
    yield Wanted(["ping", "--uri", "mongodb://nowhere.invalid/"], FAILED, "martlet: mongodb://nowhere.invalid/: ")
    yield Wanted(["sql", "{", "--uri", f"mongodb://{nobody}/"], FAILED, "not extended JSON")
    yield Wanted(["create-user", "a", "--uri", f"mongodb://{nobody}/"], FAILED, "standard input has no password")


def directories(directory):
    file = os.path.join(directory, "file")
    with open(file, "w"):
        pass
    yield Wanted(serve("--data-directory", f"{file}/data"), FAILED, f"cannot make the data directory {file}/data")
    yield Wanted(serve("--spill-directory", f"{file}/spill"), FAILED, "--spill-directory cannot be used")
    yield Wanted(serve("--postgresql-bin", directory), FAILED, f"cannot use the PostgreSQL in {directory}")
    if os.getuid() == 0:  # whom no file is closed to
        private = os.path.join(directory, "private")
        os.mkdir(private, 0o700)
        yield Wanted(serve("--data-directory", private), FAILED, private, "Permission denied", user="postgres")
        yield Wanted(["serve", "--config", f"{private}/options.yaml"], USAGE, "Permission denied", user="postgres")


def databases(postgresql, gate):
    def sql(database, text):
        subprocess.run([postgresql_tool("psql"), "-q", "-v", "ON_ERROR_STOP=1", url(database), "-c", text], check=True)

    def url(database, user="postgres"):
        return postgresql.url.replace("postgres@/postgres", f"{user}@/{database}")

    sql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    yield Wanted(serve("--postgresql-url", url("latin")), FAILED, "the encoding LATIN1", "UTF8")
    yield Wanted(serve("--postgresql-url", gate.url), FAILED, "it is version 14", "15 or newer")
    yield Wanted(serve("--postgresql-url", "host=/tmp colour"), FAILED, "PostgreSQL cannot be used", "colour")
    sql("postgres", "CREATE ROLE guest LOGIN")
    sql("postgres", "CREATE DATABASE empty")
    yield Wanted(serve("--postgresql-url", url("empty", "guest")), FAILED, "denied for database empty", "GRANT")
    sql("empty", "CREATE SCHEMA martlet; GRANT USAGE ON SCHEMA martlet TO guest")
    yield Wanted(serve("--postgresql-url", url("empty", "guest")), FAILED, "permission denied for schema martlet")
    sql("postgres", "CREATE ROLE reader LOGIN")
    sql("postgres", "ALTER ROLE reader SET default_transaction_read_only = on")
    yield Wanted(serve("--postgresql-url", url("empty", "reader")), FAILED, "takes no writes", "--analytics-url")


class OldServer:
    """Stands before PostgreSQL, and says that it is version 14."""

    def __init__(self, postgresql):
        self.target = f"{postgresql.socket_directory}/.s.PGSQL.{postgresql.port}"
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable&gssencmode=disable"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.target)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    @staticmethod
    def _pump(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(re.sub(rb"server_version\0\d\d", b"server_version\x0014", data))
            target.shutdown(socket.SHUT_WR)


def logins(binary, directory):
    """Of a server that asks for them, and of one that would be a second on its directory."""
    with cleaning_up([Martlet(binary, directory, options=["--auth"])]) as (server,):
        server.start()
        done = subprocess.run([binary, "create-user", "admin", "--role", "root", "--uri", server.uri], input="right\n",
                              text=True, capture_output=True, timeout=AT_ONCE_SECONDS)
        if done.returncode != 0 or done.stdout != "ok\n":
            raise ServerError(f"create-user: {done.stdout}{done.stderr}")
        wrong = server.uri.replace("127", "admin:wrong@127")
        for wanted in (
                Wanted(["ping", "--uri", server.uri], 0, "ok"),
                Wanted(["ping", "--uri", wrong.replace("wrong", "right")], 0, "ok"),
                Wanted(["ping", "--uri", wrong], FAILED, "/: Authentication failed"),
                Wanted(["sql", '{"find": "c"}', "--uri", server.uri], FAILED, "requires authentication"),
                Wanted(serve("--data-directory", server.data_directory), FAILED, "another Martlet (process ")):
            wanted.check(binary, directory)
        server.stop()


def serves_for_another_user(binary, directory):
    """Who is not root may do less: nothing that a server needs."""
    if os.getuid() != 0:
        return  # then every test is of one
    home = os.path.join(directory, "home")
    os.mkdir(home)
    shutil.chown(home, "postgres", "postgres")
    port = free_port()
    server = subprocess.Popen([binary, "serve", "--listen", f"127.0.0.1:{port}", "--data-directory", f"{home}/data"],
                              env={**os.environ, "MARTLET_ADMIN_LISTEN": "off"}, cwd=home, user="postgres",
                              group="postgres", extra_groups=[], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    try:
        if not server.stdout.readline().startswith("ready "):
            raise ServerError(f"a server of another user ended with status {server.wait()}")
        for _ in range(2):  # the first client must not be the last
            Wanted(["ping", "--uri", f"mongodb://127.0.0.1:{port}/"], 0, "ok").check(binary, directory)
        server.terminate()
        if server.wait(STOP_SECONDS) != 0:
            raise ServerError(f"a server of another user stopped with status {server.returncode}")
    finally:
        server.kill()
        server.wait()


def main():
    directory = temporary_directory()
    # Another user runs it as well, who need not be able to get to where it was built.
    binary = shutil.copy(os.path.abspath(sys.argv[1]), directory)
    postgresql = PostgreSQL(directory)
    try:
        for group in (help_texts(), options(), files(), addresses(directory), directories(directory)):
            for wanted in group:
                wanted.check(binary, directory)
        postgresql.start()
        for wanted in databases(postgresql, OldServer(postgresql)):
            wanted.check(binary, directory)
        logins(binary, directory)
        serves_for_another_user(binary, directory)
    except (ServerError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"complaints: {error}")
    finally:
        postgresql.clean_up()
        shutil.rmtree(directory, ignore_errors=True)
    print("ok - complaints")


main()
