"""Counts the markers of `marked_operations.py` in a database and compares them with what was acknowledged."""

from collections import Counter

from marked_operations import COUNTERS, DATABASE, POOL_SIZE, TAKEN_ID, TICKETS, Pop, Take, Ticket, Upsert

JOBS = 300
PROBLEMS_SHOWN = 20


def prepare_database(database):
    database.client.drop_database(DATABASE)
    database.counters.insert_many([{"_id": i, "n": 0, "ledger": []} for i in range(COUNTERS)])
    database.mixed.insert_many([{"_id": f"counter{i}", "n": 0, "ledger": []} for i in range(COUNTERS)])
    database.tickets.insert_many([{"_id": i, "n": 0, "ledger": []} for i in range(TICKETS)])
    for name in ("documents", "mixed"):
        database[name].insert_one({"_id": TAKEN_ID})
    database.jobs.insert_many(open_jobs("first"))


def open_jobs(prefix):
    return [{"_id": f"{prefix}-{i:03}", "state": "open", "by": []} for i in range(JOBS)]


class Evidence:
    """What the database holds when all is quiet."""

    def __init__(self, database, operations):
        self.problems = []
        self.operations = operations
        rows = {name: list(database[name].find()) for name in
                ("counters", "mixed", "tickets", "documents", "queue", "jobs", "pools", "upserts")}
        self.tickets = {row["_id"]: row["ledger"] for row in rows["tickets"]}
        self.jobs = {row["_id"]: row for row in rows["jobs"]}
        self.upserts = {row["_id"]: row["ledger"] for row in rows["upserts"]}
        self.popped = Counter(each.answer for each in operations
                              if isinstance(each, Pop) and each.is_acknowledged and each.answer)
        self.applied = Counter(self.popped)
        self._count_ledgers(rows)
        self._count_documents(rows)
        self._count_deletes(rows)

    def _count_ledgers(self, rows):
        for name in ("counters", "mixed", "tickets", "upserts"):
            for row in rows[name]:
                if "ledger" not in row:
                    continue
                if row["n"] != len(row["ledger"]):
                    self.problems.append(f"{name} {row['_id']!r}: n is {row['n']} with {len(row['ledger'])} markers")
                self.applied.update(row["ledger"])
        for row in rows["jobs"]:
            if len(row["by"]) != (row["state"] == "taken"):
                self.problems.append(f"job {row['_id']} is {row['state']} and claimed by {row['by']}")
            self.applied.update(row["by"])

    def _count_documents(self, rows):
        for name in ("documents", "queue", "mixed"):
            self.applied.update(row["_id"] for row in rows[name]
                                if not {"ledger", "pool"} & set(row) and row["_id"] != TAKEN_ID)

    def _count_deletes(self, rows):
        left = Counter(row["pool"] for name in ("pools", "mixed") for row in rows[name] if "pool" in row)
        for operation in self.operations:
            for pool in getattr(operation, "pools", []):
                self.applied[pool.name] += POOL_SIZE - left[pool.name]

    def check(self):
        """Returns a line for each thing that is not as it must be."""
        self._check_once()
        self._check_images()
        hidden = 0
        for operation in self.operations:
            counts = [self.applied[marker] for marker in operation.markers]
            if operation.is_acknowledged:
                hidden += self._check_acknowledged(operation)
            elif operation.is_ordered and not is_in_queue(operation) and counts != sorted(counts, reverse=True):
                self.problems.append(f"{describe(operation)}: ordered, but its statements were applied {counts} times")
        # An unacknowledged pop may have removed a document without anybody's knowing which.
        lost_pops = sum(1 for each in self.operations if isinstance(each, Pop) and not each.is_acknowledged)
        if hidden > lost_pops:
            self.problems.append(f"{hidden} documents are missing in the queue after {lost_pops} unacknowledged pops")
        return self.problems

    def _check_once(self):
        owners = {marker: each for each in self.operations for marker in each.markers}
        for marker, count in self.applied.items():
            if marker not in owners:
                self.problems.append(f"{marker!r} was applied, but nobody sent it")
            elif count > 1:
                self.problems.append(f"{describe(owners[marker])}: {marker} was applied {count} times")

    def _check_acknowledged(self, operation):
        """Returns how many documents of the operation are missing in the queue."""
        wanted = set(operation.applied_markers)
        missing = [marker for marker in operation.applied_markers if self.applied[marker] == 0]
        if is_in_queue(operation):
            return len(missing)
        if missing:
            self.problems.append(f"{describe(operation)}: acknowledged, but {missing} not applied")
        if surplus := [marker for marker in operation.markers if marker not in wanted and self.applied[marker]]:
            self.problems.append(f"{describe(operation)}: {surplus} applied, though the answer says they were not")
        return 0

    def _check_images(self):
        for operation in self.operations:
            if not operation.is_acknowledged:
                continue
            where = None
            if isinstance(operation, Ticket):
                ledger = self.tickets[operation.ticket]
                where = ledger[operation.answer:operation.answer + 1]
            elif isinstance(operation, Take) and operation.answer is not None:
                where = self.jobs[operation.answer]["by"]
            elif isinstance(operation, Upsert) and operation.answer is not None:
                where = self.upserts.get(operation.answer, [])[:1]
            if where is not None and where != [operation.marker]:
                self.problems.append(f"{describe(operation)}: was told {operation.answer!r}, which belongs to {where}")


def is_in_queue(operation):
    return getattr(operation, "collection", None) == "queue"


def describe(operation):
    return f"{type(operation).__name__} {operation.marker} ({operation.history})"
