"""Where mongomock is known to be wrong, and why. `CONDITIONS` are about a single condition of a filter, `UPDATES`
about an update of one document."""

from .filters import conditions, is_operators, values_at


class Excuse:
    def __init__(self, reason, holds):
        self.reason = reason
        self.holds = holds


class Condition:
    """One condition, what it was put to, and our answer: mongomock's is the other one."""

    def __init__(self, path, operator, operand, document, ours):
        self.path = path
        self.operator = {"$ne": "$eq", "$nin": "$in"}.get(operator, operator) or "$eq"
        self.operand = operand
        self.is_negated = operator in ("$ne", "$nin")
        self.ours = ours != self.is_negated
        self.found = values_at(document, path.split("."))
        self.values = [found[0] for found in self.found if found is not None]

    def elements(self):
        return [element for array in arrays_in(self.values) for element in array]

    def operands(self):
        return self.operand if self.operator in ("$in", "$all") else [self.operand]


CONDITIONS = []


def excuse(reason):
    def register(holds):
        CONDITIONS.append(Excuse(reason, holds))
        return holds
    return register


def arrays_in(values):
    return [value for value in values if isinstance(value, list)]


def holds(kind, value):
    """Whether there is a value of this Python type in it, at any depth."""
    if isinstance(value, kind):
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return any(holds(kind, element) for element in inner)


@excuse("$size takes the length of what is no array")
def size_of_scalars(condition):
    return condition.operator == "$size" and not condition.ours and not arrays_in(condition.values)


@excuse("null is not found where a path leads nowhere through a scalar, beyond an array's end, or by $all, $gte, $lte")
def null_and_missing(condition):
    return (condition.ours and None in condition.operands() and None in condition.found
            and (condition.operator in ("$all", "$gte", "$lte") or "." in condition.path))


@excuse("a missing field equals an empty document")
def empty_document(condition):
    return not condition.ours and condition.operand == {} and not condition.values


@excuse("$elemMatch puts conditions on fields to elements that are no documents, and looks into arrays in arrays")
def element_match(condition):
    return condition.operator == "$elemMatch" and any(not isinstance(element, dict) for element in condition.elements())


@excuse("inside $elemMatch the same as outside")
def inner_condition(condition):
    if condition.operator != "$elemMatch":
        return False
    by_field = not is_operators(condition.operand)
    return any(
        for_condition(inner, element if by_field else {"v": element}, ours) is not None
        for element in condition.elements() for ours in (True, False)
        for inner in conditions(condition.operand if by_field else {"v": condition.operand}))


@excuse("of the documents in an array one without the field makes $exists false")
def exists_in_some(condition):
    return condition.operator == "$exists" and None in condition.found and bool(condition.values)


@excuse("an array in an array is not compared with an array, and with an empty one not at all")
def nested_arrays(condition):
    return (condition.ours and any(isinstance(operand, list) for operand in condition.operands())
            and bool(arrays_in(condition.values)))


@excuse("an array that a path ends at by index is looked into")
def indexed_array(condition):
    return not condition.ours and condition.path.split(".")[-1].isdigit() and bool(arrays_in(condition.values))


class Updated:
    """An update of one document and what both made of it: whether they refused it, and the document afterwards."""

    def __init__(self, update, document, ours, theirs):
        self.update = update
        self.document = document
        self.ours_refused, self.ours = ours
        self.theirs_refused, self.theirs = theirs


def conflict(update):
    """Whether two modifiers touch one field, or one within the other."""
    paths = [path.split(".") for _, path in paths_of(update)]
    return any(
        left[:len(right)] == right or right[:len(left)] == left
        for index, left in enumerate(paths) for right in paths[:index])


def stands_in_the_way(document, steps):
    """Whether a path leads through what has no fields: a scalar, or a name on an array."""
    value = document
    for step in steps:
        if isinstance(value, dict):
            if step not in value:
                return False
            value = value[step]
        elif isinstance(value, list):
            if not step.isdigit():
                return True
            if int(step) >= len(value):
                return False
            value = value[int(step)]
        else:
            return True
    return False


def wrong_type(document, modifier, steps):
    """Whether a modifier of arrays or of numbers meets something else."""
    value = document
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return False
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if modifier in ("$push", "$addToSet", "$pop", "$pull", "$pullAll"):
        return not isinstance(value, list)
    if modifier in ("$inc", "$mul"):
        return not is_number
    return modifier == "$bit" and not (is_number and isinstance(value, int))


def paths_of(update):
    """(modifier, path), both ends of a $rename."""
    for modifier, fields in update.items():
        for path, argument in fields.items() if modifier.startswith("$") else ():
            yield modifier, path
            if modifier == "$rename":
                yield modifier, argument


def refusal_is_due(update, document):
    if conflict(update):
        return True
    for modifier, path in paths_of(update):
        steps = path.split(".")
        if stands_in_the_way(document, steps) or wrong_type(document, modifier, steps):
            return True
    return False


def unordered(value):
    """With the fields of documents in one order, and types told apart."""
    if isinstance(value, dict):
        return {"object": sorted((name, repr(unordered(inner))) for name, inner in value.items())}
    if isinstance(value, list):
        return [unordered(element) for element in value]
    return [type(value).__name__, value]


def kind(value):
    """The rank of the type in MongoDB's order, or what stands for it."""
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value)


UPDATES = [
    Excuse("two modifiers of one field, a path through a scalar and a value of the wrong type are not refused, or half "
           "of the update is done before",
           lambda question: question.ours_refused and question.ours == question.document
           and refusal_is_due(question.update, question.document)),
    Excuse("new fields come in the order of the update instead of that of their names",
           lambda question: not question.ours_refused and not question.theirs_refused
           and unordered(question.ours) == unordered(question.theirs)),
    Excuse("an empty replacement is refused",
           lambda question: question.update == {} and list(question.ours) == ["_id"]),
    Excuse("$unset of an element of an array does nothing instead of making it null",
           lambda question: not question.ours_refused and "$unset" in question.update
           and any(step.isdigit() for path in question.update["$unset"] for step in path.split("."))),
    Excuse("$pullAll makes the documents that its path names",
           lambda question: any("." in path for path in question.update.get("$pullAll", {}))),
    Excuse("$min and $max compare a boolean with a number by value, and what has no order in Python not at all",
           lambda question: any(
               kind(argument) != kind(value) for modifier in ("$min", "$max")
               for path, argument in question.update.get(modifier, {}).items()
               for value in [found[0] for found in values_at(question.document, path.split(".")) if found])),
    Excuse("$addToSet adds a value twice that $each names twice",
           lambda question: any(
               isinstance(argument, dict) and "$each" in argument and argument["$each"].count(value) > 1
               for argument in question.update.get("$addToSet", {}).values()
               for value in (argument["$each"] if isinstance(argument, dict) and "$each" in argument else []))),
    Excuse("$sort in $push compares booleans with numbers by value",
           lambda question: any(
               isinstance(argument, dict) and "$sort" in argument and holds(bool, question.ours)
               for argument in question.update.get("$push", {}).values())),
    Excuse("$min and $max do not go beyond the end of an array",
           lambda question: any(
               step.isdigit() for modifier in ("$min", "$max")
               for path in question.update.get(modifier, {}) for step in path.split("."))),
    Excuse("inside $pull the same as in filters",
           lambda question: any(
               for_condition(inner, {"v": element}, ours) is not None
               for path, wanted in question.update.get("$pull", {}).items() if is_operators(wanted)
               for found in values_at(question.document, path.split(".")) if found and isinstance(found[0], list)
               for element in found[0] for inner in conditions({"v": wanted}) for ours in (True, False))),
    Excuse("$pull with a path goes by field into the documents of an array, and not by index",
           lambda question: any("." in path for path in question.update.get("$pull", {}))),
]
EXCUSES = CONDITIONS + UPDATES


def for_condition(condition, document, ours):
    question = Condition(*condition, document, ours)
    return next((excuse for excuse in CONDITIONS if excuse.holds(question)), None)


def for_update(update, document, ours, theirs):
    question = Updated(update, document, ours, theirs)
    return next((excuse for excuse in UPDATES if excuse.holds(question)), None)
