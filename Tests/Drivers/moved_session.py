"""Writes that come again through another server on the same PostgreSQL, one at a time over plain sockets.

Each server has seen the session before with a smaller number, so it must not take the write for a new one; and a
repeated write that finds nothing to do (its document is there or gone already) must not be answered like a new one.
"""

import uuid

import bson

from marked_operations import DATABASE
from wire import Connection

NAME = "moved"


def writes(key):
    """Of each kind one whose second execution has no effect of its own, and so cannot be refused by the guard's row."""
    update = {"q": {"_id": key, "n": 0}, "u": {"$set": {"n": 1}}}
    return [
        {"insert": NAME, "documents": [{"_id": key, "n": 0}]},
        {"update": NAME, "updates": [update]},
        {"findAndModify": NAME, "query": {"_id": key, "n": 1}, "update": {"$set": {"n": 2}}},
        {"findAndModify": NAME, "query": {"_id": key}, "remove": True},
        {"insert": NAME, "documents": [{"_id": key}, {"_id": key + 1}]},
        {"delete": NAME, "deletes": [{"q": {"_id": key}, "limit": 1}, {"q": {"_id": key + 1}, "limit": 1}]},
    ]


def check_moved_session(uris):
    """Returns what was wrong."""
    problems = []
    lsid = {"id": bson.Binary(uuid.uuid4().bytes, 4)}
    links = [Connection(uri) for uri in uris]
    for number, write in enumerate(write for round in range(2) for write in writes(10 * round)):
        command = {**write, "lsid": lsid, "txnNumber": bson.Int64(number + 1), "$db": DATABASE}
        here, there = links[number % 2], links[1 - number % 2]
        first, second, third = (answer(link.command(command)) for link in (here, there, here))
        if first["ok"] != 1 or "writeErrors" in first:
            problems.append(f"{write} was answered {first}")
        for repeated in (second, third):
            if repeated != first:
                problems.append(f"{write} was answered {first} first, and when it came again {repeated}")
    for link in links:
        link.socket.close()
    return problems


def answer(reply):
    return {name: value for name, value in reply.items()
            if not name.startswith("$") and name not in ("operationTime", "retriedStmtIds", "retriedStmtId")}
