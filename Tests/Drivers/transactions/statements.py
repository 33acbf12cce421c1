"""Every command inside a transaction."""

from pymongo import DeleteOne, InsertOne, ReplaceOne, ReturnDocument, UpdateMany, UpdateOne

from .harness import TRANSIENT, check, expect, expect_error, expect_ok, fails, find, insert


@check("insert, update, replace and delete by _id")
def by_id(bench):
    bench.fill(4)
    collection = bench.collection
    with bench.transaction() as session:
        expect(collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session).modified_count, 1)
        expect(collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session).modified_count, 1)
        expect(collection.replace_one({"_id": 1}, {"n": 5}, session=session).matched_count, 1)
        expect(collection.delete_one({"_id": 2}, session=session).deleted_count, 1)
        expect(collection.delete_one({"_id": 2}, session=session).deleted_count, 0, "again")
        expect(collection.update_one({"_id": 2}, {"$inc": {"n": 1}}, session=session).matched_count, 0, "deleted")
        collection.insert_one({"_id": 2, "n": 9}, session=session)
        collection.insert_many([{"_id": i, "n": i} for i in range(4, 200)], session=session)
        expect(collection.update_one({"_id": 150}, {"$set": {"n": 0}}, session=session).matched_count, 1, "new one")
        session.commit_transaction()
    expect(bench.numbers(), {0: 2, 1: 5, 2: 9, 3: 0, **{i: i for i in range(4, 200)}, 150: 0})


@check("update and delete by filter see the transaction's own writes")
def by_filter(bench):
    bench.fill(10)
    collection = bench.collection
    with bench.transaction() as session:
        expect(collection.update_many({"_id": {"$lt": 5}}, {"$set": {"n": 1}}, session=session).modified_count, 5)
        collection.insert_one({"_id": 10, "n": 1}, session=session)
        expect(collection.update_many({"n": 1}, {"$inc": {"n": 1}}, session=session).modified_count, 6)
        expect(collection.update_one({"n": 2, "_id": {"$gt": 5}}, {"$set": {"n": 3}}, session=session).matched_count, 1)
        expect(collection.delete_many({"n": 0}, session=session).deleted_count, 5)
        expect(collection.delete_one({"n": 3}, session=session).deleted_count, 1)
        expect(collection.update_many({"n": 0}, {"$set": {"n": 8}}, session=session).matched_count, 0)
        session.commit_transaction()
    expect(bench.numbers(), {i: 2 for i in range(5)})


@check("upserts, and what they created is found")
def upserts(bench):
    bench.fill(1)
    collection = bench.collection
    with bench.transaction() as session:
        for n in (1, 2):
            result = collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, upsert=True, session=session)
            expect(result.upserted_id, 1 if n == 1 else None)
        result = collection.update_many({"kind": "new"}, {"$set": {"n": 4}}, upsert=True, session=session)
        expect(collection.find_one({"kind": "new"}, session=session)["_id"], result.upserted_id)
        collection.replace_one({"_id": 2}, {"n": 3}, upsert=True, session=session)
        session.commit_transaction()
    expect(bench.numbers(), {0: 0, 1: 2, 2: 3, result.upserted_id: 4})


@check("findAndModify in all its forms")
def find_and_modify(bench):
    bench.fill(3)
    collection = bench.collection
    with bench.transaction() as session:
        row = collection.find_one_and_update({"_id": 0}, {"$inc": {"n": 1}}, session=session)
        expect(row["n"], 0, "before")
        row = collection.find_one_and_update({"_id": 0}, {"$inc": {"n": 1}}, session=session,
                                             return_document=ReturnDocument.AFTER)
        expect(row["n"], 2, "after")
        row = collection.find_one_and_update({"n": 0}, {"$set": {"n": 7}}, sort=[("_id", -1)], session=session)
        expect(row["_id"], 2, "sorted")
        expect(collection.find_one_and_replace({"_id": 2}, {"n": 8}, session=session)["n"], 7, "replaced")
        expect(collection.find_one_and_delete({"n": 0}, session=session)["_id"], 1, "deleted")
        expect(collection.find_one_and_delete({"_id": 1}, session=session), None, "deleted again")
        row = collection.find_one_and_update({"_id": 5}, {"$set": {"n": 5}}, upsert=True, session=session,
                                             return_document=ReturnDocument.AFTER)
        expect(row, {"_id": 5, "n": 5}, "upserted")
        session.commit_transaction()
    expect(bench.numbers(), {0: 2, 2: 8, 5: 5})


@check("bulks of several kinds, ordered or not")
def bulks(bench):
    for ordered in (True, False):
        bench.collection.drop()
        bench.fill(3)
        requests = [InsertOne({"_id": 10, "n": 1}), UpdateOne({"_id": 10}, {"$inc": {"n": 1}}),
                    UpdateMany({"_id": {"$lt": 3}}, {"$inc": {"n": 1}}), DeleteOne({"_id": 2}),
                    ReplaceOne({"_id": 1}, {"n": 5}), UpdateOne({"_id": 11}, {"$set": {"n": 3}}, upsert=True)]
        with bench.transaction() as session:
            result = bench.collection.bulk_write(requests, ordered=ordered, session=session)
            session.commit_transaction()
        if ordered:
            expect(bench.numbers(), {0: 1, 1: 5, 10: 2, 11: 3})
        expect(result.upserted_count, 1)


@check("the bulkWrite command over two collections")
def client_bulk(bench):
    bench.fill(1)
    bench.other.insert_one({"_id": 0, "n": 0})
    with bench.transaction() as session:
        requests = [InsertOne({"_id": 1, "n": 1}, namespace=bench.collection.full_name),
                    UpdateOne({"_id": 0}, {"$inc": {"n": 1}}, namespace=bench.other.full_name)]
        bench.client.bulk_write(requests, session=session)
        expect(bench.numbers(), {0: 0}, "outside")
        session.commit_transaction()
    expect(bench.numbers(), {0: 0, 1: 1})
    expect(bench.other.find_one()["n"], 1)


@check("find with filter, projection, sort, skip and limit; distinct")
def reads(bench):
    bench.fill(20)
    collection = bench.collection
    with bench.transaction() as session:
        collection.update_many({"_id": {"$gte": 10}}, {"$set": {"n": 1}}, session=session)
        rows = collection.find({"n": 1}, {"n": 0}, session=session).sort("_id", -1).skip(2).limit(3)
        expect(list(rows), [{"_id": 17}, {"_id": 16}, {"_id": 15}])
        expect(sorted(collection.distinct("n", session=session)), [0, 1])
        expect(sorted(collection.distinct("n", {"_id": 3}, session=session)), [0])
        expect(sorted(collection.distinct("n")), [0], "outside")


@check("countDocuments counts the transaction's own writes")
def count_documents(bench):
    bench.fill(5)
    with bench.transaction() as session:
        bench.collection.insert_one({"_id": 5, "n": 0}, session=session)
        expect(bench.collection.count_documents({}, session=session), 6)
        expect(bench.collection.count_documents({"_id": {"$gt": 3}}, session=session), 2)
    expect(bench.collection.count_documents({}), 5)


@check("documents of many megabytes in one transaction, all or nothing")
def large(bench):
    text = "x" * 1_000_000
    for end, expected in (("abort_transaction", 0), ("commit_transaction", 30)):
        with bench.transaction() as session:
            for i in range(30):
                bench.collection.insert_one({"_id": i, "text": text}, session=session)
            getattr(session, end)()
        expect(len(list(bench.collection.find({}, {"_id": 1}))), expected, end)


@check("a duplicate key is error 11000 and aborts the transaction: what follows gets 251")
def duplicate_key(bench):
    bench.fill(1)
    with bench.transaction() as session:
        bench.collection.insert_one({"_id": 1, "n": 0}, session=session)
        with fails(11000, without=TRANSIENT):
            bench.collection.insert_one({"_id": 0}, session=session)
        with fails(251, TRANSIENT):
            bench.collection.insert_one({"_id": 2, "n": 0}, session=session)
        with fails(251, TRANSIENT):
            session.commit_transaction()
    expect(bench.numbers(), {0: 0})


@check("a duplicate key of the transaction's own insert is one, too, also in a batch")
def duplicate_of_own(bench):
    bench.fill(1)
    for documents in ([{"_id": 5}, {"_id": 5}], [{"_id": 6}, {"_id": 7}, {"_id": 0}, {"_id": 8}]):
        with bench.transaction() as session:
            with fails(11000, without=TRANSIENT):
                bench.collection.insert_many(documents, session=session)
            with fails(251):
                session.commit_transaction()
    expect(bench.numbers(), {0: 0})


@check("an update that fails aborts the transaction, and so does a statement that cannot be parsed")
def failing_update(bench):
    bench.fill(1, text="word")
    for command in ({"update": "documents", "updates": [{"q": {"_id": 0}, "u": {"$inc": {"text": 1}}}]},
                    {"update": "documents", "updates": [{"q": {"_id": 0}, "u": {"$nonsense": {"n": 1}}}]},
                    {"find": "documents", "filter": {"$nonsense": 1}}):
        hand = bench.by_hand()
        expect_ok(hand.start(insert({"_id": 1, "n": 0})))
        expect_error(hand.go_on(command), None)
        expect_error(hand.go_on(find()), 251, TRANSIENT)
        expect_error(hand.commit(), 251, TRANSIENT)
    expect(bench.numbers(), {0: 0})


@check("a first statement that fails leaves no transaction")
def failing_first(bench):
    bench.fill(1)
    hand = bench.by_hand()
    expect_error(hand.start(insert({"_id": 0})), 11000)
    expect_error(hand.go_on(find()), 251, TRANSIENT)
    expect_ok(hand.start(insert({"_id": 1, "n": 0})))
    expect_ok(hand.commit())
    expect(bench.numbers(), {0: 0, 1: 0})
