"""Document validation as an application meets it, through PyMongo, with two servers on one PostgreSQL.

    Tests/Drivers/validation.py MARTLET
"""

import sys
import threading

from pymongo import InsertOne, MongoClient, UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from servers import ServerError, database, servers_on

FAILED = 121
WRITE_CONFLICT = 112
SCHEMA = {"$jsonSchema": {
    "bsonType": "object", "required": ["name"],
    "properties": {"name": {"bsonType": "string", "description": "must be a string"}, "n": {"minimum": 0}}}}


def expect(what, found, expected):
    if found != expected:
        raise ServerError(f"{what}: {found!r}, expected {expected!r}")


def failure(what, body):
    """The details of the validation error that `body` ends with."""
    try:
        body()
    except BulkWriteError as error:
        entry = error.details["writeErrors"][0]
        expect(what, entry["code"], FAILED)
        return entry["errInfo"]
    except OperationFailure as error:
        expect(what, error.code, FAILED)
        return (error.details or {})["errInfo"]
    raise ServerError(f"{what}: accepted")


def test_errors(database):
    people = database.create_collection("people", validator=SCHEMA)
    account = failure("insert", lambda: people.insert_one({"_id": 1, "name": 5}))
    expect("insert", account, {"failingDocumentId": 1, "details": {
        "operatorName": "$jsonSchema", "schemaRulesNotSatisfied": [{
            "operatorName": "properties", "propertiesNotSatisfied": [{
                "propertyName": "name", "description": "must be a string", "details": [{
                    "operatorName": "bsonType", "specifiedAs": {"bsonType": "string"},
                    "reason": "type did not match", "consideredValue": 5, "consideredType": "int"}]}]}]}})
    people.insert_one({"_id": 1, "name": "a", "n": 1})
    for what, body in [
        ("insert many", lambda: people.insert_many([{"_id": 2, "name": "b"}, {"_id": 3}, {"_id": 4, "name": "c"}])),
        ("update", lambda: people.update_one({"_id": 1}, {"$inc": {"n": -2}})),
        ("update many", lambda: people.update_many({}, {"$unset": {"name": 1}})),
        ("replace", lambda: people.replace_one({"_id": 1}, {"n": 1})),
        ("upsert", lambda: people.update_one({"_id": 9}, {"$set": {"n": 1}}, upsert=True)),
        ("find and update", lambda: people.find_one_and_update({"_id": 1}, {"$set": {"n": -1}})),
        ("bulk", lambda: people.bulk_write([UpdateOne({"_id": 1}, {"$set": {"name": 1}})])),
    ]:
        expect(what, sorted(failure(what, body)), ["details", "failingDocumentId"])
    expect("left", list(people.find().sort("_id")), [{"_id": 1, "name": "a", "n": 1}, {"_id": 2, "name": "b"}])
    people.insert_one({"_id": 3}, bypass_document_validation=True)
    people.update_one({"_id": 3}, {"$set": {"n": -1}}, bypass_document_validation=True)
    people.bulk_write([InsertOne({"_id": 5})], bypass_document_validation=True)
    expect("valid", [d["_id"] for d in people.find(SCHEMA).sort("_id")], [1, 2])
    expect("invalid", [d["_id"] for d in people.find({"$nor": [SCHEMA]}).sort("_id")], [3, 5])


def test_client_bulk(client, database):
    if not hasattr(client, "bulk_write"):
        return
    database.create_collection("bulk", validator={"a": {"$type": "number"}})
    reply = client.admin.command({
        "bulkWrite": 1, "ordered": False, "nsInfo": [{"ns": f"{database.name}.bulk"}], "ops": [
            {"insert": 0, "document": {"_id": 1}}, {"insert": 0, "document": {"_id": 2, "a": 1}},
            {"update": 0, "filter": {"_id": 2}, "updateMods": {"$set": {"a": "x"}}}]})
    expect("bulkWrite", (reply["nErrors"], reply["nInserted"]), (2, 1))
    expect("its errors", [(e["code"], e["errInfo"]["failingDocumentId"])
                          for e in reply["cursor"]["firstBatch"] if not e["ok"]], [(FAILED, 1), (FAILED, 2)])


def test_transaction(client, database):
    collection = database.create_collection("ledger", validator={"n": {"$gte": 0}})
    collection.insert_one({"_id": 1, "n": 1})
    with client.start_session() as session:
        session.start_transaction()
        collection.update_one({"_id": 1}, {"$inc": {"n": 5}}, session=session)
        failure("in a transaction", lambda: collection.insert_one({"n": -1}, session=session))
        session.abort_transaction()
    expect("after it", collection.find_one({"_id": 1})["n"], 1)


def test_options(database, other):
    collection = database.create_collection("options", validator={"a": 1}, validationLevel="moderate")
    listed = collection.options()
    expect("options", listed, {"validator": {"a": 1}, "validationLevel": "moderate"})
    failure("by the other server", lambda: other.options.insert_one({"a": 2}))
    database.command("collMod", "options", validator={"a": 2}, validationAction="errorAndLog")
    expect("options", other.options.options(),
           {"validator": {"a": 2}, "validationLevel": "moderate", "validationAction": "errorAndLog"})
    other.options.insert_one({"a": 2})
    failure("changed", lambda: other.options.insert_one({"a": 1}))
    database.command("collMod", "options", validator={})
    expect("options", collection.options(), {"validationLevel": "moderate", "validationAction": "errorAndLog"})
    other.options.insert_one({"a": 3})


def test_restrictions(client, database):
    for name in ("admin", "config", "local"):
        try:
            client[name].create_collection("validated", validator={"a": 1})
            raise ServerError(f"a validator in {name}")
        except OperationFailure as error:
            expect(name, error.code, 72)
    for validator, code in [({"$where": "1"}, 2), ({"$text": {"$search": "x"}}, 2), ({"a": {"$near": [0, 0]}}, 5626500),
                            ({"$jsonSchema": {"foo": 1}}, 9), ({"$jsonSchema": 1}, 14)]:
        try:
            database.command("create", "refused", validator=validator)
            raise ServerError(f"accepted: {validator}")
        except OperationFailure as error:
            expect(str(validator), error.code, code)


def test_no_write_by_old_rules(database, other):
    """While one server tightens the rules again and again, none that is acknowledged by the other breaks those that
    held before it was sent."""
    collection = database.create_collection("tightened", validator={"round": {"$gte": 0}})
    rounds, over, wrong = [0], threading.Event(), []

    def write():
        while not over.is_set():
            known = rounds[0]
            try:
                other.tightened.insert_one({"round": known - 1})
                # Accepted: no rule that was acknowledged before it was sent forbids it.
                wrong.append(known)
            except OperationFailure as error:
                # A write that meets one change of the rules after the other gives up after a while.
                if error.code not in (FAILED, WRITE_CONFLICT):
                    wrong.append(error)
            except PyMongoError as error:
                wrong.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 25):
        database.command("collMod", "tightened", validator={"round": {"$gte": number}})
        rounds[0] = number
    over.set()
    for thread in threads:
        thread.join()
    expect("writes by old rules", wrong, [])
    expect("documents", collection.count_documents({}), 0)


def test_log(server, database):
    database.create_collection("warned", validator={"a": 1}, validationAction="warn")
    database.warned.insert_one({"_id": "of the warning"})
    expect("stored", database.warned.count_documents({}), 1)
    lines = [line for line in server.log_tail(200).splitlines() if "of the warning" in line]
    expect("lines", len(lines), 1)
    for part in ("document fails validation", f"{database.name}.warned", "failingDocumentId"):
        if part not in lines[0]:
            raise ServerError(f"{part!r} is not in {lines[0]!r}")


def run(servers):
    with MongoClient(servers[0].uri) as client, MongoClient(servers[1].uri) as second:
        database, other = client.validation_test, second.validation_test
        client.drop_database(database.name)
        test_errors(database)
        test_client_bulk(client, database)
        test_transaction(client, database)
        test_options(database, other)
        test_restrictions(client, database)
        test_no_write_by_old_rules(database, other)
        test_log(servers[0], database)
        client.drop_database(database.name)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: validation.py MARTLET")
    try:
        with database() as (postgresql, directory), servers_on(postgresql, directory, sys.argv[1], 2) as servers:
            run(servers)
    except (ServerError, OSError, PyMongoError) as error:
        sys.exit(f"validation: {type(error).__name__}: {error}")
    print("ok - validation")


main()
