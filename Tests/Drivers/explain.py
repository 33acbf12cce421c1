"""What explain, `martlet sql` and PostgreSQL's log tell about commands.

    Tests/Drivers/explain.py MARTLET
"""

import os
import subprocess
import sys

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from servers import Martlet, ServerError, database, postgresql_tool, wait_until

DOCUMENTS = 1_000


def expect(what, found, expected):
    if found != expected:
        raise ServerError(f"{what}: {found!r}, expected {expected!r}")


def stages(plan):
    """The names from the root down, and the last stage."""
    names = [plan["stage"]]
    while "inputStage" in plan:
        plan = plan["inputStage"]
        names.append(plan["stage"])
    return " ".join(names), plan


def explain(database, command, verbosity="queryPlanner"):
    return database.command("explain", command, verbosity=verbosity)


# What a find adds to its name, the stages of its plan, and bounds on the keys.
PLANS = [
    ({"filter": {"_id": 5}}, "IDHACK", None),
    ({"filter": {}}, "COLLSCAN", None),
    ({"filter": {"x": 1}}, "COLLSCAN", None),
    ({"filter": {"a": 5}}, "FETCH IXSCAN", {"a": ["[5, 5]"], "b": ["[MinKey, MaxKey]"]}),
    ({"filter": {"a": {"$gt": 5, "$lte": 7}}}, "FETCH IXSCAN", {"a": ["(5, 7]"], "b": ["[MinKey, MaxKey]"]}),
    ({"filter": {"a": 5}, "sort": {"b": -1}}, "FETCH IXSCAN", {"a": ["[5, 5]"], "b": ["[MaxKey, MinKey]"]}),
    ({"filter": {"a": 5}, "sort": {"x": 1}}, "SORT FETCH IXSCAN", {"a": ["[5, 5]"], "b": ["[MinKey, MaxKey]"]}),
    ({"filter": {"a": 5}, "skip": 2, "limit": 3, "projection": {"a": 1}}, "LIMIT PROJECTION_SIMPLE SKIP FETCH IXSCAN",
     {"a": ["[5, 5]"], "b": ["[MinKey, MaxKey]"]}),
    ({"filter": {"_id": {"$gte": 5, "$lt": 9}}}, "FETCH IXSCAN", {"_id": ["[5, 9)"]}),
]


def test_plans(database):
    for addition, expected, bounds in PLANS:
        winning = explain(database, {"find": "c", **addition})["queryPlanner"]["winningPlan"]
        names, last = stages(winning)
        expect(f"plan of {addition}", names, expected)
        if bounds:
            expect(f"bounds of {addition}", last["indexBounds"], bounds)
    scan = stages(explain(database, {"find": "c", "filter": {"tags": "t1"}})["queryPlanner"]["winningPlan"])[1]
    expect("a multikey index", [scan[name] for name in (
        "keyPattern", "indexName", "isMultiKey", "multiKeyPaths", "isUnique", "isSparse", "isPartial", "direction")],
        [{"tags": 1}, "tags_1", True, {"tags": ["tags"]}, False, False, False, "forward"])
    either = explain(database, {"find": "c", "filter": {"$or": [{"a": 1}, {"tags": "t1"}]}})
    fetch = either["queryPlanner"]["winningPlan"]
    expect("either", (fetch["stage"], fetch["inputStage"]["stage"],
                      [stage["indexName"] for stage in fetch["inputStage"]["inputStages"]]),
           ("FETCH", "OR", ["a_1_b_1", "tags_1"]))
    counted = explain(database, {"count": "c", "query": {"a": 5}})["queryPlanner"]["winningPlan"]
    expect("a count by keys", stages(counted)[0], "COUNT COUNT_SCAN")


def test_counts(database):
    def run(command):
        stats = explain(database, command, "executionStats")["executionStats"]
        return [stats[name] for name in ("nReturned", "totalKeysExamined", "totalDocsExamined")]

    expect("a scan", run({"find": "c", "filter": {"x": 1}}), [300, 0, DOCUMENTS])
    expect("an index", run({"find": "c", "filter": {"a": 5}}), [10, 10, 10])
    expect("a filter behind it", run({"find": "c", "filter": {"a": 5, "x": 1}}), [3, 10, 10])
    expect("a limit", run({"find": "c", "filter": {"a": 5}, "limit": 3})[0], 3)
    expect("a sort", run({"find": "c", "filter": {"a": 5}, "sort": {"x": 1}, "limit": 3}), [3, 10, 10])
    expect("a count", run({"count": "c", "query": {"a": 5}}), [0, 10, 0])
    expect("more to skip than there is", run({"find": "c", "skip": (1 << 63) - 1}), [0, 0, DOCUMENTS])
    expect("one document", run({"find": "c", "filter": {"_id": 5}}), [1, 1, 1])
    found = explain(database, {"update": "c", "updates": [{"q": {"a": 5}, "u": {"$set": {"y": 1}}, "multi": True}]},
                    "executionStats")["executionStats"]["executionStages"]
    expect("an update", (found["stage"], found["nWouldModify"]), ("UPDATE", 10))
    expect("nothing is written", database.c.count_documents({"y": 1}), 0)
    whole = explain(database, {"find": "c", "filter": {"a": 5}}, "allPlansExecution")
    expect("all plans", whole["executionStats"]["allPlansExecution"], [])
    [plan] = whole["martlet"]["postgresql"]
    expect("PostgreSQL's plan", plan["plan"][0]["Plan"]["Actual Rows"], 10)
    [statement] = whole["martlet"]["statements"]
    expect("parameters", len(statement["parameters"]), statement["sql"].count("$"))


def chosen(database, command):
    """The index that a plan begins with, whether an index filter decided, and the other plans."""
    planner = explain(database, command)["queryPlanner"]
    names, last = stages(planner["winningPlan"])
    return last.get("indexName", names), planner["indexFilterSet"], len(planner["rejectedPlans"])


def fails(database, command, code):
    try:
        database.command(command)
    except OperationFailure as error:
        expect(f"code of {command}", error.code, code)
    else:
        raise ServerError(f"{command} is not refused")


def test_explained_commands(database):
    """What is explained is what is done: hint, order, and views."""
    database.command("create", "v", viewOn="c", pipeline=[{"$match": {"x": {"$gte": 0}}}])
    for command in ({"count": "c", "query": {"a": 5}}, {"distinct": "c", "key": "b", "query": {"a": 5}},
                    {"findAndModify": "c", "query": {"a": 5}, "update": {"$set": {"y": 1}}},
                    {"update": "c", "updates": [{"q": {"a": 5}, "u": {"$set": {"y": 1}}}]}):
        expect(f"plan of {command}", chosen(database, command)[0], "a_1_b_1")
    for command in ({"find": "c", "filter": {"a": 5}}, {"count": "c", "query": {"a": 5}},
                    {"distinct": "c", "key": "b", "query": {"a": 5}},
                    {"findAndModify": "c", "query": {"a": 5}, "remove": True},
                    {"aggregate": "c", "pipeline": [{"$match": {"a": 5}}], "cursor": {}}):
        hinted = {**command, "hint": "tags_1"}
        expect(f"plan of {hinted}", chosen(database, hinted)[0], "tags_1")
        fails(database, {"explain": {**command, "hint": "missing"}}, 2)
    first = explain(database, {"findAndModify": "c", "query": {"a": 5}, "sort": {"b": -1}, "remove": True},
                    "executionStats")["executionStats"]["executionStages"]
    expect("one of ten", (first["stage"], first["nWouldDelete"]), ("DELETE", 1))
    for command in ({"find": "v", "filter": {"a": 5}}, {"count": "v", "query": {"a": 5}},
                    {"distinct": "v", "key": "b", "query": {"a": 5}}):
        told = explain(database, {**command, "hint": "tags_1"})
        planner = told["queryPlanner"] if "queryPlanner" in told else told["stages"][0]["$cursor"]["queryPlanner"]
        expect(f"plan of {command}", stages(planner["winningPlan"])[1]["indexName"], "tags_1")
        fails(database, {**command, "hint": "missing"}, 2)
    expect("a hinted count of a view", database.command({"count": "v", "query": {"a": 5}, "hint": "tags_1"})["n"], 10)
    database.drop_collection("v")


def test_index_filters(database, other):
    asked = {"find": "c", "filter": {"a": 7}}
    database.c.create_index("a")
    expect("two indexes", chosen(database, asked)[1:], (False, 1))
    for index in ("a_1", "a_1_b_1"):
        database.command({"planCacheSetFilter": "c", "query": {"a": 1}, "indexes": [index]})
        expect(f"only {index}", chosen(database, asked), (index, True, 0))
        expect("a hint is ignored", chosen(database, {**asked, "hint": "tags_1"})[0], index)
        expect("what is found", database.c.count_documents({"a": 7}), 10)
    listed = database.command({"planCacheListFilters": "c"})["filters"]
    expect("one filter", listed, [{"query": {"a": 1}, "sort": {}, "projection": {}, "indexes": ["a_1_b_1"]}])
    expect("of one server", other.command({"planCacheListFilters": "c"})["filters"], [])
    database.command({"planCacheSetFilter": "c", "query": {"a": 1}, "indexes": [{"z": 1}]})
    expect("none of use", chosen(database, asked)[0], "COLLSCAN")
    database.command({"planCacheClearFilters": "c", "query": {"a": 1}})
    expect("no filter", chosen(database, asked)[1], False)
    database.c.drop_index("a_1")


def test_query_settings(database, other):
    """What one server is told, both do."""
    admin, seen = database.client.admin, other.client.admin
    query = {"find": "c", "filter": {"a": 1}, "$db": "test"}
    hints = [{"ns": {"db": "test", "coll": "c"}, "allowedIndexes": ["tags_1"]}]
    found = admin.command({"setQuerySettings": query, "settings": {"indexHints": hints, "comment": "slow"}})
    told = explain(database, {"find": "c", "filter": {"a": 7}})
    expect("the hash", told["queryShapeHash"], found["queryShapeHash"])
    expect("settings", told["queryPlanner"]["querySettings"], {"indexHints": hints, "comment": "slow"})
    admin.command({"setQuerySettings": found["queryShapeHash"], "settings": {"reject": True}})
    fails(database, {"find": "c", "filter": {"a": 99}}, 411)
    expect("another shape", database.c.count_documents({"b": 99}), 1)
    wait_until(lambda: rejects(other), 30, "the other server rejects the query, too")
    [listed] = seen.aggregate([{"$querySettings": {"showDebugQueryShape": True}}])
    expect("listed", (listed["settings"]["reject"], listed["representativeQuery"]), (True, query))
    expect("its shape", listed["debugQueryShape"]["filter"], {"a": {"$eq": "?number"}})
    return found["queryShapeHash"]


def rejects(database):
    try:
        list(database.c.find({"a": 1}))
    except OperationFailure as error:
        return error.code == 411
    return False


def test_command_line(binary, server):
    def shown(command):
        done = subprocess.run([binary, "sql", "--uri", server.uri, "--database", "test", command],
                              capture_output=True, text=True)
        return done.stdout + done.stderr

    for command, expected in [
        ('{"find": "c", "filter": {"a": 5}}', ["pool: readers", "READ COMMITTED", "JOIN martlet.", "$1 = \\x"]),
        ('{"aggregate": "c", "pipeline": [{"$match": {"x": 1}}], "cursor": {}}', ["pool: general", "SELECT rid, CASE"]),
        ('{"count": "c", "query": {}}', ["SELECT count(*)"]),
        ('{"distinct": "c", "key": "a"}', ["SELECT"]),
        ('{"insert": "c", "documents": [{"_id": -1}]}', ["pool: writers", "INSERT INTO martlet.documents_"]),
        ('{"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"a": 1}}}]}', ["UPDATE martlet.documents_"]),
        ('{"delete": "c", "deletes": [{"q": {"a": 1}, "limit": 1}]}', ["DELETE FROM martlet.documents_"]),
        ('{"findAndModify": "c", "query": {"a": 1}, "remove": true}', ["DELETE FROM martlet.documents_"]),
        ('{"find": "missing"}', ["no such collection"]),
        ('{"find": ', ["not extended JSON"]),
        ('{"ping": 1}', ["not supported"]),
    ]:
        text = shown(command)
        for part in expected:
            expect(f"martlet sql '{command}': {text}", part in text, True)


def test_steering(binary, directory, postgresql, database):
    # In a directory of its own: whatever runs there ends with it.
    directory = os.path.join(directory, "other")
    os.mkdir(directory)
    other = Martlet(binary, directory, postgresql.url).start()
    try:
        with MongoClient(other.uri) as client:
            test_index_filters(database, client.test)
            shape = test_query_settings(database, client.test)
        other.stop()
        other.start()
        with MongoClient(other.uri) as client:
            expect("settings survive a restart", rejects(client.test), True)
            client.admin.command({"removeQuerySettings": shape})
            expect("removed", rejects(client.test), False)
        wait_until(lambda: not rejects(database), 30, "the first server answers the query again")
        other.stop()
    finally:
        other.clean_up()


def test_attribution(postgresql, database):
    def sql(statement):
        subprocess.run([postgresql_tool("psql"), "-Xqc", statement, postgresql.url], check=True,
                       stdout=subprocess.DEVNULL)

    sql("ALTER SYSTEM SET log_statement = 'all'")
    sql("SELECT pg_reload_conf()")
    for i in range(20):
        list(database.c.find({"x": 1}, comment=f"report {i} */ '"))
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    list(database.c.find({"x": 1}, comment={"traceparent": trace}))
    database.c.count_documents({"a": 5})
    database.c.update_many({"a": 5}, {"$set": {"z": 1}})
    database.c.find_one({"_id": 1})
    with open(postgresql.data_directory + "/log", errors="replace") as log:
        text = log.read()
    for part in ["collection='c',comment='report%2019%20%2A%2F%20%27',db='test',op='find'*/",
                 f"op='find',traceparent='{trace}'*/",
                 "op='aggregate'*/", "op='update'*/"]:
        expect(f"{part} in PostgreSQL's log", part in text, True)
    lines = [line for line in text.splitlines() if "WHERE id = $1" in line and "SELECT id, doc" in line]
    expect("a point read is plain", [line for line in lines if "/*" in line], [])
    kept = [line for line in text.splitlines() if "report%20" in line and "execute m" in line]
    expect("comments of clients are not in prepared statements", kept, [])


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: explain.py MARTLET")
    binary = os.path.abspath(sys.argv[1])
    try:
        with database() as (postgresql, directory):
            server = Martlet(binary, directory, postgresql.url).start()
            try:
                with MongoClient(server.uri) as client:
                    client.test.c.insert_many([
                        {"_id": i, "a": i % 100, "b": i, "x": i // 100 % 3, "tags": [f"t{i % 7}", "t"]}
                        for i in range(DOCUMENTS)])
                    client.test.c.create_index([("a", 1), ("b", 1)])
                    client.test.c.create_index("tags")
                    test_plans(client.test)
                    test_counts(client.test)
                    test_explained_commands(client.test)
                    test_steering(binary, directory, postgresql, client.test)
                    test_command_line(binary, server)
                    test_attribution(postgresql, client.test)
                server.stop()
            finally:
                server.clean_up()
    except (ServerError, OSError, PyMongoError) as error:
        sys.exit(f"explain: {type(error).__name__}: {error}")
    print("ok - explain")


main()
