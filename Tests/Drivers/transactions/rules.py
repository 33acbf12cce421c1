"""Numbers, options and what is not allowed. By hand: a driver would not send it."""

from bson.int64 import Int64

from .harness import TRANSIENT, Wrong, check, expect, expect_error, expect_ok, find, increment, insert

INVALID_OPTIONS, NO_SUCH_TRANSACTION, TOO_OLD, COMMITTED, NOT_SUPPORTED = 72, 251, 225, 256, 263


@check("commit is answered again, abort after it is 256, and so is a statement")
def after_commit(bench):
    hand = bench.by_hand()
    expect_ok(hand.start(insert({"_id": 0, "n": 0})))
    for _ in range(3):
        expect_ok(hand.commit())
    expect_error(hand.abort(), COMMITTED)
    expect_error(hand.go_on(find()), COMMITTED)
    expect_ok(hand.commit())
    expect(bench.numbers(), {0: 0})


@check("after abort, commit is 251 and so is abort")
def after_abort(bench):
    hand = bench.by_hand()
    expect_ok(hand.start(insert({"_id": 0, "n": 0})))
    expect_ok(hand.abort())
    expect_error(hand.commit(), NO_SUCH_TRANSACTION, TRANSIENT)
    expect_error(hand.abort(), NO_SUCH_TRANSACTION)
    expect_error(hand.go_on(find()), NO_SUCH_TRANSACTION, TRANSIENT)
    expect(bench.numbers(), {})


@check("an older number is 225, an unknown newer one 251")
def numbers(bench):
    hand = bench.by_hand()
    hand.number = 9
    expect_ok(hand.start(insert({"_id": 0, "n": 0})))
    expect_error(hand.go_on(find(), number=9), TOO_OLD)
    expect_error(hand.go_on(find(), number=9, startTransaction=True), TOO_OLD)
    expect_error(hand.commit(number=9), TOO_OLD)
    expect_error(hand.abort(number=9), TOO_OLD)
    expect_error(hand.go_on(find(), number=11), NO_SUCH_TRANSACTION, TRANSIENT)
    expect_ok(hand.commit())
    expect_error(hand.commit(number=11), NO_SUCH_TRANSACTION, TRANSIENT)
    expect(bench.numbers(), {0: 0})


@check("a session that nobody knows has no transaction")
def unknown_session(bench):
    hand = bench.by_hand()
    hand.number = 1
    expect_error(hand.go_on(find()), NO_SUCH_TRANSACTION, TRANSIENT)
    expect_error(hand.commit(), NO_SUCH_TRANSACTION, TRANSIENT)
    expect_error(hand.abort(), NO_SUCH_TRANSACTION)


@check("a new transaction of the session aborts the one before and frees its documents")
def new_one(bench):
    bench.fill(2)
    hand = bench.by_hand()
    expect_ok(hand.start(increment(0)))
    expect_ok(hand.start(increment(1)))
    bench.collection.update_one({"_id": 0}, {"$inc": {"n": 5}})
    expect_error(hand.commit(number=1), TOO_OLD)
    expect_ok(hand.commit())
    expect(bench.numbers(), {0: 5, 1: 1})


@check("a retryable write of the session with a newer number aborts the transaction, too")
def retryable_write(bench):
    bench.fill(2)
    hand = bench.by_hand()
    expect_ok(hand.start(increment(0)))
    expect_ok(hand.send(increment(1), lsid=hand.id, txnNumber=Int64(2)))
    bench.collection.update_one({"_id": 0}, {"$inc": {"n": 5}})
    expect_error(hand.commit(), TOO_OLD)
    expect(bench.numbers(), {0: 5, 1: 1})


@check("a number belongs to a transaction or to a retryable write, not to both")
def both(bench):
    bench.fill(2)
    hand = bench.by_hand()
    expect_ok(hand.send(increment(0), lsid=hand.id, txnNumber=Int64(1)))
    expect_error(hand.start(increment(1)), None)
    expect_ok(hand.start(increment(1)))
    expect_error(hand.send(increment(0), lsid=hand.id, txnNumber=Int64(hand.number)), None)
    hand.abort()
    expect(bench.numbers(), {0: 1, 1: 0})


@check("a transaction cannot be started a second time with its number")
def started_twice(bench):
    bench.fill(2)
    hand = bench.by_hand()
    expect_ok(hand.start(increment(0)))
    expect_error(hand.go_on(increment(1), startTransaction=True), None)
    hand.commit()
    expect_error(hand.go_on(increment(1), startTransaction=True), None)
    expect(bench.numbers()[1], 0)


@check("the fields of a transaction must fit each other")
def fields(bench):
    bench.fill(1)
    hand = bench.by_hand()
    one = {"lsid": hand.id, "txnNumber": Int64(1)}
    for name, fields in {
            "startTransaction without autocommit": {**one, "startTransaction": True},
            "startTransaction false": {**one, "startTransaction": False, "autocommit": False},
            "autocommit true": {**one, "startTransaction": True, "autocommit": True},
            "autocommit without txnNumber": {"lsid": hand.id, "autocommit": False},
            "startTransaction without txnNumber": {"lsid": hand.id, "startTransaction": True, "autocommit": False},
            "txnNumber without lsid": {"txnNumber": Int64(1), "startTransaction": True, "autocommit": False}}.items():
        reply = hand.send(increment(0), **fields)
        try:
            expect_error(reply, INVALID_OPTIONS)
        except Wrong as wrong:
            raise Wrong(f"{name}: {wrong}") from None
    reply = hand.send(increment(0), **{**one, "txnNumber": Int64(-1)}, startTransaction=True, autocommit=False)
    expect_error(reply, None)
    expect(bench.numbers(), {0: 0})


@check("readConcern belongs to the first statement only, writeConcern to commit and abort only")
def concerns(bench):
    bench.fill(1)
    hand = bench.by_hand()
    expect_error(hand.start(increment(0), writeConcern={"w": 1}), INVALID_OPTIONS)
    expect_error(hand.start(find(), readConcern={"level": "linearizable"}), INVALID_OPTIONS)
    expect_error(hand.start(find(), readConcern={"level": "available"}), INVALID_OPTIONS)
    for level in ("local", "majority", "snapshot", "serializable"):
        expect_ok(hand.start(increment(0), readConcern={"level": level}))
        expect_ok(hand.go_on({"commitTransaction": 1}, database="admin", writeConcern={"w": "majority"}))
    expect_ok(hand.start(increment(0)))
    expect_error(hand.go_on(find(), readConcern={"level": "snapshot"}), INVALID_OPTIONS)
    hand.abort()
    expect_ok(hand.start(increment(0)))
    expect_error(hand.go_on(increment(0), writeConcern={"w": 1}), INVALID_OPTIONS)
    hand.abort()
    expect_ok(hand.start(increment(0)))
    expect_ok(hand.go_on({"abortTransaction": 1}, database="admin", writeConcern={"w": 1}))
    expect(bench.numbers(), {0: 4})


@check("commit and abort are commands of the admin database")
def admin_only(bench):
    hand = bench.by_hand()
    expect_ok(hand.start(insert({"_id": 0, "n": 0})))
    expect_error(hand.go_on({"commitTransaction": 1}), 13)
    expect_ok(hand.commit())
    expect(bench.numbers(), {0: 0})


@check("commands that have no place in a transaction are refused with 263")
def not_supported(bench):
    bench.fill(1)
    hand = bench.by_hand()
    for command in ({"count": "documents"}, {"listCollections": 1}, {"listIndexes": "documents"},
                    {"explain": {"find": "documents"}}, {"drop": "documents"}, {"dropDatabase": 1},
                    {"collMod": "documents"}, {"ping": 1}, {"hello": 1}, {"buildInfo": 1},
                    {"connectionStatus": 1}, {"killCursors": "documents", "cursors": [Int64(0)]}):
        try:
            expect_error(hand.start(command), NOT_SUPPORTED)
        except Wrong as wrong:
            raise Wrong(f"{next(iter(command))}: {wrong}") from None
    for command in ({"renameCollection": f"{bench.name}.documents", "to": f"{bench.name}.x"},
                    {"setParameter": 1, "logLevel": 0}, {"getParameter": 1, "logLevel": 1}):
        expect_error(hand.start(command, database="admin"), NOT_SUPPORTED)
    for stage in ({"$out": "elsewhere"}, {"$merge": {"into": "elsewhere"}}):
        expect_error(hand.start({"aggregate": "documents", "pipeline": [stage], "cursor": {}}), NOT_SUPPORTED)
    expect(bench.numbers(), {0: 0})


@check("writes to system databases and capped collections have no place in a transaction")
def not_writable(bench):
    hand = bench.by_hand()
    if hand.send({"create": "capped", "capped": True, "size": 4096})["ok"] == 1:
        expect_error(hand.start(insert({"_id": 1}, into="capped")), NOT_SUPPORTED)
    for database in ("config", "local"):
        expect_error(hand.start(insert({"_id": 1}, into="probe"), database=database), NOT_SUPPORTED)


@check("a cursor of a transaction is its own")
def cursors(bench):
    bench.fill(20)
    hand = bench.by_hand()
    cursor = expect_ok(hand.start({**find(), "batchSize": 2}))["cursor"]["id"]
    more = {"getMore": cursor, "collection": "documents", "batchSize": 2}
    expect_error(hand.send(more), None)
    expect_error(hand.send(more, lsid=hand.id), None)
    expect(len(expect_ok(hand.go_on(more))["cursor"]["nextBatch"]), 2)
    expect_ok(hand.commit())
    expect_error(hand.send(more, lsid=hand.id), None)
    outside = expect_ok(hand.send({**find(), "batchSize": 2}, lsid=hand.id))["cursor"]["id"]
    expect_error(hand.start({"getMore": outside, "collection": "documents"}), None)


@check("driver: an aborted transaction's session goes on with the next one")
def next_one(bench):
    bench.fill(1)
    with bench.session() as session:
        for i in range(10):
            session.start_transaction()
            bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
            session.commit_transaction() if i % 2 else session.abort_transaction()
            bench.collection.update_one({"_id": 0}, {"$inc": {"n": 10}}, session=session)
    expect(bench.numbers(), {0: 105})
