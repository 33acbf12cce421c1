"""What the checks need. A check is a function that gets a `Bench` and raises when something is wrong."""

import threading
import uuid
from contextlib import contextmanager

from bson.binary import Binary
from bson.int64 import Int64
from pymongo import MongoClient
from pymongo.errors import PyMongoError

import wire
from isolation.postgresql import Connection

ANSWER_SECONDS = 15  # no answer may take longer, unless a check says so
TRANSIENT = "TransientTransactionError"
COMMON_FIELDS = ("$clusterTime", "operationTime", "codeName")

checks = []


def check(sentence):
    """Registers a check; the sentence is what it says of the server."""
    def register(function):
        checks.append((sentence, function))
        return function
    return register


class Wrong(Exception):
    """The server does something else than it should."""


def brief(reply):
    """A reply or a PyMongoError without what is in every one."""
    if isinstance(reply, PyMongoError):
        details = brief(getattr(reply, "details", None) or {})
        return f"{type(reply).__name__} {details or reply}"
    if not isinstance(reply, dict):
        return repr(reply)
    return str({name: value for name, value in reply.items() if name not in COMMON_FIELDS})


def expect(found, expected, what="found"):
    if found != expected:
        raise Wrong(f"{what}: {found!r}, expected {expected!r}")


@contextmanager
def fails(code, label=None, without=None):
    """The block must fail with this code, with one label and without another."""
    try:
        yield
    except PyMongoError as error:
        details = getattr(error, "details", None) or {}
        # A write error's own code stands in the first of the list.
        codes = {getattr(error, "code", None), *(e["code"] for e in details.get("writeErrors", ()))}
        if code is not None and code not in codes:
            raise Wrong(f"code {codes} instead of {code}: {brief(error)}") from None
        if label and not error.has_error_label(label):
            raise Wrong(f"no label {label}: {brief(error)}") from None
        if without and error.has_error_label(without):
            raise Wrong(f"label {without}: {brief(error)}") from None
    else:
        raise Wrong(f"no error, expected code {code}")


def expect_error(reply, code, label=None):
    """The same for a reply that came by hand; code None is any error."""
    if reply is None or reply["ok"] == 1 and "writeErrors" not in reply:
        raise Wrong(f"no error, expected code {code}: {brief(reply)}")
    found = reply["writeErrors"][0]["code"] if reply["ok"] == 1 else reply.get("code")
    if code is not None and found != code:
        raise Wrong(f"code {found} instead of {code}: {brief(reply)}")
    if label and label not in reply.get("errorLabels", ()):
        raise Wrong(f"no label {label}: {brief(reply)}")


def expect_ok(reply):
    if reply is None or reply["ok"] != 1 or "writeErrors" in reply:
        raise Wrong(f"should have succeeded: {brief(reply)}")
    return reply


class Background(threading.Thread):
    """Runs a function meanwhile."""

    def __init__(self, function):
        super().__init__(daemon=True)
        self._function = function
        self._result = None
        self._error = None
        self.start()

    def run(self):
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error

    def result(self, seconds=ANSWER_SECONDS):
        self.join(seconds)
        if self.is_alive():
            raise Wrong(f"no answer within {seconds} s")
        if self._error:
            raise self._error
        return self._result

    def still_waits_after(self, seconds):
        self.join(seconds)
        if not self.is_alive():
            raise Wrong(f"should have waited: {brief(self._error) if self._error else brief(self._result)}")


class Bench:
    """One check's server, with a database of its own."""

    def __init__(self, server, postgresql_url, name):
        self.server = server
        self.postgresql_url = postgresql_url
        self.name = name
        self.client = MongoClient(server.uri, socketTimeoutMS=ANSWER_SECONDS * 1000, serverSelectionTimeoutMS=20_000)
        self.database = self.client[name]
        self.collection = self.database.documents
        self.other = self.database.others

    def close(self):
        self.client.close()

    def fill(self, count=3, **fields):
        """Documents with _id 0, 1, … and n = 0."""
        self.collection.insert_many([{"_id": i, "n": 0, **fields} for i in range(count)])

    def session(self, **options):
        return self.client.start_session(**options)

    @contextmanager
    def transaction(self, **options):
        """A session in a transaction; what is not committed is aborted."""
        with self.client.start_session() as session:
            session.start_transaction(**options)
            yield session

    def numbers(self, session=None):
        """{_id: n} of all documents."""
        return {row["_id"]: row["n"] for row in self.collection.find({}, session=session)}

    def by_hand(self):
        return ByHand(self.server.uri, self.name)

    def idle_transactions(self):
        """How many database connections hold open transactions."""
        return len(self._of_idle_transactions("pid"))

    def end_idle_transactions(self):
        """Ends these connections as an administrator would. How many?"""
        return len(self._of_idle_transactions("pg_terminate_backend(pid)"))

    def _of_idle_transactions(self, what):
        connection = Connection(self.postgresql_url)
        try:
            return connection.query(f"SELECT {what} FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
        finally:
            connection.close()


class ByHand:
    """A logical session without a driver: every field is what a check says it is."""

    def __init__(self, uri, database):
        self.uri = uri
        self.database = database
        self.id = {"id": Binary(uuid.uuid4().bytes, 4)}
        self.number = 0

    def send(self, command, database=None, **fields):
        """The reply to a command on a connection of its own: a transaction does not belong to a connection."""
        with wire.Connection(self.uri, ANSWER_SECONDS) as connection:
            return connection.command({**command, **fields, "$db": database or self.database})

    def _fields(self, number=None):
        return {"lsid": self.id, "txnNumber": Int64(self.number if number is None else number), "autocommit": False}

    def start(self, command, **fields):
        """The first statement of the next transaction."""
        self.number += 1
        return self.send(command, **{**self._fields(), "startTransaction": True, **fields})

    def go_on(self, command, number=None, **fields):
        return self.send(command, **{**self._fields(number), **fields})

    def commit(self, number=None):
        return self.go_on({"commitTransaction": 1}, number, database="admin")

    def abort(self, number=None):
        return self.go_on({"abortTransaction": 1}, number, database="admin")


def insert(*documents, into="documents"):
    return {"insert": into, "documents": list(documents)}


def increment(identifier, of="documents"):
    return {"update": of, "updates": [{"q": {"_id": identifier}, "u": {"$inc": {"n": 1}}}]}


def find(criterion=None, of="documents"):
    return {"find": of, "filter": criterion or {}}
