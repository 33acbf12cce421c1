"""Infers the order of each key's versions, and which of them each read saw.

    orders     {key: [value, …]}, oldest first
    writers    {(key, value): transaction}
    readings   (transaction, key, position, exact): it saw the first `position` versions of the order, its own aside;
               not exact: that many at most
    anomalies  [Anomaly]: what needs no graph

Lists tell their order by themselves: the longest one that was read. Registers count their writes. The history's last
transaction, of the process FINAL, reads everything when all others have ended.
"""

from collections import Counter, defaultdict, namedtuple

from .history import Append, Below, ReadList, ReadRegister, Status, Write

Anomaly = namedtuple("Anomaly", "name detail")
Reading = namedtuple("Reading", "transaction key position exact", defaults=[True])

FINAL = "final"


class Versions:
    def __init__(self, history):
        self.history = history
        self.orders = {}
        self.readings = []
        self.anomalies = []
        self.writers = {}
        self.last_writes = {}  # (transaction number, key): value
        for transaction in history.transactions:
            for operation in transaction.operations:
                if isinstance(operation, (Append, Write)):
                    self.writers[operation.key, operation.value] = transaction
                    self.last_writes[transaction.number, operation.key] = operation.value
        self._infer_orders()
        self.committed = {t.number for t in history.transactions if self._has_committed(t)}
        for transaction in history.transactions:
            self._read(transaction)
            if transaction.process == FINAL:
                self._check_final(transaction)

    def report(self, name, detail):
        self.anomalies.append(Anomaly(name, detail))

    def _operations(self, kind, status=Status.OK):
        for transaction in self.history.transactions:
            if transaction.status is status:
                for operation in transaction.operations:
                    if isinstance(operation, kind):
                        yield transaction, operation

    def _has_committed(self, transaction):
        """An outcome that nobody told is known once somebody has seen the effect."""
        if transaction.status is not Status.UNKNOWN:
            return transaction.status is Status.OK
        return any(operation.value in self.orders.get(operation.key, ()) for operation in transaction.operations
                   if isinstance(operation, (Append, Write)))

    def _check_version(self, reader, key, value):
        """Whether `value` may be the newest that `reader` sees of `key`."""
        writer = self.writers.get((key, value))
        if writer is None:
            self.report("unknown value", f"nobody wrote {value} to {key}: {reader}")
        elif writer is not reader and self.last_writes[writer.number, key] != value:
            self.report("G1b", f"{key} {value} was not the last write of {writer}\n  read by {reader}")

    def _check_aborted(self, reader, key, value):
        writer = self.writers.get((key, value))
        if writer is not None and writer is not reader and writer.status is Status.FAILED:
            self.report("G1a", f"{key} {value} was written by {writer}\n  read by {reader}")


class ListVersions(Versions):
    def _infer_orders(self):
        for _, read in self._operations(ReadList):
            if len(read.values) >= len(self.orders.get(read.key, ())):
                self.orders[read.key] = read.values
        for key, values in self.orders.items():
            repeated = [value for value, count in Counter(values).items() if count > 1]
            if repeated:
                self.report("duplicate", f"{key} has {repeated} more than once: {list(values)}")

    def _check_final(self, final):
        """Every acknowledged append is in the final lists."""
        lists = {read.key: read.values for read in final.operations if isinstance(read, ReadList)}
        for transaction, append in self._operations(Append):
            if append.key in lists and append.value not in lists[append.key]:
                self.report("lost write", f"{append.key} {append.value} is not in the final list: {transaction}")

    def _read(self, transaction):
        own = defaultdict(list)
        for operation in transaction.operations:
            match operation:
                case Append(key, value):
                    own[key].append(value)
                case ReadList(key, values):
                    self._read_list(transaction, key, values, own[key])
                case Below(key, bound):
                    self._read_below(transaction, key, bound, len(own[key]))

    def _read_list(self, reader, key, values, own):
        seen = values[:len(values) - len(own)]
        if list(values[len(seen):]) != own or any(self.writers.get((key, value)) is reader for value in seen):
            self.report("internal", f"{key} should end in {own} and is {list(values)}: {reader}")
            return
        for value in seen:
            self._check_aborted(reader, key, value)
        if seen:
            self._check_version(reader, key, seen[-1])
        if reader.number not in self.committed:
            return
        if tuple(self.orders.get(key, ())[:len(seen)]) != tuple(seen):
            self.report("incompatible order", f"{key} is {list(self.orders.get(key, ()))} elsewhere: {reader}")
        else:
            self.readings.append(Reading(reader, key, len(seen)))

    def _read_below(self, reader, key, bound, own):
        if own >= bound:
            self.report("internal", f"{key} has {own} own values, but was not found with {bound}: {reader}")
        elif reader.number in self.committed:
            self.readings.append(Reading(reader, key, bound - own - 1, exact=False))


class RegisterVersions(Versions):
    def _infer_orders(self):
        numbered = defaultdict(dict)  # key: {number: value}
        for kind in (Write, ReadRegister):
            for transaction, operation in self._operations(kind):
                if operation.number:
                    known = numbered[operation.key].setdefault(operation.number, operation.value)
                    if known != operation.value:
                        self.report("incompatible order",
                                    f"{operation.key} #{operation.number} is {known} elsewhere: {transaction}")
        self.orders = {key: [values[number] for number in sorted(values)] for key, values in numbered.items()}

    def _check_final(self, final):
        """A register has been written as often as was acknowledged."""
        sure = Counter(write.key for _, write in self._operations(Write))
        possible = sure + Counter(write.key for _, write in self._operations(Write, Status.UNKNOWN))
        for read in final.operations:
            if isinstance(read, ReadRegister) and read.number < sure[read.key]:
                self.report("lost write", f"{read.key} was written {sure[read.key]} times and counts {read.number}")
            elif isinstance(read, ReadRegister) and read.number > possible[read.key]:
                self.report("duplicate", f"{read.key} was written {possible[read.key]} times and counts {read.number}")

    def _read(self, transaction):
        own = {}
        for operation in transaction.operations:
            if isinstance(operation, Write):
                own[operation.key] = operation.value
            elif isinstance(operation, ReadRegister):
                self._read_register(transaction, operation, own)

    def _read_register(self, reader, read, own):
        key, value = read.key, read.value
        if key in own or self.writers.get((key, value)) is reader:
            if own.get(key) != value:
                self.report("internal", f"{key} should be {own.get(key)} and is {value}: {reader}")
            return
        if value is not None:
            self._check_aborted(reader, key, value)
            self._check_version(reader, key, value)
        order = self.orders.get(key, [])
        if reader.number not in self.committed:
            return
        if value is None:
            self.readings.append(Reading(reader, key, 0))
        elif value in order:
            self.readings.append(Reading(reader, key, order.index(value) + 1))
