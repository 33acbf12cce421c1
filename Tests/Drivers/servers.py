"""Starts, kills and stops the servers under test: Martlet and, where a test needs its own, PostgreSQL."""

import glob
import os
import pwd
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager

READY_SECONDS = 120  # the first start creates a PostgreSQL cluster
STOP_SECONDS = 60


class ServerError(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def temporary_directory():
    """A directory that other users may enter: a server started by root runs PostgreSQL as somebody else."""
    directory = tempfile.mkdtemp(prefix="martlet-")
    os.chmod(directory, 0o755)
    return directory


def processes_in(directory):
    """The processes that work in `directory`: PostgreSQL's postmaster and all its children do."""
    found = []
    for link in glob.glob("/proc/[0-9]*/cwd"):
        try:
            path = os.readlink(link)
        except OSError:
            continue  # ended meanwhile
        if (path + "/").startswith(directory.rstrip("/") + "/"):
            found.append(int(link.split("/")[2]))
    return found


def kill_processes_in(directory):
    for process in processes_in(directory):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ServerError(f"timed out after {seconds} s: {what}")
        time.sleep(0.05)


class Martlet:
    """One `martlet serve` process, with an embedded PostgreSQL in `directory` unless `postgresql_url` is given."""

    def __init__(self, binary, directory, postgresql_url=None, environment=None, options=()):
        self.binary = os.path.abspath(binary)
        self.directory = directory
        self.data_directory = os.path.join(directory, "data")
        self.postgresql_url = postgresql_url
        self.environment = environment or {}
        self.options = list(options)
        self.port = free_port()
        self.log_path = os.path.join(directory, f"martlet-{self.port}.log")
        self.process = None

    @property
    def uri(self):
        return f"mongodb://127.0.0.1:{self.port}/"

    def start(self):
        source = (["--postgresql-url", self.postgresql_url] if self.postgresql_url
                  else ["--data-directory", self.data_directory])
        command = [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", *source, *self.options]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=self.directory,
                                            env={**os.environ, "MARTLET_ADMIN_LISTEN": "off",
                                                 **self.environment})
        lines = queue.Queue()
        threading.Thread(target=self._read_output, args=(lines,), daemon=True).start()
        self._wait_for_ready(lines)
        return self

    def _read_output(self, lines):
        for line in self.process.stdout:
            lines.put(line)
        lines.put(None)

    def _wait_for_ready(self, lines):
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                line = lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise ServerError(f"no 'ready' line in {READY_SECONDS} s\n{self.log_tail()}") from None
            if line is None:
                status = self.process.wait()
                raise ServerError(f"the server ended with status {status} before it was ready\n{self.log_tail()}")
            if line.startswith("ready mongodb://"):
                return

    def log_tail(self, lines=20):
        with open(self.log_path, errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """As a power cut does to this process; its PostgreSQL is left behind."""
        self.process.kill()
        self.process.wait()

    def postmaster(self):
        """The process id of the embedded PostgreSQL."""
        for path in glob.glob(os.path.join(self.data_directory, "**", "postmaster.pid"), recursive=True):
            with open(path) as file:
                return int(file.readline())
        raise ServerError(f"no postmaster.pid below {self.data_directory}")

    def stop(self):
        """Asks the server to end and checks that it does so in order and leaves nothing behind."""
        self.process.terminate()
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"not stopped {STOP_SECONDS} s after SIGTERM\n{self.log_tail()}") from None
        if status != 0:
            raise ServerError(f"the server stopped with status {status}\n{self.log_tail()}")
        if not self.postgresql_url and (left := processes_in(self.data_directory)):
            raise ServerError(f"the server left processes behind: {left}")

    def clean_up(self):
        if self.is_running():
            self.kill()
        kill_processes_in(self.directory)


class PostgreSQL:
    """A stock PostgreSQL of its own, for tests in which several Martlet servers share one."""

    def __init__(self, directory):
        self.data_directory = os.path.join(directory, "postgresql")
        self.port = free_port()
        # PostgreSQL refuses to run as root.
        self.user = "postgres" if os.getuid() == 0 else None
        self.socket_directory = tempfile.mkdtemp(prefix="pg-")  # a short path: a socket's name has 107 bytes at most

    @property
    def url(self):
        return f"postgresql://postgres@/postgres?host={self.socket_directory}&port={self.port}"

    def start(self):
        os.mkdir(self.data_directory, 0o700)
        if self.user:
            account = pwd.getpwnam(self.user)
            for path in (self.data_directory, self.socket_directory):
                os.chown(path, account.pw_uid, account.pw_gid)
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        options = f"-p {self.port} -c listen_addresses= -c unix_socket_directories={self.socket_directory}"
        self._run("pg_ctl", "start", "--wait", "--log", self.data_directory + "/log", "--options", options)
        return self

    def stop(self):
        self._run("pg_ctl", "stop", "--wait", "--mode=fast")

    def clean_up(self):
        kill_processes_in(self.data_directory)
        shutil.rmtree(self.socket_directory, ignore_errors=True)

    def _run(self, tool, *arguments):
        command = [postgresql_tool(tool), "--pgdata", self.data_directory, *arguments]
        done = subprocess.run(command, user=self.user, group=self.user, cwd="/", stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise ServerError(f"{tool} failed: {done.stderr.strip()}")


def postgresql_tool(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    if not found:
        raise ServerError(f"no {name} below /usr/lib/postgresql: is the package postgresql installed?")
    return found[-1]


@contextmanager
def database():
    """A PostgreSQL that runs, and a directory for the servers on it; nothing is left of either."""
    directory = temporary_directory()
    postgresql = PostgreSQL(directory)
    try:
        postgresql.start()
        yield postgresql, directory
    finally:
        postgresql.clean_up()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def cleaning_up(servers):
    try:
        yield servers
    finally:
        for server in servers:
            server.clean_up()


@contextmanager
def servers_on(postgresql, directory, binary, count):
    """Servers that run, and must stop in order at the end."""
    with cleaning_up([Martlet(binary, directory, postgresql.url) for _ in range(count)]) as servers:
        for server in servers:
            server.start()
        yield servers
        for server in servers:
            server.stop()


@contextmanager
def directory_with(make_servers):
    """Servers in a temporary directory, which do not outlive the test."""
    directory = temporary_directory()
    try:
        with cleaning_up(make_servers(directory)) as servers:
            yield servers
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def lone_server(binary):
    """A server that runs, with a PostgreSQL of its own."""
    with directory_with(lambda directory: [Martlet(binary, directory)]) as [server]:
        yield server.start()
