"""The common scenario (see ../README.md) through PyMongo."""

import sys
import time

from pymongo import DESCENDING, MongoClient, ReturnDocument, WriteConcern
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure


def check(name, actual, expected):
    if actual != expected:
        sys.exit(f"pymongo: {name}: expected {expected!r}, got {actual!r}")


def check_code(name, code, operation):
    try:
        operation()
    except BulkWriteError as error:
        check(name, error.details["writeErrors"][0]["code"], code)
    except OperationFailure as error:
        check(name, error.code, code)
    else:
        sys.exit(f"pymongo: {name}: no error, expected code {code}")


def insert(database):
    database.one.insert_one({"_id": 1, "name": "one"})
    documents = [{"_id": i, "n": i * 7 % 1000, "group": i % 10, "text": "x" * 100} for i in range(1000)]
    check("insertMany", database.many.insert_many(documents).inserted_ids, list(range(1000)))


def read(many):
    rows = many.find().sort("n", DESCENDING).batch_size(100)
    check("find in order", [row["n"] for row in rows], list(range(999, -1, -1)))
    rows = many.find({"group": 3}, {"n": 1}).sort("n").skip(5).limit(10)
    check("filter, projection, skip, limit", [sorted(row) + [row["n"]] for row in rows],
          [["_id", "n", n] for n in range(51, 151, 10)])
    check("count", many.database.command("count", "many", query={"group": 3})["n"], 100)
    check("estimated count", many.estimated_document_count(), 1000)
    check("distinct", sorted(many.distinct("group")), list(range(10)))


def update(many):
    result = many.update_one({"_id": 5}, {"$set": {"flag": True}, "$inc": {"n": 1000}})
    check("updateOne", (result.matched_count, result.modified_count), (1, 1))
    row = many.find_one({"_id": 5})
    check("updated document", (row["n"], row["flag"]), (1035, True))
    check("updateMany", many.update_many({"group": 4}, {"$set": {"seen": 1}}).modified_count, 100)
    check("replaceOne", many.replace_one({"_id": 6}, {"replaced": "yes"}).modified_count, 1)
    check("replaced document", many.find_one({"_id": 6}), {"_id": 6, "replaced": "yes"})
    result = many.update_one({"_id": 5000}, {"$set": {"a": 1}}, upsert=True)
    check("upsert", (result.matched_count, result.upserted_id), (0, 5000))
    row = many.find_one_and_update({"_id": 7}, {"$inc": {"n": 1}}, return_document=ReturnDocument.AFTER)
    check("findOneAndUpdate", row["n"], 50)


def explain(database):
    def winning_plan(command):
        return database.command("explain", command)["queryPlanner"]["winningPlan"]

    for name, statements in (("update", "updates"), ("delete", "deletes")):
        statement = {"q": {"group": 3}, **({"u": {"$set": {"n": 0}}} if name == "update" else {"limit": 0})}
        plan = winning_plan({name: "many", statements: [statement]})
        check(f"explain {name}", (plan["stage"], plan["inputStage"]["stage"]), (name.upper(), "COLLSCAN"))
    check("nothing is written", database.command("count", "many", query={"group": 3, "n": {"$ne": 0}})["n"], 100)


def delete(many):
    check("deleteOne", many.delete_one({"_id": 8}).deleted_count, 1)
    check("deleteMany", many.delete_many({"group": 9}).deleted_count, 100)
    check("left over", many.database.command("count", "many")["n"], 900)


def refuse(database):
    check_code("duplicate _id", 11000, lambda: database.one.insert_one({"_id": 1}))
    check_code("duplicate _id in a batch", 11000, lambda: database.one.insert_many([{"_id": 2}, {"_id": 1}]))
    check_code("unknown command", 59, lambda: database.command("noSuchCommand"))
    check_code("unknown operator", 2, lambda: list(database.many.find({"n": {"$noSuchOperator": 1}})))


def write_unacknowledged(database):
    database.get_collection("silent", write_concern=WriteConcern(w=0)).insert_one({"_id": 1})
    deadline = time.monotonic() + 10
    while database.silent.find_one({"_id": 1}) is None:
        if time.monotonic() > deadline:
            sys.exit("pymongo: w:0: the document did not arrive")
        time.sleep(0.05)


def main():
    client = MongoClient(sys.argv[1], serverSelectionTimeoutMS=5000)
    name = "drivers_pymongo"
    database = client[name]
    client.drop_database(name)
    insert(database)
    read(database.many)
    update(database.many)
    explain(database)
    delete(database.many)
    refuse(database)
    check("listDatabases", name in client.list_database_names(), True)
    check("listCollections", sorted(database.list_collection_names()), ["many", "one"])
    write_unacknowledged(database)
    database.one.drop()
    check("drop", sorted(database.list_collection_names()), ["many", "silent"])
    client.drop_database(name)
    check("dropDatabase", name in client.list_database_names(), False)
    print("ok - pymongo")


main()
