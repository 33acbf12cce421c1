"""Collations through PyMongo: as the default of a collection and on each command."""

import sys

from pymongo import DeleteOne, MongoClient, ReturnDocument, UpdateOne
from pymongo.collation import Collation
from pymongo.errors import DuplicateKeyError, OperationFailure

ENGLISH = Collation("en", strength=2)
SIMPLE = Collation("simple")


def check(name, actual, expected):
    if actual != expected:
        sys.exit(f"{name}: expected {expected!r}, got {actual!r}")


def fails(name, code, act):
    try:
        act()
    except OperationFailure as failure:
        check(name, failure.code, code)
    else:
        sys.exit(f"{name}: no error")


def names(cursor):
    return [document["_id"] for document in cursor]


def on_commands(collection):
    """A collection without a collation, commands with one."""
    collection.insert_many([{"_id": i, "x": x} for i, x in enumerate(["apple", "Apple", "banana", "Banana"])])
    check("find", names(collection.find({"x": "APPLE"}, collation=ENGLISH)), [0, 1])
    check("find without", names(collection.find({"x": "APPLE"})), [])
    check("sort", names(collection.find(sort=[("x", 1), ("_id", -1)], collation=ENGLISH)), [1, 0, 3, 2])
    check("batches", names(collection.find(collation=ENGLISH, batch_size=1).sort("x", -1)), [2, 3, 0, 1])
    check("distinct", collection.distinct("x", collation=ENGLISH), ["apple", "banana"])
    check("count", collection.count_documents({"x": "APPLE"}, collation=ENGLISH), 2)
    update = collection.update_many({"x": "apple"}, {"$set": {"n": 1}}, collation=ENGLISH)
    check("update", update.modified_count, 2)
    found = collection.find_one_and_update({"x": "BANANA"}, {"$max": {"x": "CHERRY"}}, sort=[("_id", -1)],
                                           return_document=ReturnDocument.AFTER, collation=ENGLISH)
    check("findAndModify", found, {"_id": 3, "x": "CHERRY"})
    bulk = collection.bulk_write([
        UpdateOne({"x": "cherry"}, {"$set": {"x": "date"}}, collation=ENGLISH),
        DeleteOne({"x": "DATE"}, collation=ENGLISH), DeleteOne({"x": "APPLE"}),
    ])
    check("bulkWrite", (bulk.modified_count, bulk.deleted_count), (1, 1))
    check("delete", collection.delete_many({"x": "APPLE"}, collation=ENGLISH).deleted_count, 2)
    fails("unknown locale", 2, lambda: collection.find_one({}, collation=Collation("xx")))


def as_default(client, database):
    """A collection with a collation, commands with another and with none."""
    collection = database.create_collection("words", collation=ENGLISH)
    options = next(database.list_collections(filter={"name": "words"}))["options"]["collation"]
    check("options", (options["locale"], options["strength"], options["caseFirst"], options["version"]),
          ("en", 2, "off", "57.1"))
    check("index", collection.index_information()["_id_"]["collation"]["strength"], 2)
    collection.insert_one({"_id": "Apple"})
    try:
        collection.insert_one({"_id": "APPLE"})
        sys.exit("duplicate: no error")
    except DuplicateKeyError:
        pass
    check("_id", names(collection.find({"_id": "aPPLE"})), ["Apple"])
    check("_id, simple", names(collection.find({"_id": "aPPLE"}, collation=SIMPLE)), [])
    check("_id, simple", names(collection.find({"_id": "Apple"}, collation=SIMPLE)), ["Apple"])
    upsert = collection.update_one({"_id": "apple"}, {"$addToSet": {"tags": "x"}}, upsert=True)
    check("upsert", (upsert.matched_count, upsert.upserted_id), (1, None))
    collection.update_one({"_id": "apple"}, {"$addToSet": {"tags": "X"}})
    with client.start_session() as session:
        session.start_transaction()
        collection.insert_one({"_id": "banana"}, session=session)
        check("transaction", names(collection.find({"_id": {"$gte": "BANANA"}}, session=session)), ["banana"])
        session.abort_transaction()
    fails("replaced _id", 66, lambda: collection.replace_one({"_id": "apple"}, {"_id": "APPLE"}))
    check("documents", list(collection.find(sort=[("_id", 1)])), [{"_id": "Apple", "tags": ["x"]}])
    fails("another default", 48, lambda: database.command("create", "words"))
    check("the same default", database.command("create", "words", collation={"locale": "en", "strength": 2})["ok"], 1)


def main():
    client = MongoClient(sys.argv[1])
    database = client["collations"]
    client.drop_database("collations")
    on_commands(database["plain"])
    as_default(client, database)
    client.drop_database("collations")
    print("ok - collations")


main()
