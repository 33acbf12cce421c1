"""Pipelines that write, `$out` and `$merge`, as an application meets them: through PyMongo, with two servers on one
PostgreSQL.

    Tests/Drivers/outputs.py MARTLET
"""

import shutil
import subprocess
import sys
import threading
import time

from pymongo import MongoClient, WriteConcern
from pymongo.errors import OperationFailure, PyMongoError

from servers import Martlet, PostgreSQL, ServerError, postgresql_tool, temporary_directory, wait_until

DOCUMENTS = 6_000
GATHERED = "tmp.agg_out."


def expect(what, found, expected):
    if found != expected:
        raise ServerError(f"{what}: {found!r}, expected {expected!r}")


def refused(what, code, body):
    try:
        body()
    except OperationFailure as error:
        expect(what, error.code, code)
        return error
    raise ServerError(f"{what}: accepted")


def fill(database):
    database.source.insert_many([{"_id": i, "group": i % 100, "text": "x" * 100} for i in range(DOCUMENTS)])


def gathered(database):
    return [name for name in database.list_collection_names() if name.startswith(GATHERED)]


def test_out(database, other):
    everything = list(database.source.find().sort("_id"))
    expect("reply", list(database.source.aggregate([{"$out": "copy"}])), [])
    expect("copy", list(other.copy.find().sort("_id")), everything)
    other.source.aggregate([{"$match": {"_id": {"$lt": 3}}}, {"$project": {"group": 1}}, {"$out": "copy"}])
    expect("replaced", list(database.copy.find().sort("_id")), [{"_id": i, "group": i} for i in range(3)])
    # The server that had the old collection in its cache writes into the new one.
    database.copy.insert_one({"_id": 3})
    expect("after it", other.copy.count_documents({}), 4)
    database.copy.aggregate([{"$set": {"twice": {"$multiply": ["$group", 2]}}}, {"$out": "copy"}])
    expect("itself", [d.get("twice") for d in other.copy.find().sort("_id")], [0, 2, 4, None])
    database.missing.aggregate([{"$out": "empty"}])
    expect("empty", "empty" in other.list_collection_names(), True)
    database.source.aggregate([{"$limit": 5}, {"$out": {"db": database.name + "_2", "coll": "far"}}])
    far = database.client[database.name + "_2"]
    expect("another database", far.far.count_documents({}), 5)
    database.client.drop_database(far.name)
    expect("left over", gathered(database), [])


def test_out_keeps_options(database):
    target = database.create_collection(
        "kept", validator={"group": {"$gte": 0}}, collation={"locale": "en", "strength": 2})
    target.insert_one({"_id": "A", "group": 1})
    uuid = database.command("listCollections", filter={"name": "kept"})["cursor"]["firstBatch"][0]["info"]["uuid"]
    options = target.options()
    error = refused("an invalid document", 121, lambda: database.source.aggregate(
        [{"$limit": 3}, {"$set": {"group": -1}}, {"$out": "kept"}]))
    expect("its details", sorted(error.details["errInfo"]), ["details", "failingDocumentId"])
    refused("one key", 11000, lambda: database.source.aggregate([{"$set": {"_id": "a"}}, {"$out": "kept"}]))
    expect("untouched", list(target.find()), [{"_id": "A", "group": 1}])
    expect("left over", gathered(database), [])
    database.source.aggregate([{"$limit": 3}, {"$set": {"group": -1}}, {"$out": "kept"}],
                              bypassDocumentValidation=True)
    expect("bypassed", target.count_documents({}), 3)
    expect("options", target.options(), options)
    now = database.command("listCollections", filter={"name": "kept"})["cursor"]["firstBatch"][0]["info"]["uuid"]
    expect("another collection", now == uuid, False)
    refused("by the rules that it has", 121, lambda: target.insert_one({"group": -1}))


def test_out_restrictions(client, database):
    database.create_collection("capped", capped=True, size=10_000)
    database.command("create", "view", viewOn="source", pipeline=[])
    database.create_collection("series", timeseries={"timeField": "t"})
    source = database.source
    for target, code in [("capped", 17152), ("view", 166), ("system.x", 17385), ("$x", 20),
                         ({"db": database.name, "coll": "view", "timeseries": {"timeField": "t"}}, 7268700),
                         ({"db": database.name, "coll": "source", "timeseries": {"timeField": "t"}}, 7268700),
                         ({"db": database.name, "coll": "series", "timeseries": {"timeField": "u"}}, 7406103),
                         ("series", 2)]:
        refused(f"$out {target}", code, lambda: source.aggregate([{"$limit": 1}, {"$out": target}]))
    source.aggregate([{"$limit": 2}, {"$set": {"t": "$$NOW"}}, {"$out": "series"}])
    expect("series", (database.series.count_documents({}), database.series.options()["timeseries"]["timeField"]),
           (2, "t"))
    source.aggregate([{"$limit": 2}, {"$set": {"t": "$$NOW"}}, {
        "$out": {"db": database.name, "coll": "made", "timeseries": {"timeField": "t", "granularity": "hours"}}}])
    expect("made", database.made.options()["timeseries"],
           {"timeField": "t", "granularity": "hours", "bucketMaxSpanSeconds": 2592000})
    with client.start_session() as session:
        session.start_transaction()
        refused("in a transaction", 263, lambda: source.aggregate([{"$out": "copy"}], session=session))
        session.abort_transaction()
    expect("left over", gathered(database), [])


def test_out_seen_whole(database, other):
    """Who reads the target meanwhile sees all of one result: never none of it, never a part."""
    database.source.aggregate([{"$set": {"round": 0}}, {"$out": "whole"}])
    over, wrong, seen = threading.Event(), [], set()

    def read():
        while not over.is_set():
            try:
                rounds = list(other.whole.aggregate([{"$group": {"_id": "$round", "n": {"$sum": 1}}}]))
            except OperationFailure as error:
                # A read that lasts longer than the collection that it reads.
                if error.code not in (26, 175):
                    wrong.append(error)
                continue
            if [entry["n"] for entry in rounds] != [DOCUMENTS]:
                wrong.append(rounds)
            seen.update(entry["_id"] for entry in rounds)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 6):
        database.source.aggregate([{"$set": {"round": number}}, {"$out": "whole"}])
    over.set()
    for thread in threads:
        thread.join()
    expect("readers of the target", wrong[:3], [])
    expect("rounds that nobody could see", seen - set(range(6)), set())


def test_merge(database, other):
    target = database.merged
    expect("reply", list(database.source.aggregate([{"$merge": "merged"}])), [])
    expect("inserted", other.merged.count_documents({}), DOCUMENTS)
    half = {"$match": {"_id": {"$gte": DOCUMENTS // 2}}}
    database.source.aggregate([half, {"$project": {"seen": {"$literal": 1}}}, {"$merge": "merged"}])
    expect("merged", (target.count_documents({"seen": 1, "text": {"$exists": True}}), target.count_documents({})),
           (DOCUMENTS // 2, DOCUMENTS))
    database.source.aggregate([{"$merge": {
        "into": "merged", "let": {"g": "$group"},
        "whenMatched": [{"$set": {"sum": {"$add": ["$group", "$$new.group", "$$g"]}}}]}}])
    expect("by a pipeline", target.count_documents({"$expr": {"$eq": ["$sum", {"$multiply": ["$group", 3]}]}}),
           DOCUMENTS)
    database.source.aggregate([
        {"$set": {"_id": {"$add": ["$_id", DOCUMENTS // 2]}, "text": "new"}},
        {"$merge": {"into": "merged", "whenMatched": "keepExisting"}}])
    expect("kept", (target.count_documents({}), target.count_documents({"text": "new"})),
           (DOCUMENTS * 3 // 2, DOCUMENTS // 2))
    database.source.aggregate([{"$merge": {"into": "merged", "whenMatched": "replace", "whenNotMatched": "discard"}}])
    expect("replaced", target.count_documents({"sum": {"$exists": True}}), 0)


def test_merge_errors(database):
    source, target = database.source, database.failing
    target.insert_many([{"_id": 1, "old": True}, {"_id": 2, "old": True}])
    three = [{"$match": {"_id": {"$in": [1, 2, 3]}}}, {"$project": {"new": {"$literal": True}}}]

    def left(what, *documents):
        expect(what, list(target.find().sort("_id")), list(documents))

    refused("fail on a match", 11000, lambda: source.aggregate(
        three + [{"$merge": {"into": "failing", "whenMatched": "fail"}}]))
    left("the others", {"_id": 1, "old": True}, {"_id": 2, "old": True}, {"_id": 3, "new": True})
    target.delete_one({"_id": 3})
    refused("fail on no match", 13113, lambda: source.aggregate(
        three + [{"$merge": {"into": "failing", "whenNotMatched": "fail"}}]))
    left("the others", {"_id": 1, "old": True, "new": True}, {"_id": 2, "old": True, "new": True})
    database.command("collMod", "failing", validator={"new": True})
    refused("an invalid one", 121, lambda: source.aggregate(
        [{"$match": {"_id": {"$in": [1, 2]}}}, {"$set": {"new": {"$ne": ["$_id", 1]}}}, {"$merge": "failing"}]))
    expect("the valid one", target.find_one({"_id": 2})["group"], 2)
    expect("the invalid one", target.find_one({"_id": 1}), {"_id": 1, "old": True, "new": True})
    refused("no unique index", 51183, lambda: source.aggregate([{"$merge": {"into": "failing", "on": "x"}}]))
    refused("explained", 51183, lambda: database.command(
        "aggregate", "source", pipeline=[{"$merge": {"into": "failing", "on": "x"}}], explain=True))
    refused("an array", 51185, lambda: source.aggregate([{"$set": {"_id": [1]}}, {"$merge": "failing"}]))
    refused("a view", 166, lambda: source.aggregate([{"$merge": "view"}]))
    refused("a time series", 166, lambda: source.aggregate([{"$merge": "series"}]))
    source.aggregate([{"$match": {"_id": -1}}, {"$merge": "nothing"}])
    source.aggregate([{"$merge": {"into": "nothing", "whenNotMatched": "discard"}}])
    expect("nothing to write", "nothing" in database.list_collection_names(), False)


def test_merge_on(database, other):
    """Documents are found by the fields of a unique index, and keep their `_id`."""
    target = database.found
    target.create_index([("b.c", -1), ("group", 1)], unique=True)
    made = [{"$match": {"_id": {"$lt": 2_000}}}, {"$set": {"b": {"c": "$_id"}}}, {"$unset": ["_id", "text"]}]
    on = {"into": "found", "on": ["group", "b.c"]}
    database.source.aggregate(made + [{"$merge": on}])
    ids = {d["b"]["c"]: d["_id"] for d in target.find()}
    expect("inserted", len(ids), 2_000)
    for mode, n in [("merge", 1), ("replace", 2), ([{"$set": {"n": {"$add": ["$n", "$$new.n"]}}}], 5),
                    ("keepExisting", 5)]:
        other.source.aggregate(made + [{"$set": {"n": min(n, 3)}}, {"$merge": dict(on, whenMatched=mode)}])
        expect(f"found ({mode})", [d["n"] for d in target.find()], [n] * 2_000)
        expect("their _ids", {d["b"]["c"]: d["_id"] for d in target.find()}, ids)
    one = [{"$match": {"_id": 1}}, {"$set": {"b.c": "$_id"}}]
    refused("another _id", 66, lambda: database.source.aggregate(one + [{"$merge": on}]))
    refused("a match", 11000, lambda: database.source.aggregate(one + [{"$merge": dict(on, whenMatched="fail")}]))
    refused("no match", 13113, lambda: database.source.aggregate(
        one + [{"$set": {"group": -1}}, {"$merge": dict(on, whenNotMatched="fail")}]))
    refused("other fields", 51183, lambda: database.source.aggregate([{"$merge": dict(on, on="group")}]))
    refused("another collation", 51183, lambda: database.source.aggregate(
        [{"$merge": on}], collation={"locale": "en"}))
    target.create_index("e", unique=True, sparse=True)
    for value, code in [(None, 51132), ([1], 51185)]:
        refused(f"e: {value}", code, lambda: database.source.aggregate(
            one + [{"$set": {"e": {"$literal": value}}}, {"$merge": {"into": "found", "on": "e"}}]))
    folded = database.create_collection("folded", collation={"locale": "en", "strength": 2})
    folded.create_index("name", unique=True)
    folded.insert_one({"_id": 1, "name": "Ada"})
    database.source.aggregate(
        [{"$match": {"_id": 1}}, {"$project": {"_id": 0, "name": "aDA"}}, {"$merge": {"into": "folded", "on": "name"}}],
        collation={"locale": "en", "strength": 2})
    expect("under a collation", list(folded.find()), [{"_id": 1, "name": "aDA"}])


def test_merge_into_source(database):
    """What it inserts into the collection that it reads is not read again."""
    database.grown.insert_many([{"n": i} for i in range(5_000)])
    for pipeline in [[], [{"$sort": {"_id": 1}}]]:
        before = database.grown.count_documents({})
        database.grown.aggregate(pipeline + [{"$unset": "_id"}, {"$merge": "grown"}])
        expect("twice as many", database.grown.count_documents({}), 2 * before)


def test_explain_and_concern(database):
    before = sorted(database.list_collection_names())
    for stage in [{"$out": "explained"}, {"$merge": "explained"}]:
        database.command("aggregate", "source", pipeline=[stage], explain=True)
        database.command("explain", {"aggregate": "source", "pipeline": [stage], "cursor": {}})
    expect("explained", sorted(database.list_collection_names()), before)
    reply = database.command("aggregate", "source", pipeline=[{"$limit": 1}, {"$out": "concern"}], cursor={},
                             writeConcern={"w": "majority"})
    expect("reply", reply["cursor"], {"firstBatch": [], "id": 0, "ns": f"{database.name}.source"})
    reply = database.command("aggregate", "source", pipeline=[{"$limit": 1}, {"$merge": "concern"}], cursor={},
                             writeConcern={"w": 3})
    expect("concern", reply["writeConcernError"]["code"], 100)
    database.get_collection("source", write_concern=WriteConcern(w="majority")).aggregate([{"$out": "concern"}])
    refused("linearizable", 72, lambda: database.command(
        "aggregate", "source", pipeline=[{"$out": "concern"}], cursor={}, readConcern={"level": "linearizable"}))


def test_snapshot(client, database):
    """The documents of the snapshot that is read are written where nobody reads it."""
    with client.start_session(snapshot=True) as session:
        first = database.source.find_one({"_id": 1}, session=session)
        database.source.update_one({"_id": 1}, {"$set": {"late": True}})
        database.source.aggregate([{"$match": {"_id": 1}}, {"$out": "of_snapshot"}], session=session)
    expect("of the snapshot", list(database.of_snapshot.find()), [first])
    database.source.update_one({"_id": 1}, {"$unset": {"late": 1}})


def test_concurrent_merges(database, other):
    """Two servers count into the same documents, beside updates and a transaction: nothing is lost."""
    keys, rounds = 50, 8
    count = [{"$match": {"_id": {"$lt": keys}}}, {"$project": {"n": {"$literal": 1}}}, {"$merge": {
        "into": "counted", "whenMatched": [{"$set": {"n": {"$add": ["$n", "$$new.n"]}}}]}}]
    wrong = []

    def merge(source):
        try:
            for _ in range(rounds):
                source.aggregate(count)
        except PyMongoError as error:
            wrong.append(error)

    def update():
        try:
            for number in range(rounds * keys):
                other.counted.update_one({"_id": number % keys}, {"$inc": {"n": 1}}, upsert=True)
        except PyMongoError as error:
            wrong.append(error)

    def transact():
        try:
            with database.client.start_session() as session:
                for number in range(rounds):
                    def add(session, number=number):
                        database.counted.update_one({"_id": number}, {"$inc": {"n": 1}}, upsert=True, session=session)
                        time.sleep(0.05)
                    session.with_transaction(add)
        except PyMongoError as error:
            wrong.append(error)

    threads = [threading.Thread(target=merge, args=[source]) for source in (database.source, other.source)]
    threads += [threading.Thread(target=update), threading.Thread(target=transact)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect("errors", wrong, [])
    expect("counted", sum(d["n"] for d in database.counted.find()), 3 * rounds * keys + rounds)


def test_stopped(client, database):
    """Told to stop, `$out` leaves the target as it was and nothing beside it."""
    database.source.aggregate([{"$limit": 1}, {"$out": "stopped"}])
    pipeline = [{"$set": {"n": {"$range": [0, 50]}}}, {"$unwind": "$n"}, {"$unset": "_id"}, {"$out": "stopped"}]
    refused("out of time", 50, lambda: database.source.aggregate(pipeline, maxTimeMS=300))
    expect("the target", database.stopped.count_documents({}), 1)
    expect("left over", gathered(database), [])

    def kill():
        for operation in client.admin.aggregate([{"$currentOp": {}}]):
            if operation.get("command", {}).get("comment") == "stop me" and gathered(database):
                client.admin.command("killOp", op=operation["opid"])
                return True
        return False

    thread = threading.Thread(target=lambda: wait_until(kill, 60, "an operation to kill"))
    thread.start()
    refused("killed", 11601, lambda: database.source.aggregate(pipeline, comment="stop me"))
    thread.join()
    expect("the target", database.stopped.count_documents({}), 1)
    expect("left over", gathered(database), [])


def sql(postgresql, text):
    command = [postgresql_tool("psql"), postgresql.url, "-tA", "-c", text]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def test_server_dies(servers, postgresql, database, other):
    """What a server was making when it died is dropped by another, the target is what it was."""
    def write():
        try:
            database.source.aggregate([
                {"$set": {"n": {"$range": [0, 200]}}}, {"$unwind": "$n"}, {"$unset": "_id"}, {"$out": "stopped"}])
        except PyMongoError:
            pass

    thread = threading.Thread(target=write)
    thread.start()
    wait_until(lambda: gathered(other), 60, "a collection in the making")
    servers[0].kill()
    thread.join()
    expect("the target", other.stopped.count_documents({}), 1)
    expect("in the making", sql(postgresql, "SELECT count(*) FROM martlet.collections WHERE expires_at > now()"), "1")
    sql(postgresql, "UPDATE martlet.collections SET expires_at = now() WHERE expires_at IS NOT NULL")
    # A server that starts takes the lease over when that of the dead one is over, and begins with a look.
    servers[0].start()
    wait_until(lambda: not gathered(other), 120, "it to be dropped")
    expect("the target", other.stopped.count_documents({}), 1)


def run(servers, postgresql):
    with MongoClient(servers[0].uri) as client, MongoClient(servers[1].uri) as second:
        database, other = client.outputs_test, second.outputs_test
        client.drop_database(database.name)
        fill(database)
        test_out(database, other)
        test_out_keeps_options(database)
        test_out_restrictions(client, database)
        test_out_seen_whole(database, other)
        test_merge(database, other)
        test_merge_errors(database)
        test_merge_on(database, other)
        test_merge_into_source(database)
        test_explain_and_concern(database)
        test_snapshot(client, database)
        test_concurrent_merges(database, other)
        test_stopped(client, database)
        test_server_dies(servers, postgresql, database, other)
        second.drop_database(database.name)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: outputs.py MARTLET")
    directory = temporary_directory()
    postgresql = PostgreSQL(directory)
    servers = [Martlet(sys.argv[1], directory, postgresql.url) for _ in range(2)]
    try:
        postgresql.start()
        for server in servers:
            server.start()
        run(servers, postgresql)
        for server in servers:
            server.stop()
        postgresql.stop()
    except (ServerError, OSError, PyMongoError) as error:
        sys.exit(f"outputs: {type(error).__name__}: {error}")
    finally:
        for server in servers:
            server.clean_up()
        postgresql.clean_up()
        shutil.rmtree(directory, ignore_errors=True)
    print("ok - outputs")


main()
