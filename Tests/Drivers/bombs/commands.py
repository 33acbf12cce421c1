"""Commands that are short to write and endless to answer, by name."""

RANGE = {"$range": [0, 1_000_000]}
SHORT_RANGE = {"$range": [0, 5_000]}
TEXT = "x" * 100_000

LARGE = "large"  # one document with an array of a million numbers, one of documents, and a long text
MANY = "many"  # documents that all follow each other
# Nothing comes of a pipeline that ends so, and no optimizer may move it: drawn anew for each document.
NEVER = {"$match": {"$sampleRate": 1e-12}}


def mapped(source, body):
    return {"$map": {"input": source, "in": body}}


def repeated(times, first, body):
    return {"$reduce": {"input": {"$range": [0, times]}, "initialValue": first, "in": body}}


def counted(expression):
    """The expression again and again, and of each result only a number."""
    return repeated(1_000_000, 0, {"$add": ["$$value", {"$cond": [{"$eq": [expression, "$$this"]}, 1, 0]}]})


def nested(depth):
    body = {"$add": ["$$value", 1]}
    for _ in range(depth):
        body = repeated(100_000, 0, body)
    return body


# Text of many megabytes, from a few bytes.
LONG_TEXT = repeated(23, "x", {"$concat": ["$$value", "$$value"]})

EXPRESSIONS = {
    "nested $reduce": nested(4),
    "$map over $range": mapped(SHORT_RANGE, SHORT_RANGE),
    "$map over $map": mapped(SHORT_RANGE, mapped(SHORT_RANGE, mapped(SHORT_RANGE, "$$this"))),
    "$filter within $filter": {"$filter": {"input": RANGE, "cond": {"$filter": {"input": RANGE, "cond": False}}}},
    "$range": counted({"$size": {"$range": [0, 2_000_000]}}),
    "$range of all numbers": {"$range": [0, 2_147_483_647]},
    "$zip": counted({"$size": {"$zip": {"inputs": [RANGE, RANGE]}}}),
    "$concatArrays": counted({"$size": {"$concatArrays": [RANGE, RANGE]}}),
    "$reverseArray": counted({"$size": {"$reverseArray": RANGE}}),
    "$slice": counted({"$slice": [RANGE, -1]}),
    "$arrayElemAt": counted({"$arrayElemAt": [RANGE, -1]}),
    "$in": counted({"$in": ["x", RANGE]}),
    "$indexOfArray": counted({"$indexOfArray": [RANGE, "x"]}),
    "$sortArray": counted({"$size": {"$sortArray": {"input": RANGE, "sortBy": -1}}}),
    "$sortArray by field": counted({"$size": {"$sortArray": {"input": RANGE, "sortBy": {"a.b": -1}}}}),
    "$setUnion": counted({"$size": {"$setUnion": [RANGE, RANGE]}}),
    "$setIntersection": counted({"$size": {"$setIntersection": [RANGE, RANGE]}}),
    "$setDifference": counted({"$size": {"$setDifference": [RANGE, RANGE]}}),
    "$setEquals": counted({"$setEquals": [RANGE, RANGE]}),
    "$setIsSubset": counted({"$setIsSubset": [RANGE, RANGE]}),
    "$allElementsTrue": counted({"$allElementsTrue": [{"$range": [1, 1_000_000]}]}),
    "$sum": counted({"$sum": RANGE}),
    "$stdDevPop": counted({"$stdDevPop": RANGE}),
    "$maxN": counted({"$maxN": {"n": 1_000_000, "input": RANGE}}),
    "$percentile": counted({"$percentile": {"p": [0.5], "method": "approximate", "input": RANGE}}),
    "$median": counted({"$median": {"method": "approximate", "input": RANGE}}),
    "$mergeObjects": counted({"$mergeObjects": [mapped(SHORT_RANGE, {"a": "$$this"})]}),
    "$arrayToObject": counted({"$arrayToObject": [mapped({"$range": [0, 100_000]}, [{"$toString": "$$this"}, 1])]}),
    "$objectToArray": counted({"$size": {"$objectToArray": {"$arrayToObject": [
        mapped({"$range": [0, 100_000]}, [{"$toString": "$$this"}, 1])]}}}),
    "$eq of arrays": counted({"$eq": [RANGE, RANGE]}),
    "path into an array": counted({"$size": "$documents.a.b.c"}),
    "$concat that doubles": repeated(40, "x", {"$concat": ["$$value", "$$value"]}),
    "$concatArrays that doubles": repeated(60, [1], {"$concatArrays": ["$$value", "$$value"]}),
    "nested arrays that double": repeated(60, [1], ["$$value", "$$value"]),
    "documents that double": repeated(60, {"a": 1}, {"a": "$$value", "b": "$$value"}),
    "$setField that grows": repeated(1_000_000, {}, {"$setField": {
        "field": {"$literal": "a"}, "input": {"b": "$$value"}, "value": "$$value"}}),
    "$push that grows": repeated(1_000_000, [], {"$concatArrays": ["$$value", ["$$this"]]}),
    "$concat that grows": repeated(1_000_000, "", {"$concat": ["$$value", "0123456789"]}),
    "$split": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted({"$size": {"$split": ["$$t", "x"]}})}},
    "$replaceAll": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted(
        {"$replaceAll": {"input": "$$t", "find": "x", "replacement": "y"}})}},
    "$replaceAll of nothing": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted(
        {"$strLenBytes": {"$replaceAll": {"input": "$$t", "find": "", "replacement": ""}}})}},
    "$replaceAll that grows": {"$replaceAll": {"input": LONG_TEXT, "find": "x", "replacement": TEXT}},
    "$toUpper": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted({"$toUpper": "$$t"})}},
    "$strcasecmp": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted({"$strcasecmp": ["$$t", "$$t"]})}},
    "$strLenCP": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted({"$strLenCP": "$$t"})}},
    "$substrCP": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted({"$substrCP": ["$$t", 8_000_000, 1]})}},
    "$indexOfCP": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted({"$indexOfCP": ["$$t", "y"]})}},
    "$indexOfBytes": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted(
        {"$indexOfBytes": ["$$t", {"$concat": [TEXT, "y"]}]})}},
    "$trim": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted({"$trim": {"input": "$$t", "chars": "yx"}})}},
    "$trim by many": {"$trim": {"input": LONG_TEXT, "chars": "é" * 100_000 + "x"}},
    "$regexMatch": {"$regexMatch": {"input": LONG_TEXT, "regex": "(x+x+)+y"}},
    "$regexMatch again": counted({"$regexMatch": {"input": "x" * 100, "regex": "(x+x+)+y"}}),
    "$regexMatch of a long text": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted(
        {"$regexMatch": {"input": "$$t", "regex": "y"}})}},
    "$regexFindAll": {"$let": {"vars": {"t": LONG_TEXT}, "in": counted(
        {"$size": {"$regexFindAll": {"input": "$$t", "regex": "x"}}})}},
    "$regexFindAll that looks far": {"$regexFindAll": {"input": LONG_TEXT, "regex": "x(?=x*y)|x"}},
    "$regexFindAll of steps": {"$regexFindAll": {"input": LONG_TEXT, "regex": "x{1,900}(?<!x)|x"}},
    "$toString": counted({"$toString": "$$this"}),
    "$convert to decimal": counted({"$toDecimal": {"$concat": ["1e", {"$toString": "$$this"}]}}),
    "$dateFromString": counted({"$dateFromString": {"dateString": "2020-01-01", "timezone": "Europe/Berlin"}}),
    "$dateToString": counted({"$dateToString": {
        "date": {"$toDate": {"$toLong": "$$this"}}, "timezone": "Europe/Berlin", "format": "%Y" * 100}}),
    "$dateDiff": counted({"$dateDiff": {"startDate": {"$toDate": {"$toLong": "$$this"}}, "endDate": "$$NOW",
                                        "unit": "week", "timezone": "Europe/Berlin"}}),
    "$toHashedIndexKey": counted({"$toHashedIndexKey": {"$range": [0, 100_000]}}),
    "$bsonSize": counted({"$bsonSize": {"a": RANGE}}),
    "$pow": counted({"$pow": [{"$toDecimal": "1.0000001"}, 123456.7]}),
}

PIPELINES = {
    "$unwind": [{"$unwind": "$numbers"}, NEVER],
    "$unwind of one after the other": [{"$project": {"numbers": 1}}] + [
        {"$set": {name: SHORT_RANGE}} for name in "abcd"] + [{"$unwind": f"${name}"} for name in "abcd"] + [
        NEVER],
    "$unwind and $group": [{"$set": {"a": SHORT_RANGE, "b": SHORT_RANGE, "numbers": 0, "documents": 0, "text": 0}},
                           {"$unwind": "$a"}, {"$unwind": "$b"},
                           {"$group": {"_id": {"a": "$a", "b": "$b"}, "n": {"$sum": 1}}}, {"$match": {"n": 2}}],
    "$unwind and $sort": [{"$set": {"a": SHORT_RANGE, "b": SHORT_RANGE, "numbers": 0, "documents": 0, "text": 0}},
                          {"$unwind": "$a"}, {"$unwind": "$b"}, {"$sort": {"b": 1, "a": -1}}, NEVER],
    "$group with $push": [{"$project": {"numbers": 1}}, {"$unwind": "$numbers"},
                          {"$group": {"_id": None, "a": {"$push": {"a": "$numbers", "b": "$numbers"}}}}],
    "$group with $addToSet": [{"$set": {"a": SHORT_RANGE, "b": SHORT_RANGE, "numbers": 0, "documents": 0, "text": 0}},
                              {"$unwind": "$a"}, {"$unwind": "$b"},
                              {"$group": {"_id": None, "n": {"$addToSet": {"a": "$a", "b": "$b"}}}}],
    "$match by $or": [{"$match": {"$or": [{"documents.a": {"$mod": [1_000_003, n]}} for n in range(1, 20_000)]}}],
    "$match by $elemMatch": [{"$match": {"documents": {"$elemMatch": {"$or": [
        {"a": {"$mod": [1_000_003, n + 1_000_000]}} for n in range(20_000)]}}}}],
    "$match by $all": [{"$match": {"numbers": {"$all": list(range(0, 1_000_000, 50))}}}],
    "$match by $nin": [{"$match": {"$and": [{"numbers": {"$ne": -n - 1}} for n in range(20_000)]}}],
    "$match by regular expressions": [{"$match": {"$or": [
        {"text": {"$regex": f"(x+x+)+y{n}"}} for n in range(2_000)]}}],
    "$match by $in of regular expressions": [{"$match": {"$expr": {"$allElementsTrue": [mapped(
        RANGE, {"$not": {"$regexMatch": {"input": "$text", "regex": "(x+x+)+y"}}})]}}}],
    "$match by schema": [{"$match": {"$jsonSchema": {"properties": {"numbers": {"items": {"anyOf": [
        {"enum": [-n - 1]} for n in range(5_000)]}}}}}}],
    "$match by unique items": [{"$match": {"$jsonSchema": {"properties": {"numbers": {"uniqueItems": True},
                                                                        "documents": {"uniqueItems": True}}}}}],
    "$facet": [{"$facet": {f"f{n}": [{"$set": {"a": nested(3)}}] for n in range(20)}}],
    "$bucketAuto": [{"$project": {"numbers": 1}}, {"$unwind": "$numbers"}, {"$unwind": {"path": "$numbers"}},
                    {"$set": {"b": {"$range": [0, 100]}}}, {"$unwind": "$b"},
                    {"$bucketAuto": {"groupBy": "$numbers", "buckets": 1_000_000}}],
    "$densify": [{"$project": {"numbers": {"$slice": ["$numbers", 100]}}}, {"$unwind": "$numbers"},
                 {"$densify": {"field": "v", "partitionByFields": ["numbers"],
                               "range": {"step": 0.001, "bounds": [0, 1_000_000]}}}],
    "$fill": [{"$project": {"numbers": 1}}, {"$unwind": "$numbers"},
              {"$fill": {"sortBy": {"numbers": 1}, "output": {"x": {"method": "linear"}}}}, NEVER],
    "$setWindowFields of everything": [
        {"$project": {"numbers": 1}}, {"$unwind": "$numbers"},
        {"$setWindowFields": {"sortBy": {"numbers": 1}, "output": {
            "s": {"$push": "$numbers", "window": {"documents": ["unbounded", "unbounded"]}}}}}, NEVER],
    "$setWindowFields of frames": [
        {"$project": {"numbers": 1}}, {"$unwind": "$numbers"},
        {"$setWindowFields": {"sortBy": {"numbers": 1}, "output": {
            "s": {"$stdDevPop": "$numbers", "window": {"documents": [-20_000, 20_000]}},
            "m": {"$max": "$numbers", "window": {"range": [-20_000, 20_000]}}}}}, NEVER],
    "$setWindowFields of lists": [
        {"$project": {"numbers": 1}}, {"$unwind": "$numbers"},
        {"$setWindowFields": {"sortBy": {"numbers": 1}, "output": {
            "s": {"$addToSet": "$numbers", "window": {"documents": [-20_000, 20_000]}}}}}, NEVER],
    "$graphLookup": [{"$set": {"numbers": 0, "documents": 0, "text": 0, "a": SHORT_RANGE}}, {"$unwind": "$a"},
                     {"$graphLookup": {"from": MANY, "startWith": 1, "connectFromField": "next",
                                       "connectToField": "n", "as": "r", "maxDepth": 1_000_000}},
                     NEVER],
    "$lookup": [{"$set": {"numbers": 0, "documents": 0, "text": 0, "a": SHORT_RANGE}}, {"$unwind": "$a"},
                {"$lookup": {"from": MANY, "pipeline": [{"$set": {"x": "$next"}}], "as": "r"}},
                NEVER],
    "$lookup with $let": [{"$set": {"numbers": 0, "documents": 0, "text": 0, "a": SHORT_RANGE}}, {"$unwind": "$a"},
                          {"$lookup": {"from": MANY, "let": {"a": "$a"}, "pipeline": [
                              {"$match": {"$expr": {"$gt": ["$n", "$$a"]}}}], "as": "r"}},
                          NEVER],
    "$redact": [{"$redact": {"$cond": [{"$eq": [counted({"$size": SHORT_RANGE}), 0]}, "$$DESCEND", "$$PRUNE"]}}],
    "$redact of many": [{"$redact": {"$cond": [{"$gt": [{"$size": RANGE}, 0]}, "$$DESCEND", "$$PRUNE"]}}],
    "$project of paths": [{"$project": {f"documents.{n}": "$documents" for n in range(20)}}],
    "$set of paths": [{"$set": {"documents.a": "$numbers"}}],
    "$sortByCount": [{"$project": {"numbers": 1}}, {"$unwind": "$numbers"}, {"$set": {"a": {"$range": [0, 100]}}},
                     {"$unwind": "$a"}, {"$sortByCount": {"$add": ["$a", {"$multiply": ["$numbers", 100]}]}}, NEVER],
}


def updates():
    pushed = list(range(200_000))
    return {
        "$push that sorts": {"$push": {"numbers": {"$each": pushed, "$sort": -1, "$slice": 10}}},
        "$addToSet of many": {"$addToSet": {"numbers": {"$each": [-n - 1 for n in pushed]}}},
        "$pull": {"$pull": {"documents": {"$or": [{"a": -n - 1} for n in range(20_000)]}}},
        "$pullAll": {"$pullAll": {"numbers": [-n - 1 for n in pushed]}},
        "a filtered array": {"$set": {"documents.$[x].b": 1}},
    }


def commands(max_time_ms):
    """Yields name and command."""
    options = {"maxTimeMS": max_time_ms, "cursor": {}, "allowDiskUse": True}
    for name, expression in EXPRESSIONS.items():
        yield name, {"aggregate": LARGE, "pipeline": [{"$project": {"_id": 0, "v": expression}}], **options}
    for name, pipeline in PIPELINES.items():
        yield name, {"aggregate": LARGE, "pipeline": pipeline, **options}
    for name in ("nested $reduce", "$sortArray", "$regexFindAll"):
        expression = EXPRESSIONS[name]
        yield f"find by {name}", {
            "find": LARGE, "filter": {"$expr": {"$eq": [expression, 1]}}, "maxTimeMS": max_time_ms}
        yield f"projection of {name}", {
            "find": LARGE, "projection": {"_id": 0, "v": expression}, "maxTimeMS": max_time_ms}
        yield f"update by {name}", {
            "update": LARGE, "updates": [{"q": {}, "u": [{"$set": {"v": expression}}]}], "maxTimeMS": max_time_ms}
        yield f"let of {name}", {
            "aggregate": LARGE, "pipeline": [{"$project": {"a": "$$x"}}], "let": {"x": expression}, **options}
        yield f"$documents of {name}", {
            "aggregate": 1, "pipeline": [{"$documents": [{"a": expression}]}], **options}
        yield f"delete by {name}", {
            "delete": LARGE, "deletes": [{"q": {"$expr": {"$eq": [expression, 1]}}, "limit": 0}],
            "maxTimeMS": max_time_ms}
        yield f"count by {name}", {
            "count": LARGE, "query": {"$expr": {"$eq": [expression, 1]}}, "maxTimeMS": max_time_ms}
        yield f"distinct by {name}", {
            "distinct": LARGE, "key": "_id", "query": {"$expr": {"$eq": [expression, 1]}}, "maxTimeMS": max_time_ms}
    for name, change in updates().items():
        filters = {"arrayFilters": [{"$or": [{"x.a": -n - 1} for n in range(20_000)]}]} if "filtered" in name else {}
        yield f"update by {name}", {
            "update": LARGE, "updates": [{"q": {}, "u": change, **filters}], "maxTimeMS": max_time_ms}
    for name in ("$match by $or", "$match by $elemMatch", "$match by $nin", "$match by schema"):
        filter = PIPELINES[name][0]["$match"]
        yield f"find {name}", {"find": LARGE, "filter": filter, "maxTimeMS": max_time_ms}
        yield f"update {name}", {
            "update": LARGE, "updates": [{"q": filter, "u": {"$set": {"z": 1}}}], "maxTimeMS": max_time_ms}
