"""Who gets in, and what they may do then: logins, roles, and what people try who should not get in.

    Tests/Drivers/access.py MARTLET [--seed N]

Two servers share one PostgreSQL: what one of them changes, the other must not go on without.
"""

import argparse
import os
import random
import subprocess
import time

from bson import Binary, Int64
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from servers import Martlet, cleaning_up, database, wait_until

UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18
SECRETS = ["r00t-S3cret", "writer-S3cret", "пароль-S3cret", "changed-S3cret", "wrong-S3cret"]
ROOT, WRITER, UNICODE, CHANGED, WRONG = SECRETS


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def code_of(call):
    """The code of the error that `call` gives; None when it gives none."""
    try:
        call()
    except OperationFailure as error:
        return error.code
    return None


def expect(code, what, call):
    found = code_of(call)
    check(found == code, f"{what}: expected {code}, got {found}")


def connect(server, user=None, password=None, source="admin", **options):
    credentials = {"username": user, "password": password, "authSource": source} if user else {}
    return MongoClient(server.uri, directConnection=True, serverSelectionTimeoutMS=20_000, **credentials, **options)


def who(client):
    return client.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]


# Before there is anybody.

def check_first_user(server):
    with connect(server) as stranger:
        for command in [{"find": "c"}, {"createUser": "x", "pwd": "x", "roles": []}, {"usersInfo": 1},
                        {"createRole": "r", "privileges": [], "roles": []}]:
            expect(UNAUTHORIZED, f"{command} before the first user", lambda: stranger.app.command(command))
        expect(UNAUTHORIZED, "a role before the first user",
               lambda: stranger.admin.command({"createRole": "r", "privileges": [], "roles": []}))
        stranger.admin.command({"createUser": "root", "pwd": ROOT, "roles": ["root"]})
        expect(UNAUTHORIZED, "a second user by nobody",
               lambda: stranger.admin.command({"createUser": "eve", "pwd": "x", "roles": ["root"]}))


def check_strangers(server):
    """Every command that the server has, sent without a login."""
    with connect(server) as stranger:
        commands = stranger.admin.command("listCommands")["commands"]
        check(len(commands) > 80, "listCommands lists the commands")
        for name, facts in commands.items():
            code = code_of(lambda: stranger.admin.command({name: 1}))
            if facts["requiresAuth"]:
                check(code == UNAUTHORIZED, f"{name} without a login: {code}")
            else:
                check(code != UNAUTHORIZED or name in ("authenticate",), f"{name} is open: {code}")
        expect(UNAUTHORIZED, "an aggregate hidden in an explain",
               lambda: stranger.app.command({"explain": {"aggregate": "c", "pipeline": [], "cursor": {}}}))
        expect(59, "an unknown command", lambda: stranger.admin.command("nonsense"))


# Logins.

def check_logins(server):
    with connect(server, "root", ROOT) as root:
        root.admin.command({"createUser": "sha1", "pwd": WRITER, "roles": [], "mechanisms": ["SCRAM-SHA-1"]})
        root.admin.command({"createUser": "sha256", "pwd": WRITER, "roles": [], "mechanisms": ["SCRAM-SHA-256"]})
        root.app.command({"createUser": "Ünïcode=,😀", "pwd": UNICODE, "roles": ["read"]})
        root.app.command({"createUser": "caf\u00e9", "pwd": WRITER, "roles": []})
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", None]:
        options = {"authMechanism": mechanism} if mechanism else {}
        with connect(server, "root", ROOT, **options) as client:
            check(who(client) == [{"user": "root", "db": "admin"}], f"root by {mechanism}")
        for user, password, source in [("root", WRONG, "admin"), ("nobody", WRONG, "admin"), ("root", ROOT, "app"),
                                       ("Root", ROOT, "admin"), ("root ", ROOT, "admin")]:
            with connect(server, user, password, source, **options) as client:
                expect(AUTHENTICATION_FAILED, f"{user}@{source} by {mechanism}", lambda: client.app.c.find_one())
    with connect(server, "Ünïcode=,😀", UNICODE, "app") as client:
        check(who(client) == [{"user": "Ünïcode=,😀", "db": "app"}], "a name with all that must be escaped")
    # Looks the same, and is another name.
    with connect(server, "cafe\u0301", WRITER, "app", authMechanism="SCRAM-SHA-256") as client:
        expect(AUTHENTICATION_FAILED, "a name of other bytes", lambda: client.app.c.find_one())
    for user, mechanism in [("sha1", "SCRAM-SHA-256"), ("sha256", "SCRAM-SHA-1")]:
        with connect(server, user, WRITER, authMechanism=mechanism) as client:
            expect(AUTHENTICATION_FAILED, f"{user} by {mechanism}", lambda: client.app.c.find_one())
    for user in ["sha1", "sha256"]:
        with connect(server, user, WRITER) as client:
            check(who(client), f"{user} by the mechanism that was agreed on")


def check_enumeration(server):
    """Nobody learns which users there are: the same messages, the same salts again."""
    def first_answer(client, user, mechanism):
        payload = Binary(f"n,,n={user},r=abcdef".encode())
        reply = client.admin.command({"saslStart": 1, "mechanism": mechanism, "payload": payload})
        nonce, salt, iterations = bytes(reply["payload"]).decode().split(",")
        return salt, iterations, len(nonce)

    with connect(server, maxPoolSize=1) as stranger:
        for mechanism, count in [("SCRAM-SHA-1", 10_000), ("SCRAM-SHA-256", 15_000)]:
            known, ghost = (first_answer(stranger, user, mechanism) for user in ("root", "ghost"))
            check(known[1:] == ghost[1:] and known[1] == f"i={count}", f"{mechanism}: {known} {ghost}")
            check(len(known[0]) == len(ghost[0]), "salts of one length")
            check(first_answer(stranger, "ghost", mechanism) == ghost, "the salt of a ghost stays")
            check(first_answer(stranger, "ghost2", mechanism)[0] != ghost[0], "each ghost has its own")
        mechanisms = [sorted(stranger.admin.command("hello", saslSupportedMechs=f"admin.{user}")["saslSupportedMechs"])
                      for user in ("root", "ghost")]
        check(mechanisms[0] == mechanisms[1], f"mechanisms: {mechanisms}")


def check_hostile_logins(server, rng):
    """Payloads that are no messages. The limit on failures would stop this: it has a server of its own."""
    with connect(server, maxPoolSize=1) as stranger:
        for _ in range(25):
            kind = rng.randrange(4)
            if kind == 0:
                payload = bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
            elif kind == 1:
                payload = b"n,,n=" + bytes(rng.choice(b"root=,\x00\xff") for _ in range(20)) + b",r=a"
            elif kind == 2:
                payload = b"n,,n=root,r=" + b"a" * rng.choice([0, 1, 1_025, 8_192, 60_000])
            else:
                payload = b"n,a=admin,n=root,r=abc"
            code = code_of(lambda: stranger.admin.command(
                {"saslStart": 1, "mechanism": rng.choice(["SCRAM-SHA-1", "SCRAM-SHA-256"]),
                 "payload": Binary(payload)}))
            check(code in (None, AUTHENTICATION_FAILED), f"payload {payload[:60]!r}: {code}")
            code = code_of(lambda: stranger.admin.command(
                {"saslContinue": 1, "conversationId": rng.choice([1, 2, 0, -1, 2**31 - 1, Int64(2**63 - 1)]),
                 "payload": Binary(bytes(rng.randrange(256) for _ in range(rng.randrange(100))))}))
            check(code in (17, AUTHENTICATION_FAILED), f"a proof out of nothing: {code}")
            check(who(stranger) == [], "nobody has got in")
        expect(UNAUTHORIZED, "a stranger still", lambda: stranger.app.c.find_one())
        # Refused by now, whoever it is and whatever the password.
        for _ in range(60):
            expect(AUTHENTICATION_FAILED, "no message", lambda: stranger.admin.command(
                {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": Binary(b"x")}))
    with connect(server, "root", ROOT) as client:
        expect(AUTHENTICATION_FAILED, "an address that has failed too often waits", lambda: who(client))
    time.sleep(4)
    with connect(server, "root", ROOT) as client:
        check(who(client), "and may try again after some seconds")


def check_names(server):
    with connect(server, "root", ROOT) as root:
        for name in ["a\x00b", ""]:
            expect(2, f"a user {name!r}", lambda: root.app.command({"createUser": name, "pwd": "x", "roles": []}))
            expect(2, f"a role {name!r}",
                   lambda: root.app.command({"createRole": name, "privileges": [], "roles": []}))
        name = "'; DROP TABLE martlet.users; --\"\n\x1b[31m"
        root.app.command({"createUser": name, "pwd": "x", "roles": []})
        check(root.app.command({"usersInfo": name})["users"][0]["user"] == name, "a name is data")
        root.app.command({"dropUser": name})


# Roles.

def check_roles(server):
    with connect(server, "root", ROOT) as root:
        root.app.c.insert_many([{"_id": i} for i in range(300)])
        root.app.secret.insert_one({"_id": "secret"})
        root.other.c.insert_one({"_id": 1})
        root.admin.command({"createRole": "onlyC", "roles": [], "privileges": [
            {"resource": {"db": "app", "collection": "c"}, "actions": ["find"]},
            {"resource": {"db": "app", "collection": "mine"}, "actions": ["find", "insert", "remove", "update"]}]})
        root.app.command({"createUser": "writer", "pwd": WRITER, "roles": ["readWrite"]})
        root.app.command({"createUser": "reader", "pwd": WRITER, "roles": [{"role": "onlyC", "db": "admin"}]})
        root.app.command({"createUser": "keeper", "pwd": WRITER, "roles": ["userAdmin"]})
        root.app.command({"createUser": "nothing", "pwd": WRITER, "roles": []})
    with connect(server, "writer", WRITER, "app") as writer:
        writer.app.c.update_one({"_id": 1}, {"$set": {"a": 1}})
        check(writer.list_database_names() == ["app"], f"databases: {writer.list_database_names()}")
        check("secret" in writer.app.list_collection_names(), "collections of its own database")
        for what, call in [("another database", lambda: writer.other.c.find_one()),
                           ("users", lambda: writer.app.command("usersInfo", 1)),
                           ("drop of the database", lambda: writer.drop_database("app")),
                           ("status", lambda: writer.admin.command("serverStatus")),
                           ("operations of others", lambda: list(writer.admin.aggregate(
                               [{"$currentOp": {"allUsers": True}}]))),
                           ("shutdown", lambda: writer.admin.command({"setParameter": 1, "quiet": True}))]:
            expect(UNAUTHORIZED, f"a writer and {what}", call)
        check(len(list(writer.admin.aggregate([{"$currentOp": {}}]))) >= 1, "own operations")
    check_reader(server)
    check_escalation(server)


def check_reader(server):
    with connect(server, "reader", WRITER, "app") as reader:
        check(reader.app.c.count_documents({}) == 300, "the collection that may be read")
        names = reader.app.list_collection_names(authorizedCollections=True)
        check(names == ["c"], f"collections: {names}")
        expect(UNAUTHORIZED, "all collections", lambda: list(reader.app.list_collections()))
        for pipeline in [[{"$lookup": {"from": "secret", "pipeline": [], "as": "x"}}], [{"$unionWith": "secret"}],
                         [{"$facet": {"a": [{"$lookup": {"from": "secret", "pipeline": [], "as": "x"}}]}}],
                         [{"$graphLookup": {"from": "secret", "startWith": "$_id", "connectFromField": "_id",
                                            "connectToField": "_id", "as": "x"}}],
                         [{"$out": "secret"}], [{"$merge": "secret"}], [{"$out": {"db": "other", "coll": "c"}}],
                         [{"$collStats": {"count": {}}}], [{"$indexStats": {}}],
                         [{"$unionWith": {"coll": "c", "pipeline": [{"$collStats": {"count": {}}}]}}],
                         [{"$lookup": {"from": "c", "pipeline": [{"$indexStats": {}}], "as": "x"}}]]:
            expect(UNAUTHORIZED, f"{pipeline}", lambda: list(reader.app.c.aggregate(pipeline)))
        list(reader.app.c.aggregate([{"$limit": 3}, {"$out": "mine"}]))
        expect(UNAUTHORIZED, "a view on what is hidden",
               lambda: reader.app.command({"create": "mine", "viewOn": "secret", "pipeline": []}))
        expect(UNAUTHORIZED, "an unacknowledged write that is looked for later",
               lambda: reader.app.c.insert_one({"_id": "x"}))
    with connect(server, "root", ROOT) as root:
        root.app.command({"create": "shown", "viewOn": "secret", "pipeline": []})
        root.admin.command({"grantPrivilegesToRole": "onlyC", "privileges": [
            {"resource": {"db": "app", "collection": "shown"}, "actions": ["find"]}]})
    with connect(server, "reader", WRITER, "app") as reader:
        check(reader.app.shown.find_one()["_id"] == "secret", "a view shows what its maker lets it show")
        expect(UNAUTHORIZED, "what stands behind the view", lambda: reader.app.secret.find_one())


def check_escalation(server):
    with connect(server, "keeper", WRITER, "app") as keeper:
        for what, command in [
            ("root", {"grantRolesToUser": "keeper", "roles": [{"role": "root", "db": "admin"}]}),
            ("a role elsewhere", {"grantRolesToUser": "keeper", "roles": [{"role": "read", "db": "other"}]}),
            ("a user with root", {"createUser": "eve", "pwd": "x", "roles": [{"role": "root", "db": "admin"}]}),
            ("a role with everything", {"createRole": "eve", "roles": [], "privileges": [
                {"resource": {"anyResource": True}, "actions": ["anyAction"]}]}),
        ]:
            code = code_of(lambda: keeper.app.command(command))
            check(code in (UNAUTHORIZED, 34), f"escalation to {what}: {code}")
        expect(UNAUTHORIZED, "a user elsewhere",
               lambda: keeper.admin.command({"createUser": "eve", "pwd": "x", "roles": []}))
        # What MongoDB's role allows, too: on its own database it is the master.
        keeper.app.command({"grantRolesToUser": "keeper", "roles": ["read"]})
        check(keeper.app.secret.find_one(), "a right takes effect at once")
        keeper.app.command({"revokeRolesFromUser": "keeper", "roles": ["read"]})
        expect(UNAUTHORIZED, "and its end, too", lambda: keeper.app.secret.find_one())
    with connect(server, "nothing", WRITER, "app") as nothing:
        expect(UNAUTHORIZED, "no roles", lambda: nothing.app.c.find_one())
        expect(UNAUTHORIZED, "the own password", lambda: nothing.app.command({"updateUser": "nothing", "pwd": "x"}))
        check(nothing.app.command({"usersInfo": "nothing"})["users"], "what is known of oneself")
        check(nothing.list_database_names() == [], "no databases")
        nothing.admin.command("ping")


def check_ownership(server):
    """Cursors, sessions and transactions of another user."""
    with connect(server, "writer", WRITER, "app") as writer, connect(server, "root", ROOT) as root:
        reply = writer.app.command({"find": "c", "batchSize": 2})
        cursor = reply["cursor"]["id"]
        expect(UNAUTHORIZED, "another user's cursor",
               lambda: root.app.command({"getMore": Int64(cursor), "collection": "c"}))
        with writer.start_session() as session, session.start_transaction():
            writer.app.c.insert_one({"_id": "tx"}, session=session)
            lsid = session.session_id
            number = session._server_session.transaction_id
            foreign = {"lsid": lsid, "txnNumber": Int64(number), "autocommit": False}
            with connect(server, "keeper", WRITER, "app") as keeper:
                code = code_of(lambda: keeper.admin.command({"commitTransaction": 1, **foreign}))
                check(code == 251, f"commit of another user's transaction: {code}")
                keeper.admin.command({"killSessions": [lsid]})
                keeper.admin.command({"endSessions": [lsid]})
            writer.app.c.insert_one({"_id": "tx2"}, session=session)
        check(writer.app.c.count_documents({"_id": {"$in": ["tx", "tx2"]}}) == 2, "the transaction went on")
        own = writer.app.command({"find": "c", "batchSize": 2})["cursor"]["id"]
        with connect(server, "reader", WRITER, "app") as reader:
            expect(UNAUTHORIZED, "the end of another user's cursor",
                   lambda: reader.app.command({"killCursors": "c", "cursors": [Int64(own)]}))
        root.app.command({"killCursors": "c", "cursors": [Int64(own)]})


def check_idempotency(server):
    """One user's key gives no other user its reply."""
    comment = {"idempotencyKey": "order-1"}
    with connect(server, "root", ROOT) as root, connect(server, "writer", WRITER, "app") as writer:
        root.app.command({"insert": "keys", "documents": [{"_id": 1}], "comment": comment})
        expect(None, "the own key", lambda: root.app.command(
            {"insert": "keys", "documents": [{"_id": 1}], "comment": comment}))
        reply = writer.app.command({"insert": "keys", "documents": [{"_id": 1}], "comment": comment})
        check(reply.get("writeErrors"), "another user's key is another key")


def check_changes(first, second):
    """What is taken away is gone, on this server at once, on the other soon."""
    with connect(first, "root", ROOT) as root:
        root.app.command({"createUser": "guest", "pwd": WRITER, "roles": ["readWrite"]})
        with connect(first, "guest", WRITER, "app") as here, connect(second, "guest", WRITER, "app") as there:
            here.app.c.find_one(), there.app.c.find_one()
            root.app.command({"updateUser": "guest", "roles": ["read"], "pwd": CHANGED})
            expect(UNAUTHORIZED, "a write after its right was taken", lambda: here.app.c.insert_one({}))
            wait_until(lambda: code_of(lambda: there.app.c.insert_one({})) == UNAUTHORIZED, 10, "the other server")
            here.app.c.find_one(), there.app.c.find_one()
            root.app.command({"dropUser": "guest"})
            # Made anew: who was logged in as the old one is not the new one.
            root.app.command({"createUser": "guest", "pwd": CHANGED, "roles": ["readWrite"]})
            expect(UNAUTHORIZED, "a user who was dropped", lambda: here.app.c.find_one())
            wait_until(lambda: code_of(lambda: there.app.c.find_one()) == UNAUTHORIZED, 10, "the other server")
        for server in (first, second):
            with connect(server, "guest", WRITER, "app") as client:
                expect(AUTHENTICATION_FAILED, "the old password", lambda: client.app.c.find_one())
            with connect(server, "guest", CHANGED, "app") as client:
                client.app.c.find_one()


def check_one_user(server):
    """A connection is one user's until that one logs out."""
    with connect(server, "writer", WRITER, "app", maxPoolSize=1) as writer:
        code = code_of(lambda: writer.admin.command(
            {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": Binary(b"n,,n=root,r=abc")}))
        check(code == UNAUTHORIZED, f"a second user on one connection: {code}")
        writer.app.command("logout")
        expect(UNAUTHORIZED, "after the logout", lambda: writer.app.c.find_one())


def check_restrictions(server):
    with connect(server, "root", ROOT) as root:
        for name, restriction in [("here", {"clientSource": ["127.0.0.0/8"], "serverAddress": ["127.0.0.1"]}),
                                  ("afar", {"clientSource": ["203.0.113.0/24"]})]:
            root.app.command({"createUser": name, "pwd": WRITER, "roles": ["read"],
                              "authenticationRestrictions": [restriction]})
        root.admin.command({"createRole": "elsewhere", "privileges": [], "roles": [], "authenticationRestrictions": [
            {"serverAddress": ["203.0.113.7"]}]})
        root.app.command({"createUser": "byRole", "pwd": WRITER, "roles": [{"role": "elsewhere", "db": "admin"}]})
    with connect(server, "here", WRITER, "app") as client:
        client.app.c.find_one()
    for name in ["afar", "byRole"]:
        with connect(server, name, WRITER, "app") as client:
            expect(AUTHENTICATION_FAILED, f"the restricted user {name}", lambda: client.app.c.find_one())


def check_node(server):
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "access_node.js")
    done = subprocess.run(["node", program, server.uri, ROOT], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "NODE_PATH": "/usr/share/nodejs", "NODE_NO_WARNINGS": "1"})
    check(done.returncode == 0, f"the Node.js driver: {done.stdout}{done.stderr}")


def check_log(server):
    with connect(server, "root", ROOT) as root:
        root.app.command({"updateUser": "reader", "pwd": CHANGED})
        code_of(lambda: root.app.command({"explain": {"createUser": "x", "pwd": WRITER, "roles": []}}))
        code_of(lambda: root.app.command({"martletSQL": {"createUser": "x", "pwd": WRITER, "roles": []}}))
        stored = root.app.command({"usersInfo": "reader", "showCredentials": True})["users"][0]
        check(CHANGED not in str(stored), "no password in what is shown")
        shown = root.admin.command({"getLog": "global"})["log"]
    with open(server.log_path, errors="replace") as log:
        text = log.read() + "\n".join(shown)
    for secret in SECRETS:
        check(secret not in text, f"the log shows a secret:\n{[l for l in text.splitlines() if secret in l][:3]}")
    for event in ["authentication failed", "not authorized", "access changed"]:
        check(event in text, f"the log does not tell '{event}'")


# Which servers ask for a login.

def check_defaults(binary, postgresql, directory, servers):
    for options, is_open in [([], False), (["--no-auth"], True), (["--auth"], False)]:
        server = Martlet(binary, directory, postgresql.url, options=options)
        servers.append(server)
        server.options += ["--listen", f"0.0.0.0:{server.port}"]
        server.start()
        with connect(server) as stranger:
            code = code_of(lambda: stranger.app.c.find_one())
            check((code is None) == is_open, f"0.0.0.0 with {options}: {code}")
        check_tools(binary, server, is_open)
        server.stop()


def check_tools(binary, server, is_open):
    ping = subprocess.run([binary, "ping", "--uri", server.uri], capture_output=True, text=True)
    check(ping.returncode == 0, f"ping: {ping.stderr}")
    command = [binary, "sql", "--database", "app", '{"find": "c"}', "--uri"]
    done = subprocess.run([*command, server.uri], capture_output=True, text=True)
    check((done.returncode == 0) == is_open, f"sql without a login: {done.stdout} {done.stderr}")
    uri = server.uri.replace("://", f"://root:{ROOT}@")
    done = subprocess.run([*command, uri], capture_output=True, text=True)
    check(done.returncode == 0, f"sql with a login: {done.stdout} {done.stderr}")
    done = subprocess.run([binary, "create-user", "made", "--role", "read@app", "--uri", uri], input=WRITER + "\n",
                          capture_output=True, text=True)
    check(done.returncode == 0 or "already exists" in done.stderr, f"create-user: {done.stdout} {done.stderr}")
    with connect(server, "made", WRITER) as client:
        client.app.c.find_one()
    wrong = server.uri.replace("://", f"://root:{WRONG}@")
    done = subprocess.run([binary, "ping", "--uri", wrong], capture_output=True, text=True)
    check(done.returncode != 0, "ping with a wrong password")
    check(WRONG not in done.stderr, "the password in an error")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with database() as (postgresql, directory):
        first, second, third = (Martlet(arguments.binary, directory, postgresql.url,
                                        options=["--auth", "--log-level", "trace"]) for _ in range(3))
        servers = [first, second, third]
        with cleaning_up(servers):
            first.start()
            check_first_user(first)
            check_strangers(first)
            check_logins(first)
            second.start()
            check_enumeration(second)
            check_names(second)
            check_roles(second)
            check_ownership(second)
            check_idempotency(second)
            check_one_user(second)
            check_changes(second, first)
            check_restrictions(second)
            check_node(second)
            check_log(second)
            third.start()
            check_hostile_logins(third, random.Random(arguments.seed))
            for server in (first, second, third):
                server.stop()
            check_defaults(arguments.binary, postgresql, directory, servers)
    print("ok - access")


main()
