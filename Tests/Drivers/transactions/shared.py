"""Two servers on one PostgreSQL."""

from contextlib import contextmanager

from servers import Martlet

from .conflicts import OTHERS, WAIT_SECONDS, write_others
from .harness import TRANSIENT, Background, Bench, check, expect, expect_error, expect_ok, fails, find, increment


@contextmanager
def second(bench):
    """The same bench at another server."""
    server = Martlet(bench.server.binary, bench.server.directory, bench.postgresql_url)
    try:
        server.start()
        other = Bench(server, bench.postgresql_url, bench.name)
        yield other
        other.close()
        server.stop()
    finally:
        if server.is_running():
            server.kill()  # and no more: the PostgreSQL in its directory is not its own


def at(bench, hand):
    """The same session at another server."""
    other = bench.by_hand()
    other.id, other.number = hand.id, hand.number
    return other


@check("two servers: transactions conflict, plain writes wait, others go on")
def conflict(bench):
    bench.fill(OTHERS)
    with second(bench) as other:
        with bench.transaction() as first:
            bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=first)
            with other.transaction() as session:
                with fails(112, TRANSIENT):
                    other.collection.update_one({"_id": 0}, {"$inc": {"n": 10}}, session=session)
            waiting = [Background(lambda: other.collection.update_one({"_id": 0}, {"$inc": {"n": 100}}))
                       for _ in range(5)]
            waiting[0].still_waits_after(WAIT_SECONDS)
            write_others(other, "at the other server")
            first.commit_transaction()
        for thread in waiting:
            thread.result()
        expect(other.collection.find_one({"_id": 0})["n"], 501)


@check("two servers: a commit is answered by either, a transaction goes on only where it began")
def commit_elsewhere(bench):
    bench.fill(2)
    with second(bench) as other:
        hand = bench.by_hand()
        expect_ok(hand.start(increment(0)))
        expect_ok(hand.commit())
        expect_ok(at(other, hand).commit())
        expect_error(at(other, hand).go_on(find()), None)
        expect_ok(hand.start(increment(1)))
        expect_error(at(other, hand).go_on(increment(1)), 251, TRANSIENT)
        expect_ok(hand.commit())
        expect(other.numbers(), {0: 1, 1: 1})


@check("two servers: a commit that was answered with 251 elsewhere cannot happen any more")
def commit_refused_elsewhere(bench):
    bench.fill(1)
    with second(bench) as other:
        hand = bench.by_hand()
        expect_ok(hand.start(increment(0)))
        expect_error(at(other, hand).commit(), 251, TRANSIENT)
        expect_error(hand.commit(), None, TRANSIENT)
        expect(bench.numbers(), {0: 0})


@check("two servers: a collection that was made anew through the other is found in a transaction")
def stale_catalog(bench):
    bench.fill(1)
    with second(bench) as other:
        expect(other.numbers(), {0: 0})
        other.collection.update_one({"_id": 0}, {"$inc": {"n": 1}})
        for write in (lambda session: other.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session),
                      lambda session: other.collection.find_one({"_id": 0}, session=session)):
            bench.collection.drop()
            bench.fill(1)
            with other.session() as session:
                session.with_transaction(write)
        bench.collection.drop()
        bench.fill(1)
        with other.session() as session:
            session.with_transaction(lambda session: expect(other.numbers(session), {0: 0}))


@check("two servers: withTransaction through both counts exactly")
def count(bench, threads=6, rounds=10):
    bench.fill(1)
    with second(bench) as other:
        def work(place):
            def body(session):
                n = place.collection.find_one({"_id": 0}, session=session)["n"]
                place.collection.update_one({"_id": 0}, {"$set": {"n": n + 1}}, session=session)
            with place.session() as session:
                for _ in range(rounds):
                    session.with_transaction(body)

        running = [Background(lambda place=place: work(place)) for place in (bench, other) * (threads // 2)]
        for thread in running:
            thread.result(90)
        expect(other.numbers(), {0: threads * rounds})
