"""What mongomock says of a filter, taken apart: it is asked for single conditions, and the logic around them is ours.

So a mistake of mongomock in one condition does not hide everything around it: that condition is excused by name (see
`excuses`), takes our answer, and the rest of the filter is compared all the same.
"""

import copy

from mongomock.filtering import filter_applies

LOGICAL = {"$and", "$or", "$nor"}


class CannotSay(Exception):
    """mongomock does not know the condition, or stumbles over it."""


def conditions(filter):
    """The single conditions in a filter, as (path, operator, operand)."""
    for key, value in filter.items():
        if key in LOGICAL:
            for branch in value:
                yield from conditions(branch)
        else:
            yield from conditions_at(key, value)


def conditions_at(path, value):
    if not is_operators(value):
        yield path, None, value
        return
    for operator, operand in value.items():
        if operator == "$not":
            yield from conditions_at(path, operand)
        else:
            yield path, operator, operand


def is_operators(value):
    return isinstance(value, dict) and bool(value) and all(name.startswith("$") for name in value)


def as_filter(path, operator, operand):
    return {path: operand if operator is None else {operator: operand}}


def evaluate(filter, answer):
    """What the filter says, given what `answer(path, operator, operand)` says of its conditions."""
    return all(evaluate_part(key, value, answer) for key, value in filter.items())


def evaluate_part(key, value, answer):
    if key in LOGICAL:
        results = [evaluate(branch, answer) for branch in value]
        return {"$and": all, "$or": any, "$nor": lambda parts: not any(parts)}[key](results)
    return evaluate_at(key, value, answer)


def evaluate_at(path, value, answer):
    if not is_operators(value):
        return answer(path, None, value)
    return all(
        not evaluate_at(path, operand, answer) if operator == "$not" else answer(path, operator, operand)
        for operator, operand in value.items())


def mongomock_says(document):
    def answer(path, operator, operand):
        # A negation is asked for as what it negates: of several values mongomock looks at the first ones only.
        if operator in ("$ne", "$nin"):
            return not answer(path, {"$ne": "$eq", "$nin": "$in"}[operator], operand)
        try:
            return bool(filter_applies(as_filter(path, operator, copy.deepcopy(operand)), document))
        except Exception as error:  # whatever Python throws where mongomock meets what it does not expect
            raise CannotSay(str(error)) from error
    return answer


def values_at(value, steps):
    """The values that a path leads to, as MongoDB sees them, and None in the place of a value where there is none."""
    if not steps:
        return [(value,)]
    if isinstance(value, dict):
        return values_at(value[steps[0]], steps[1:]) if steps[0] in value else [None]
    if isinstance(value, list):
        found = []
        for element in value:
            if isinstance(element, dict):
                found += values_at(element, steps)
        if steps[0].isdigit() and int(steps[0]) < len(value):
            found += values_at(value[int(steps[0])], steps[1:])
        return found
    return [None]
