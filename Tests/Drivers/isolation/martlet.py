"""Lists and registers as documents, through pymongo's `with_transaction`.

    lists      {_id, generation, elements: [value, …], length}
    registers  {_id, value, number}
"""

import threading

from pymongo import MongoClient, ReturnDocument, UpdateOne
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from .generator import COLLECTIONS, generation_of
from .history import ReadList, ReadRegister, Status
from .runner import StoreError, record_scan

DATABASE = "isolation"
# What a client may ask for: all but the last are snapshot isolation.
READ_CONCERNS = {"snapshot": (None, "local", "majority", "snapshot"), "serializable": ("serializable",)}


class MartletStore:
    def __init__(self, uris, level):
        self.clients = [MongoClient(uri, serverSelectionTimeoutMS=20_000) for uri in uris]
        self.level = level
        self._local = threading.local()
        database = self.clients[0][DATABASE]
        for name in database.list_collection_names():
            database.drop_collection(name)
        for name in COLLECTIONS:  # not in the midst of transactions
            database.create_collection(name + "_lists")
            database.create_collection(name + "_registers")

    def close(self):
        for client in self.clients:
            client.close()

    def _session(self, process):
        """A session per thread, as an application has; threads share the servers."""
        if not hasattr(self._local, "session"):
            self._local.session = self.clients[process % len(self.clients)].start_session()
        return self._local.session

    def execute(self, process, random, steps, attempts):
        def body(session):
            execution = _Execution(session, attempts.begin(), random)
            for step in steps:
                execution.run(step)

        level = random.choice(READ_CONCERNS[self.level])
        try:
            self._session(process).with_transaction(body, read_concern=ReadConcern(level) if level else None)
            attempts.last.ended(Status.OK)
        except PyMongoError as error:
            if error.has_error_label("UnknownTransactionCommitResult"):
                return  # the attempt stays unknown
            raise StoreError(f"read concern {level}: {describe(error)}") from None

    def read_all(self, keys, registers):
        found = {}
        for name in COLLECTIONS:
            kind = "registers" if registers else "lists"
            found |= {(name, row["_id"]): row for row in self.clients[-1][DATABASE][f"{name}_{kind}"].find()}
        if registers:
            return [ReadRegister(key, *register(found.get(key))) for key in keys]
        return [ReadList(key, tuple(found[key]["elements"] if key in found else ())) for key in keys]


def describe(error):
    labels = [label for label in ("TransientTransactionError", "UnknownTransactionCommitResult",
                                  "RetryableWriteError") if error.has_error_label(label)]
    return f"{type(error).__name__}, code {getattr(error, 'code', None)}, labels {labels}: {error}"


def register(row):
    return (row["number"], row["value"]) if row else (0, None)


class _Execution:
    """The steps of one attempt."""

    def __init__(self, session, recorder, random):
        self.session = session
        self.recorder = recorder
        self.random = random

    def run(self, step):
        getattr(self, "_" + step.kind.replace(" ", "_"))(step)

    def _collection(self, step, kind):
        return self.session.client[DATABASE][f"{step.keys[0][0]}_{kind}"]

    def _push(self, key):
        return {"$push": {"elements": self.recorder.append(key)}, "$inc": {"length": 1},
                "$setOnInsert": {"generation": generation_of(key)}}

    def _append(self, step):
        [key] = step.keys
        self._collection(step, "lists").update_one({"_id": key[1]}, self._push(key), upsert=True,
                                                   session=self.session)

    def _append_and_read(self, step):
        [key] = step.keys
        row = self._collection(step, "lists").find_one_and_update(
            {"_id": key[1]}, self._push(key), upsert=True, return_document=ReturnDocument.AFTER, session=self.session)
        self.recorder.list_read(key, row["elements"])

    def _append_bulk(self, step):
        for collection in COLLECTIONS:
            requests = [UpdateOne({"_id": key[1]}, self._push(key), upsert=True)
                        for key in step.keys if key[0] == collection]
            if requests:
                self.session.client[DATABASE][f"{collection}_lists"].bulk_write(
                    requests, ordered=self.random.random() < 0.5, session=self.session)

    def _read(self, step):
        [key] = step.keys
        row = self._collection(step, "lists").find_one({"_id": key[1]}, session=self.session)
        self.recorder.list_read(key, row["elements"] if row else ())

    def _scan(self, step):
        criterion = {"generation": generation_of(step.keys[0])}
        if step.bound:
            criterion["length"] = {"$gte": step.bound}
        batch = self.random.choice((0, 2))  # 2: the third comes with a getMore
        rows = self._collection(step, "lists").find(criterion, batch_size=batch, session=self.session)
        record_scan(self.recorder, step, {row["_id"]: row["elements"] for row in rows})

    def _read_register(self, step):
        [key] = step.keys
        row = self._collection(step, "registers").find_one({"_id": key[1]}, session=self.session)
        self.recorder.register_read(key, *register(row))

    def _set(self, key):
        return {"$set": {"value": self.recorder.write(key)}, "$inc": {"number": 1}}

    def _write(self, step):
        [key] = step.keys
        self._collection(step, "registers").update_one({"_id": key[1]}, self._set(key), upsert=True,
                                                       session=self.session)

    def _write_and_read(self, step):
        [key] = step.keys
        row = self._collection(step, "registers").find_one_and_update(
            {"_id": key[1]}, self._set(key), upsert=True, return_document=ReturnDocument.AFTER, session=self.session)
        self.recorder.written_as(row["number"])
        self.recorder.register_read(key, *register(row))
