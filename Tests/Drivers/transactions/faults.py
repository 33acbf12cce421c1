"""Time limit, lost database connections, restarts, ended sessions."""

import time
from contextlib import contextmanager

from servers import wait_until

from .harness import TRANSIENT, Wrong, check, expect, expect_error, expect_ok, fails, find, increment

NO_SUCH_TRANSACTION = 251
RECOVERY_SECONDS = 30


@contextmanager
def time_limit(bench, seconds):
    set_limit = lambda value: bench.client.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=value)
    expect(set_limit(seconds)["was"], 60, "the limit before")
    try:
        yield
    finally:
        set_limit(60)


@check("a transaction ends at its time limit, and its documents are free")
def lifetime(bench):
    bench.fill(2)
    with time_limit(bench, 1):
        hand = bench.by_hand()
        expect_ok(hand.start(increment(0)))
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 5}})  # waits for the limit
        time.sleep(0.5)
        expect_error(hand.go_on(increment(1)), NO_SUCH_TRANSACTION, TRANSIENT)
        expect_error(hand.commit(), NO_SUCH_TRANSACTION, TRANSIENT)
    expect(bench.numbers(), {0: 5, 1: 0})


@check("withTransaction begins again when the time limit has ended its transaction")
def lifetime_retried(bench):
    bench.fill(1)
    attempts = []

    def body(session):
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
        attempts.append(1)
        if len(attempts) == 1:
            time.sleep(3)
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)

    with time_limit(bench, 1), bench.session() as session:
        session.with_transaction(body)
    expect(len(attempts), 2, "attempts")
    expect(bench.numbers(), {0: 2})


@check("a database connection that an administrator ends fails its transaction with TransientTransactionError")
def backend_killed(bench):
    bench.fill(2)
    with bench.transaction() as session:
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
        expect(bench.end_idle_transactions() >= 1, True, "a connection in a transaction")
        with fails(None, TRANSIENT):
            bench.collection.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
        with fails(NO_SUCH_TRANSACTION, TRANSIENT):
            session.commit_transaction()
    hand = bench.by_hand()
    expect_ok(hand.start(increment(0)))
    bench.end_idle_transactions()
    expect_error(hand.commit(), NO_SUCH_TRANSACTION, TRANSIENT)
    expect_ok(hand.start(increment(0)))
    bench.end_idle_transactions()
    hand.abort()
    expect(bench.numbers(), {0: 0, 1: 0})


@check("withTransaction outlives the end of its database connection")
def backend_killed_retried(bench):
    bench.fill(1)
    attempts = []

    def body(session):
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
        attempts.append(1)
        if len(attempts) < 4:
            bench.end_idle_transactions()
        if len(attempts) > 2:
            bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)

    with bench.session() as session:
        session.with_transaction(body)
    expect(bench.numbers(), {0: 2})
    expect(len(attempts), 4, "attempts")


@check("a commit that is sent again after kill -9 and restart succeeds; one that never was is 251")
def restarted(bench):
    bench.fill(3)
    committed, open_one, aborted = bench.by_hand(), bench.by_hand(), bench.by_hand()
    expect_ok(committed.start(increment(0)))
    expect_ok(committed.commit())
    expect_ok(open_one.start(increment(1)))
    expect_ok(aborted.start(increment(2)))
    expect_ok(aborted.abort())
    bench.server.kill()
    bench.server.start()
    for _ in range(2):
        expect_ok(committed.commit())
    expect_error(committed.go_on(increment(0)), None)
    expect_error(open_one.commit(), NO_SUCH_TRANSACTION, TRANSIENT)
    expect_error(aborted.commit(), NO_SUCH_TRANSACTION, TRANSIENT)
    expect_error(open_one.go_on(increment(1)), NO_SUCH_TRANSACTION, TRANSIENT)
    bench.collection.update_one({"_id": 1}, {"$inc": {"n": 5}})  # is not locked
    expect(bench.numbers(), {0: 1, 1: 5, 2: 0})
    expect_ok(committed.start(increment(0)))
    expect_ok(committed.commit())
    expect(bench.numbers(), {0: 2, 1: 5, 2: 0})


@check("withTransaction outlives kill -9 and restart")
def restarted_retried(bench):
    bench.fill(1)
    attempts = []

    def body(session):
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)
        attempts.append(1)
        if len(attempts) == 1:
            bench.server.kill()
            bench.server.start()
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 1}}, session=session)

    with bench.session() as session:
        session.with_transaction(body)
    expect(bench.numbers(), {0: 2})


@check("an orderly stop does not wait for open transactions")
def stopped(bench):
    bench.fill(1)
    hand = bench.by_hand()
    expect_ok(hand.start(increment(0)))
    start = time.monotonic()
    try:
        bench.server.stop()
    finally:
        if not bench.server.is_running():
            bench.server.start()
    if time.monotonic() - start > RECOVERY_SECONDS:
        raise Wrong(f"stop and start took {time.monotonic() - start:.0f} s with an open transaction")
    expect_error(hand.commit(), NO_SUCH_TRANSACTION, TRANSIENT)
    expect(bench.numbers(), {0: 0})


@check("killSessions aborts the session's transaction")
def killed_session(bench):
    bench.fill(1)
    for command in (lambda hand: {"killSessions": [hand.id]}, lambda hand: {"killAllSessions": []},
                    lambda hand: {"killAllSessionsByPattern": []}):
        hand = bench.by_hand()
        expect_ok(hand.start(increment(0)))
        expect_ok(hand.send(command(hand), database="admin"))
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 5}})
        expect_error(hand.go_on(find()), NO_SUCH_TRANSACTION, TRANSIENT)
        expect_error(hand.commit(), NO_SUCH_TRANSACTION, TRANSIENT)
    expect(bench.numbers(), {0: 15})
    wait_until(lambda: bench.idle_transactions() == 0, 10, "database connections that are still in a transaction")


@check("endSessions ends a session and leaves what it has committed")
def ended_session(bench):
    bench.fill(1)
    hand = bench.by_hand()
    expect_ok(hand.start(increment(0)))
    expect_ok(hand.commit())
    expect_ok(hand.send({"endSessions": [hand.id]}, database="admin"))
    expect(bench.numbers(), {0: 1})


@check("a client that goes away leaves no lock for longer than the time limit")
def client_gone(bench):
    bench.fill(1)
    with time_limit(bench, 2):
        hand = bench.by_hand()
        expect_ok(hand.start(increment(0)))  # its connection is closed already
        bench.collection.update_one({"_id": 0}, {"$inc": {"n": 5}})
    expect(bench.numbers(), {0: 5})
