"""Lists and registers in PostgreSQL itself, whose isolation levels are known: READ COMMITTED shows anomalies,
REPEATABLE READ is snapshot isolation, SERIALIZABLE has none. So the checker can be tried where the answer is certain.
"""

import ctypes
import ctypes.util
import threading
import time

from .generator import COLLECTIONS, generation_of
from .history import ReadList, ReadRegister, Status
from .runner import StoreError, record_scan

TRANSIENT = {"40001", "40P01"}  # serialization failure, deadlock
TUPLES_OK, COMMAND_OK = 2, 1
SQLSTATE_FIELD = ord("C")


class SQLError(Exception):
    def __init__(self, state, message):
        super().__init__(f"{state}: {message}")
        self.state = state


def _library():
    library = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
    for name, result, arguments in (
            ("PQconnectdb", ctypes.c_void_p, [ctypes.c_char_p]),
            ("PQstatus", ctypes.c_int, [ctypes.c_void_p]),
            ("PQerrorMessage", ctypes.c_char_p, [ctypes.c_void_p]),
            ("PQexec", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
            ("PQresultStatus", ctypes.c_int, [ctypes.c_void_p]),
            ("PQresultErrorField", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int]),
            ("PQntuples", ctypes.c_int, [ctypes.c_void_p]),
            ("PQnfields", ctypes.c_int, [ctypes.c_void_p]),
            ("PQgetvalue", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]),
            ("PQclear", None, [ctypes.c_void_p]),
            ("PQfinish", None, [ctypes.c_void_p])):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Connection:
    """As much of libpq as is needed, without a package that would have to be installed."""

    def __init__(self, url):
        self._library = _library()
        self._connection = self._library.PQconnectdb(url.encode())
        if self._library.PQstatus(self._connection) != 0:
            raise SQLError("08000", self._library.PQerrorMessage(self._connection).decode())

    def query(self, sql):
        """The rows as lists of strings."""
        library, result = self._library, self._library.PQexec(self._connection, sql.encode())
        try:
            if library.PQresultStatus(result) not in (COMMAND_OK, TUPLES_OK):
                state = library.PQresultErrorField(result, SQLSTATE_FIELD) or b"08006"
                raise SQLError(state.decode(), library.PQerrorMessage(self._connection).decode().strip())
            return [[library.PQgetvalue(result, row, column).decode() for column in range(library.PQnfields(result))]
                    for row in range(library.PQntuples(result))]
        finally:
            library.PQclear(result)

    def close(self):
        self._library.PQfinish(self._connection)


class PostgreSQLStore:
    def __init__(self, url, level):
        self.url = url
        self.level = level
        self._local = threading.local()
        self._connections = []
        for name in COLLECTIONS:
            self._connection.query(
                f"DROP TABLE IF EXISTS {name}_lists, {name}_registers;"
                f"CREATE TABLE {name}_lists (id text PRIMARY KEY, generation int, elements int[]);"
                f"CREATE TABLE {name}_registers (id text PRIMARY KEY, number int, value int)")

    @property
    def _connection(self):
        """The thread's own."""
        if not hasattr(self._local, "connection"):
            self._local.connection = connection = Connection(self.url)
            self._connections.append(connection)
            connection.query("SET client_min_messages = error; SET deadlock_timeout = '10ms'")
        return self._local.connection

    def close(self):
        for connection in self._connections:
            connection.close()

    def execute(self, process, random, steps, attempts):
        connection = self._connection
        while True:
            recorder = attempts.begin()
            try:
                connection.query(f"BEGIN ISOLATION LEVEL {self.level}")
                for step in steps:
                    _Execution(connection, recorder).run(step)
                connection.query("COMMIT")
                return recorder.ended(Status.OK)
            except SQLError as error:
                if error.state not in TRANSIENT:
                    raise StoreError(str(error)) from None
                connection.query("ROLLBACK")  # a failed COMMIT has done so already, which is no error
                time.sleep(random.random() * 0.005)

    def read_all(self, keys, registers):
        found = []
        for key in keys:
            execution = _Execution(self._connection, None)
            found.append(ReadRegister(key, *execution.register(key)) if registers
                         else ReadList(key, tuple(execution.list(key))))
        return found


class _Execution:
    def __init__(self, connection, recorder):
        self.connection = connection
        self.recorder = recorder

    def run(self, step):
        getattr(self, "_" + step.kind.replace(" ", "_"))(step)

    def list(self, key):
        rows = self.connection.query(f"SELECT elements FROM {key[0]}_lists WHERE id = '{key[1]}'")
        return parse_array(rows[0][0]) if rows else []

    def register(self, key):
        rows = self.connection.query(f"SELECT number, value FROM {key[0]}_registers WHERE id = '{key[1]}'")
        return (int(rows[0][0]), int(rows[0][1])) if rows else (0, None)

    def _append(self, step):
        for key in step.keys:
            value = self.recorder.append(key)
            rows = self.connection.query(
                f"INSERT INTO {key[0]}_lists AS t VALUES ('{key[1]}', {generation_of(key)}, ARRAY[{value}]) "
                f"ON CONFLICT (id) DO UPDATE SET elements = t.elements || {value} RETURNING elements")
            if step.kind == "append and read":
                self.recorder.list_read(key, parse_array(rows[0][0]))

    _append_and_read = _append_bulk = _append

    def _read(self, step):
        [key] = step.keys
        self.recorder.list_read(key, self.list(key))

    def _read_register(self, step):
        [key] = step.keys
        self.recorder.register_read(key, *self.register(key))

    def _scan(self, step):
        collection, generation = step.keys[0][0], generation_of(step.keys[0])
        rows = self.connection.query(f"SELECT id, elements FROM {collection}_lists WHERE generation = {generation} "
                                     f"AND cardinality(elements) >= {step.bound or 0}")
        record_scan(self.recorder, step, {identifier: parse_array(elements) for identifier, elements in rows})

    def _write(self, step):
        [key] = step.keys
        value = self.recorder.write(key)
        rows = self.connection.query(
            f"INSERT INTO {key[0]}_registers AS t VALUES ('{key[1]}', 1, {value}) "
            f"ON CONFLICT (id) DO UPDATE SET number = t.number + 1, value = {value} RETURNING number")
        if step.kind == "write and read":
            self.recorder.written_as(int(rows[0][0]))

    _write_and_read = _write


def parse_array(text):
    return [int(word) for word in text.strip("{}").split(",") if word]
