"""Stops the server that does the background work, in the midst of it, and wakes it when another has taken over.

    Tests/Drivers/lease.py MARTLET

Two servers share one PostgreSQL. The first holds the lease and deletes expired sessions when it is stopped (SIGSTOP).
At first the lease is taken from it behind its back, before its time: it wakes, goes on where it was, and must be
refused. Then it sleeps for longer; the second gets the lease when its time is over, and does the rest. A trigger notes
for each transaction of deletions which connection did it and whose the lease was: no deletion may come from a server
that had lost it.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from servers import Martlet, ServerError, cleaning_up, database, free_port, postgresql_tool, wait_until

EXPIRED = 100_000
TAKEOVER_SECONDS = 60

SCHEMA = """
CREATE TABLE public.deletions (at timestamptz, backend integer, holder text, count bigint);
CREATE FUNCTION public.note_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A pause, so that the work takes long enough to be interrupted.
    PERFORM pg_sleep(0.05);
    INSERT INTO public.deletions SELECT clock_timestamp(), pg_backend_pid(), holder, (SELECT count(*) FROM gone)
        FROM martlet.leases WHERE name = 'maintenance';
    RETURN NULL;
END $$;
CREATE TRIGGER note_deletion AFTER DELETE ON martlet.sessions REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION public.note_deletion();
"""

EXPIRED_SESSIONS = f"""
INSERT INTO martlet.sessions (lsid, txn_number, step, results, expires_at)
    SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), 1, 1, '', now() - interval '1 hour'
      FROM generate_series(1, {EXPIRED}) n;
"""


class Server(Martlet):
    """A server with an admin listener."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.admin_port = free_port()
        self.options = ["--admin-listen", f"127.0.0.1:{self.admin_port}"]

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=10) as page:
            for line in page.read().decode().splitlines():
                if line.startswith(name + " "):
                    return int(line.split()[1])
        raise ServerError(f"no metric {name}")

    def holds(self):
        return self.metric("martlet_leases_held") == 1

    def is_holder(self, holder):
        return f"/{self.process.pid}/" in holder


def rows(postgresql, statement):
    command = [postgresql_tool("psql"), postgresql.url, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
               "--set", "ON_ERROR_STOP=1"]
    done = subprocess.run(command, input=statement, capture_output=True, text=True)
    if done.returncode != 0:
        raise ServerError(f"psql: {done.stderr.strip()}")
    return [line.split("|") for line in done.stdout.splitlines()]


def lease(postgresql):
    [[holder, token]] = rows(postgresql, "SELECT holder, token FROM martlet.leases WHERE name = 'maintenance'")
    return holder, int(token)


def expired(postgresql):
    return int(rows(postgresql, "SELECT count(*) FROM martlet.sessions WHERE expires_at < now()")[0][0])


def backends(postgresql):
    found = rows(postgresql, "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'martlet%'")
    return {row[0] for row in found}


def stop_in_the_midst(postgresql, first):
    before = expired(postgresql)
    wait_until(lambda: expired(postgresql) < before, TAKEOVER_SECONDS, "deletions")
    os.kill(first.process.pid, signal.SIGSTOP)
    left = expired(postgresql)
    if left == 0:
        raise ServerError("the work was over before the server could be stopped")
    return left


def take_behind_its_back(postgresql, first):
    """By its own clock the first server still holds the lease when it wakes: nothing but the fence stops it."""
    left = stop_in_the_midst(postgresql, first)
    [[token]] = rows(postgresql, """
        UPDATE martlet.leases SET expires_at = '-infinity' WHERE name = 'maintenance';
        SELECT martlet.acquire_lease('maintenance', 'the test', 600000);""")
    os.kill(first.process.pid, signal.SIGCONT)
    wait_until(lambda: first.metric("martlet_leases_lost_total") == 1, TAKEOVER_SECONDS, "the loss of the lease")
    time.sleep(1)
    # What was under way when it was stopped has taken effect.
    if expired(postgresql) < left - 1_000:
        raise ServerError(f"deletions without a lease: {left} rows before, {expired(postgresql)} after")
    if rows(postgresql, "SELECT FROM public.deletions WHERE holder = 'the test'"):
        raise ServerError("deletions while the lease was another's")
    fenced = first.metric("martlet_fenced_writes_total")
    rows(postgresql, f"SELECT martlet.release_lease('maintenance', {token})")
    wait_until(first.holds, TAKEOVER_SECONDS, "the lease, given back")
    return fenced


def check_deletions(postgresql, first, first_backends):
    done = rows(postgresql, "SELECT backend, holder FROM public.deletions ORDER BY at")
    for backend, holder in done:
        if (backend in first_backends) != first.is_holder(holder):
            raise ServerError(f"connection {backend} deleted while the lease was {holder}'s")
    if {first.is_holder(holder) for _, holder in done} != {True, False}:
        raise ServerError("not both servers did a part of the work")


def run(postgresql, first, second):
    first.start()
    first.stop()
    rows(postgresql, SCHEMA + EXPIRED_SESSIONS)
    first.start()
    wait_until(first.holds, TAKEOVER_SECONDS, "the lease of the first server")
    first_backends = backends(postgresql)
    fenced = take_behind_its_back(postgresql, first)
    token = lease(postgresql)[1]
    left = stop_in_the_midst(postgresql, first)
    second.start()
    wait_until(second.holds, TAKEOVER_SECONDS, "the lease of the second server")
    wait_until(lambda: expired(postgresql) == 0, TAKEOVER_SECONDS, "the end of the work")
    if lease(postgresql)[1] <= token:
        raise ServerError(f"the token did not grow: {token}, {lease(postgresql)[1]}")
    # Work for whoever believes to be the one to do it: the sleeper would go on where it was stopped.
    rows(postgresql, EXPIRED_SESSIONS)
    os.kill(first.process.pid, signal.SIGCONT)
    wait_until(lambda: first.metric("martlet_leases_lost_total") == 2 and not first.holds(), TAKEOVER_SECONDS,
               "the first server to see that its lease is lost")
    time.sleep(3)
    if not second.is_holder(lease(postgresql)[0]) or not second.holds():
        raise ServerError(f"the lease went back to {lease(postgresql)[0]}")
    check_deletions(postgresql, first, first_backends)
    # The server that slept still serves its clients.
    with MongoClient(first.uri, serverSelectionTimeoutMS=10_000) as client:
        client.lease.documents.insert_one({})
    print(f"# {left} of {EXPIRED} were left to the second server; {fenced} writes fenced")
    second.stop()
    wait_until(first.holds, 15, "the lease that the second server gave up")
    first.stop()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: lease.py MARTLET")
    try:
        with database() as (postgresql, directory), \
                cleaning_up([Server(sys.argv[1], directory, postgresql.url) for _ in range(2)]) as servers:
            run(postgresql, *servers)
    except (ServerError, OSError, PyMongoError) as error:
        sys.exit(f"lease: {error}")
    print("ok - lease")


main()
