"""Random plans: what a transaction shall do. The values are made when it runs, anew for each attempt.

    Step("append", keys=(key,))        $push to one list; creates its document
    Step("append and read", keys)      the same by findAndModify, which answers with the list
    Step("append bulk", keys)          several in one bulk
    Step("read", keys)                 one document by _id
    Step("scan", keys, bound)          all documents of a generation in a collection, or those with `bound` elements
    Step("read register", keys)        its value and how often it was written
    Step("write", keys)                sets a register without looking
    Step("write and read", keys)       the same by findAndModify

Keys come in generations: after some transactions all go on with new ones, so that lists stay short and documents are
created all the time. A key is (collection, "generation-slot").
"""

import itertools
from collections import namedtuple

Step = namedtuple("Step", "kind keys bound", defaults=[None])

COLLECTIONS = ("left", "right")
GENERATION_TRANSACTIONS = 60


def generation_of(key):
    return int(key[1].split("-")[0])


class Workload:
    """Subclasses make the plan of one transaction from this generation's keys."""

    slots = 3
    registers = False

    def __init__(self):
        self._count = itertools.count()
        self.generations = 0

    def plan(self, random):
        generation = next(self._count) // GENERATION_TRANSACTIONS
        self.generations = max(self.generations, generation + 1)
        return self.steps(random, generation)

    def keys(self, generation, collection=None):
        return [(name, f"{generation}-{slot}") for name in COLLECTIONS for slot in range(self.slots)
                if collection in (None, name)]

    def all_keys(self):
        return [key for generation in range(self.generations) for key in self.keys(generation)]


class Lists(Workload):
    """Everything there is for lists, at random."""

    name = "lists"

    def steps(self, random, generation):
        return [self._step(random, generation) for _ in range(random.randint(1, 5))]

    def _step(self, random, generation):
        kinds, weights = zip(("append", 30), ("append and read", 10), ("append bulk", 8), ("read", 32), ("scan", 20))
        kind = random.choices(kinds, weights)[0]
        keys = self.keys(generation)
        if kind == "scan":
            bound = random.choice((None, random.randint(1, GENERATION_TRANSACTIONS // 4)))
            return Step(kind, tuple(self.keys(generation, random.choice(COLLECTIONS))), bound)
        return Step(kind, tuple(random.sample(keys, 3 if kind == "append bulk" else 1)))


class Registers(Workload):
    """Registers, read and written at random; a read is often followed by a write of the same register."""

    name = "registers"
    slots = 2
    registers = True

    def steps(self, random, generation):
        steps = []
        for _ in range(random.randint(1, 4)):
            key = (random.choice(self.keys(generation)),)
            kinds = random.choices((["read register"], ["write"], ["write and read"], ["read register", "write"]),
                                   (40, 20, 15, 25))[0]
            steps += [Step(kind, key) for kind in kinds]
        return steps


class WriteSkew(Workload):
    """Reads both of a pair, by key or by scan, then appends to one of them."""

    name = "write skew"
    slots = 1

    def steps(self, random, generation):
        pair = self.keys(generation)
        random.shuffle(pair)
        look = "scan" if random.random() < 0.3 else "read"
        return [*(Step(look, (key,)) for key in pair), Step("append", (random.choice(pair),))]


class LongFork(Workload):
    """Some append to one of a pair, the others read both in either order."""

    name = "long fork"
    slots = 1

    def steps(self, random, generation):
        pair = self.keys(generation)
        random.shuffle(pair)
        if random.random() < 0.5:
            return [Step("append", (pair[0],))]
        return [Step("read", (key,)) for key in pair]


WORKLOADS = (Lists, Registers, WriteSkew, LongFork)
