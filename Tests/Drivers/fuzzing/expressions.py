"""Random expressions: every operator, mostly with operands of the kinds that it takes."""

from .values import DATE_TEXTS, FLAGS, FORMATS, METADATA, PATHS, PATTERNS, TIME_ZONES, TYPE_NAMES, UNITS

# Operands in an array, by kind; `*` says that the last one may come any number of times.
LISTS = {
    "$add": "num num*", "$subtract": "num num", "$multiply": "num num*", "$divide": "num num", "$mod": "num num",
    "$abs": "num", "$sqrt": "num", "$exp": "num", "$ln": "num", "$log10": "num", "$log": "num num", "$pow": "num num",
    "$ceil": "num", "$floor": "num", "$round": "num int", "$trunc": "num int", "$sigmoid": "num",
    "$sin": "num", "$cos": "num", "$tan": "num", "$asin": "num", "$acos": "num", "$atan": "num", "$atan2": "num num",
    "$sinh": "num", "$cosh": "num", "$tanh": "num", "$asinh": "num", "$acosh": "num", "$atanh": "num",
    "$degreesToRadians": "num", "$radiansToDegrees": "num",
    "$bitAnd": "int int*", "$bitOr": "int int*", "$bitXor": "int int*", "$bitNot": "int",
    "$sum": "any any*", "$avg": "any any*", "$min": "any any*", "$max": "any any*", "$stdDevPop": "num num*",
    "$stdDevSamp": "num num*", "$first": "arr", "$last": "arr", "$mergeObjects": "doc doc*",
    "$eq": "any any", "$ne": "any any", "$gt": "any any", "$gte": "any any", "$lt": "any any", "$lte": "any any",
    "$cmp": "any any", "$and": "any any*", "$or": "any any*", "$not": "any", "$ifNull": "any any*",
    "$cond": "any any any", "$arrayElemAt": "arr int", "$concatArrays": "arr arr*", "$in": "any arr",
    "$indexOfArray": "arr any int int", "$isArray": "any", "$range": "int int int", "$reverseArray": "arr",
    "$size": "arr", "$slice": "arr int int", "$arrayToObject": "arr", "$objectToArray": "doc",
    "$setEquals": "arr arr*", "$setIntersection": "arr arr*", "$setUnion": "arr arr*", "$setDifference": "arr arr",
    "$setIsSubset": "arr arr", "$anyElementTrue": "arr", "$allElementsTrue": "arr",
    "$concat": "text text*", "$indexOfBytes": "text text int int", "$indexOfCP": "text text int int",
    "$split": "text text", "$strLenBytes": "text", "$strLenCP": "text", "$strcasecmp": "text text",
    "$substr": "text int int", "$substrBytes": "text int int", "$substrCP": "text int int", "$toLower": "text",
    "$toUpper": "text", "$binarySize": "any", "$bsonSize": "doc", "$type": "any", "$isNumber": "any",
    "$toBool": "any", "$toDate": "any", "$toDecimal": "any", "$toDouble": "any", "$toInt": "any", "$toLong": "any",
    "$toObjectId": "any", "$toString": "any", "$toUUID": "any", "$toHashedIndexKey": "any", "$tsSecond": "any",
    "$tsIncrement": "any", "$year": "date", "$month": "date", "$dayOfMonth": "date", "$dayOfWeek": "date",
    "$dayOfYear": "date", "$hour": "date", "$minute": "date", "$second": "date", "$millisecond": "date",
    "$week": "date",
    "$isoWeek": "date", "$isoWeekYear": "date", "$isoDayOfWeek": "date", "$toArray": "any", "$toObject": "any",
    "$meta": "meta", "$getField": "text", "$literal": "any", "$const": "any", "$rand": "doc", "$createObjectId": "doc",
    "$median": "any", "$percentile": "any", "$unknownOperator": "any",
}
# Operands by name; a question mark says that it may be left out.
NAMED = {
    "$dateAdd": "startDate:date unit:unit amount:int timezone?:zone",
    "$dateSubtract": "startDate:date unit:unit amount:int timezone?:zone",
    "$dateDiff": "startDate:date endDate:date unit:unit timezone?:zone startOfWeek?:text",
    "$dateTrunc": "date:date unit:unit binSize?:int timezone?:zone startOfWeek?:text",
    "$dateFromParts": "year:int month?:int day?:int hour?:int minute?:int second?:int millisecond?:int timezone?:zone",
    "$dateFromString": "dateString:dateText format?:format timezone?:zone onError?:any onNull?:any",
    "$dateToParts": "date:date timezone?:zone iso8601?:any", "$dayOfMonth": "date:date timezone:zone",
    "$dateToString": "date:date format?:format timezone?:zone onNull?:any", "$hour": "date:date timezone:zone",
    "$week": "date:date timezone:zone",
    "$convert": "input:any to:type base?:int format?:text byteOrder?:text onError?:any onNull?:any",
    "$regexFind": "input:text regex:regex options?:flags", "$regexFindAll": "input:text regex:regex options?:flags",
    "$regexMatch": "input:text regex:regex options?:flags", "$replaceOne": "input:text find:text replacement:text",
    "$replaceAll": "input:text find:text replacement:text", "$trim": "input:text chars?:text",
    "$ltrim": "input:text chars?:text", "$rtrim": "input:text chars?:text", "$firstN": "n:int input:arr",
    "$lastN": "n:int input:arr", "$minN": "n:int input:arr", "$maxN": "n:int input:arr",
    "$filter": "input:arr as?:name cond:inner limit?:int", "$map": "input:arr as?:name in:inner",
    "$reduce": "input:arr initialValue:any in:inner", "$let": "vars:vars in:inner",
    "$cond": "if:any then:any else:any", "$switch": "branches:branches default?:any",
    "$sortArray": "input:arr sortBy:sort", "$zip": "inputs:arrays useLongestLength?:bool defaults?:arr",
    "$getField": "field:text input:doc", "$setField": "field:text input:doc value:any",
    "$unsetField": "field:text input:doc", "$median": "input:arr method:method",
    "$percentile": "input:arr p:probabilities method:method", "$sigmoid": "input:num",
}
ACCUMULATORS = ["$sum", "$avg", "$min", "$max", "$first", "$last", "$push", "$addToSet", "$stdDevPop", "$stdDevSamp",
                "$mergeObjects", "$count", "$firstN", "$lastN", "$minN", "$maxN", "$top", "$topN", "$bottom",
                "$bottomN",
                "$median", "$percentile", "$concatArrays", "$setUnion", "$unknown"]
WINDOW_OPERATORS = ["$rank", "$denseRank", "$documentNumber", "$shift", "$derivative", "$integral", "$expMovingAvg",
                    "$linearFill", "$locf", "$covariancePop", "$covarianceSamp", "$minMaxScaler"]
OPERATORS = sorted(LISTS) + sorted(NAMED)
# Levels of one operator around another, as deep as BSON allows it.
WRAPPERS = [lambda x: {"$not": [x]}, lambda x: {"$and": [x, True]}, lambda x: [x], lambda x: {"a": x},
            lambda x: {"$cond": [x, 1, 2]}, lambda x: {"$ifNull": [x, 1]},
            lambda x: {"$let": {"vars": {"v": x}, "in": "$$v"}}, lambda x: {"$add": [1, x]},
            lambda x: {"$map": {"input": [1], "in": x}}, lambda x: {"$concatArrays": [[1], x]},
            lambda x: {"$reduce": {"input": [1], "initialValue": 1, "in": x}}, lambda x: {"$mergeObjects": [x]},
            lambda x: {"$switch": {"branches": [{"case": x, "then": 1}], "default": 1}}, lambda x: {"$toString": x},
            lambda x: {"$setUnion": [[1], x]}, lambda x: {"$arrayElemAt": [[x], 0]}]
# What grows beyond all bounds.
BOMBS = [
    {"$range": [0, 2**31 - 1]}, {"$range": [-2**31, 2**31 - 1]}, {"$range": [2**31 - 1, -2**31, -1]},
    {"$reduce": {"input": {"$range": [0, 60]}, "initialValue": "x" * 1000, "in": {"$concat": ["$$value", "$$value"]}}},
    {"$reduce": {"input": {"$range": [0, 60]}, "initialValue": [
        1, 2], "in": {"$concatArrays": ["$$value", "$$value"]}}},
    {"$reduce": {"input": {"$range": [0, 60]}, "initialValue": {"a": 1}, "in": {"a": "$$value", "b": "$$value"}}},
    {"$map": {"input": {"$range": [0, 5000]}, "in": {"$range": [0, 5000]}}},
    {"$replaceAll": {"input": "a" * 4000, "find": "a", "replacement": "b" * 9000}},
    {"$split": [{"$replaceAll": {"input": "a" * 4000, "find": "a", "replacement": "b" * 90}}, "b"]},
    {"$filter": {"input": {"$range": [0, 3000000]}, "cond": {
        "$regexMatch": {"input": "aaaaaaaaaaaaa!", "regex": "(a+)+$"}}}},
    {"$regexFindAll": {"input": "a" * 3000,
        "regex": "(a*)*b|"}}, {"$sortArray": {"input": {"$range": [0, 60000]}, "sortBy": -1}},
    {"$setUnion": [{"$range": [0, 300000]}, {"$range": [200000, 500000]}]},
    {"$zip": {"inputs": [{"$range": [0, 100000]}, [1]], "useLongestLength": True, "defaults": ["x" * 3000, "y"]}},
    {"$regexMatch": {"input": "a" * 3000 + "!", "regex": "^(a|a)*$"}},
]


class Expressions:
    def __init__(self, values):
        self.values = values
        self.source = values.source

    def any(self, depth=3):
        """An expression, mostly an operator."""
        kind = self.source.random()
        if kind < 0.0004:
            return self.values.one_of(BOMBS)
        if kind < 0.02:
            return self.deep()
        if depth <= 0 or kind < 0.12:
            return self.leaf()
        if kind < 0.15:
            return {self.values.field(): self.any(depth - 1) for _ in range(self.source.randrange(4))}
        if kind < 0.18:
            return [self.any(depth - 1) for _ in range(self.source.randrange(4))]
        return self.operator(self.values.one_of(OPERATORS), depth)

    def operator(self, name, depth):
        if name in NAMED and (name not in LISTS or self.values.chance(0.5)):
            return {name: self.named(NAMED[name], depth)}
        kinds = LISTS[name].split()
        operands = []
        for kind in kinds:
            times = self.source.randrange(4) if kind.endswith("*") else 1
            operands += [self.operand(kind.rstrip("*"), depth) for _ in range(times)]
        if self.values.chance(0.1):
            operands = operands[:-1] if self.values.chance(0.5) else operands + [self.leaf()]
        return {name: operands[0] if len(operands) == 1 and self.values.chance(0.6) else operands}

    def named(self, description, depth):
        operands = {}
        for field in description.split():
            name, kind = field.split(":")
            if name.endswith("?") and self.values.chance(0.5) or self.values.chance(0.03):
                continue
            operands[name.rstrip("?")] = self.operand(kind, depth)
        if self.values.chance(0.03):
            operands["unknown"] = 1
        return operands

    def operand(self, kind, depth):
        if self.values.chance(0.06):
            return self.leaf()
        if depth > 0 and self.values.chance(0.25):
            return self.any(depth - 1)
        return getattr(self, "_" + kind)(depth - 1)

    def leaf(self):
        return self.values.one_of(PATHS) if self.values.chance(0.5) else self.values.value()

    def deep(self):
        expression = self.leaf()
        levels = self.one_count()
        wrap = self.values.one_of(WRAPPERS)
        for _ in range(levels):
            expression = wrap(expression)
        return expression

    def one_count(self):
        return self.values.one_of([10, 30, 45, 60, 85, 90, 180, 190])

    def accumulator(self):
        name = self.values.one_of(ACCUMULATORS)
        return {name: self.accumulator_operand(name)}

    def accumulator_operand(self, name):
        if name in ("$top", "$topN", "$bottom", "$bottomN"):
            return {"output": self.any(1), "sortBy": self._sort(
                0), **({"n": self._int(0)} if name.endswith("N") else {})}
        if name in NAMED and not self.values.chance(0.1):
            return self.named(NAMED[name], 1)
        return {} if name == "$count" else self.any(1)

    # MARK: operands by kind

    def _any(self, depth):
        return self.leaf()

    def _num(self, depth):
        return "$n" if self.values.chance(0.3) else self.values.number()

    def _int(self, depth):
        return "$n" if self.values.chance(0.15) else self.values.integer()

    def _text(self, depth):
        return "$s" if self.values.chance(0.3) else self.values.text()

    def _dateText(self, depth):
        return "$s" if self.values.chance(0.2) else self.values.one_of(DATE_TEXTS)

    def _date(self, depth):
        return "$d" if self.values.chance(0.5) else self.values.date()

    def _arr(self, depth):
        return "$a" if self.values.chance(0.5) else self.values.array()

    def _arrays(self, depth):
        return [self._arr(depth) for _ in range(self.source.randrange(4))]

    def _doc(self, depth):
        return self.values.one_of(["$o", "$$ROOT"]) if self.values.chance(0.6) else {"$literal": self.values.document()}

    def _bool(self, depth):
        return self.values.chance(0.5)

    def _zone(self, depth):
        return self.values.one_of(TIME_ZONES)

    def _unit(self, depth):
        return self.values.one_of(UNITS[:9]) if self.values.chance(0.9) else self.values.one_of(UNITS)

    def _format(self, depth):
        return self.values.one_of(FORMATS)

    def _regex(self, depth):
        return self.values.regex() if self.values.chance(0.5) else self.values.one_of(PATTERNS)

    def _flags(self, depth):
        return self.values.one_of(FLAGS)

    def _meta(self, depth):
        return self.values.one_of(METADATA)

    def _method(self, depth):
        return self.values.one_of(["approximate", "discrete", "continuous"])

    def _probabilities(self, depth):
        return [self.values.one_of([0, 0.5, 1, 0.99, -0.0, 1e-300, self.values.number()]) for _ in range(3)]

    def _type(self, depth):
        kind = self.source.random()
        name = self.values.one_of(TYPE_NAMES) if kind < 0.7 else self.values.integer()
        return {"type": name, "subtype": self._int(0)} if kind < 0.2 else name

    def _name(self, depth):
        return self.values.one_of(["this", "v", "value"]) if self.values.chance(0.9) else self.values.text()

    def _inner(self, depth):
        return self.values.one_of(["$$this", "$$v", "$$value"]) if self.values.chance(0.4) else self.any(depth)

    def _vars(self, depth):
        return {self._name(0): self.any(depth) for _ in range(self.source.randrange(3))}

    def _branches(self, depth):
        return [{"case": self.any(depth), "then": self.any(depth)} for _ in range(self.source.randrange(3))]

    def _sort(self, depth):
        if self.values.chance(0.2):
            return self.values.number()
        return {self.values.field(): self.values.one_of([1, -1, 1, -1, self.values.value(0)])
                for _ in range(self.source.randrange(1, 4))}
