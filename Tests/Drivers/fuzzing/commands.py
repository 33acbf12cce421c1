"""Random commands as bytes of BSON, some of them damaged."""

import struct

import bson
from bson import Int64

from .expressions import Expressions
from .pipelines import COLLECTION, Pipelines
from .queries import Queries
from .values import COLLATIONS, Values

DATABASE = "fuzz"
MAX_TIME_MS = 2000
# Types whose values have the same length, so that one can become the other in place.
TWINS = [(1, 9, 17, 18), (2, 13, 14), (3, 4), (6, 10, 127, 255), (8, 8)]


class Commands:
    def __init__(self, source):
        self.source = source
        self.values = Values(source)
        self.expressions = Expressions(self.values)
        self.queries = Queries(self.values, self.expressions)
        self.pipelines = Pipelines(self.values, self.expressions, self.queries)

    def refill(self):
        """The documents that the commands of a round meet."""
        rows = [self.values.stored() for _ in range(8)]
        return [{"drop": COLLECTION, "$db": DATABASE}] + [
            {"insert": COLLECTION, "documents": [row], "$db": DATABASE} for row in rows]

    def command(self):
        kind = self.source.random()
        if kind < 0.4:
            command = self.computed()
        elif kind < 0.6:
            command = self.aggregate()
        elif kind < 0.75:
            command = self.find()
        elif kind < 0.9:
            command = self.update()
        else:
            command = self.values.one_of([self.count, self.distinct, self.delete, self.find_and_modify, self.insert,
                                          self.bulk_write, self.explain, self.validated, self.steered])()
        if self.values.chance(0.1):
            command["collation"] = self.values.one_of(COLLATIONS)
        return command | {"$db": command.get("$db", DATABASE)}

    def encoded(self):
        """A command's bytes; None for what BSON cannot hold."""
        try:
            data = bson.encode(self.command())
        except (bson.errors.BSONError, ValueError, OverflowError, TypeError, RecursionError):
            return None
        return damaged(data, self.source) if self.values.chance(0.15) else data

    def aggregate(self):
        command = {"aggregate": COLLECTION, "pipeline": self.pipelines.pipeline(),
                   "cursor": {"batchSize": self.batch_size()},
                   "maxTimeMS": MAX_TIME_MS}
        if self.values.chance(0.2):
            command["aggregate"] = 1
            command["pipeline"] = [{"$documents": [self.values.stored() for _ in range(2)]}] + command["pipeline"]
        if self.values.chance(0.1):
            command["let"] = {"v": self.expressions.any(1)}
        if self.values.chance(0.1):
            command["allowDiskUse"] = False
        return command

    def computed(self):
        """One expression on a few documents, without the database."""
        stage = {self.values.field(): self.expressions.any(4)}
        return {"aggregate": 1, "pipeline": [{"$documents": {"$literal": [self.values.stored() for _ in range(3)]}},
                                             {"$addFields": stage}],
                "cursor": {}, "maxTimeMS": MAX_TIME_MS}

    def batch_size(self):
        return self.values.one_of([0, 1, 101, 101, 2**31 - 1])

    def find(self):
        command = {"find": COLLECTION, "filter": self.queries.filter(), "maxTimeMS": MAX_TIME_MS,
                   "batchSize": self.batch_size()}
        if self.values.chance(0.4):
            command["projection"] = self.queries.projection()
        if self.values.chance(0.4):
            command["sort"] = self.queries.sort()
        if self.values.chance(0.3):
            command["skip"] = self.values.integer()
        if self.values.chance(0.3):
            command["limit"] = self.values.integer()
        if self.values.chance(0.1):
            command |= self.values.one_of([{"min": {"_id": 1}}, {"returnKey": True},
                                          {"showRecordId": True}, {"let": {"v": 1}}])
        return command

    def statement(self):
        statement = {"q": self.values.one_of([{}, self.queries.filter()]), "u": self.queries.update(),
                     "multi": self.values.chance(0.5), "upsert": self.values.chance(0.3)}
        if self.values.chance(0.3):
            statement["arrayFilters"] = self.queries.array_filters()
        if self.values.chance(0.1):
            statement["collation"] = self.values.one_of(COLLATIONS)
        return statement

    def update(self):
        return {"update": COLLECTION, "updates": [self.statement() for _ in range(self.source.choice([1, 1, 1, 3]))],
                "ordered": self.values.chance(0.5), "maxTimeMS": MAX_TIME_MS}

    def steered(self):
        """Index filters and query settings, of which some concern what comes after."""
        if self.values.chance(0.5):
            name = self.values.one_of(["planCacheSetFilter", "planCacheSetFilter", "planCacheClearFilters"])
            return {name: COLLECTION, "query": self.queries.filter(), "indexes": [self.queries.sort(), "_id_"]}
        query = self.values.one_of([self.find, self.aggregate, self.distinct])() | {"$db": DATABASE}
        if self.values.chance(0.2):
            return {"removeQuerySettings": query, "$db": "admin"}
        hints = {"ns": {"db": DATABASE, "coll": COLLECTION}, "allowedIndexes": [self.queries.sort(), "$natural"]}
        settings = {"indexHints": [hints], "reject": self.values.chance(0.1), "comment": self.values.value()}
        return {"setQuerySettings": query, "settings": settings, "$db": "admin"}

    def count(self):
        return {"count": COLLECTION, "query": self.queries.filter(), "skip": self.values.integer(),
                "limit": self.values.integer(), "maxTimeMS": MAX_TIME_MS}

    def distinct(self):
        return {"distinct": COLLECTION, "key": self.queries.key(), "query": self.queries.filter(1),
                                                                "maxTimeMS": MAX_TIME_MS}

    def delete(self):
        return {"delete": COLLECTION, "deletes": [{"q": self.queries.filter() | {"_id": -1},
                                                   "limit": self.values.integer()}],
                "maxTimeMS": MAX_TIME_MS}

    def find_and_modify(self):
        return {"findAndModify": COLLECTION, "query": self.queries.filter(), "update": self.queries.update(),
                "sort": self.queries.sort(), "fields": self.queries.projection(), "new": self.values.chance(0.5),
                "upsert": self.values.chance(0.3), "arrayFilters": self.queries.array_filters(),
                "maxTimeMS": MAX_TIME_MS}

    def insert(self):
        return {"insert": COLLECTION,
                "documents": [self.values.stored() | {"_id": self.values.value()} for _ in range(3)],
                "ordered": self.values.chance(0.5), "maxTimeMS": MAX_TIME_MS}

    def bulk_write(self):
        operations = []
        for _ in range(self.source.randrange(1, 5)):
            index = self.values.one_of([0, 0, 0, 0, 1, self.values.integer()])
            statement = self.statement()
            operations.append(self.values.one_of([
                {"insert": index, "document": self.values.stored()},
                {"update": index, "filter": statement["q"], "updateMods": statement["u"], "multi": statement["multi"],
                 "upsert": statement["upsert"], "arrayFilters": self.queries.array_filters()},
                {"delete": index, "filter": self.queries.filter() | {"_id": -1}, "multi": False}]))
        return {"bulkWrite": 1, "ops": operations, "nsInfo": [{"ns": f"{DATABASE}.{COLLECTION}"}],
                "ordered": self.values.chance(0.5), "maxTimeMS": MAX_TIME_MS, "$db": "admin"}

    def explain(self):
        inner = self.values.one_of([self.find, self.aggregate, self.count, self.distinct])()
        return {"explain": inner, "verbosity": self.values.one_of(
            ["queryPlanner", "executionStats", "allPlansExecution"])}

    def validated(self):
        """Rules for the collection; warnings, so that later inserts go on."""
        return {"collMod": COLLECTION, "validator": self.values.one_of([self.queries.filter(),
                                                                        {"$jsonSchema": self.queries.schema()}]),
                "validationAction": self.values.one_of(["warn", "error"]),
                "validationLevel": self.values.one_of(["strict", "moderate", "off"])}


def damaged(data, source):
    """A few bytes are changed: mostly types into others of the same length, and names."""
    data = bytearray(data)
    places = list(elements(data, 0))
    for _ in range(source.randrange(1, 4)):
        kind = source.random()
        type_at, name_at, value_at, end = source.choice(places[1:] or places)
        if kind < 0.4:
            twins = next((group for group in TWINS if data[type_at] in group), ())
            if twins:
                data[type_at] = source.choice(twins)
        elif kind < 0.6 and name_at < value_at - 1:
            data[source.randrange(name_at, value_at - 1)] = source.choice(b"$.ab0\xff\xc3")
        elif kind < 0.9 and value_at < end and data[type_at] not in (3, 4):
            data[source.randrange(value_at, end)] = source.randrange(256)
        else:
            data[source.randrange(4, len(data))] = source.randrange(256)
    return bytes(data)


def elements(data, start):
    """Where each element's type, name, value and end are, also of documents within."""
    at, stop = start + 4, start + struct.unpack_from("<i", data, start)[0] - 1
    while at < stop:
        value_at = data.index(0, at + 1) + 1
        end = value_at + length(data, data[at], value_at)
        yield at, at + 1, value_at, end
        if data[at] in (3, 4):
            yield from elements(data, value_at)
        at = end


def length(data, type_byte, at):
    fixed = {1: 8, 7: 12, 8: 1, 9: 8, 16: 4, 17: 8, 18: 8, 19: 16, 6: 0, 10: 0, 127: 0, 255: 0}
    if type_byte in fixed:
        return fixed[type_byte]
    if type_byte == 11:
        return data.index(0, data.index(0, at) + 1) + 1 - at
    size = struct.unpack_from("<i", data, at)[0]
    return size + {2: 4, 13: 4, 14: 4, 5: 5, 12: 16}.get(type_byte, 0)


def continued(reply):
    """The command that asks for the rest of a cursor."""
    cursor = reply.get("cursor") if isinstance(reply, dict) else None
    if not isinstance(cursor, dict) or not cursor.get("id"):
        return None
    return {"getMore": Int64(cursor["id"]), "collection": cursor["ns"].split(".", 1)[1], "batchSize": 1000,
            "$db": cursor["ns"].split(".", 1)[0]}
