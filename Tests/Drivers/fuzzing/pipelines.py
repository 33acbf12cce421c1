"""Random pipelines: every stage."""

from .expressions import WINDOW_OPERATORS
from .values import UNITS

STAGES = ["$match", "$limit", "$skip", "$project", "$addFields", "$set", "$unset", "$replaceRoot", "$replaceWith",
          "$unwind",
          "$group", "$sort", "$sample", "$count", "$sortByCount", "$bucket", "$bucketAuto", "$facet", "$lookup",
          "$graphLookup", "$unionWith", "$setWindowFields", "$densify", "$fill", "$redact", "$geoNear", "$documents",
          "$out",
          "$merge", "$indexStats", "$collStats", "$currentOp", "$listSessions", "$listLocalSessions", "$changeStream",
          "$planCacheStats", "$search", "$unknown"]
COLLECTION = "rows"


class Pipelines:
    def __init__(self, values, expressions, queries):
        self.values = values
        self.expressions = expressions
        self.queries = queries
        self.source = values.source

    def pipeline(self, depth=2):
        if self.values.chance(0.01):
            return [{"$match": {}}] * self.values.one_of([999, 1000, 1001])
        if self.values.chance(0.01):
            return self.deep()
        return [self.stage(depth) for _ in range(self.source.choice([0, 1, 1, 1, 2, 3, 4]))]

    def deep(self):
        pipeline = []
        for _ in range(self.values.one_of([5, 19, 20, 21, 40, 60])):
            pipeline = self.values.one_of([
                [{"$lookup": {"from": COLLECTION, "pipeline": pipeline, "as": "a"}}, {"$limit": 1}],
                [{"$unionWith": {"coll": COLLECTION, "pipeline": pipeline}}, {"$limit": 1}]])
        return pipeline

    def stage(self, depth):
        name = self.values.one_of(STAGES)
        if self.values.chance(0.05):
            return {name: self.values.value()}
        make = getattr(self, "_" + name[1:], None)
        return {name: make(depth) if make else self.values.value(1)}

    def field_path(self):
        return "$" + self.values.field()

    def _match(self, depth):
        return self.queries.filter(2)

    def _limit(self, depth):
        return self.values.one_of([1, 5, self.values.number()])

    _skip = _limit

    def _sample(self, depth):
        return {"size": self._limit(depth)}

    def _project(self, depth):
        return self.queries.projection()

    def _addFields(self, depth):
        return {self.values.field(): self.expressions.any(4) for _ in range(self.source.choice([1, 1, 2]))}

    _set = _addFields

    def _unset(self, depth):
        return self.queries.stage_operand("$unset")

    def _replaceRoot(self, depth):
        return {"newRoot": self.expressions.any(2)}

    def _replaceWith(self, depth):
        return self.expressions.any(2)

    def _unwind(self, depth):
        if self.values.chance(0.5):
            return self.field_path()
        return {"path": self.field_path(), "preserveNullAndEmptyArrays": self.values.chance(0.5),
                "includeArrayIndex": self.values.field()}

    def _group(self, depth):
        return {"_id": self.expressions.any(2),
                **{self.values.field(): self.expressions.accumulator() for _ in range(self.source.randrange(3))}}

    def _sort(self, depth):
        return self.queries.sort()

    def _count(self, depth):
        return self.values.field()

    def _sortByCount(self, depth):
        return self.expressions.any(2)

    def _bucket(self, depth):
        return {"groupBy": self.expressions.any(1), "boundaries": self.values.one_of(
            [sorted({self.source.randrange(-9, 9) for _ in range(4)}), self.values.array()]),
            "default": self.values.value(1),
            "output": {self.values.field(): self.expressions.accumulator()}}

    def _bucketAuto(self, depth):
        granularity = self.values.one_of(["R5", "R80", "1-2-5", "E6", "E192", "POWERSOF2", "x"])
        return {"groupBy": self.values.one_of(["$n", self.expressions.any(1)]), "buckets": self.values.integer(),
                **({"granularity": granularity} if self.values.chance(0.6) else {})}

    def _facet(self, depth):
        return {self.values.field(): self.pipeline(depth - 1) for _ in range(2)} if depth > 0 else {}

    def _lookup(self, depth):
        lookup = {"from": COLLECTION, "as": self.values.field()}
        if self.values.chance(0.6):
            lookup |= {"localField": self.values.field(), "foreignField": self.values.field()}
        if depth > 0 and self.values.chance(0.5):
            lookup |= {"let": {"v": self.expressions.leaf()}, "pipeline": self.pipeline(depth - 1)}
        return lookup

    def _graphLookup(self, depth):
        return {"from": COLLECTION, "startWith": self.expressions.any(1), "connectFromField": self.values.field(),
                "connectToField": self.values.field(), "as": "g", "maxDepth": self.values.integer(),
                "depthField": self.values.field(), "restrictSearchWithMatch": self.queries.filter(1)}

    def _unionWith(self, depth):
        return {"coll": COLLECTION, "pipeline": self.pipeline(depth - 1)} if depth > 0 else COLLECTION

    def _setWindowFields(self, depth):
        return {"partitionBy": self.expressions.any(1), "sortBy": self.values.one_of([{"n": 1}, {"d": 1},
                                                                                      self.queries.sort()]),
                "output": {self.values.field(): self.window_operator() for _ in range(2)}}

    def window_operator(self):
        bounds = [self.values.one_of(["unbounded", "current", self.values.integer()]) for _ in range(2)]
        window = {self.values.one_of(["documents", "range"]): bounds}
        if self.values.chance(0.3):
            window["unit"] = self.values.one_of(UNITS)
        name = self.values.one_of(WINDOW_OPERATORS)
        operands = {
            "$shift": lambda: {"output": self.expressions.any(1), "by": self.values.integer(), "default": 0},
            "$expMovingAvg": lambda: {"input": "$n", self.values.one_of(["N", "alpha"]): self.values.number()},
            "$derivative": lambda: {"input": "$n", "unit": self.values.one_of(UNITS)},
            "$integral": lambda: {"input": "$n", "unit": self.values.one_of(UNITS)},
            "$linearFill": lambda: "$n", "$locf": lambda: "$n", "$covariancePop": lambda: ["$n", "$n"],
            "$covarianceSamp": lambda: ["$n", "$n"], "$minMaxScaler": lambda: {"input": "$n"}}
        operator = {name: operands[name]() if name in operands else {}} if self.values.chance(0.5) \
            else self.expressions.accumulator()
        return {**operator, **({"window": window} if self.values.chance(0.6) else {})}

    def _densify(self, depth):
        kind = self.values.one_of(["full", "partition", [self.values.number(), self.values.number()],
                                   [self.values.date(), self.values.date()]])
        densify = {"field": self.values.one_of(["n", "d", self.values.field()]),
                   "range": {"step": self.values.number(), "bounds": kind}}
        if self.values.chance(0.4):
            densify["range"]["unit"] = self.values.one_of(UNITS)
        if self.values.chance(0.3):
            densify["partitionByFields"] = [self.values.field()]
        return densify

    def _fill(self, depth):
        return {"sortBy": {"n": 1}, "partitionByFields": [self.values.field()],
                "output": {self.values.field(): self.values.one_of([{"method": "linear"}, {"method": "locf"},
                                                                    {"value": self.expressions.any(1)}])}}

    def _redact(self, depth):
        decisions = ["$$DESCEND", "$$PRUNE", "$$KEEP"]
        return {"$cond": [self.expressions.any(1), self.values.one_of(decisions), self.values.one_of(decisions)]}

    def _geoNear(self, depth):
        return {"near": self.values.geometry(), "distanceField": self.values.field(), "spherical": True,
                "maxDistance": self.values.number(), "key": "l", "query": self.queries.filter(1)}

    def _documents(self, depth):
        return [self.values.document() for _ in range(3)]

    def _out(self, depth):
        return self.values.one_of(["out", self.values.text()])

    def _merge(self, depth):
        return {"into": "out", "on": self.values.one_of(["_id", self.values.field()]),
                "whenMatched": self.values.one_of(["replace", "merge", "keepExisting", "fail",
                                                   [{"$set": self._addFields(0)}]]),
                "whenNotMatched": self.values.one_of(["insert", "discard", "fail"])}
