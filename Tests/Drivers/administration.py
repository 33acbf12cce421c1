"""What operators do: profile, top, fsync, settings of all servers, shutdown. Two servers on one PostgreSQL.

    Tests/Drivers/administration.py MARTLET
"""

import os
import shutil
import sys
import threading
import time

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, PyMongoError

from servers import Martlet, PostgreSQL, ServerError, temporary_directory, wait_until

DATABASE = "administration"
# Servers read each other's settings once a second.
SETTLE_SECONDS = 10


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def failure_of(call):
    try:
        call()
    except PyMongoError as error:
        return error
    raise AssertionError("no error")


def notes_all_commands(client):
    db = client[DATABASE]
    check(db.command("profile", 2)["was"] == 0, "profiling is off at first")
    db.things.insert_many([{"_id": number} for number in range(5)])
    check(len(list(db.things.find({"_id": {"$gt": 2}}, comment="noted"))) == 2, "found")
    failure_of(lambda: db.command("find", "things", filter={"$bad": 1}))
    notes = list(db["system.profile"].find().sort("$natural", 1))
    found = next(note for note in notes if note["op"] == "query" and "errCode" not in note)
    check(found["ns"] == f"{DATABASE}.things" and found["nreturned"] == 2, found)
    check(found["command"]["comment"] == "noted" and found["millis"] >= 0, found)
    check(next(note for note in notes if note["op"] == "insert")["ninserted"] == 5, notes)
    check(any(note.get("errCode") == 2 for note in notes), notes)
    check(not any(note["ns"].endswith("system.profile") for note in notes), "it does not note itself")
    check(db.command("listCollections", filter={"name": "system.profile"})["cursor"]["firstBatch"][0]["options"]
          == {"capped": True, "size": 1 << 20}, "a capped collection")
    check(failure_of(lambda: db["system.profile"].insert_one({})).code == 73, "only the server writes it")
    check(failure_of(lambda: db["system.profile"].drop()).code == 20, "it stays while it is written")
    other = client["unprofiled"]
    other.things.find_one()
    check("system.profile" not in other.list_collection_names(), "of one database only")


def notes_slow_commands(client, log_path):
    db = client[DATABASE]
    check(db.command("profile", 1, slowms=0)["was"] == 2, "all were noted")
    before = db["system.profile"].count_documents({})
    db.things.find_one({"slow": 1})
    check(db["system.profile"].count_documents({}) > before, "all is slower than nothing")
    with open(log_path, encoding="utf-8") as log:
        check(any("slow command" in line and f"{DATABASE}.things" in line for line in log), "and logged")
    db.command("profile", 1, slowms=100_000)
    before = db["system.profile"].count_documents({})
    db.things.find_one()
    check(db["system.profile"].count_documents({}) == before, "nothing is that slow")
    db.command("profile", 1, filter={"command.filter.chosen": True})
    db.things.find_one({"chosen": True})
    check(db["system.profile"].count_documents({}) == before + 1, "a filter decides alone")
    db.command("profile", 0, slowms=100, filter="unset")
    db["system.profile"].drop()


def counts_by_collection(client):
    db = client[DATABASE]
    db.counted.insert_one({"_id": 1})
    db.counted.find_one()
    db.counted.delete_one({"_id": 1})
    totals = client.admin.command("top")["totals"][f"{DATABASE}.counted"]
    for event, count in (("total", 3), ("insert", 1), ("queries", 1), ("remove", 1), ("readLock", 1), ("writeLock", 2)):
        check(totals[event]["count"] == count and totals[event]["time"] >= 0, f"{event}: {totals}")
    db.counted.drop()
    check(f"{DATABASE}.counted" not in client.admin.command("top")["totals"], "dropped")


def locks_writers_of_all_servers_out(client, other):
    client[DATABASE].locked.insert_one({"_id": 0})
    check(client.admin.command("fsync", lock=True)["lockCount"] == 1, "locked")
    check(client.admin.command("fsync", lock=True)["lockCount"] == 2, "locked twice")
    done = []

    def write(server, number):
        server[DATABASE].locked.insert_one({"_id": number})
        done.append(number)

    writers = [threading.Thread(target=write, args=arguments, daemon=True) for arguments in ((client, 1), (other, 2))]
    for writer in writers:
        writer.start()
    time.sleep(1)
    check(done == [] and other[DATABASE].locked.find_one() == {"_id": 0}, f"reads go on, writes wait: {done}")
    locks = client.admin.command("lockInfo")["lockInfo"]
    check(any(DATABASE + ".locked" in lock["resourceId"] for lock in locks), locks)
    check(client.admin.command("fsyncUnlock")["lockCount"] == 1, "once more")
    time.sleep(0.3)
    check(done == [], "still locked")
    check(client.admin.command("fsyncUnlock")["lockCount"] == 0, "unlocked")
    for writer in writers:
        writer.join(30)
    check(sorted(done) == [1, 2], f"the writers go on: {done}")
    check(failure_of(lambda: client.admin.command("fsyncUnlock")).code == 20, "not locked")


def blocks_writes_on_all_servers(client, other):
    things = other[DATABASE].things
    client.admin.command("setUserWriteBlockMode", 1, **{"global": True})
    error = failure_of(lambda: client[DATABASE].things.insert_one({}))
    check(error.code == 371, error)

    def is_blocked():
        try:
            things.insert_one({})
        except PyMongoError as error:
            return error.code == 371
        return False

    wait_until(is_blocked, SETTLE_SECONDS, "the other server blocks, too")
    things.find_one()
    check(failure_of(lambda: list(things.aggregate([{"$out": "copy"}]))).code == 371, "$out writes")
    client.admin.command("setUserWriteBlockMode", 1, **{"global": False})
    wait_until(lambda: not is_blocked(), SETTLE_SECONDS, "the other server goes on")


def keeps_settings(client, other):
    client.admin.command("setDefaultRWConcern", 1, defaultReadConcern={"level": "majority"},
                         defaultWriteConcern={"w": 1})
    found = other.admin.command("getDefaultRWConcern")
    check(found["defaultReadConcern"] == {"level": "majority"} and found["defaultWriteConcern"]["w"] == 1, found)
    check(found["defaultReadConcernSource"] == "global", found)
    client.admin.command("setClusterParameter", {"defaultMaxTimeMS": {"readOperations": 77}})
    found = other.admin.command("getClusterParameter", "defaultMaxTimeMS")["clusterParameters"]
    check(found[0]["readOperations"] == 77, found)
    client.admin.command("setClusterParameter", {"defaultMaxTimeMS": {"readOperations": 0}})


def sums_documents(client, other):
    db = client[DATABASE]
    db.summed.insert_many([{"_id": 2}, {"_id": 1}])
    before = db.command("dbHash")["collections"]["summed"]
    check(other[DATABASE].command("dbHash", collections=["summed"])["collections"] == {"summed": before}, "everywhere")
    db.summed.insert_one({"_id": 3})
    check(db.command("dbHash")["collections"]["summed"] != before, "another document")
    db.summed.delete_one({"_id": 3})
    check(db.command("dbHash")["collections"]["summed"] == before, "the order of insertion does not matter")
    size = db.command("dataSize", f"{DATABASE}.summed", keyPattern={"_id": 1}, min={"_id": 2}, max={"_id": 9})
    check(size["numObjects"] == 1, size)


def tells_exporters(client):
    data = client.admin.command("getDiagnosticData")["data"]
    check(data["serverStatus"]["connections"]["current"] >= 1 and data["end"] >= data["start"], data.keys())
    check(data["systemMetrics"]["memory"]["MemTotal_kb"] > 0, data["systemMetrics"])


def ends_when_asked(client, server):
    check(failure_of(lambda: client.admin.command("shutdown")).code == 262, "not without force")
    check(isinstance(failure_of(lambda: client.admin.command("shutdown", force=True)), AutoReconnect), "gone")
    wait_until(lambda: not server.is_running(), SETTLE_SECONDS, "the process ends")
    check(server.process.returncode == 0, server.process.returncode)


def run(binary, directory):
    postgresql = PostgreSQL(directory)
    first = Martlet(binary, directory, postgresql_url=postgresql.url)
    second = Martlet(binary, directory, postgresql_url=postgresql.url)
    try:
        postgresql.start()
        first.start()
        second.start()
        client, other = MongoClient(first.uri, directConnection=True), MongoClient(second.uri, directConnection=True)
        notes_all_commands(client)
        notes_slow_commands(client, first.log_path)
        counts_by_collection(client)
        locks_writers_of_all_servers_out(client, other)
        blocks_writes_on_all_servers(client, other)
        keeps_settings(client, other)
        sums_documents(client, other)
        tells_exporters(client)
        ends_when_asked(client, first)
        client.close()
        other.close()
        second.stop()
        postgresql.stop()
    finally:
        first.clean_up()
        second.clean_up()
        postgresql.clean_up()


def main():
    if len(sys.argv) != 2 or not os.path.exists(sys.argv[1]):
        sys.exit(__doc__)
    directory = temporary_directory()
    try:
        run(sys.argv[1], directory)
    except (AssertionError, PyMongoError, ServerError) as error:
        print(f"administration: {type(error).__name__}: {error}")
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("ok - administration")
    return 0


if __name__ == "__main__":
    sys.exit(main())
