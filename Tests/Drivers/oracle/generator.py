"""Random documents, filters and updates over few names and few values, so that they meet often."""

import datetime

from bson import ObjectId

NAMES = ["a", "b", "c"]
STRINGS = ["", "x", "xy", "y", "B"]
# Not 0 and 1, which Python holds equal to False and True.
NUMBERS = [2, 3, 4, -1, 0.5, 2.0, 7]
DATES = [datetime.datetime(2020, 1, 1), datetime.datetime(2021, 6, 1)]
IDS = [ObjectId("5f0000000000000000000001"), ObjectId("5f0000000000000000000002")]
TYPES = ["int", "double", "string", "object", "array", "bool", "null", "date", "number", "objectId"]
COMPARISONS = ["$gt", "$gte", "$lt", "$lte"]


class Generator:
    def __init__(self, source):
        self.random = source

    def _chance(self, part):
        return self.random.random() < part

    # Values.

    def scalar(self):
        kind = self.random.randrange(20)
        if kind < 9:
            return self.random.choice(NUMBERS)
        if kind < 14:
            return self.random.choice(STRINGS)
        if kind < 16:
            return None
        if kind < 17:
            return self.random.choice([True, False])
        return self.random.choice(DATES if kind < 19 else IDS)

    def value(self, depth=0):
        kind = self.random.randrange(10)
        if depth < 2 and kind < 2:
            return {name: self.value(depth + 1) for name in self._some_names()}
        if depth < 2 and kind < 5:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return self.scalar()

    def _some_names(self):
        names = [name for name in NAMES if self._chance(0.6)]
        self.random.shuffle(names)
        return names

    def document(self, number):
        return {"_id": number, **{name: self.value() for name in self._some_names()}}

    def path(self):
        steps = [self.random.choice(NAMES)]
        while self._chance(0.35) and len(steps) < 3:
            steps.append(self.random.choice(NAMES + ["0", "1"]))
        return ".".join(steps)

    # Filters.

    def filter(self, depth=0):
        kind = self.random.randrange(10)
        if depth < 2 and kind < 2:
            name = self.random.choice(["$and", "$or", "$nor"])
            return {name: [self.filter(depth + 1) for _ in range(self.random.randint(1, 3))]}
        return {self.path(): self.condition() for _ in range(self.random.choice([1, 1, 1, 2]))}

    def condition(self):
        if self._chance(0.3):
            return self.value(1)
        return dict(self.operator() for _ in range(self.random.choice([1, 1, 1, 2])))

    def operator(self, depth=0):
        kind = self.random.randrange(14)
        if kind < 4:
            return self.random.choice(COMPARISONS), self.value(1) if self._chance(0.2) else self.scalar()
        if kind < 6:
            return self.random.choice(["$eq", "$ne"]), self.value(1)
        if kind < 8:
            return self.random.choice(["$in", "$nin"]), [self.value(1) for _ in range(self.random.randrange(4))]
        if kind == 8:
            return "$exists", self._chance(0.5)
        if kind == 9:
            return "$size", self.random.randrange(4)
        if kind == 10:
            return "$type", self.random.choice(TYPES)
        if kind == 11:
            return "$all", [self.value(2) for _ in range(self.random.randint(1, 3))]
        if kind == 12 and depth < 1:
            return "$not", dict([self.operator(depth + 1)])
        if depth < 1:
            inner = dict([self.operator(depth + 1)]) if self._chance(0.5) else self.filter(2)
            return "$elemMatch", inner
        return "$regex", self.random.choice(["x", "^x", "y$", "^$", "b"])

    # Updates.

    def update(self):
        """A filter, an update, and whether of many."""
        target = {} if self._chance(0.4) else self.filter(2)
        if self._chance(0.1):
            return target, {name: self.value() for name in self._some_names()}, False
        changes = {}
        for _ in range(self.random.choice([1, 1, 2])):
            name, fields = self.modifier()
            changes.setdefault(name, {}).update(fields)
        return target, changes, self._chance(0.6)

    def modifier(self):
        path = self.path()
        kind = self.random.randrange(15)
        if kind < 3:
            return "$set", {path: self.value(1)}
        if kind == 3:
            return "$unset", {path: ""}
        if kind < 6:
            return self.random.choice(["$inc", "$mul"]), {path: self.random.choice(NUMBERS)}
        if kind == 6:
            return self.random.choice(["$min", "$max"]), {path: self.scalar()}
        if kind == 7:
            return "$rename", {self.random.choice(NAMES): self.random.choice(["d", "e", "b"])}
        if kind < 10:
            return "$push", {path: self.value(1) if self._chance(0.5) else self._each()}
        if kind == 10:
            return "$addToSet", {path: self.value(1) if self._chance(0.5) else {"$each": self._list()}}
        if kind == 11:
            return "$pop", {path: self.random.choice([1, -1])}
        if kind == 12:
            return "$pullAll", {path: self._list()}
        if kind == 13:
            return "$bit", {path: {self.random.choice(["and", "or", "xor"]): self.random.randrange(8)}}
        return "$pull", {path: self.scalar() if self._chance(0.5) else dict([self.operator(1)])}

    def _list(self):
        return [self.value(1) for _ in range(self.random.randrange(4))]

    def _each(self):
        clauses = {"$each": self._list()}
        if self._chance(0.4):
            clauses["$position"] = self.random.randint(-2, 3)
        if self._chance(0.4):
            clauses["$slice"] = self.random.randint(-3, 3)
        if self._chance(0.3):
            clauses["$sort"] = self.random.choice([1, -1])
        return clauses


