"""Sends commands that are well formed but wild, and some that are damaged: filters, projections, sorts, updates,
pipelines, expressions, collations, validators, values at the edges of all types. Whatever it is,
the same server process
must answer, in time, and with a cause when it refuses.

    Tests/Drivers/fuzz.py MARTLET [--seconds 20] [--seed N] [--round N] [--keep-going]

A failure names the seed and the round that bring it back: `--seed S --round R` runs that round alone. The last commands
are written to a file each; `--replay FILE` sends one to a new server.
"""

import argparse
import collections
import os
import random
import socket
import sys
import tempfile
import time

import bson
from bson.codec_options import CodecOptions, DatetimeConversion

from fuzzing.commands import MAX_TIME_MS, Commands, continued
from servers import ServerError, lone_server
from wire import Connection, body_section, op_msg

COMMANDS = 150  # of a round
GROUP_BYTES = 20_000
PATIENCE_SECONDS = MAX_TIME_MS / 1000 + 5
RESIDENT_BYTES_MAX = 4 << 30
# InternalError and UnknownError: nothing that a client sends is a cause of either.
BAD_CODES = {1, 8}
OPTIONS = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="replace")


class Failure(Exception):
    pass


class LenientConnection(Connection):
    """Dates beyond those of Python are no reason to stop."""

    def receive(self):
        header = self._read(16)
        body = header and self._read(int.from_bytes(header[:4], "little") - 16)
        return bson.decode(body[5:], OPTIONS) if body else None


class Fuzzer:
    def __init__(self, server, seed):
        self.server = server
        self.seed = seed
        self.connection = None
        self.recent = collections.deque(maxlen=8)
        self.codes = collections.Counter()
        self.slowest = (0, b"")

    def run_round(self, number):
        source = random.Random(f"{self.seed} {number}")
        commands = Commands(source)
        for command in commands.refill():
            try:
                self.send(bson.encode(command))
            except (bson.errors.BSONError, OverflowError):
                continue  # what BSON cannot hold
        waiting = []
        for data in filter(None, (commands.encoded() for _ in range(COMMANDS))):
            waiting.append(data)
            if sum(map(len, waiting)) > GROUP_BYTES:
                self.send_group(waiting)
                waiting = []
        self.send_group(waiting)
        self.check_alive()

    def send_group(self, group):
        """Sends commands at once, then awaits the replies: less time goes into waiting for each other."""
        self.connect()
        try:
            self.connection.send(b"".join(op_msg(body_section(data)) for data in group))
        except (ConnectionResetError, BrokenPipeError):
            pass  # the replies tell after which command
        for index, data in enumerate(group):
            reply = self.receive(data)
            if reply is None:
                return self.send_group(group[index + 1:]) if group[index + 1:] else None
            self.rest_of(reply)
        return None

    def rest_of(self, reply):
        """Cursors are read on a connection of their own."""
        if rest := continued(reply):
            with LenientConnection(self.server.uri, PATIENCE_SECONDS) as connection:
                connection.send(op_msg(body_section(rest)))
                self.receive(bson.encode(rest), connection)

    def connect(self):
        if self.connection is None:
            self.connection = LenientConnection(self.server.uri, PATIENCE_SECONDS)

    def send(self, data):
        self.connect()
        self.connection.send(op_msg(body_section(data)))
        return self.receive(data)

    def receive(self, data, connection=None):
        """The reply; None if the server closed the connection, as it may for what is no BSON."""
        self.recent.append(data)
        start = time.monotonic()
        try:
            reply = (connection or self.connection).receive()
        except socket.timeout:
            raise Failure(f"no reply within {PATIENCE_SECONDS} s") from None
        except bson.errors.BSONError as error:
            raise Failure(f"the reply is no BSON: {error}") from None
        self.slowest = max(self.slowest, (time.monotonic() - start, data))
        if reply is None:
            self.connection = None
            self.codes["closed"] += 1
            self.check_alive()
            return None
        for code in codes_of(reply):
            self.codes[code] += 1
            if code in BAD_CODES:
                raise Failure(f"code {code}: {str(reply)[:400]}")
        return reply

    def check_alive(self):
        if not self.server.is_running():
            raise Failure(f"the server ended with status {self.server.process.poll()}\n{self.server.log_tail(12)}")
        try:
            with LenientConnection(self.server.uri, PATIENCE_SECONDS) as connection:
                reply = connection.exchange(op_msg(body_section({"ping": 1, "$db": "admin"})))
        except OSError as error:
            self.server.process.poll() is None and time.sleep(0.5)
            raise Failure(f"another connection: {error}; status {self.server.process.poll()}\n"
                          f"{self.server.log_tail(12)}") from None
        if not reply or reply["ok"] != 1:
            raise Failure(f"another connection is not answered: {reply}; status {self.server.process.poll()}\n"
                          f"{self.server.log_tail(12)}")
        if (resident := resident_bytes(self.server.process.pid)) > RESIDENT_BYTES_MAX:
            raise Failure(f"the server holds {resident >> 20} MB")

    def save_recent(self):
        """The files of the last commands, the newest last."""
        directory = tempfile.mkdtemp(prefix="fuzz-")
        paths = []
        for index, data in enumerate(self.recent):
            paths.append(os.path.join(directory, f"{index}.bson"))
            with open(paths[-1], "wb") as file:
                file.write(data)
        return paths


def codes_of(reply):
    if reply.get("ok") != 1:
        yield reply.get("code")
    for error in reply.get("writeErrors", []):
        yield error.get("code")
    for result in (reply.get("cursor") or {}).get("firstBatch", []) if "nErrors" in reply else []:
        if result.get("ok") != 1:
            yield result.get("code")
    yield "ok" if reply.get("ok") == 1 else "refused"


def resident_bytes(process):
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def described(data):
    try:
        text = str(bson.decode(data, OPTIONS))
    except bson.errors.BSONError as error:
        text = f"{len(data)} bytes, {error}"
    return text if len(text) < 1500 else text[:1500] + "…"


def fuzz(server, arguments):
    fuzzer = Fuzzer(server, arguments.seed)
    end = time.monotonic() + arguments.seconds
    rounds = [arguments.round] if arguments.round is not None else range(sys.maxsize)
    failures = done = 0
    for number in rounds:
        try:
            fuzzer.run_round(number)
            done += 1
        except (Failure, OSError) as failure:
            failures += 1
            paths = fuzzer.save_recent()
            print(f"fuzz --seed {arguments.seed} --round {number}: {failure}\n  {described(fuzzer.recent[-1])}\n"
                  f"  {paths[-1]}",
                  flush=True)
            if not arguments.keep_going:
                return 1
            fuzzer.connection = None
            if not server.is_running():
                server.clean_up()
                time.sleep(1)
                server.start()
        if time.monotonic() > end:
            break
    print(f"  codes: {dict(fuzzer.codes.most_common(40))}")
    print(f"  slowest: {fuzzer.slowest[0]:.1f} s, {described(fuzzer.slowest[1])[:300]}")
    # A fuzzer whose commands are all refused reaches nothing.
    if done > 5 and fuzzer.codes["ok"] < fuzzer.codes["refused"] / 20:
        print("too few commands succeed")
        return 1
    print(f"{'not ok' if failures else 'ok'} - fuzz, seed {arguments.seed}, {done} rounds, {failures} failures")
    return 1 if failures else 0


def replay(server, path):
    fuzzer = Fuzzer(server, 0)
    for command in Commands(random.Random(0)).refill():
        fuzzer.send(bson.encode(command))
    with open(path, "rb") as file:
        print(fuzzer.send(file.read()))
    fuzzer.check_alive()
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", 20)))
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--round", type=int)
    parser.add_argument("--replay", metavar="FILE")
    parser.add_argument("--keep-going", action="store_true", help="start the server again after a failure")
    arguments = parser.parse_args()
    try:
        with lone_server(arguments.server) as server:
            return replay(server, arguments.replay) if arguments.replay else fuzz(server, arguments)
    except (Failure, ServerError) as error:
        print(f"fuzz (seed {arguments.seed}): {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
