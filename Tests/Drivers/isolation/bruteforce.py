"""The checker against trying every schedule.

Small random histories, most of them impossible: for each it is tried whether there is an order of the transactions,
or of their beginnings and ends, in which every read sees what it saw. The checker must say the same.
"""

from .checker import ALLOWED, check, names
from .history import Append, History, ReadList, Status
from .versions import FINAL

KEYS = (("left", "x"), ("right", "y"), ("left", "z"))


class Puzzle:
    """Transactions that read some keys and then append to some, at most once each."""

    def __init__(self, random):
        self.count = random.randint(2, 4)
        keys = KEYS[:random.randint(1, 3)]
        self.writes = [{key for key in keys if random.random() < 0.4} for _ in range(self.count)]
        self.order = {}  # key: transactions in the order of their appends
        for key in keys:
            self.order[key] = [i for i in range(self.count) if key in self.writes[i]]
            random.shuffle(self.order[key])
        self.reads = [{key: self._position(random, i, key) for key in keys if random.random() < 0.6}
                      for i in range(self.count)]

    def _position(self, random, reader, key):
        """How many appends of the key it sees, none of its own."""
        order = self.order[key]
        return random.randint(0, order.index(reader) if reader in order else len(order))

    def history(self):
        history = History()
        value = lambda i, key: 10 * (i + 1) + KEYS.index(key)
        for i in range(self.count):
            transaction = history.begin(i)
            transaction.status = Status.OK
            transaction.operations = [
                ReadList(key, tuple(value(writer, key) for writer in self.order[key][:position]))
                for key, position in self.reads[i].items()]
            transaction.operations += [Append(key, value(i, key)) for key in self.writes[i]]
        final = history.begin(FINAL)
        final.status = Status.OK
        final.operations = [ReadList(key, tuple(value(writer, key) for writer in order))
                            for key, order in self.order.items()]
        return history

    def is_serializable(self):
        return self._schedule(frozenset(), {}, snapshots=False)

    def is_snapshot_isolated(self):
        return self._schedule(frozenset(), {}, snapshots=True)

    def _schedule(self, committed, running, snapshots):
        """Whether the rest can be scheduled. `running` holds who has begun and, for each, who has committed since."""
        if len(committed) == self.count:
            return True
        for i in range(self.count):
            if i in committed:
                continue
            if i in running:
                if self._may_commit(i, committed, running[i]):
                    others = {j: since | {i} for j, since in running.items() if j != i}
                    if self._schedule(committed | {i}, others, snapshots):
                        return True
            elif (snapshots or not running) and self._may_begin(i, committed):
                if self._schedule(committed, {**running, i: frozenset()}, snapshots):
                    return True
        return False

    def _may_begin(self, i, committed):
        return all(set(self.order[key][:position]) == committed & set(self.order[key])
                   for key, position in self.reads[i].items())

    def _may_commit(self, i, committed, since):
        """First committer wins; and the versions must come in their order."""
        return all(not any(key in self.writes[j] for j in since) and
                   set(self.order[key][:self.order[key].index(i)]) == committed & set(self.order[key])
                   for key in self.writes[i])


def problems(random, count):
    for _ in range(count):
        puzzle = Puzzle(random)
        history = puzzle.history()
        found = set(names(check(history)))
        for level, possible in (("snapshot", puzzle.is_snapshot_isolated()),
                                ("serializable", puzzle.is_serializable())):
            if possible == bool(found - ALLOWED[level]):
                shown = "\n".join(f"    {transaction}" for transaction in history.transactions)
                yield f"{level} is {'possible' if possible else 'impossible'}, found {sorted(found)}\n{shown}"
