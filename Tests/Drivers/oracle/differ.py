"""Puts one question to both, and says how the answers differ."""

import copy

import bson
from pymongo.errors import PyMongoError

from . import excuses
from .filters import CannotSay, as_filter, conditions, evaluate, mongomock_says


def same(left, right):
    """Whether two values have the same BSON, types and the order of fields included."""
    return bson.encode({"v": left}) == bson.encode({"v": right})


def compare_filter(ours, documents, filter, tally):
    """Returns what is wrong, or None."""
    tally.filters += 1
    try:
        found = {document["_id"] for document in ours.find(filter)}
    except PyMongoError as error:
        return f"find {filter}\n  is refused: {error}"
    for document in documents:
        problem = compare_match(ours, document, filter, document["_id"] in found, tally)
        if problem:
            return f"find {filter}\n  {document}\n  {problem}"
    return None


def compare_match(ours, document, filter, actual, tally):
    theirs = mongomock_says(document)
    try:
        expected = evaluate(filter, theirs)
    except CannotSay:
        tally.skipped += 1
        return None
    tally.matches += expected and actual
    if actual == expected:
        return None
    return explain(ours, document, filter, actual, theirs, tally)


def explain(ours, document, filter, actual, theirs, tally):
    """Looks for the conditions that the two see differently."""
    answers = {}
    for condition in conditions(filter):
        question = as_filter(*condition)
        mine = ours.count_documents({"$and": [{"_id": document["_id"]}, question]}) == 1
        answers[str(condition)] = mine
        try:
            if mine == theirs(*condition):
                continue
        except CannotSay:
            continue
        excuse = excuses.for_condition(condition, document, mine)
        if excuse is None:
            return f"{question}: ours {mine}"
        tally.excuse(excuse)
    if evaluate(filter, lambda *condition: answers[str(condition)]) != actual:
        return f"ours is {actual}, but its single conditions say otherwise: {answers}"
    return None


def compare_update(ours, theirs, documents, filter, update, many, tally):
    """Each document is updated for itself, so that a difference stays with one."""
    tally.updates += 1
    for document in documents:
        problem = compare_one(ours, theirs, document, filter, update, many, tally)
        if problem:
            return problem
    return None


def compare_one(ours, theirs, document, filter, update, many, tally):
    matched = ours.count_documents({"$and": [{"_id": document["_id"]}, filter]}) == 1
    if not matched:
        return None
    # The filter is compared elsewhere. Here it is there for what it matches.
    actual = apply(ours, document, update, many)
    try:
        expected = apply(theirs, document, update, many)
    except Exception:  # as for filters
        tally.skipped += 1
        # Whether a refusal has a reason can be said without it.
        if actual[0] and not excuses.refusal_is_due(update, document):
            return f"{update}\n  {document}\n  is refused"
        return None
    tally.changes += not same(actual[1], document)
    if same(actual, expected):
        return None
    excuse = excuses.for_update(update, document, actual, expected)
    if excuse is None:
        name = "updateMany" if many else "updateOne"
        return f"{name} {update}\n  {document}\n  ours      {actual}\n  mongomock {expected}"
    tally.excuse(excuse)
    return None


def apply(collection, document, update, many):
    """Whether the update is refused, and the document afterwards. It is as before when this returns."""
    target = {"_id": document["_id"]}
    is_refused = False
    try:
        if any(name.startswith("$") for name in update):
            (collection.update_many if many else collection.update_one)(target, copy.deepcopy(update))
        else:
            collection.replace_one(target, copy.deepcopy(update))
    except PyMongoError:
        is_refused = True
    finally:
        after = collection.find_one(target)
        collection.replace_one(target, copy.deepcopy(document))
    return [is_refused, after]
