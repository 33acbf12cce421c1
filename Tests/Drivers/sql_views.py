"""Documents as SQL sees them, and a database that goes to another server by pg_dump and pg_restore.

    Tests/Drivers/sql_views.py MARTLET

Fills collections of every kind, reads them through their views with psql, as owner and through the role for readers,
renames, drops and replaces them. Then dumps the database, restores it into an empty PostgreSQL, starts Martlet there
and compares every document, index and option; it must be possible to go on writing, and unique indexes must hold.
"""

import os
import subprocess
import sys
import threading

from bson import Decimal128, Int64, ObjectId, json_util
from pymongo import ASCENDING, DESCENDING, MongoClient
from pymongo.errors import DuplicateKeyError, PyMongoError

from servers import Martlet, ServerError, database, postgresql_tool

READER_VIEW = 'SELECT count(*) FROM "app"."orders"'


def expect(what, found, expected):
    if found != expected:
        raise ServerError(f"{what}: {found!r}, expected {expected!r}")


def tool(name, *arguments, input=None, check=True):
    done = subprocess.run([postgresql_tool(name), *arguments], input=input, capture_output=True)
    if check and done.returncode != 0:
        raise ServerError(f"{name}: {done.stderr.decode()}")
    return done.stdout


def sql(postgresql, statement, user="postgres"):
    """The rows as lines, columns between bars."""
    url = postgresql.url.replace("postgres@", user + "@", 1)
    return tool("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", url, input=statement.encode()).decode().splitlines()


def fill(client):
    app = client.app
    app.orders.insert_many([
        {"_id": i, "customer": f"c{i % 7}",
         "lines": [{"sku": f"s{n}", "price": Decimal128(f"{n}.50")} for n in range(i % 4)],
         "total": Int64(i * 1_000_000_007), "note": "ü☃" if i % 5 else None} for i in range(500)])
    app.orders.create_index([("customer", ASCENDING), ("total", DESCENDING)])
    app.orders.create_index("lines.sku")
    app.orders.create_index("total", unique=True)
    app.orders.create_index("note", partialFilterExpression={"note": {"$exists": True}})
    app.create_collection("log", capped=True, size=100_000, max=50)
    app.log.insert_many([{"n": n} for n in range(70)])
    app.create_collection("strict", validator={"a": {"$type": "int"}}, collation={"locale": "en", "strength": 2})
    app.strict.insert_many([{"_id": "A", "a": 1}, {"_id": "b", "a": 2}])
    app.create_collection("shown", viewOn="orders", pipeline=[{"$match": {"customer": "c1"}}])
    client["martlet"]["system"].insert_one({"_id": ObjectId("0123456789abcdef01234567")})
    client["Other-db"]["x" * 100].insert_one({"_id": 1})


def test_views(postgresql, client):
    values = """SELECT _id, doc->>'customer', martlet.bson_get('\\x0500000000', 'a') FROM app.orders WHERE _id = '7'"""
    expect("a row", sql(postgresql, values), ["7|c0|"])
    [document] = sql(postgresql, "SELECT doc FROM app.orders WHERE _id = '3'")
    expect("a document", json_util.loads(document), client.app.orders.find_one({"_id": 3}))
    expect("rows",
           sql(postgresql, "SELECT (SELECT count(*) FROM app.log), (SELECT count(*) FROM app.strict)"), ["50|2"])
    expect("a database with our name", sql(postgresql, 'SELECT doc FROM ".martlet".system'),
           ['{"_id": {"$oid": "0123456789abcdef01234567"}}'])
    names = sql(postgresql, "SELECT schemaname || '.' || viewname FROM pg_views"
                            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'martlet') ORDER BY 1")
    long = [name for name in names if name.startswith("Other-db.")]
    expect("a long name", [(len(name), name.startswith("Other-db." + "x" * 54 + "~")) for name in long], [(72, True)])
    expect("the others", sorted(set(names) - set(long)), [".martlet.system", "app.log", "app.orders", "app.strict"])
    sql(postgresql, "CREATE ROLE visitor LOGIN IN ROLE martlet_reader")
    expect("a reader", sql(postgresql, READER_VIEW, user="visitor"), ["500"])
    for forbidden in ("SELECT * FROM martlet.collections", "DELETE FROM app.orders", "CREATE TABLE app.t ()",
                      "SELECT martlet.drop_collection('app', 'orders')"):
        try:
            sql(postgresql, forbidden, user="visitor")
        except ServerError as error:
            if "permission denied" not in str(error) and "cannot delete" not in str(error):
                raise
        else:
            raise ServerError(f"a reader may: {forbidden}")


def test_changes(postgresql, client):
    """Views follow their collections, and views on them survive."""
    database = client.moving
    database.a.insert_many([{"_id": i} for i in range(3)])
    sql(postgresql, "CREATE VIEW public.mine AS SELECT count(*) AS n FROM moving.a;"
                    " GRANT SELECT ON moving.a TO visitor")
    rows = "SELECT n FROM public.mine"
    database.a.create_index("x")  # gives the table another number
    expect("after createIndexes", sql(postgresql, rows), ["3"])
    database.a.rename("b")
    expect("renamed", sql(postgresql, rows + "; SELECT count(*) FROM moving.b"), ["0", "3"])
    database.b.aggregate([{"$match": {"_id": {"$lt": 2}}}, {"$out": "a"}])
    expect("written by $out", sql(postgresql, rows), ["2"])
    database.b.aggregate([{"$out": "a"}])
    expect("replaced by $out", sql(postgresql, rows), ["3"])
    database.command("convertToCapped", "a", size=100_000)
    expect("capped", sql(postgresql, rows), ["3"])
    database.a.drop()
    expect("dropped", sql(postgresql, rows), ["0"])
    database.a.insert_one({})
    expect("there again", sql(postgresql, rows + "; SELECT has_table_privilege('visitor', 'moving.a', 'SELECT')"),
           ["1", "t"])
    with client.start_session() as session, session.start_transaction():
        database["in_transaction"].insert_one({}, session=session)
        expect("before the commit", sql(postgresql, "SELECT to_regclass('moving.in_transaction')"), [""])
    expect("after the commit", sql(postgresql, "SELECT count(*) FROM moving.in_transaction"), ["1"])
    sql(postgresql, "CREATE TABLE moving.taken ()")
    database.taken.insert_one({})
    expect("a name that is taken", database.taken.count_documents({}), 1)
    sql(postgresql, "SELECT martlet.refresh_views()")
    expect("the reason", sql(postgresql, "SELECT problem FROM martlet.sql_views WHERE state = 'failed'"),
           ["moving.taken is something else"])
    client.drop_database("moving")
    sql(postgresql, "DROP VIEW public.mine; DROP TABLE moving.taken; SELECT martlet.refresh_views()")
    expect("tidy", sql(postgresql, "SELECT viewname FROM pg_views WHERE schemaname = 'moving'"), [])


def test_many_at_once(postgresql, client):
    """Creations beside each other, alone and in transactions, in databases that are new: none waits for good."""
    problems = []

    def create(thread):
        try:
            for number in range(12):
                client[f"new{number}"][f"c{thread}"].insert_one({})
        except PyMongoError as error:
            problems.append(error)

    threads = [threading.Thread(target=create, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect("creations", problems, [])
    while sql(postgresql, "SELECT martlet.refresh_views()") != ["0"]:
        pass
    expect("views", sql(postgresql, "SELECT count(*) FROM pg_views WHERE schemaname ~ '^new[0-9]+$'"), ["96"])


def contents(client):
    found = {}
    for name in client.list_database_names():
        if name in ("admin", "config", "local"):
            continue
        for collection in client[name].list_collections():
            key = (name, collection["name"])
            found[key] = [collection]
            if collection["type"] != "view":
                place = client[name][collection["name"]]
                found[key] += [list(place.find().sort("_id")), place.index_information()]
    return found


def test_restored(client, expected):
    found = contents(client)
    for key in sorted(set(expected) | set(found)):
        expect("restored " + ".".join(key), found.get(key), expected.get(key))
    orders = client.app.orders
    expect("by index", orders.count_documents({"customer": "c3"}, hint="customer_1_total_-1"), 71)
    try:
        orders.insert_one({"_id": 1_000, "total": Int64(1_000_000_007)})
        raise ServerError("a unique index was forgotten")
    except DuplicateKeyError:
        pass
    orders.insert_one({"_id": 1_000, "total": -1})
    client.app.log.insert_one({"n": 70})
    expect("still capped", client.app.log.count_documents({}), 50)


def run(binary, postgresql, directory):
    server = Martlet(binary, directory, postgresql.url).start()
    try:
        with MongoClient(server.uri) as client:
            fill(client)
            test_views(postgresql, client)
            test_changes(postgresql, client)
            test_many_at_once(postgresql, client)
            expected = contents(client)
        # While the server runs: a dump is a snapshot.
        archive = tool("pg_dump", "--format=custom", postgresql.url)
        server.stop()
    finally:
        server.clean_up()
    with database() as (empty, place):
        tool("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--dbname", empty.url, input=archive)
        restored = Martlet(binary, place, empty.url).start()
        try:
            with MongoClient(restored.uri) as client:
                test_restored(client, expected)
            expect("views", sql(empty, READER_VIEW), ["501"])
            restored.stop()
        finally:
            restored.clean_up()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: sql_views.py MARTLET")
    try:
        with database() as (postgresql, directory):
            run(os.path.abspath(sys.argv[1]), postgresql, directory)
    except (ServerError, OSError, PyMongoError) as error:
        sys.exit(f"sql_views: {type(error).__name__}: {error}")
    print("ok - sql_views")


main()
