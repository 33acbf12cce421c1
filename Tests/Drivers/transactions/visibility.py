"""Who sees what when."""

from pymongo import MongoClient
from pymongo.monitoring import CommandListener

from .harness import Background, check, expect, expect_error, expect_ok, find, increment, insert


@check("what a transaction writes is seen by itself only, until it commits")
def committed(bench):
    bench.fill(1)
    with bench.transaction() as session:
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
        bench.collection.insert_one({"_id": 1, "n": 5}, session=session)
        expect(bench.numbers(session), {0: 1, 1: 5}, "inside")
        expect(bench.numbers(), {0: 0}, "outside")
        session.commit_transaction()
        expect(bench.numbers(), {0: 1, 1: 5}, "afterwards")


@check("nothing of an aborted transaction remains")
def aborted(bench):
    bench.fill(2)
    with bench.transaction() as session:
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
        bench.collection.delete_one({"_id": 1}, session=session)
        bench.collection.insert_one({"_id": 2, "n": 0}, session=session)
        expect(bench.numbers(session), {0: 1, 2: 0}, "inside")
        session.abort_transaction()
    expect(bench.numbers(), {0: 0, 1: 0}, "afterwards")


@check("a session that ends aborts its transaction")
def ended_by_driver(bench):
    bench.fill(1)
    with bench.transaction() as session:
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
    expect(bench.numbers(), {0: 0})


@check("a transaction spans collections and databases")
def several_collections(bench):
    bench.fill(1)
    elsewhere = bench.client[bench.name + "_2"].documents
    elsewhere.insert_one({"_id": 0})
    for end in ("abort_transaction", "commit_transaction"):
        with bench.transaction() as session:
            for collection in (bench.collection, bench.other, elsewhere):
                collection.insert_one({"_id": "new", "n": 0}, session=session)
            getattr(session, end)()
        count = 1 if end == "commit_transaction" else 0
        for collection in (bench.collection, bench.other, elsewhere):
            expect(len(list(collection.find({"_id": "new"}))), count, f"{end}, {collection.full_name}")


@check("a transaction reads from the moment of its first statement")
def snapshot(bench):
    bench.fill(3)
    with bench.transaction() as session:
        expect(bench.collection.find_one({"_id": 0}, session=session)["n"], 0)
        bench.collection.update_many({}, {"$inc": {"n": 1}})
        bench.collection.insert_one({"_id": 3, "n": 1})
        bench.collection.delete_one({"_id": 2})
        expect(bench.numbers(session), {0: 0, 1: 0, 2: 0}, "all")
        expect([bench.collection.find_one({"_id": i}, session=session) is not None for i in range(4)],
               [True, True, True, False], "by _id")
        session.commit_transaction()
    expect(bench.numbers(), {0: 1, 1: 1, 3: 1}, "afterwards")


@check("the moment is the first statement's, not that of startTransaction in the driver")
def moment(bench):
    bench.fill(1)
    with bench.transaction() as session:
        bench.collection.update_one({"_id": 0}, {"$set": {"n": 7}})
        expect(bench.numbers(session), {0: 7})


@check("a transaction of reads alone commits")
def only_reads(bench):
    bench.fill(2)
    with bench.transaction() as session:
        expect(bench.numbers(session), {0: 0, 1: 0})
        session.commit_transaction()
    with bench.transaction() as session:
        session.commit_transaction()  # without a statement


@check("a cursor in a transaction shows its snapshot through all batches, and its own writes")
def cursor(bench):
    bench.fill(100)
    with bench.transaction() as session:
        rows = bench.collection.find({}, batch_size=10, session=session)
        first = [next(rows) for _ in range(10)]
        bench.collection.update_many({}, {"$inc": {"n": 1}})
        bench.collection.insert_one({"_id": 1000, "n": 1})
        rest = list(rows)
        expect(len(first) + len(rest), 100, "documents")
        expect({row["n"] for row in rest}, {0}, "values")
        session.commit_transaction()
    with bench.transaction() as session:
        bench.collection.delete_many({"_id": {"$gte": 50}}, session=session)
        rows = bench.collection.find({}, sort=[("_id", 1)], batch_size=7, session=session)
        expect([row["_id"] for row in rows], list(range(50)), "own deletions")


@check("a transaction goes on when another runs beside it on other documents")
def side_by_side(bench):
    bench.fill(2)
    with bench.transaction() as first, bench.transaction() as second:
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=first)
        bench.collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=second)
        second.commit_transaction()
        first.commit_transaction()
    expect(bench.numbers(), {0: 1, 1: 1})


@check("the statements of a transaction may come over different connections, one at a time or all at once")
def many_connections(bench):
    hand = bench.by_hand()
    expect_ok(hand.start(insert({"_id": 0})))
    expect(len(expect_ok(hand.go_on(find()))["cursor"]["firstBatch"]), 1)
    threads = [Background(lambda i=i: hand.go_on(insert({"_id": i}))) for i in range(1, 21)]
    for thread in threads:
        expect_ok(thread.result())
    expect_ok(hand.commit())
    expect(bench.collection.find_one({"_id": 20}) is not None, True)
    expect(len(list(bench.collection.find())), 21)


@check("a collection that a transaction creates is gone when it aborts")
def collection_of_aborted(bench):
    bench.fill(1)
    with bench.transaction() as session:
        bench.database.fresh.insert_one({"_id": 0}, session=session)
        expect(len(list(bench.database.fresh.find({}, session=session))), 1)
        expect(list(bench.database.fresh.find()), [], "outside")
    expect("fresh" in bench.database.list_collection_names(), False, "the collection is there")
    with bench.transaction() as session:
        bench.database.create_collection("made", session=session)
        bench.database.made.insert_one({"_id": 0}, session=session)
        bench.database.fresh.insert_one({"_id": 1}, session=session)
        session.commit_transaction()
    expect(len(list(bench.database.made.find())) + len(list(bench.database.fresh.find())), 2, "committed")


@check("a snapshot read outside of a transaction shows one moment through all its batches")
def snapshot_read(bench):
    bench.fill(50)
    hand = bench.by_hand()
    reply = expect_ok(hand.send(find(), lsid=hand.id, batchSize=10, readConcern={"level": "snapshot"}))
    bench.collection.update_many({}, {"$inc": {"n": 1}})
    batches = reply["cursor"]["firstBatch"]
    while reply["cursor"]["id"]:
        reply = expect_ok(hand.send({"getMore": reply["cursor"]["id"], "collection": "documents", "batchSize": 15},
                                    lsid=hand.id))
        batches += reply["cursor"]["nextBatch"]
    expect(len(batches), 50, "documents")
    expect({row["n"] for row in batches}, {0}, "values")


@check("a driver's snapshot session reads one moment, or is refused clearly")
def snapshot_session(bench):
    bench.fill(2)
    with bench.session(snapshot=True) as session:
        expect(bench.collection.find_one({"_id": 0}, session=session)["n"], 0)
        bench.collection.update_many({}, {"$inc": {"n": 1}})
        try:
            rows = bench.numbers(session)
        except Exception as error:
            if getattr(error, "code", None) is None:
                raise
            return  # `atClusterTime` in the past cannot be had from PostgreSQL
        expect(rows, {0: 0, 1: 0})


class Sent(CommandListener):
    def __init__(self):
        self.commands, self.replies = [], []

    def started(self, event):
        self.commands.append(event.command.to_dict() if hasattr(event.command, "to_dict") else dict(event.command))

    def succeeded(self, event):
        self.replies.append(event.reply)

    def failed(self, event):
        pass


@check("a causally consistent session reads its writes: operationTime comes and afterClusterTime is heeded")
def causal(bench):
    sent = Sent()
    with MongoClient(bench.server.uri, event_listeners=[sent], socketTimeoutMS=15_000) as client:
        collection = client[bench.name].documents
        with client.start_session(causal_consistency=True) as session:
            for i in range(20):
                collection.insert_one({"_id": i}, session=session)
                expect(collection.find_one({"_id": i}, session=session), {"_id": i})
            with session.start_transaction():
                expect(collection.find_one({"_id": 19}, session=session), {"_id": 19})
    times = [reply["operationTime"] for reply in sent.replies if "operationTime" in reply]
    expect(len(times), len(sent.replies), "replies with operationTime")
    expect(times, sorted(times), "operation times")
    reads = [command for command in sent.commands if "find" in command]
    expect([read for read in reads if "afterClusterTime" not in read.get("readConcern", ())], [], "without a time")


@check("afterClusterTime in the future is refused")
def future(bench):
    bench.fill(1)
    hand = bench.by_hand()
    now = expect_ok(hand.send({"ping": 1}))["operationTime"]
    later = type(now)(now.time + 1000, 1)
    expect_error(hand.send(find(), lsid=hand.id, readConcern={"level": "local", "afterClusterTime": later}), 72)
    expect_ok(hand.start(increment(0), readConcern={"level": "snapshot", "afterClusterTime": now}))
    expect_ok(hand.commit())
