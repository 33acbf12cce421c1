"""Asks what exporters of metrics ask (mongodb_exporter, Datadog, PMM, mongostat, mongotop), and whether it is true.

    Tests/Drivers/exporters.py MARTLET
"""

import http.client
import re
import shutil
import sys

from pymongo import CursorType, MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from servers import Martlet, PostgreSQL, ServerError, free_port, temporary_directory

# What must be answered, on the database admin.
COMMANDS = [
    {"serverStatus": 1}, {"serverStatus": 1, "tcmalloc": 1, "metrics": 0}, {"getDiagnosticData": 1},
    {"replSetGetStatus": 1}, {"replSetGetConfig": 1}, {"getCmdLineOpts": 1}, {"buildInfo": 1}, {"hostInfo": 1},
    {"connPoolStats": 1}, {"top": 1}, {"currentOp": 1, "$all": True}, {"getLog": "startupWarnings"},
    {"getLog": "global"}, {"getLog": "*"}, {"getParameter": 1, "featureCompatibilityVersion": 1},
    {"getParameter": "*"}, {"connectionStatus": 1, "showPrivileges": True}, {"listDatabases": 1},
    {"dbStats": 1, "scale": 1, "freeStorage": 1}, {"lockInfo": 1}, {"listCommands": 1}, {"profile": -1},
    {"aggregate": 1, "pipeline": [{"$currentOp": {"allUsers": True, "idleConnections": True}}], "cursor": {}},
]
# What a server that is no router, or of this version, has not: exporters expect this very code.
UNKNOWN = ["isdbgrid", "getShardMap", "listShards", "balancerStatus", "shardConnPoolStats", "getFreeMonitoringStatus",
           "atlasVersion", "netstat"]
# The figures of serverStatus that make graphs.
FIGURES = """
asserts.user connections.current connections.available connections.totalCreated connections.active
extra_info.page_faults globalLock.totalTime globalLock.currentQueue.total globalLock.activeClients.readers
globalLock.activeClients.writers mem.resident mem.virtual mem.bits metrics.commands.find.total
metrics.commands.insert.failed metrics.cursor.open.total metrics.cursor.open.pinned metrics.cursor.open.noTimeout
metrics.cursor.timedOut metrics.cursor.totalOpened metrics.document.returned metrics.document.inserted
metrics.document.updated metrics.document.deleted metrics.operation.writeConflicts metrics.queryExecutor.scanned
metrics.queryExecutor.scannedObjects metrics.queryExecutor.collectionScans.total network.bytesIn network.bytesOut
network.numRequests opcounters.insert opcounters.query opcounters.update opcounters.delete opcounters.getmore
opcounters.command opcountersRepl.insert opLatencies.reads.latency opLatencies.writes.ops opLatencies.commands.ops
repl.setName security.authentication.mechanisms.SCRAM-SHA-256.authenticate.received storageEngine.name
transactions.currentOpen transactions.totalStarted transactions.totalCommitted transactions.totalAborted uptimeMillis
""".split()


def expect(what, found, expected=True):
    if found != expected:
        raise ServerError(f"{what}: {found!r}, expected {expected!r}")


def figure(document, path):
    for name in path.split("."):
        if name not in document:
            raise ServerError(f"serverStatus has no {path}")
        document = document[name]
    return document


def test_commands(client):
    for command in COMMANDS:
        client.admin.command(command)
    for name in UNKNOWN:
        try:
            client.admin.command(name)
        except OperationFailure as error:
            expect(name, error.code, 59)
        else:
            raise ServerError(f"{name} has an answer")
    status = client.admin.command("serverStatus")
    for path in FIGURES:
        figure(status, path)
    expect("sections of what is not there", [name for name in ("wiredTiger", "tcmalloc") if name in status], [])


class Difference:
    """How much the figures of serverStatus have grown."""

    def __init__(self, client):
        self.client = client
        self.before = client.admin.command("serverStatus")

    def __call__(self, path):
        return figure(self.client.admin.command("serverStatus"), path) - figure(self.before, path)


def test_documents(client):
    collection = client.exporters.documents
    collection.insert_many([{"_id": number, "even": number % 2 == 0} for number in range(100)])
    collection.create_index("even")
    grown = Difference(client)
    collection.insert_one({"_id": 100})
    try:
        collection.insert_one({"_id": 100})
    except PyMongoError:
        pass
    collection.update_many({"_id": {"$lt": 10}}, {"$set": {"a": 1}})
    collection.update_many({"_id": {"$lt": 10}}, {"$set": {"a": 1}})
    collection.update_one({"_id": 200}, {"$set": {"a": 1}}, upsert=True)
    collection.delete_many({"_id": {"$gte": 100}})
    expect("found", len(list(collection.find({"even": True}, batch_size=20))), 50)
    expect("found", collection.find_one({"_id": 7})["_id"], 7)
    expect("found", collection.find_one({"_id": 700}), None)
    for path, expected in (
            ("metrics.document.inserted", 2), ("metrics.document.updated", 10), ("metrics.document.deleted", 2),
            ("metrics.document.returned", 51), ("metrics.cursor.totalOpened", 1), ("metrics.commands.insert.total", 2),
            ("metrics.commands.getMore.total", 2), ("opLatencies.writes.ops", 6),
            ("metrics.queryExecutor.collectionScans.total", 0)):
        expect(path, grown(path), expected)
    expect("keys are looked at", grown("metrics.queryExecutor.scanned") >= 51)


def collection_statistics(collection, **options):
    return collection.aggregate([{"$collStats": options}]).next()


def test_collections(client):
    collection = client.exporters.scanned
    collection.insert_many([{"_id": number} for number in range(10)])
    for _ in range(3):
        list(collection.find({"x": 1}, batch_size=2))
        list(collection.find({"_id": 1}))
    list(collection.aggregate([{"$match": {"x": 1}}]))
    collection.update_many({"x": 1}, {"$set": {"y": 1}})
    list(collection.find().sort("_id", 1))
    scans = collection_statistics(collection, queryExecStats={})["queryExecStats"]["collectionScans"]
    expect("scans", scans, {"total": 5, "nonTailable": 5})
    latencies = collection_statistics(collection, latencyStats={"histograms": True})["latencyStats"]
    expect("reads", latencies["reads"]["ops"] >= 8)
    expect("writes", latencies["writes"]["ops"], 2)
    for kind, times in latencies.items():
        expect(f"histogram of {kind}", sum(each["count"] for each in times["histogram"]), times["ops"])
        floor = sum(each["count"] * each["micros"] for each in times["histogram"])
        expect(f"times of {kind}", floor <= times["latency"] <= floor * 1.5 + times["ops"])
    # The counters belong to the collection, not to the name.
    collection.drop()
    collection.insert_one({})
    scans = collection_statistics(collection, queryExecStats={})["queryExecStats"]["collectionScans"]
    expect("scans of a new collection", scans["total"], 0)
    client.exporters.create_collection("capped", capped=True, size=10_000)
    client.exporters.capped.insert_one({})
    with client.exporters.capped.find(cursor_type=CursorType.TAILABLE) as cursor:
        cursor.next()
    scans = collection_statistics(client.exporters.capped, queryExecStats={})["queryExecStats"]["collectionScans"]
    expect("scans that follow", scans, {"total": 1, "nonTailable": 0})


def test_logins(address, client, admin_port):
    mechanisms = "security.authentication.mechanisms."
    grown = Difference(client)
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
        with MongoClient(address, username="watcher", password="pw", authMechanism=mechanism) as other:
            other.admin.command("ping")
        try:
            with MongoClient(address, username="watcher", password="no", authMechanism=mechanism) as other:
                other.admin.command("ping")
        except OperationFailure:
            pass
        else:
            raise ServerError(f"a wrong password is good enough for {mechanism}")
        expect(f"{mechanism} received", grown(f"{mechanisms}{mechanism}.authenticate.received"), 2)
        expect(f"{mechanism} succeeded", grown(f"{mechanisms}{mechanism}.authenticate.successful"), 1)
        expect(f"{mechanism} sent ahead", grown(f"{mechanisms}{mechanism}.speculativeAuthenticate.successful"), 1)
    connection = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=15)
    connection.request("GET", "/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    failed = re.search(r'^martlet_logins_total\{mechanism="SCRAM-SHA-1",outcome="failed"\} (\d+)$', page, re.MULTILINE)
    expect("failed logins in /metrics", failed and failed[1], "1")


def run(binary, directory):
    postgresql = PostgreSQL(directory)
    server = Martlet(binary, directory, postgresql.url)
    port = free_port()
    server.options = ["--auth", "--admin-listen", f"127.0.0.1:{port}"]
    try:
        postgresql.start()
        server.start()
        with MongoClient(server.uri) as client:
            client.admin.command("createUser", "watcher", pwd="pw", roles=["root"])
        with MongoClient(server.uri, username="watcher", password="pw") as client:
            test_commands(client)
            test_documents(client)
            test_collections(client)
            test_logins(server.uri, client, port)
        server.stop()
        postgresql.stop()
    finally:
        server.clean_up()
        postgresql.clean_up()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: exporters.py MARTLET")
    directory = temporary_directory()
    try:
        run(sys.argv[1], directory)
    except (ServerError, OSError, PyMongoError, http.client.HTTPException) as error:
        sys.exit(f"exporters: {error}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("ok - exporters")


main()
