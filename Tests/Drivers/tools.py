"""What tools send when they connect and while they are used, in their order, and whether the replies have what they
read. Without logins, and with them for the roles that the tools ask for.

    Tests/Drivers/tools.py MARTLET

The commands are those that the shell, Compass, mongodump, mongorestore, mongoexport, mongostat, mongotop and
mongodb_exporter were seen to send.
"""

import json
import re
import sys
from datetime import datetime

from bson import Int64, ObjectId
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from servers import Martlet, temporary_directory

DATABASE = "shop"
PASSWORD = "t00ls-S3cret"
UNKNOWN_ERROR, UNAUTHORIZED, COMMAND_NOT_FOUND, INVALID_OPTIONS = 8, 13, 59, 72
NOON = datetime(2024, 5, 1, 12)
ID_INDEX = {"v": 2, "key": {"_id": 1}, "name": "_id_"}
# An update of a document that is not there.
MISSED = {"op": "u", "ns": f"{DATABASE}.log", "o": {"x": 1}, "o2": {"_id": 99}}


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class Step:
    """`reads` are dotted paths that must be there; `*` stands for each element, of which there must be one. After an
    error `fails` the tool goes on, and after a success it would go another way."""

    def __init__(self, database, command, *reads, test=None, fails=None):
        self.database, self.command, self.reads, self.test, self.fails = database, command, reads, test, fails

    def run(self, client):
        try:
            reply = client[self.database].command(self.command)
        except OperationFailure as error:
            check(error.code == self.fails, f"{self.command}: {error}")
            return
        check(self.fails is None, f"{self.command} succeeded: {reply}")
        for path in self.reads:
            try:
                values_at(reply, path.split("."))
            except LookupError as error:
                raise AssertionError(f"{self.command}: {path}: {error} in {str(reply)[:2000]}") from None
        check(self.test is None or self.test(reply), f"{self.command}: {reply}")


def values_at(value, steps):
    if not steps:
        return
    if steps[0] != "*":
        values_at(value[steps[0]], steps[1:])
        return
    if not value:
        raise LookupError("no element")
    for element in value.values() if isinstance(value, dict) else value:
        values_at(element, steps[1:])


def admin(command, *reads, test=None, fails=None):
    return Step("admin", command, *reads, test=test, fails=fails)


def here(command, *reads, test=None):
    return Step(DATABASE, command, *reads, test=test)


def aggregate(collection, pipeline, *reads, database=DATABASE, test=None):
    return Step(database, {"aggregate": collection, "pipeline": pipeline, "cursor": {}},
                *(f"cursor.firstBatch.*.{path}" for path in reads), test=test)


def has_readable_lines(reply):
    """The shell parses each line of the log and shows its time and its message."""
    lines = [json.loads(line) for line in reply["log"]]
    return all("$date" in line["t"] and line["msg"] for line in lines)


def is_typed(*types):
    """mongodb_exporter drops operations whose fields have other types than MongoDB's."""
    def test(reply):
        operation = reply["inprog"][0]
        return all(type(operation[name]) is kind for name, kind in types)
    return test


PROBES = [
    admin({"ping": 1}),
    admin({"buildInfo": 1}, "version", "versionArray", "bits", "modules", "gitVersion",
          test=lambda reply: len(reply["versionArray"]) >= 3 and re.match(r"\d+\.\d+\.\d+$", reply["version"])),
    admin({"atlasVersion": 1}, fails=COMMAND_NOT_FOUND),
    admin({"getParameter": 1, "featureCompatibilityVersion": 1}, "featureCompatibilityVersion.version"),
    aggregate("atlascli", [{"$match": {"managedClusterType": "atlasCliLocalDevCluster"}},
                           {"$group": {"_id": 1, "n": {"$sum": 1}}}], database="admin"),
    admin({"getParameter": "foo"}, fails=INVALID_OPTIONS),
]

SHELL = [
    *PROBES,
    admin({"getLog": "startupWarnings"}, "log", test=has_readable_lines),
    # db.orders.insertMany([…])
    here({"insert": "orders", "documents": [{"_id": 1, "at": "north", "n": 3}, {"_id": 2, "at": "south", "n": 4}]}),
    admin({"hello": 1}, "setName", "hosts", "me", "primary", "isWritablePrimary", "topologyVersion"),
    here({"create": "readings", "timeseries": {"timeField": "at", "metaField": "where"}}),
    here({"insert": "readings", "documents": [{"at": NOON, "where": "north", "x": 1},
                                               {"_id": "two", "at": NOON, "where": "south", "y": 2}]}),
    # While one types: what there is to complete.
    admin({"listDatabases": 1, "nameOnly": True}, "databases.*.name"),
    here({"listCollections": 1, "nameOnly": True}, "cursor.firstBatch.*.name"),
    # show dbs, show collections, show users, show roles, show profile, show log, show logs
    admin({"listDatabases": 1}, "databases.*.sizeOnDisk", "databases.*.empty", "totalSize"),
    here({"listCollections": 1}, "cursor.firstBatch.*.type", "cursor.firstBatch.*.info.readOnly"),
    here({"usersInfo": 1}, "users"),
    here({"rolesInfo": 1, "showBuiltinRoles": True}, "roles.*.role", "roles.*.isBuiltin", "roles.*.inheritedRoles"),
    here({"aggregate": "system.profile", "pipeline": [{"$match": {}}, {"$group": {"_id": 1, "n": {"$sum": 1}}}],
          "cursor": {}}),
    admin({"getLog": "global"}, "log.*", "totalLinesWritten", test=has_readable_lines),
    admin({"getLog": "*"}, "names.*"),
    # db.orders.…
    here({"find": "orders", "filter": {"n": {"$gt": 3}}}, "cursor.firstBatch.*._id"),
    here({"explain": {"find": "orders", "filter": {"n": 3}}, "verbosity": "queryPlanner"},
         "queryPlanner.winningPlan.stage", "queryPlanner.namespace", "serverInfo.version"),
    here({"explain": {"find": "orders", "filter": {"n": 3}}, "verbosity": "executionStats"},
         "executionStats.nReturned", "executionStats.totalDocsExamined", "executionStats.executionStages.stage"),
    here({"explain": {"aggregate": "orders", "pipeline": [{"$group": {"_id": "$at"}}], "cursor": {}},
          "verbosity": "queryPlanner"}),
    here({"createIndexes": "orders", "indexes": [{"key": {"n": 1}, "name": "n_1"}]}, "numIndexesAfter"),
    here({"listIndexes": "orders"}, "cursor.firstBatch.*.v", "cursor.firstBatch.*.key", "cursor.firstBatch.*.name"),
    aggregate("orders", [{"$group": {"_id": "$at", "n": {"$sum": "$n"}}}], "n"),
    aggregate("orders", [{"$collStats": {"storageStats": {"scale": 1}}}], "ns", "host", "localTime",
              "storageStats.size", "storageStats.count", "storageStats.storageSize", "storageStats.nindexes",
              "storageStats.indexSizes", "storageStats.totalIndexSize", "storageStats.capped"),
    aggregate("orders", [{"$collStats": {"latencyStats": {"histograms": True}}}], "latencyStats.reads.histogram",
              "latencyStats.writes.ops", "latencyStats.commands.latency"),
    aggregate("orders", [{"$indexStats": {}}], "name", "key", "host"),
    here({"validate": "orders"}, "valid", "nrecords", "keysPerIndex"),
    # db.…
    here({"dbStats": 1, "scale": 1}, "objects", "dataSize", "storageSize", "indexes", "indexSize"),
    here({"dbStats": 1, "freeStorage": 1}, "freeStorageSize", "indexFreeStorageSize", "totalFreeStorageSize"),
    admin({"serverStatus": 1}, "uptime", "connections.current", "opcounters.insert", "mem.resident"),
    aggregate(1, [{"$currentOp": {"allUsers": True, "idleConnections": False, "truncateOps": False}},
                  {"$match": {}}], "opid", "op", "ns", "command", database="admin"),
    admin({"hostInfo": 1}, "system.hostname", "os.name"),
    admin({"getCmdLineOpts": 1}, "argv.*", "parsed.security.authorization"),
    here({"profile": -1}, "was", "slowms", "sampleRate"),
    here({"listCommands": 1}, "commands.find.help", "commands.find.requiresAuth"),
    here({"find": 1, "help": True}, "help"),
    admin({"getParameter": 1, "logComponentVerbosity": 1}, "logComponentVerbosity.verbosity"),
    admin({"setParameter": 1, "logComponentVerbosity": {"verbosity": 0}}, "was"),
    # rs.…
    admin({"replSetGetStatus": 1}, "set", "myState", "members.*.stateStr", "members.*.optimeDate", "members.*.name",
          "members.*.health", "members.*.self"),
    admin({"replSetGetConfig": 1}, "config._id", "config.version", "config.members.*.host", "config.settings"),
]

COMPASS = [
    admin({"connectionStatus": 1, "showPrivileges": True}, "authInfo.authenticatedUsers",
          "authInfo.authenticatedUserPrivileges"),
    admin({"hostInfo": 1}, "os.type", "os.version", "system.cpuArch", "system.numCores", "system.memSizeMB"),
    *PROBES,
    admin({"listDatabases": 1, "nameOnly": True}, "databases.*.name"),
    here({"dbStats": 1}, "collections", "objects", "avgObjSize", "dataSize", "storageSize", "indexes", "indexSize"),
    here({"listCollections": 1, "nameOnly": False}, "cursor.firstBatch.*.info", "cursor.firstBatch.*.options"),
    aggregate("orders", [{"$collStats": {"storageStats": {}}}], "storageStats.avgObjSize", "storageStats.nindexes"),
    aggregate("orders", [{"$indexStats": {}}, {"$project": {"name": 1, "usageHost": "$host",
                                                             "usageCount": "$accesses.ops",
                                                             "usageSince": "$accesses.since"}}], "name", "usageHost"),
    here({"listIndexes": "orders"}, "cursor.firstBatch.*.key"),
    aggregate(1, [{"$currentOp": {"allUsers": True, "localOps": True}},
                  {"$match": {"ns": f"{DATABASE}.orders", "progress": {"$type": "object"}}}], database="admin"),
    aggregate("orders", [{"$sample": {"size": 1000}}, {"$limit": 1000}], "_id"),
    aggregate("orders", [{"$match": {}}, {"$skip": 0}, {"$group": {"_id": 1, "n": {"$sum": 1}}}], "n"),
    here({"explain": {"aggregate": "orders", "pipeline": [{"$match": {"n": 3}}], "cursor": {}},
          "verbosity": "allPlansExecution"}),
    aggregate("orders", [{"$listSearchIndexes": {}}]),
    # The tab that shows performance asks once a second.
    admin({"serverStatus": 1}, "localTime", "opcounters.query", "globalLock.activeClients", "mem.virtual",
          "network.bytesIn", "connections.available"),
    admin({"top": 1}, "totals.note"),
    admin({"currentOp": 1, "$all": False}, "inprog.*.opid"),
    here({"collMod": "orders", "validator": {}, "validationLevel": "strict", "validationAction": "error"}),
    admin({"getCmdLineOpts": 1}, "argv"),
]

DUMP = [
    admin({"ismaster": 1}, "ismaster", "setName", "hosts", "maxWireVersion"),
    admin({"buildInfo": 1}, "versionArray.*"),
    admin({"atlasVersion": 1}, fails=COMMAND_NOT_FOUND),
    admin({"getParameter": 1, "authSchemaVersion": 1}, "authSchemaVersion"),
    admin({"listDatabases": 1}, "databases.*.name"),
    here({"listCollections": 1, "filter": {}, "cursor": {}}, "cursor.firstBatch.*.info.readOnly"),
    here({"listIndexes": "orders", "cursor": {}}, "cursor.firstBatch.*.name"),
    here({"count": "orders"}, "n"),
    here({"find": "orders", "filter": {}, "noCursorTimeout": True, "hint": {"_id": 1}}, "cursor.firstBatch.*._id"),
    # A time series by its buckets.
    here({"count": "system.buckets.readings"}, test=lambda reply: reply["n"] == 2),
    here({"find": "system.buckets.readings", "filter": {}, "noCursorTimeout": True},
         "cursor.firstBatch.*.control.version", "cursor.firstBatch.*.data.at.0", "cursor.firstBatch.*.meta"),
]

RESTORE = [
    admin({"ismaster": 1}, "ismaster"),
    admin({"buildInfo": 1}, "versionArray.*"),
    here({"listCollections": 1, "filter": {"name": "back"}, "cursor": {}}),
    here({"create": "back", "idIndex": ID_INDEX}),
    here({"insert": "back", "ordered": False, "bypassDocumentValidation": False,
          "documents": [{"_id": 1, "n": 1}, {"_id": 2, "n": 1}]}, "n"),
    here({"createIndexes": "back", "ignoreUnknownIndexOptions": False,
          "indexes": [{"v": 2, "key": {"n": 1}, "name": "n", "ns": f"{DATABASE}.back"}]}, "numIndexesAfter"),
    here({"collMod": "back", "index": {"name": "n", "hidden": True}}),
    here({"drop": "back"}),
    here({"create": "back_view", "viewOn": "orders", "pipeline": [{"$match": {"n": 3}}]}),
    here({"create": "back_readings", "timeseries": {"timeField": "at", "metaField": "where"}}),
    here({"insert": "system.buckets.back_readings", "ordered": False, "documents": [
        {"_id": ObjectId(), "control": {"version": 1}, "meta": "north",
         "data": {"_id": {"0": 1, "1": 2}, "at": {"0": NOON, "1": NOON}, "x": {"1": 5}}}]}, "n"),
]

REPLAY = [
    admin({"applyOps": [{"op": "c", "ns": f"{DATABASE}.$cmd", "o": {"create": "log", "idIndex": ID_INDEX}}]},
          test=lambda reply: reply["results"] == [True]),
    admin({"applyOps": [
        {"op": "i", "ns": f"{DATABASE}.log", "o": {"_id": 1, "a": {"b": 1, "list": [1, 2]}}, "o2": {"_id": 1}},
        {"op": "i", "ns": f"{DATABASE}.log", "o": {"_id": 2}, "v": Int64(2), "t": Int64(1), "wall": NOON},
        {"op": "u", "ns": f"{DATABASE}.log", "o2": {"_id": 1},
         "o": {"$v": 2, "diff": {"sa": {"u": {"b": 2}, "slist": {"a": True, "l": 1}}, "i": {"n": 1}}}},
        {"op": "n", "ns": "", "o": {"msg": "nothing"}}, {"op": "d", "ns": f"{DATABASE}.log", "o": {"_id": 2}}]},
          test=lambda reply: reply["applied"] == 4),
    here({"find": "log"}, test=lambda reply: reply["cursor"]["firstBatch"]
         == [{"_id": 1, "a": {"b": 2, "list": [1]}, "n": 1}]),
    # All or nothing; unless it is said that it may be a part.
    admin({"applyOps": [{"op": "i", "ns": f"{DATABASE}.log", "o": {"_id": 3}}, MISSED]}, fails=UNKNOWN_ERROR),
    here({"count": "log"}, test=lambda reply: reply["n"] == 1),
    admin({"applyOps": [{"op": "i", "ns": f"{DATABASE}.log", "o": {"_id": 3}}, MISSED], "allowAtomic": False},
          fails=UNKNOWN_ERROR),
    here({"count": "log"}, test=lambda reply: reply["n"] == 2),
    admin({"applyOps": [{"op": "c", "ns": f"{DATABASE}.$cmd",
                         "o": {"createIndexes": "log", "v": 2, "key": {"n": 1}, "name": "n_1"}}]}),
    here({"listIndexes": "log"}, test=lambda reply: len(reply["cursor"]["firstBatch"]) == 2),
]

EXPORT = [
    here({"listCollections": 1, "filter": {"name": "orders"}, "cursor": {}}, "cursor.firstBatch.*.type"),
    here({"count": "orders", "query": {}}, "n"),
    here({"find": "orders", "filter": {}, "sort": {"_id": 1}, "noCursorTimeout": True}, "cursor.firstBatch.*._id"),
]

STATUS = [
    admin({"serverStatus": 1, "recordStats": 0}, "host", "version", "process", "pid", "uptime", "uptimeMillis",
          "localTime", "connections.current", "mem.resident", "network.bytesIn", "network.bytesOut",
          "opcounters.command", "globalLock.currentQueue", "globalLock.activeClients", "repl.setName", "repl.ismaster",
          "storageEngine.name"),
    admin({"top": 1}, "totals"),
]

EXPORTER = [
    admin({"getCmdLineOpts": 1}, "parsed"),
    admin({"replSetGetConfig": 1}, "config._id"),
    admin({"isMaster": 1}, "ismaster"),
    admin({"replSetGetStatus": 1}, "myState", "set", "members.*.stateStr"),
    admin({"buildInfo": 1}, "version"),
    admin({"getDiagnosticData": "1"}, "data.serverStatus.connections.current", "data.serverStatus.opcounters.insert",
          "data.serverStatus.metrics", "data.replSetGetStatus.myState", "data.start", "data.end"),
    admin({"getCmdLineOpts": "1"}, "parsed.security"),
    admin({"replSetGetStatus": "1"}, "members.*.optimeDate"),
    admin({"replSetGetConfig": "1"}, "config.members.*.votes"),
    admin({"getParameter": 1, "featureCompatibilityVersion": 1}, "featureCompatibilityVersion.version"),
    here({"dbStats": 1, "scale": 1, "freeStorage": 1}, "totalFreeStorageSize", "totalSize"),
    aggregate("orders", [{"$collStats": {"latencyStats": {"histograms": False}, "storageStats": {"scale": 1}}},
                         {"$project": {"storageStats.wiredTiger": 0, "storageStats.indexDetails": 0}}],
              "latencyStats.reads.ops", "storageStats.count"),
    aggregate("orders", [{"$indexStats": {}}], "name"),
    admin({"top": "1"}, "totals"),
    admin({"currentOp": True}, "inprog.*.ns",
          test=is_typed(("opid", int), ("desc", str), ("op", str), ("ns", str), ("microsecs_running", Int64))),
    admin({"currentOp": True, "active": True, "op": {"$ne": ""}, "ns": {"$ne": "", "$not": {"$regex": "^admin.*"}},
           "microsecs_running": {"$exists": True, "$gte": 60000000}}, "inprog"),
    here({"aggregate": "system.profile", "pipeline": [{"$match": {}}, {"$group": {"_id": 1, "n": {"$sum": 1}}}],
          "cursor": {}}),
]

# The roles that the tool's manual asks for.
TOOLS = {
    "the shell": (SHELL, ["root"]),
    "Compass": (COMPASS, ["readWriteAnyDatabase", "dbAdminAnyDatabase", "clusterMonitor"]),
    "mongodump": (DUMP, ["backup", "clusterMonitor"]),
    "mongorestore": (RESTORE, ["restore"]),
    "mongorestore --oplogReplay": (REPLAY, ["replay"]),
    "mongoexport": (EXPORT, ["readAnyDatabase"]),
    "mongostat and mongotop": (STATUS, ["clusterMonitor"]),
    "mongodb_exporter": (EXPORTER, ["clusterMonitor", {"role": "read", "db": "local"}]),
}


def run_tools(server, log_in):
    for name, (steps, roles) in TOOLS.items():
        with log_in(name, roles) as client:
            for step in steps:
                try:
                    step.run(client)
                except AssertionError as error:
                    raise AssertionError(f"{name}: {error}") from None


def without_logins(server):
    run_tools(server, lambda name, roles: MongoClient(server.uri, directConnection=True))


def with_logins(server):
    with MongoClient(server.uri, directConnection=True) as first:
        first.admin.command({"createUser": "root", "pwd": PASSWORD, "roles": ["root"]})
    root = MongoClient(server.uri, directConnection=True, username="root", password=PASSWORD)

    root.admin.command({"createRole": "replay", "roles": [],
                        "privileges": [{"resource": {"anyResource": True}, "actions": ["anyAction"]}]})

    def log_in(name, roles):
        root.admin.command({"createUser": name, "pwd": PASSWORD, "roles": roles})
        return MongoClient(server.uri, directConnection=True, username=name, password=PASSWORD)

    with root:
        run_tools(server, log_in)
        # A tool without the roles is told so, and none of its commands is unknown.
        with log_in("nobody", []) as nobody:
            for step in COMPASS + EXPORTER:
                try:
                    nobody[step.database].command(step.command)
                except OperationFailure as error:
                    check(error.code in (UNAUTHORIZED, step.fails), f"nobody: {step.command}: {error}")


def with_server(binary, options, test):
    server = Martlet(binary, temporary_directory(), options=options)
    try:
        server.start()
        test(server)
        server.stop()
    finally:
        server.clean_up()


def main():
    binary = sys.argv[1]
    with_server(binary, [], without_logins)
    with_server(binary, ["--auth"], with_logins)
    print("ok - tools")


if __name__ == "__main__":
    main()
