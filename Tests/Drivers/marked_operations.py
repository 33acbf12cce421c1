"""Writes that carry markers, so that what a server did with each of them can be counted afterwards.

An operation has one marker per statement. A marker lands where its effect lands: in the ledger of the counter that the
statement increments, as the `_id` of the document that it inserts, as the claimant of the document that it claims. A
statement that deletes gets a pool of documents of its own, of which one may be missing afterwards.
`evidence.py` counts the markers.

`send` returns what the driver returned, as plain values that compare, and throws `WrongAnswer` if it is not what the
first execution must have answered.
"""

import itertools

from pymongo import DeleteOne, InsertOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, ClientBulkWriteException

DATABASE = "exactly_once"
COUNTERS = 6
TICKETS = 2
POOL_SIZE = 3
TAKEN_ID = "taken"
DUPLICATE_KEY = 11000


class WrongAnswer(Exception):
    pass


def expect(operation, found, expected):
    if found != expected:
        raise WrongAnswer(f"{operation.marker}: {type(operation).__name__} was answered {found}, not {expected}")


class Operation:
    is_ordered = False  # of several statements: each only after the one before it
    takes_key = True  # is one command, so that it may carry an idempotency key

    def __init__(self, marker, random):
        self.marker = marker
        self.markers = [marker]
        self.applied_markers = self.markers  # those that take effect when the operation is acknowledged
        self.is_acknowledged = False
        self.answer = None  # once acknowledged
        self.history = ""
        self.prepare(random)

    def prepare(self, random):
        pass

    def set_up(self, database):
        """What must be there before; not part of the operation."""

    def send(self, client, **options):
        raise NotImplementedError


class Increment(Operation):
    """A hot counter."""

    def prepare(self, random):
        # The first is the hottest.
        self.counter = min(random.randrange(COUNTERS), random.randrange(COUNTERS))

    def send(self, client, **options):
        result = client[DATABASE].counters.update_one({"_id": self.counter}, increment(self.marker), **options)
        expect(self, (result.matched_count, result.modified_count), (1, 1))
        return result.raw_result["n"]


def increment(marker):
    return {"$inc": {"n": 1}, "$push": {"ledger": marker}}


class Ticket(Operation):
    """Draws a number: the image must be that of the first execution, and nobody else's."""

    def prepare(self, random):
        self.ticket = random.randrange(TICKETS)
        self.image = random.choice([ReturnDocument.BEFORE, ReturnDocument.AFTER])

    def send(self, client, **options):
        image = client[DATABASE].tickets.find_one_and_update(
            {"_id": self.ticket}, increment(self.marker), projection={"n": 1}, return_document=self.image, **options)
        expect(self, image is not None and set(image), {"_id", "n"})
        # Its place in the ledger, from 0.
        return image["n"] - (1 if self.image == ReturnDocument.AFTER else 0)


class Insert(Operation):
    """Into the queue, whence others remove it, or where it stays. An id of a never acknowledged insert cannot be
    taken: DuplicateKey, like any other error, is a wrong answer."""

    def prepare(self, random):
        self.collection = random.choice(["documents", "queue"])

    def send(self, client, **options):
        result = client[DATABASE][self.collection].insert_one({"_id": self.marker, "text": "x" * 100}, **options)
        expect(self, result.inserted_id, self.marker)
        return result.inserted_id


class InsertMany(Operation):
    def prepare(self, random):
        self.collection = random.choice(["documents", "queue"])
        self.markers = [f"{self.marker}.{i}" for i in range(random.choice([2, 3, 5, 40]))]
        self.applied_markers = self.markers
        self.is_ordered = random.random() < 0.5

    def send(self, client, **options):
        documents = [{"_id": marker, "text": "x" * 100} for marker in self.markers]
        result = client[DATABASE][self.collection].insert_many(documents, ordered=self.is_ordered, **options)
        expect(self, result.inserted_ids, self.markers)
        return result.inserted_ids


class Pop(Operation):
    """Removes a document from the queue: nobody else may get it. Its own marker leaves no trace."""

    def prepare(self, random):
        self.markers = self.applied_markers = []
        self.sort = random.choice([None, [("_id", 1)], [("_id", -1)]])

    def send(self, client, **options):
        image = client[DATABASE].queue.find_one_and_delete({}, sort=self.sort, **options)
        return image and image["_id"]


class Take(Operation):
    """Claims an open job by findAndModify."""

    def prepare(self, random):
        self.sort = random.choice([None, [("_id", 1)]])
        self.image = random.choice([ReturnDocument.BEFORE, ReturnDocument.AFTER])

    def send(self, client, **options):
        image = client[DATABASE].jobs.find_one_and_update(
            {"state": "open"}, {"$set": {"state": "taken"}, "$push": {"by": self.marker}}, sort=self.sort,
            return_document=self.image, **options)
        if image is None:
            self.applied_markers = []
            return None
        after = ("taken", [self.marker])
        expect(self, (image["state"], image["by"]), after if self.image == ReturnDocument.AFTER else ("open", []))
        return image["_id"]


class Claim(Operation):
    """Claims an open job by an update whose filter matches it no longer afterwards."""

    def send(self, client, **options):
        result = client[DATABASE].jobs.update_one(
            {"state": "open"}, {"$set": {"state": "taken"}, "$push": {"by": self.marker}}, **options)
        expect(self, result.modified_count, result.matched_count)
        if result.matched_count == 0:
            self.applied_markers = []
        return result.matched_count


class Pool:
    """Documents of which a statement deletes one."""

    def __init__(self, marker):
        self.name = marker

    def documents(self):
        return [{"_id": f"{self.name}/{i}", "pool": self.name} for i in range(POOL_SIZE)]

    def filter(self, random):
        by_id = {"_id": {"$gte": f"{self.name}/", "$lt": f"{self.name}0"}}
        return random.choice([by_id, {"pool": self.name}])


class Delete(Operation):
    def prepare(self, random):
        self.pools = [Pool(self.marker)]
        self.filter = self.pools[0].filter(random)

    def set_up(self, database):
        database.pools.insert_many(self.pools[0].documents())

    def send(self, client, **options):
        result = client[DATABASE].pools.delete_one(self.filter, **options)
        expect(self, result.deleted_count, 1)
        return result.deleted_count


class Upsert(Operation):
    """By `_id`, or by a field without a unique index, where two upserts may both insert: only their sum is fixed."""

    def prepare(self, random):
        self.filter = {random.choice(["_id", "key"]): f"upsert{random.randrange(50)}"}

    def send(self, client, **options):
        result = client[DATABASE].upserts.update_one(self.filter, increment(self.marker), upsert=True, **options)
        expect(self, result.modified_count + (result.upserted_id is not None), 1)
        self.upserted_id = result.upserted_id
        return result.upserted_id


class Statements(Operation):
    """Several statements of one command. `kinds` restricts them."""

    kinds = ["update", "insert", "delete"]

    def prepare(self, random):
        self.is_ordered = random.random() < 0.5
        self.markers = [f"{self.marker}.{i}" for i in range(random.randint(2, 6))]
        self.statements = []
        self.pools = []
        self.error_index = None
        for marker in self.markers:
            self._add(random, marker, random.choice(self.kinds))
        if "insert" in self.kinds and random.random() < 0.2:
            self._fail_at(random.randrange(len(self.markers)))
        self._expect(range(len(self.markers)))

    def _add(self, random, marker, kind):
        if kind == "update":
            counter = random.randrange(COUNTERS)
            self.statements.append((kind, "counters", {"_id": counter}, increment(marker)))
        elif kind == "insert":
            self.statements.append((kind, "documents", {"_id": marker}, None))
        else:
            pool = Pool(marker)
            self.pools.append(pool)
            self.statements.append((kind, "pools", pool.filter(random), None))

    def _fail_at(self, index):
        """An insert that must fail, each time: with `ordered` nothing behind it is executed."""
        self.error_index = index
        self.statements[index] = ("insert", "documents", {"_id": TAKEN_ID}, None)

    def _expect(self, executed):
        """Sets what the answer must be if the driver sends the statements `executed`, in this order."""
        self.expected = {"update": 0, "insert": 0, "delete": 0}
        self.applied_markers = []
        for i in executed:
            if i != self.error_index:
                self.applied_markers.append(self.markers[i])
                self.expected[self.statements[i][0]] += 1
            elif self.is_ordered:
                break

    def set_up(self, database):
        if self.pools:
            database.pools.insert_many([document for pool in self.pools for document in pool.documents()])

    def check(self, inserted, modified, deleted, errors):
        found = ({"update": modified, "insert": inserted, "delete": deleted}, errors)
        expect(self, found, (self.expected, self._expected_errors(range(len(self.markers)))))
        return found

    def _expected_errors(self, executed):
        return [(self.error_index, DUPLICATE_KEY)] if self.error_index in executed else []

    def models(self, with_namespace):
        made = []
        for kind, collection, filter, update in self.statements:
            where = {"namespace": f"{DATABASE}.{collection}"} if with_namespace else {}
            if kind == "update":
                made.append(UpdateOne(filter, update, **where))
            else:
                made.append({"insert": InsertOne, "delete": DeleteOne}[kind](filter, **where))
        return made


class BulkWrite(Statements):
    """Collection.bulk_write of statements of one kind, which the driver sends as one command."""

    def prepare(self, random):
        self.kinds = [random.choice(["update", "insert", "delete"])]
        super().prepare(random)

    def send(self, client, **options):
        collection = client[DATABASE][self.statements[0][1]]
        try:
            result = collection.bulk_write(self.models(False), ordered=self.is_ordered, **options)
        except BulkWriteError as error:
            raise_if_unexpected(self, error, error.details["writeErrors"])
            details = error.details
        else:
            details = result.bulk_api_result
        errors = [(error["index"], error["code"]) for error in details["writeErrors"]]
        return self.check(details["nInserted"], details["nModified"], details["nRemoved"], errors)


class MixedBulkWrite(Statements):
    """Collection.bulk_write of several kinds, of which the driver makes several commands. They would share one
    idempotency key, so this goes without."""

    takes_key = False

    def _add(self, random, marker, kind):
        super()._add(random, marker, kind)
        kind, _, filter, update = self.statements[-1]
        # Counters, documents and pools of their own within the collection `mixed`.
        if kind == "update":
            filter = {"_id": f"counter{filter['_id']}"}
        self.statements[-1] = (kind, "mixed", filter, update)

    def _fail_at(self, index):
        super()._fail_at(index)
        self.statements[index] = ("insert", "mixed", {"_id": TAKEN_ID}, None)

    def set_up(self, database):
        if self.pools:
            database.mixed.insert_many([document for pool in self.pools for document in pool.documents()])

    def check(self, inserted, modified, deleted, errors):
        # PyMongo 4.20 drops all but the first command without a word if it fails to get a connection for that one at
        # first (`next_run` of its _Bulk is unset when `retrying`).
        first = self._first_run()
        found = ({"update": modified, "insert": inserted, "delete": deleted}, errors)
        whole = (self.expected, self.applied_markers)
        self._expect(first)
        if found != (self.expected, self._expected_errors(first)):
            self.expected, self.applied_markers = whole
            return super().check(inserted, modified, deleted, errors)
        return found

    def _first_run(self):
        kinds = [kind for kind, *_ in self.statements]
        if not self.is_ordered:
            first = next(kind for kind in ("insert", "update", "delete") if kind in kinds)
            return [i for i, kind in enumerate(kinds) if kind == first]
        return list(itertools.takewhile(lambda i: kinds[i] == kinds[0], range(len(kinds))))

    send = BulkWrite.send


class ClientBulkWrite(Statements):
    """The command bulkWrite: several collections in one."""

    def send(self, client, **options):
        try:
            result = client.bulk_write(self.models(True), ordered=self.is_ordered, **options)
            errors = []
        except ClientBulkWriteException as error:
            raise_if_unexpected(self, error, error.write_errors, error.error)
            errors = [(each["idx"], each["code"]) for each in error.write_errors]
            result = error.partial_result
            if result is None:  # nothing succeeded
                return self.check(0, 0, 0, errors)
        return self.check(result.inserted_count, result.modified_count, result.deleted_count, errors)


def raise_if_unexpected(operation, error, write_errors, top_level=None):
    """Passes on what is no answer: an error of the connection or of the whole command."""
    if top_level is not None:
        raise top_level
    if not write_errors or any(each["code"] != DUPLICATE_KEY for each in write_errors):
        raise error


# How often each comes up.
MIX = {
    Increment: 20, Ticket: 10, Insert: 10, InsertMany: 6, Pop: 8, Take: 6, Claim: 6, Delete: 6, Upsert: 8,
    BulkWrite: 8, MixedBulkWrite: 4, ClientBulkWrite: 8,
}
