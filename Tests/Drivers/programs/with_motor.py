"""The common scenario (see ../README.md) through Motor."""

import asyncio
import sys

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import DESCENDING, ReturnDocument, WriteConcern
from pymongo.errors import OperationFailure


def check(name, actual, expected):
    if actual != expected:
        sys.exit(f"motor: {name}: expected {expected!r}, got {actual!r}")


async def check_code(name, code, operation):
    try:
        await operation
    except OperationFailure as error:
        check(name, error.code, code)
    else:
        sys.exit(f"motor: {name}: no error, expected code {code}")


async def insert(database):
    await database.one.insert_one({"_id": 1, "name": "one"})
    documents = [{"_id": i, "n": i * 7 % 1000, "group": i % 10, "text": "x" * 100} for i in range(1000)]
    check("insertMany", (await database.many.insert_many(documents)).inserted_ids, list(range(1000)))


async def read(database):
    rows = database.many.find().sort("n", DESCENDING).batch_size(100)
    check("find in order", [row["n"] async for row in rows], list(range(999, -1, -1)))
    rows = database.many.find({"group": 3}, {"n": 1}).sort("n").skip(5).limit(10)
    check("filter, projection, skip, limit", [sorted(row) + [row["n"]] async for row in rows],
          [["_id", "n", n] for n in range(51, 151, 10)])
    check("count", (await database.command("count", "many", query={"group": 3}))["n"], 100)
    check("distinct", sorted(await database.many.distinct("group")), list(range(10)))


async def update(many):
    result = await many.update_one({"_id": 5}, {"$set": {"flag": True}, "$inc": {"n": 1000}})
    check("updateOne", (result.matched_count, result.modified_count), (1, 1))
    row = await many.find_one({"_id": 5})
    check("updated document", (row["n"], row["flag"]), (1035, True))
    check("updateMany", (await many.update_many({"group": 4}, {"$set": {"seen": 1}})).modified_count, 100)
    await many.replace_one({"_id": 6}, {"replaced": "yes"})
    check("replaced document", await many.find_one({"_id": 6}), {"_id": 6, "replaced": "yes"})
    result = await many.update_one({"_id": 5000}, {"$set": {"a": 1}}, upsert=True)
    check("upsert", result.upserted_id, 5000)
    row = await many.find_one_and_update({"_id": 7}, {"$inc": {"n": 1}}, return_document=ReturnDocument.AFTER)
    check("findOneAndUpdate", row["n"], 50)


async def delete(database):
    check("deleteOne", (await database.many.delete_one({"_id": 8})).deleted_count, 1)
    check("deleteMany", (await database.many.delete_many({"group": 9})).deleted_count, 100)
    check("left over", (await database.command("count", "many"))["n"], 900)


async def refuse(database):
    await check_code("duplicate _id", 11000, database.one.insert_one({"_id": 1}))
    await check_code("unknown command", 59, database.command("noSuchCommand"))
    await check_code("unknown operator", 2, database.many.find({"n": {"$noSuchOperator": 1}}).to_list(None))


async def write_unacknowledged(database):
    await database.get_collection("silent", write_concern=WriteConcern(w=0)).insert_one({"_id": 1})
    for _ in range(200):
        if await database.silent.find_one({"_id": 1}) is not None:
            return
        await asyncio.sleep(0.05)
    sys.exit("motor: w:0: the document did not arrive")


async def write_concurrently(database):
    """What Motor is for: many operations at once through one pool."""
    await asyncio.gather(*(database.counters.update_one({"_id": i % 4}, {"$inc": {"n": 1}}, upsert=True)
                           for i in range(200)))
    rows = await database.counters.find().to_list(None)
    check("concurrent increments", sorted(row["n"] for row in rows), [50] * 4)


async def main():
    client = AsyncIOMotorClient(sys.argv[1], serverSelectionTimeoutMS=5000)
    name = "drivers_motor"
    database = client[name]
    await client.drop_database(name)
    await insert(database)
    await read(database)
    await update(database.many)
    await delete(database)
    await refuse(database)
    check("listDatabases", name in await client.list_database_names(), True)
    check("listCollections", sorted(await database.list_collection_names()), ["many", "one"])
    await write_unacknowledged(database)
    await write_concurrently(database)
    await database.one.drop()
    await client.drop_database(name)
    check("dropDatabase", name in await client.list_database_names(), False)
    print("ok - motor")


asyncio.run(main())
