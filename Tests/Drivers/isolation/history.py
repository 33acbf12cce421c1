"""What was done. A key is (collection, _id); every value is written by one operation of one transaction only."""

import threading
from collections import namedtuple
from enum import Enum

Append = namedtuple("Append", "key value")
# The n-th write of its key; None when nobody told.
Write = namedtuple("Write", "key value number", defaults=[None])
# A list of appended values.
ReadList = namedtuple("ReadList", "key values")
# The value of a register and how many writes it has had: (0, None) before the first.
ReadRegister = namedtuple("ReadRegister", "key number value")
# A scan did not return the list, so it was shorter than `bound`.
Below = namedtuple("Below", "key bound")


class Status(Enum):
    FAILED = "failed"  # surely without effect
    OK = "ok"
    UNKNOWN = "unknown"  # it may have committed


class Transaction:
    """One attempt: a transaction that is tried again is another one, with other values."""

    def __init__(self, number, process="?", operations=(), status=Status.UNKNOWN):
        self.number = number
        self.process = process
        self.operations = list(operations)
        self.status = status

    def __repr__(self):
        steps = ", ".join(describe(operation) for operation in self.operations)
        return f"T{self.number} ({self.process}, {self.status.value}): {steps}"


def describe(operation):
    key = "/".join(map(str, operation.key))
    match operation:
        case Append(value=value):
            return f"append {key} {value}"
        case Write(value=value, number=number):
            return f"write {key} {value}" + (f" as #{number}" if number else "")
        case ReadList(values=values):
            return f"read {key} {list(values)}"
        case ReadRegister(number=number, value=value):
            return f"read {key} {value} #{number}"
        case Below(bound=bound):
            return f"scan without {key}, so shorter than {bound}"


class History:
    def __init__(self, transactions=()):
        self.transactions = list(transactions)
        self.errors = []  # what the store should not have answered
        self._lock = threading.Lock()

    def begin(self, process):
        with self._lock:
            transaction = Transaction(len(self.transactions), process)
            self.transactions.append(transaction)
            return transaction

    def count(self, status):
        return sum(transaction.status is status for transaction in self.transactions)
