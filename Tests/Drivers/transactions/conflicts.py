"""Two transactions, or one and a plain write, on one document."""

import time

from pymongo import UpdateOne
from pymongo.read_concern import ReadConcern

from .harness import (TRANSIENT, Background, Wrong, brief, check, expect, expect_error, expect_ok, fails, find,
                      increment)

WAIT_SECONDS = 0.7  # so long must a write wait that has to
OTHERS = 64  # documents that nobody has locked


@check("the second transaction that writes a document fails at once with 112; the first commits")
def write_conflict(bench):
    bench.fill(2)
    writes = [lambda s: bench.collection.update_one({"_id": 0}, {"$inc": {"n": 10}}, session=s),
              lambda s: bench.collection.delete_one({"_id": 0}, session=s),
              lambda s: bench.collection.find_one_and_update({"_id": 0}, {"$inc": {"n": 10}}, session=s),
              lambda s: bench.collection.update_many({}, {"$inc": {"n": 10}}, session=s),
              lambda s: bench.collection.update_one({"n": {"$lt": 100}, "_id": {"$lt": 1}}, {"$inc": {"n": 10}},
                                                    session=s),
              lambda s: bench.collection.delete_many({}, session=s),
              lambda s: bench.collection.bulk_write([UpdateOne({"_id": 1}, {"$inc": {"n": 10}}),
                                                     UpdateOne({"_id": 0}, {"$inc": {"n": 10}})], session=s)]
    for write in writes:
        with bench.transaction() as first, bench.transaction() as second:
            bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=first)
            bench.collection.find_one({"_id": 1}, session=second)
            with fails(112, TRANSIENT):
                write(second)
            with fails(251, TRANSIENT):
                bench.collection.find_one({"_id": 1}, session=second)
            first.commit_transaction()
    expect(bench.numbers(), {0: len(writes), 1: 0})


@check("a document that was changed after the transaction began cannot be written by it")
def changed_meanwhile(bench):
    for change in (lambda: bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}),
                   lambda: bench.collection.delete_one({"_id": 0})):
        bench.collection.drop()
        bench.fill(2)
        for write in (lambda s: bench.collection.update_one({"_id": 0}, {"$inc": {"n": 5}}, session=s),
                      lambda s: bench.collection.delete_one({"_id": 0}, session=s)):
            with bench.transaction() as session:
                bench.collection.find_one({"_id": 1}, session=session)
                change()
                with fails(112, TRANSIENT):
                    write(session)
            bench.collection.update_one({"_id": 0}, {"$set": {"n": 0}}, upsert=True)


@check("two transactions that insert one _id: the second fails at once with 112")
def insert_conflict(bench):
    bench.fill(1)
    for write in (lambda s: bench.collection.insert_one({"_id": 5, "n": 2}, session=s),
                  lambda s: bench.collection.insert_many([{"_id": i, "n": 2} for i in range(3, 9)], session=s),
                  lambda s: bench.collection.update_one({"_id": 5}, {"$set": {"n": 2}}, upsert=True, session=s)):
        with bench.transaction() as first, bench.transaction() as second:
            bench.collection.insert_one({"_id": 5, "n": 1}, session=first)
            bench.collection.find_one({"_id": 0}, session=second)
            with fails(112, TRANSIENT):
                write(second)
            first.commit_transaction()
        expect(bench.numbers(), {0: 0, 5: 1})
        bench.collection.delete_one({"_id": 5})


@check("an upsert of an _id that somebody inserted after the transaction began is 112")
def inserted_meanwhile(bench):
    bench.fill(1)
    with bench.transaction() as session:
        bench.collection.find_one({"_id": 0}, session=session)
        bench.collection.insert_one({"_id": 5, "n": 1})
        expect(bench.collection.find_one({"_id": 5}, session=session), None, "not in the snapshot")
        with fails(112, TRANSIENT):
            bench.collection.update_one({"_id": 5}, {"$set": {"n": 2}}, upsert=True, session=session)
    expect(bench.numbers(), {0: 0, 5: 1})


@check("a plain write to a document of an open transaction waits for its end, while others go on unhindered")
def plain_write_waits(bench):
    bench.fill(OTHERS)
    writes = {"update": lambda: bench.collection.update_one({"_id": 0}, {"$inc": {"n": 10}}),
              "find_one_and_update": lambda: bench.collection.find_one_and_update({"_id": 0}, {"$inc": {"n": 10}}),
              "bulk": lambda: bench.collection.bulk_write([UpdateOne({"_id": 0}, {"$inc": {"n": 10}})]),
              "filter": lambda: bench.collection.update_one({"_id": {"$lt": 1}}, {"$inc": {"n": 10}})}
    expected = 0
    for name, write in writes.items():
        for end in ("commit_transaction", "abort_transaction"):
            with bench.transaction() as session:
                bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
                waiting = Background(write)
                waiting.still_waits_after(WAIT_SECONDS)
                write_others(bench, f"{name}, {end}")
                waiting.still_waits_after(0)
                getattr(session, end)()
            waiting.result()
            expected += 10 + (end == "commit_transaction")
            expect(bench.collection.find_one({"_id": 0})["n"], expected, f"{name}, {end}")


def write_others(bench, what):
    """Plain reads and writes of all documents but the first. They must not take the seconds that a wait takes."""
    start = time.monotonic()
    for i in range(1, OTHERS):
        bench.collection.update_one({"_id": i}, {"$inc": {"n": 1}})
    bench.collection.insert_one({"_id": "new", "n": 0})
    bench.collection.insert_many([{"_id": f"new {i}", "n": 0} for i in range(5)])
    bench.collection.delete_many({"_id": {"$gte": "new"}})
    bench.collection.update_many({"_id": {"$gte": 1}}, {"$inc": {"n": 1}})
    bench.other.update_one({"_id": 0}, {"$inc": {"n": 1}}, upsert=True)
    bench.collection.find_one({"_id": 0})
    list(bench.collection.find())
    seconds = time.monotonic() - start
    if seconds > 5:
        raise Wrong(f"{what}: {OTHERS} writes of other documents took {seconds:.1f} s beside one that waits")


@check("many plain writers of one locked document all succeed when it is free")
def many_wait(bench):
    bench.fill(OTHERS)
    with bench.transaction() as session:
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
        waiting = [Background(lambda: bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}})) for _ in range(20)]
        for thread in waiting:
            thread.still_waits_after(WAIT_SECONDS / 20)
        write_others(bench, "20 writers wait")
        session.commit_transaction()
    for thread in waiting:
        expect(thread.result().modified_count, 1)
    expect(bench.collection.find_one({"_id": 0})["n"], 21)


@check("plain writers of many locked documents wait; the transaction's own statements go on")
def many_locked(bench):
    bench.fill(OTHERS)
    with bench.transaction() as session:
        bench.collection.update_many({"_id": {"$lt": 20}}, {"$inc": {"n": 1}}, session=session)
        waiting = [Background(lambda i=i: bench.collection.update_one({"_id": i}, {"$inc": {"n": 1}}))
                   for i in range(20)]
        many = Background(lambda: bench.collection.update_many({}, {"$inc": {"n": 100}}))
        many.still_waits_after(WAIT_SECONDS)
        for i in range(20):
            bench.collection.update_one({"_id": i}, {"$inc": {"n": 1}}, session=session)
        session.commit_transaction()
    expect([thread.result().modified_count for thread in waiting], [1] * 20)
    expect(many.result().modified_count, OTHERS)
    expect(bench.numbers(), {i: 103 if i < 20 else 100 for i in range(OTHERS)})


@check("a plain delete and a plain insert wait for a transaction that has the document")
def delete_and_insert_wait(bench):
    for end, left in (("commit_transaction", {0: 0}), ("abort_transaction", {0: 0, 5: 7})):
        bench.collection.drop()
        bench.fill(2)
        with bench.transaction() as session:
            bench.collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
            bench.collection.insert_one({"_id": 5, "n": 1}, session=session)
            delete = Background(lambda: bench.collection.delete_one({"_id": 1}))
            again = Background(lambda: bench.collection.insert_one({"_id": 5, "n": 7}))
            delete.still_waits_after(WAIT_SECONDS)
            again.still_waits_after(0)
            getattr(session, end)()
        expect(delete.result().deleted_count, 1)
        if end == "commit_transaction":
            with fails(11000):
                again.result()
            left = {**left, 5: 1}
        else:
            again.result()
        expect(bench.numbers(), left, end)


@check("a plain write that waits gives up at its maxTimeMS with 50")
def wait_with_limit(bench):
    bench.fill(1)
    hand = bench.by_hand()
    with bench.transaction() as session:
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
        expect_error(hand.send(increment(0), maxTimeMS=300), 50)
        session.commit_transaction()
    time.sleep(0.3)
    expect(bench.numbers(), {0: 1}, "nothing of the write that gave up")


@check("a plain read of a document of an open transaction does not wait")
def reads_do_not_wait(bench):
    bench.fill(2)
    with bench.transaction() as session:
        bench.collection.update_many({}, {"$inc": {"n": 1}}, session=session)
        expect(bench.collection.find_one({"_id": 0})["n"], 0)
        expect(bench.numbers(), {0: 0, 1: 0})
        expect(bench.collection.find_one({"_id": 0}, session=bench.session())["n"], 0)


@check("transactions that lock in opposite order: one fails, the other commits, nobody hangs")
def opposite_order(bench):
    bench.fill(2)
    with bench.transaction() as first, bench.transaction() as second:
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=first)
        bench.collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=second)
        with fails(112, TRANSIENT):
            bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=second)
        bench.collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=first)
        first.commit_transaction()
    expect(bench.numbers(), {0: 1, 1: 1})


@check("a transaction may write a document right after the plain write before it was acknowledged")
def after_plain_write(bench):
    bench.fill(1)
    for i in range(50):
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}})
        with bench.transaction() as session:
            bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
            session.commit_transaction()
    expect(bench.numbers(), {0: 100})


@check("withTransaction: eight threads count exactly, beside plain writers")
def with_transaction(bench, threads=8, rounds=15):
    bench.fill(2)

    def work():
        def body(session):
            n = bench.collection.find_one({"_id": 0}, session=session)["n"]
            bench.collection.update_one({"_id": 0}, {"$set": {"n": n + 1}}, session=session)
            bench.collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
        with bench.session() as session:
            for _ in range(rounds):
                session.with_transaction(body)

    def plain():
        for _ in range(50):
            bench.collection.update_one({"_id": 1}, {"$inc": {"n": 1}})

    running = [Background(work) for _ in range(threads)] + [Background(plain) for _ in range(2)]
    for thread in running:
        thread.result(90)
    expect(bench.numbers(), {0: threads * rounds, 1: threads * rounds + 100})


@check("withTransaction under serializable keeps what write skew would break")
def serializable(bench, threads=4, rounds=15):
    broken = 0
    for round in range(rounds):
        bench.collection.insert_many([{"_id": f"{round} {i}", "n": 1, "round": round} for i in range(threads)])

        def leave(i, round=round):
            def body(session):
                on_call = len(list(bench.collection.find({"round": round, "n": 1}, session=session)))
                if on_call > 1:
                    bench.collection.update_one({"_id": f"{round} {i}"}, {"$set": {"n": 0}}, session=session)
            with bench.session() as session:
                session.with_transaction(body, read_concern=ReadConcern("serializable"))

        running = [Background(lambda i=i: leave(i)) for i in range(threads)]
        for thread in running:
            thread.result(60)
        broken += len(list(bench.collection.find({"round": round, "n": 1}))) != 1
    expect(broken, 0, f"of {rounds} rounds in which not exactly one stayed on call")


@check("serializable: of two transactions that each read what the other writes, one fails and may be tried again")
def write_skew(bench):
    bench.fill(2)
    first, second = bench.by_hand(), bench.by_hand()
    level = {"readConcern": {"level": "serializable"}}
    expect_ok(first.start(find(), **level))
    expect_ok(second.start(find(), **level))
    replies = [first.go_on(increment(0))]
    replies.append(second.go_on(increment(1)))
    replies += [first.commit(), second.commit()]
    failed = [reply for reply in replies if reply["ok"] != 1]
    if not failed:
        raise Wrong(f"both committed: {[brief(reply) for reply in replies]}")
    expect_error(failed[0], 112, TRANSIENT)
    expect(sum(bench.numbers().values()), 1)


@check("many open transactions: each goes on or fails with a clear error, and plain commands go on")
def many_open(bench, count=40):
    bench.fill(count + 1)
    hands = [bench.by_hand() for _ in range(count)]
    starts = [Background(lambda i=i, hand=hand: hand.start(increment(i))) for i, hand in enumerate(hands)]
    bench.collection.update_one({"_id": count}, {"$inc": {"n": 1}})
    opened = []
    for hand, reply in zip(hands, [start.result(30) for start in starts]):
        if reply["ok"] == 1:
            opened.append(hand)
        elif not {TRANSIENT, "RetryableError"} & set(reply.get("errorLabels", ())):
            raise Wrong(f"neither opened nor refused with a label: {brief(reply)}")
    if len(opened) < 4:
        raise Wrong(f"only {len(opened)} transactions open at once")
    expect(len(list(bench.collection.find())), count + 1)
    bench.collection.insert_many([{"_id": f"x{i}", "n": 1} for i in range(10)])
    for hand in opened:
        expect_ok(hand.commit())
    expect(sum(bench.numbers().values()), len(opened) + 11)
    print(f"# {len(opened)} of {count} transactions were open at once", flush=True)
