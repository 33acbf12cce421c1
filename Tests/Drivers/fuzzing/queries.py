"""Random filters, projections, sorts, schemas and updates."""

from .values import NAMES, PATHS, TYPE_NAMES

FIELD_OPERATORS = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$type", "$mod", "$regex",
                   "$all",
                   "$elemMatch", "$size", "$bitsAllClear", "$bitsAllSet", "$bitsAnyClear", "$bitsAnySet", "$not",
                   "$geoWithin", "$geoIntersects", "$near", "$nearSphere", "$unknown", "$options", "$within"]
ROOT_OPERATORS = ["$and", "$or", "$nor", "$expr", "$jsonSchema", "$comment", "$sampleRate", "$alwaysTrue",
                  "$alwaysFalse",
                  "$where", "$text", "$unknown"]
SCHEMA_NUMBERS = ["minimum", "maximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "minProperties",
                  "maxProperties"]
SCHEMA_INNER = ["additionalProperties", "additionalItems", "items", "not"]
SCHEMA_LISTS = ["allOf", "anyOf", "oneOf", "items"]
UPDATE_OPERATORS = ["$set", "$unset", "$inc", "$mul", "$min", "$max", "$currentDate", "$bit", "$push", "$addToSet",
                    "$pop",
                    "$pull", "$pullAll", "$rename", "$setOnInsert", "$unknown"]
# Levels of filters, as deep as BSON allows it.
WRAPPERS = [lambda f: {"$and": [f]}, lambda f: {"$nor": [f]}, lambda f: {"$or": [f, {"a": 1}]},
            lambda f: {"a": {"$elemMatch": f}}, lambda f: {"a": {"$not": {"$elemMatch": f}}},
            lambda f: {"a": {"$all": [{"$elemMatch": f}]}}]


class Queries:
    def __init__(self, values, expressions):
        self.values = values
        self.expressions = expressions
        self.source = values.source

    # MARK: filters

    def filter(self, depth=3):
        kind = self.source.random()
        if kind < 0.02:
            return self.deep()
        if kind < 0.04:
            return {}
        parts = {}
        for _ in range(self.source.choice([1, 1, 1, 2, 3])):
            parts.update(self.root_condition(depth) if self.values.chance(0.25) else self.field_condition(depth))
        return parts

    def deep(self):
        condition = {"a": 1}
        wrap = self.values.one_of(WRAPPERS)
        for _ in range(self.expressions.one_count()):
            condition = wrap(condition)
        return condition

    def root_condition(self, depth):
        name = self.values.one_of(ROOT_OPERATORS)
        if self.values.chance(0.08):
            return {name: self.values.value()}
        if name in ("$and", "$or", "$nor"):
            return {name: [self.filter(depth - 1) for _ in range(self.source.randrange(4))] if depth > 0 else [{}]}
        if name == "$expr":
            return {name: self.expressions.any(2)}
        if name == "$jsonSchema":
            return {name: self.schema()}
        return {name: self.values.value(1)}

    def field_condition(self, depth):
        if self.values.chance(0.15):
            return {self.values.field(): self.values.value()}
        name = self.values.one_of(FIELD_OPERATORS)
        conditions = {name: self.operand(name, depth)}
        if self.values.chance(0.2):
            other = self.values.one_of(FIELD_OPERATORS)
            conditions[other] = self.operand(other, depth)
        return {self.values.field(): conditions}

    def operand(self, name, depth):
        if self.values.chance(0.08):
            return self.values.value()
        if name in ("$in", "$nin", "$all"):
            return [self.values.regex() if self.values.chance(0.1) else self.values.value(1)
                    for _ in range(self.source.choice([0, 1, 3, 3, 70]))]
        if name in ("$elemMatch", "$not"):
            if depth > 0 and self.values.chance(0.5) and name == "$elemMatch":
                return self.filter(depth - 1)
            inner = self.values.one_of(FIELD_OPERATORS)
            return {inner: self.operand(inner, depth - 1)}
        if name == "$mod":
            return [self.values.number() for _ in range(self.source.choice([2, 2, 2, 1, 3, 0]))]
        if name.startswith("$bits"):
            positions = [self.values.integer() for _ in range(3)]
            return self.values.one_of([self.values.number(), self.values.binary(), positions])
        if name in ("$geoWithin", "$geoIntersects", "$near", "$nearSphere", "$within"):
            return self.geometry_operand()
        kinds = {"$exists": self.values.integer, "$size": self.values.integer, "$options": self.values.text,
                 "$regex": self.values.regex, "$type": self.type}
        return kinds.get(name, self.values.value)()

    def type(self):
        return self.values.one_of([self.values.one_of(TYPE_NAMES), self.values.integer(),
                                  [self.values.one_of(TYPE_NAMES)]])

    def geometry_operand(self):
        number, pair = self.values.number, lambda: [self.values.number(), self.values.number()]
        return self.values.one_of([
            {"$geometry": self.values.geometry()}, {"$box": [pair(), pair()]}, {"$center": [pair(), number()]},
            {"$centerSphere": [pair(), number()]}, {"$polygon": [pair() for _ in range(4)]}, pair(),
            {"$geometry": self.values.geometry(), "$maxDistance": number(), "$minDistance": number()}])

    def schema(self, depth=3):
        if depth <= 0 or self.values.chance(0.03):
            return self.values.one_of([{}, True, {"bsonType": "int"}, self.values.value(1)])
        schema = {}
        for _ in range(self.source.randrange(1, 4)):
            kind = self.source.randrange(6)
            if kind == 0:
                schema[self.values.one_of(SCHEMA_NUMBERS)] = self.values.number()
            elif kind == 1:
                schema[self.values.one_of(SCHEMA_INNER)] = self.schema(depth - 1)
            elif kind == 2:
                schema[self.values.one_of(SCHEMA_LISTS)] = [self.schema(depth - 1)
                                          for _ in range(self.source.randrange(3))]
            elif kind == 3:
                schema[self.values.one_of(["properties", "patternProperties", "dependencies"])] = {
                    self.values.field(): self.schema(depth - 1) for _ in range(self.source.randrange(3))}
            elif kind == 4:
                schema[self.values.one_of(["bsonType", "type"])] = self.type()
            else:
                schema.update(self.values.one_of([
                    {"required": [self.values.field() for _ in range(self.source.choice([0, 1, 3, 70]))]},
                    {"enum": self.values.array()}, {"pattern": self.values.text()}, {"uniqueItems": True},
                    {"exclusiveMaximum": True, "maximum": self.values.number()}, {"title": self.values.value(0)}]))
        return schema

    # MARK: projections and sorts

    def projection(self):
        if self.values.chance(0.05):
            return self.values.document()
        side = self.values.one_of([0, 1])
        projection = {}
        for _ in range(self.source.choice([1, 1, 2, 4, 70])):
            kind = self.source.random()
            name = self.values.field()
            if kind < 0.5:
                projection[name] = self.values.one_of([side, bool(side), float(side)])
            elif kind < 0.6:
                projection[name] = {"$slice": self.values.one_of(
                    [self.values.integer(), [self.values.integer(), self.values.integer()]])}
            elif kind < 0.65:
                projection[name] = {"$elemMatch": self.filter(1)}
            elif kind < 0.7:
                projection[name] = {"a": {"b": side}}
            else:
                projection[name] = self.expressions.any(2)
        return projection

    def sort(self):
        if self.values.chance(0.1):
            return self.values.document()
        return {self.values.field(): self.values.one_of([1, -1, 1, -1, {"$meta": "textScore"}, self.values.value(0)])
                for _ in range(self.source.choice([1, 1, 2, 3, 34]))}

    # MARK: updates

    def update(self):
        kind = self.source.random()
        if kind < 0.05:
            return self.values.document()
        if kind < 0.25:
            stages = ["$set", "$addFields", "$unset", "$project", "$replaceRoot", "$replaceWith", "$match"]
            return [{stage: self.stage_operand(stage)}
                                               for stage in self.source.choices(stages, k=self.source.randrange(4))]
        update = {}
        for _ in range(self.source.choice([1, 1, 2, 3])):
            name = self.values.one_of(UPDATE_OPERATORS)
            if self.values.chance(0.05):
                update[name] = self.values.value()
            else:
                update[name] = {self.path(): self.modifier(name) for _ in range(self.source.choice([1, 1, 2, 4]))}
        return update

    def stage_operand(self, stage):
        if self.values.chance(0.05):
            return self.values.value()
        if stage == "$unset":
            return [self.values.field() for _ in range(self.source.randrange(1, 4))]
        if stage == "$replaceRoot":
            return {"newRoot": self.expressions.any(2)}
        if stage == "$match":
            return self.filter(1)
        if stage == "$project":
            return self.projection()
        return {self.values.field(): self.expressions.any(3) for _ in range(self.source.randrange(1, 4))}

    def path(self):
        return self.values.one_of("abnsdox") if self.values.chance(0.6) else self.values.one_of(NAMES)

    def modifier(self, name):
        if self.values.chance(0.07):
            return self.values.value()
        if name in ("$inc", "$mul"):
            return self.values.number()
        if name == "$bit":
            return {self.values.one_of(["and", "or", "xor"]): self.values.number()}
        if name == "$pop":
            return self.values.one_of([1, -1, self.values.number()])
        if name == "$rename":
            return self.path()
        if name == "$currentDate":
            return self.values.one_of([True, {"$type": "date"}, {"$type": "timestamp"}])
        if name == "$pull":
            return self.values.one_of([self.filter(1), {"$gte": self.values.value(1)}, self.values.value()])
        if name == "$pullAll":
            return self.values.array()
        if name in ("$push", "$addToSet") and self.values.chance(0.7):
            return self.push()
        return self.values.value()

    def push(self):
        each = self.values.array()
        if self.values.chance(0.03):
            each = list(range(self.values.one_of([10_000, 100_000])))
        push = {"$each": each}
        if self.values.chance(0.5):
            push["$slice"] = self.values.number()
        if self.values.chance(0.5):
            push["$position"] = self.values.number()
        if self.values.chance(0.4):
            push["$sort"] = self.values.one_of([1, -1, self.sort()])
        return push

    def array_filters(self):
        return [{self.values.one_of(["e", "e.a", "f", "e.b"]): self.values.one_of([{"$gt": self.values.value(1)}, 1])}
                for _ in range(self.source.randrange(3))]

    def key(self):
        return self.values.one_of(PATHS)[1:] if self.values.chance(0.3) else self.values.field()
