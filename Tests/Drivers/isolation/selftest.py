"""The checker on histories with one planted anomaly each, alone and amid many innocent transactions, and on random
ones against trying every schedule.

    cd Tests/Drivers && python -m isolation.selftest
"""

import random
import sys

from . import bruteforce
from .checker import check, names
from .history import Append, Below, History, ReadList, ReadRegister, Status, Write
from .versions import FINAL

X, Y, Z = ("left", "x"), ("right", "y"), ("left", "z")
INNOCENT_TRANSACTIONS = 400
PUZZLES = 3000


def appends(*pairs):
    return [Append(key, value) for key, value in pairs]


def reads(**lists):
    return [ReadList({"x": X, "y": Y, "z": Z}[name], tuple(values)) for name, values in lists.items()]


def failed(*operations):
    return Status.FAILED, [*operations]


def unknown(*operations):
    return Status.UNKNOWN, [*operations]


# Each entry: what must be found, and the transactions, the final read last.
PLANTED = {
    "internal: own append not seen": ({"internal"}, [
        [*appends((X, 1)), *reads(x=[])], reads(x=[1])]),
    "internal: seen before it was written": ({"internal"}, [
        [*reads(x=[1]), *appends((X, 1))], reads(x=[1])]),
    "internal: own appends in another order": ({"internal"}, [
        [*appends((X, 1), (X, 2)), *reads(x=[2, 1])], reads(x=[1, 2])]),
    "internal: own append hidden from a scan": ({"internal"}, [
        [*appends((X, 1)), Below(X, 1)], reads(x=[1])]),
    "internal: own register": ({"internal"}, [
        [Write(X, 1, 1), ReadRegister(X, 0, None)], [ReadRegister(X, 1, 1)]]),
    "aborted read": ({"G1a"}, [
        failed(*appends((X, 1))), reads(x=[1])]),
    "aborted read, not the newest": ({"G1a"}, [
        failed(*appends((X, 1))), appends((X, 2)), reads(x=[1, 2])]),
    "aborted read of a register": ({"G1a"}, [
        failed(Write(X, 1, 1)), [ReadRegister(X, 1, 1)], []]),
    "intermediate read": ({"G1b", "read skew"}, [
        appends((X, 1), (X, 2)), reads(x=[1]), reads(x=[1, 2])]),
    "intermediate read of a register": ({"G1b", "read skew"}, [
        [Write(X, 1, 1), Write(X, 2, 2)], [ReadRegister(X, 1, 1)], [ReadRegister(X, 2, 2)]]),
    "dirty write": ({"G0"}, [
        appends((X, 1), (Y, 2)), appends((X, 3), (Y, 4)), reads(x=[1, 3], y=[4, 2])]),
    "dirty write of registers": ({"G0"}, [
        [Write(X, 1, 1), Write(Y, 2, 2)], [Write(X, 3, 2), Write(Y, 4, 1)],
        [ReadRegister(X, 2, 3), ReadRegister(Y, 2, 2)]]),
    "circular information flow": ({"G1c"}, [
        [*appends((X, 1)), *reads(y=[2])], [*appends((Y, 2)), *reads(x=[1])], reads(x=[1], y=[2])]),
    "seen and overwritten": ({"G1c"}, [
        appends((X, 1), (Y, 2)), [*appends((X, 3)), *reads(y=[2])], reads(x=[3, 1], y=[2])]),
    "lost update": ({"lost update"}, [
        [*reads(x=[]), *appends((X, 1))], [*reads(x=[]), *appends((X, 2))], reads(x=[1, 2])]),
    "lost update, another write between": ({"lost update"}, [
        [*reads(x=[]), *appends((X, 1))], appends((X, 2)), [*reads(x=[]), *appends((X, 3))], reads(x=[1, 2, 3])]),
    "lost update of a register": ({"lost update"}, [
        [ReadRegister(X, 0, None), Write(X, 1, 1)], [ReadRegister(X, 0, None), Write(X, 2, 2)],
        [ReadRegister(X, 2, 2)]]),
    "lost update of a register, the first write overwritten": ({"incompatible order", "lost write"}, [
        [Write(X, 1, 1)], [Write(X, 2, 1)], [ReadRegister(X, 1, 2)]]),
    "read skew": ({"read skew"}, [
        appends((X, 1), (Y, 2)), reads(x=[], y=[2]), reads(x=[1], y=[2])]),
    "read skew over a third": ({"read skew"}, [
        appends((X, 1)), [*reads(x=[1]), *appends((Y, 2))], reads(y=[2], x=[]), reads(x=[1], y=[2])]),
    "read that does not repeat": ({"read skew"}, [
        appends((X, 1)), [*reads(x=[]), *reads(x=[1])], reads(x=[1])]),
    "read skew of registers": ({"read skew"}, [
        [Write(X, 1, 1), Write(Y, 2, 1)], [ReadRegister(X, 0, None), ReadRegister(Y, 1, 2)],
        [ReadRegister(X, 1, 1), ReadRegister(Y, 1, 2)]]),
    "phantom": ({"read skew"}, [
        appends((X, 1), (Y, 2)), [*reads(y=[2]), Below(X, 1)], reads(x=[1], y=[2])]),
    "read skew by an unknown commit": ({"read skew"}, [
        unknown(*appends((X, 1), (Y, 2))), reads(x=[], y=[2]), reads(x=[1], y=[2])]),
    "long fork": ({"long fork"}, [
        appends((X, 1)), appends((Y, 2)), reads(x=[1], y=[]), reads(x=[], y=[2]), reads(x=[1], y=[2])]),
    "long fork of registers": ({"long fork"}, [
        [Write(X, 1, 1)], [Write(Y, 2, 1)], [ReadRegister(X, 1, 1), ReadRegister(Y, 0, None)],
        [ReadRegister(X, 0, None), ReadRegister(Y, 1, 2)], [ReadRegister(X, 1, 1), ReadRegister(Y, 1, 2)]]),
    "write skew": ({"write skew"}, [
        [*reads(x=[], y=[]), *appends((X, 1))], [*reads(x=[], y=[]), *appends((Y, 2))], reads(x=[1], y=[2])]),
    "write skew of three": ({"write skew"}, [
        [*reads(x=[]), *appends((Y, 1))], [*reads(y=[]), *appends((Z, 2))], [*reads(z=[]), *appends((X, 3))],
        reads(x=[3], y=[1], z=[2])]),
    "write skew by scans": ({"write skew"}, [
        [Below(Y, 1), *appends((X, 1))], [Below(X, 1), *appends((Y, 2))], reads(x=[1], y=[2])]),
    "write skew of registers": ({"write skew"}, [
        [ReadRegister(X, 0, None), Write(Y, 1, 1)], [ReadRegister(Y, 0, None), Write(X, 2, 1)],
        [ReadRegister(X, 1, 2), ReadRegister(Y, 1, 1)]]),
    "anomaly of a reader only": ({"write skew"}, [  # Fekete, O'Neil and O'Neil, 2004
        [*reads(x=[], y=[]), *appends((X, 1))], [*reads(y=[]), *appends((Y, 2))], reads(x=[], y=[2]),
        reads(x=[1], y=[2])]),
    "applied twice": ({"duplicate"}, [
        appends((X, 1)), reads(x=[1, 1])]),
    "register applied twice": ({"duplicate"}, [
        [Write(X, 1)], [ReadRegister(X, 2, 1)]]),
    "lost write": ({"lost write"}, [
        appends((X, 1)), appends((X, 2)), reads(x=[2])]),
    "lost write of a register": ({"lost write"}, [
        [Write(X, 1)], [Write(X, 2)], [ReadRegister(X, 1, 2)]]),
    "contradicting lists": ({"incompatible order"}, [
        appends((X, 1)), appends((X, 2)), reads(x=[2]), reads(x=[1, 2])]),
    "out of thin air": ({"unknown value"}, [
        reads(x=[1])]),
}

INNOCENT = {
    "one after the other": [
        appends((X, 1)), [*reads(x=[1]), *appends((X, 2), (Y, 3))], reads(x=[1, 2], y=[3])],
    "snapshot in the past": [
        appends((X, 1), (Y, 2)), reads(x=[], y=[]), reads(x=[1], y=[2])],
    "aborted and never seen": [
        failed(*appends((X, 1)), *reads(y=[])), appends((X, 2)), reads(x=[2])],
    "unknown and never seen": [
        unknown(*appends((X, 1))), appends((X, 2)), reads(x=[2])],
    "unknown and seen": [
        unknown(*appends((X, 1))), reads(x=[1]), reads(x=[1])],
    "scan before and after": [
        [Below(X, 1), Below(Y, 2)], appends((X, 1), (Y, 2)), appends((Y, 3)), [Below(X, 2)], reads(x=[1], y=[2, 3])],
    "own writes": [
        appends((X, 1)), [*appends((X, 2)), Below(X, 4), *reads(x=[1, 2]), *appends((X, 3)), *reads(x=[1, 2, 3])],
        reads(x=[1, 2, 3])],
    "registers": [
        [Write(X, 1)], [ReadRegister(X, 1, 1), Write(X, 2), ReadRegister(X, 2, 2)], failed(Write(X, 3, 3)),
        [Write(X, 4, 3), Write(X, 5, 4)], [ReadRegister(X, 4, 5)]],
}


def history_of(steps, innocent=()):
    """`steps` and, if there are any, `innocent` transactions before and between them."""
    history = History()
    innocent = list(innocent)
    share = len(innocent) // len(steps)

    def add(process, operations, status):
        transaction = history.begin(process)
        transaction.operations, transaction.status = operations, status

    for i, step in enumerate(steps):
        for operations in innocent[i * share:(i + 1) * share]:
            add("innocent", operations, Status.OK)
        status, operations = step if isinstance(step, tuple) else (Status.OK, step)
        add(FINAL if i == len(steps) - 1 else f"planted {i}", operations, status)
    return history


def serial(random, kind):
    """Transactions one after the other on keys of their own, reading what is there."""
    state = {("innocent", i): [] for i in range(4)}
    value = 1_000_000
    for _ in range(INNOCENT_TRANSACTIONS):
        operations = []
        for _ in range(random.randint(1, 5)):
            key = random.choice(list(state))
            values = state[key]
            if random.random() < 0.5:
                value += 1
                values.append(value)
                operations.append(Append(key, value) if kind == "lists" else Write(key, value, len(values)))
            elif kind == "registers":
                operations.append(ReadRegister(key, len(values), values[-1] if values else None))
            else:
                bound = len(values) + random.randint(-2, 2)
                operations.append(Below(key, bound) if bound > len(values) else ReadList(key, tuple(values)))
        yield operations


def kind_of(steps):
    flat = [operation for step in steps for operation in (step[1] if isinstance(step, tuple) else step)]
    registers = any(isinstance(operation, (Write, ReadRegister)) for operation in flat)
    return "registers" if registers else "lists"


def problems(random):
    cases = {**PLANTED, **{name: (set(), steps) for name, steps in INNOCENT.items()}}
    for name, (expected, steps) in cases.items():
        for crowd in ((), serial(random, kind_of(steps))):
            anomalies = check(history_of(steps, crowd))
            if set(names(anomalies)) != expected:
                shown = "\n".join(f"    {anomaly.name}: {anomaly.detail}" for anomaly in anomalies)
                yield f"{name}: expected {sorted(expected)}, found {dict(names(anomalies))}\n{shown}"
    yield from bruteforce.problems(random, PUZZLES)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 32)
    found = list(problems(random.Random(seed)))
    for problem in found:
        print(problem)
    print(f"{'not ok' if found else 'ok'} - isolation.selftest: {len(PLANTED)} planted anomalies, "
          f"{len(INNOCENT)} clean histories, {PUZZLES} puzzles, seed {seed}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
