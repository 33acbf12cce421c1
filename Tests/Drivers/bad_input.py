"""Hostile bytes over raw sockets. Whatever arrives, the server stays alive, answers with an error or closes that one
connection, and serves the others.

    Tests/Drivers/bad_input.py URI [--rounds 300] [--seed N]
"""

import argparse
import os
import random
import socket
import struct
import sys
import zlib

import bson

from wire import (OP_INSERT, OP_QUERY, Connection, body_section, document, element, frame, nested, op_compressed,
                  op_msg, op_query, sequence_section)

DATABASE = "bad_input"
MEGABYTE = 1 << 20
PING = {"ping": 1, "$db": "admin"}


class Failure(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failure(what)


def for_each(cases, check):
    """Calls `check` with each case and reports more than the first that fails, but no flood."""
    failures = []
    for case in cases:
        try:
            check(*case)
        except Failure as failure:
            failures.append(str(failure))
    if len(failures) > 10:
        failures[10:] = [f"and {len(failures) - 10} more"]
    expect(not failures, "\n".join(failures))


def assert_alive(uri, what):
    """Another connection can write and read."""
    with Connection(uri) as connection:
        reply = connection.command({"update": "alive", "$db": DATABASE,
                                    "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}, "upsert": True}]})
        expect(reply and reply["ok"] == 1 and reply["n"] == 1, f"{what}: another connection cannot write: {reply}")
        reply = connection.command({"find": "alive", "filter": {"_id": 1}, "$db": DATABASE})
        expect(reply and len(reply["cursor"]["firstBatch"]) == 1, f"{what}: another connection cannot read: {reply}")


# MARK: frames that make no sense: an error or the end of this connection, and in any case within the time limit


def bad_lengths():
    for length in (-1, 0, 1, 15, -2**31):
        yield f"message length {length}", frame(2013, b"\0" * 32, length)
    for length in (48_000_001, 2**31 - 1):
        yield f"message length {length}", frame(2013, b"\0" * 32, length)
    for length in (-1, 0, 4, 5000, 2**31 - 1):
        body = bytearray(body_section(PING))
        body[1:5] = struct.pack("<i", length)
        yield f"document length {length}", op_msg(bytes(body))
        yield f"sequence length {length}", op_msg(body_section(PING), sequence_section(b"documents\0", [], length))


def bad_frames():
    yield "no sections", op_msg()
    yield "empty body", frame(2013, b"")
    yield "two bodies", op_msg(body_section(PING), body_section(PING))
    yield "unknown section", op_msg(b"\x07" + bson.encode(PING))
    yield "unknown required flag", op_msg(body_section(PING), flags=1 << 9)
    yield "wrong checksum", op_msg(body_section(PING), flags=1, tail=b"\x01\x02\x03\x04")
    yield "checksum announced, none sent", op_msg(b"", flags=1)
    yield "sequence without NUL", op_msg(body_section(PING), sequence_section(b"documents", []))
    yield "the same sequence twice", op_msg(body_section({"insert": "a", "$db": DATABASE}),
                                            *[sequence_section(b"documents\0", [{"a": 1}])] * 2)
    yield "a thousand sequences", op_msg(body_section(PING), *[sequence_section(b"s\0", [])] * 1000)
    for opcode in (0, 1, 3, 1000, 2001, 2005, 2006, 2007, 2010, 2011, 2014, -1, 2**31 - 1):
        yield f"opcode {opcode}", frame(opcode, b"\0" * 64)
    yield "OP_INSERT", frame(OP_INSERT, b"\0\0\0\0" + b"test.a\0" + bson.encode({"a": 1}))
    yield "OP_QUERY for documents", op_query(b"test.a", {})
    yield "OP_QUERY for a write", op_query(b"test.$cmd", {"insert": "a", "documents": [{"a": 1}]})
    yield "OP_QUERY without NUL", frame(OP_QUERY, b"\0\0\0\0" + b"a" * 100)
    yield "OP_QUERY cut off", frame(OP_QUERY, b"\0\0\0\0test.$cmd\0\0\0")


def bad_compression():
    message = op_msg(body_section(PING))[16:]
    packed = zlib.compress(message)
    yield "unknown compressor", op_compressed(99, 2013, message, len(message))
    yield "negative size", op_compressed(2, 2013, packed, -1)
    yield "size too small", op_compressed(2, 2013, packed, 3)
    yield "size too large", op_compressed(2, 2013, packed, len(message) + 100)
    yield "size beyond the limit", op_compressed(2, 2013, packed, 2**31 - 1)
    yield "compressed in compressed", op_compressed(2, 2012, packed, len(message), opcode=2012)
    yield "compressed unknown opcode", op_compressed(2, 7, packed, len(message), opcode=7)
    yield "zlib bomb", op_compressed(2, 2013, zlib.compress(bytes(200 * MEGABYTE), 9), 47_000_000)
    for compressor in (0, 1, 2, 3):
        yield f"garbage for compressor {compressor}", op_compressed(compressor, 2013, bytes(range(256)) * 4, 4096)
    yield "nothing compressed", op_compressed(2, 2013, b"", 0)


def bad_documents():
    def find(filter_bytes):
        return op_msg(body_section(document(
            element(2, b"find", b"\x02\0\0\0a\0"), element(2, b"$db", b"\x05\0\0\0test\0"),
            element(3, b"filter", filter_bytes))))

    for length in (-1, 0, 2**31 - 1, 100):
        packed = struct.pack("<i", length)
        yield f"string length {length}", find(document(element(2, b"a", packed + b"x\0")))
        yield f"binary length {length}", find(document(element(5, b"a", packed + b"\0x")))
        yield f"inner document length {length}", find(document(element(3, b"a", packed + b"\0")))
        scoped_code = packed + b"\x02\0\0\0x\0\x05\0\0\0\0"
        yield f"code with scope length {length}", find(document(element(15, b"a", scoped_code)))
        yield f"DBPointer length {length}", find(document(element(12, b"a", packed + b"x\0" + bytes(12))))
    yield "string without NUL", find(document(element(2, b"a", b"\x02\0\0\0xy")))
    yield "wrong UTF-8 in a value", find(document(element(2, b"a", b"\x03\0\0\0\xff\xfe\0")))
    yield "overlong UTF-8", find(document(element(2, b"a", b"\x03\0\0\0\xc0\xaf\0")))
    yield "surrogate in UTF-8", find(document(element(2, b"a", b"\x04\0\0\0\xed\xa0\x80\0")))
    yield "wrong UTF-8 in a key", find(document(element(16, b"\xff\xfe", b"\x01\0\0\0")))
    yield "boolean 2", find(document(element(8, b"a", b"\x02")))
    yield "unknown type", find(document(element(0x42, b"a", b"\x02")))
    yield "cut off number", find(document(element(18, b"a", b"\x01\x02")))
    yield "regular expression without NUL", find(document(element(11, b"a", b"xxxx")))
    yield "key without NUL", find(document(b"\x10aaaaaaa"))
    for depth in (201, 1000, 100_000):
        yield f"{depth} nested documents", find(nested(depth))
        yield f"{depth} nested arrays", find(nested(depth, type_byte=4))


def check_hostile(uri, name, message):
    claimed_length = struct.unpack("<i", message[:4])[0]
    if claimed_length > len(message):
        send_and_hang_up(uri, message)  # the server may rightly wait for the rest
    else:
        exchange_hostile(uri, name, message)
    assert_alive(uri, name)


def exchange_hostile(uri, name, message):
    with Connection(uri) as connection:
        try:
            connection.exchange(message)
        except socket.timeout:
            raise Failure(f"{name}: neither a reply nor the end of the connection") from None
        except bson.errors.BSONError as error:
            raise Failure(f"{name}: the reply is no document: {error}") from None


def check_truncated(uri):
    message = op_msg(body_section({"find": "a", "filter": {"a": "x" * 50}, "$db": DATABASE}))
    for length in range(0, len(message), 7):
        with Connection(uri) as connection:
            connection.send(message[:length])
    assert_alive(uri, "truncated frames")


def check_stalled(uri):
    """Connections that hold half a message do not keep others from being served."""
    message = op_msg(body_section(PING))
    stalled = [Connection(uri) for _ in range(100)]
    for connection in stalled:
        connection.send(message[:20])
    assert_alive(uri, "stalled connections")
    for connection in stalled:
        connection.send(message[20:])
        reply = connection.receive()
        expect(reply and reply["ok"] == 1, f"a message in two parts: {reply}")
        connection.socket.close()


# MARK: well-formed commands that are wrong: an error with a code, and the connection lives


def check_refused(uri, name, command, codes=None):
    with Connection(uri) as connection:
        expect_error(connection, name, command, codes)


def expect_error(connection, name, command, codes):
    reply = connection.command(command)
    expect(reply is not None, f"{name}: the connection was closed")
    failed = reply["ok"] == 0 or reply.get("writeErrors")
    expect(failed, f"{name}: no error: {str(reply)[:300]}")
    code = reply["code"] if reply["ok"] == 0 else reply["writeErrors"][0]["code"]
    expect(codes is None or code in codes, f"{name}: code {code}, expected one of {codes}: {str(reply)[:300]}")
    reply = connection.command(PING)
    expect(reply and reply["ok"] == 1, f"{name}: the connection does not live on")


def wrong_options():
    wrong = {"string": "x", "number": 1.5, "document": {"a": 1}, "array": [1], "binary": b"\0", "boolean": True}
    fields = {
        "find": {"filter": "document", "projection": "document", "sort": "document", "limit": "number",
                 "skip": "number", "batchSize": "number", "singleBatch": "boolean", "readConcern": "document"},
        "update": {"updates": "array", "writeConcern": "document"},
        "delete": {"deletes": "array"},
        "insert": {"documents": "array"},
        "findAndModify": {"query": "document", "sort": "document"},
        "distinct": {"key": "string", "query": "document"},
        "count": {"query": "document"},
        "getMore": {"collection": "string"},
    }
    for command, options in fields.items():
        for option, right in options.items():
            for kind, value in wrong.items():
                if kind == right or {kind, right} == {"boolean", "number"}:
                    continue  # flags accept numbers
                yield f"{command}.{option} as {kind}", {command: "a", option: value, "$db": DATABASE}


def wrong_commands():
    yield "no command", {"$db": DATABASE}, None
    yield "no database", {"ping": 1}, None
    yield "database as a number", {"ping": 1, "$db": 7}, None
    yield "collection as a number", {"find": 7, "$db": DATABASE}, None
    yield "unknown command", {"noSuchCommand": 1, "$db": DATABASE}, {59}
    yield "unknown option", {"find": "a", "noSuchOption": 1, "$db": DATABASE}, {40415}
    yield "unknown operator", {"find": "a", "filter": {"a": {"$noSuch": 1}}, "$db": DATABASE}, {2}
    yield "negative skip", {"find": "a", "skip": -1, "$db": DATABASE}, None
    yield "unknown cursor", {"getMore": bson.Int64(12345), "collection": "a", "$db": DATABASE}, {43}
    yield "hostile expression", {"find": "a", "filter": {"a": {"$regex": "(" * 5000}}, "$db": DATABASE}, None
    for update in (1, "x", {"$noSuch": {"a": 1}}, {"$set": 1}, {"$inc": {"a": "x"}}, {"$set": {"_id": 2}, "$inc": 3}):
        yield f"update {update}", {"update": "a", "updates": [{"q": {}, "u": update, "upsert": True}],
                                   "$db": DATABASE}, None
    yield "documents that are no documents", {"insert": "a", "documents": [1, "x"], "$db": DATABASE}, None
    yield "no documents", {"insert": "a", "documents": [], "$db": DATABASE}, None
    yield "array as _id", {"insert": "a", "documents": [{"_id": [1]}], "$db": DATABASE}, None
    yield "regular expression as _id", {"insert": "a", "documents": [{"_id": bson.Regex("x")}], "$db": DATABASE}, None


def bad_names():
    for name in ("", "a\0b", ".a", "a$b", "x" * 256, "é" * 200):
        yield f"collection {name[:20]!r}", {"insert": name, "documents": [{"a": 1}], "$db": DATABASE}, {73}
    for name in ("", "a\0b", "a b", "a/b", "a\\b", "a.b", 'a"b', "a$b", "x" * 64, "é" * 40):
        yield f"database {name[:20]!r}", {"insert": "a", "documents": [{"a": 1}], "$db": name}, {73}


def good_names():
    for name in ("Ünïcödé-日本-🐦", "with space", 'quote"; DROP TABLE x; --', "it's", "a.b.c", "%s\\n", "x" * 200,
                 "pg_class", "_", "1"):
        yield (name,)


def check_good_name(uri, name):
    row = {"_id": name, "näme\t": name}
    with Connection(uri) as connection:
        reply = connection.command({"insert": name, "documents": [row], "$db": DATABASE})
        expect(reply and reply.get("n") == 1, f"collection {name!r}: {reply}")
        reply = connection.command({"find": name, "filter": {"näme\t": name}, "$db": DATABASE})
        expect(reply and reply["ok"] == 1 and reply["cursor"]["firstBatch"] == [row],
               f"collection {name!r} does not give its document back: {reply}")


def check_stored_documents(uri):
    """What may be stored and what not: duplicate _id, size, depth."""
    twice = document(element(16, b"_id", b"\x01\0\0\0"), element(16, b"_id", b"\x02\0\0\0"))
    insert = {"insert": "stored", "$db": DATABASE}
    with Connection(uri) as connection:
        reply = connection.command({**insert, "documents": [{"_id": 1}, {"_id": 1.0}, {"_id": 2}], "ordered": False})
        expect([e["code"] for e in reply.get("writeErrors", [])] == [11000] and reply["n"] == 2,
               f"duplicate _id: {reply}")
        reply = connection.command(insert, sequence_section(b"documents\0", [twice]))
        expect(reply and (reply["ok"] == 0 or reply.get("writeErrors")), f"two _id fields in a document: {reply}")
        reply = connection.command(insert, sequence_section(b"documents\0", [nested(100)]))
        expect(reply and reply.get("n") == 1, f"100 levels: {reply}")
        reply = connection.command({**insert, "documents": [{"_id": "large", "x": "x" * (15 * MEGABYTE)}]})
        expect(reply and reply.get("n") == 1, f"15 MB: {str(reply)[:300]}")
        reply = connection.command({"find": "stored", "filter": {"_id": "large"}, "$db": DATABASE})
        expect(len(reply["cursor"]["firstBatch"][0]["x"]) == 15 * MEGABYTE, "15 MB do not come back")
    for megabytes in (17, 40):
        large = {"_id": "too large", "x": "x" * (megabytes * MEGABYTE)}
        with Connection(uri) as connection:
            reply = connection.command(insert, sequence_section(b"documents\0", [large]))
            expect(reply is None or reply["ok"] == 0 or reply.get("writeErrors"), f"{megabytes} MB: {reply}")
    with Connection(uri) as connection:
        reply = connection.command(insert, sequence_section(b"documents\0", [nested(250)]))
        expect(reply is None or reply["ok"] == 0 or reply.get("writeErrors"), f"250 levels: {reply}")
    assert_alive(uri, "stored documents")


# MARK: random bytes


def check_random(uri, rounds, seed):
    source = random.Random(seed)
    valid = op_msg(body_section({"find": "stored", "filter": {"a": {"$in": [1, "x", None]}, "b": {"c": [1.5]}},
                                 "sort": {"a": 1}, "limit": 2, "$db": DATABASE}))
    for round in range(rounds):
        mutated = bytearray(valid)
        for _ in range(source.randint(1, 8)):
            mutated[source.randrange(16, len(mutated))] = source.randrange(256)
        garbage = source.randbytes(source.randrange(1, 400))
        for message in (bytes(mutated), garbage, frame(2013, b"\0\0\0\0" + garbage), frame(2004, garbage)):
            send_and_hang_up(uri, message)
        if round % 50 == 0:
            assert_alive(uri, f"random input, seed {seed}, round {round}")
    assert_alive(uri, f"random input, seed {seed}")


def send_and_hang_up(uri, message):
    """The reply, if there is one, must come at once; what it says does not matter."""
    with Connection(uri) as connection:
        try:
            connection.send(message)
            connection.socket.shutdown(socket.SHUT_WR)
            while connection.socket.recv(65536):
                pass
        except (ConnectionResetError, BrokenPipeError, OSError) as error:
            expect(not isinstance(error, socket.timeout), f"no end of connection after {message!r}")


def parts(uri, rounds, seed):
    def hostile(name, message):
        check_hostile(uri, name, message)

    def refused(*case):
        check_refused(uri, *case)

    yield for_each, bad_lengths(), hostile
    yield for_each, bad_frames(), hostile
    yield for_each, bad_compression(), hostile
    yield for_each, bad_documents(), hostile
    yield check_truncated, uri
    yield check_stalled, uri
    yield for_each, wrong_options(), refused
    yield for_each, wrong_commands(), refused
    yield for_each, bad_names(), refused
    yield for_each, good_names(), lambda name: check_good_name(uri, name)
    yield check_stored_documents, uri
    yield check_random, uri, rounds, seed


def drop(uri):
    with Connection(uri) as connection:
        connection.command({"dropDatabase": 1, "$db": DATABASE})


def run(uri, rounds, seed):
    drop(uri)
    for_each(parts(uri, rounds, seed), lambda check, *arguments: check(*arguments))
    assert_alive(uri, "the end")
    drop(uri)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("uri")
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BAD_INPUT_ROUNDS", 300)))
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    arguments = parser.parse_args()
    try:
        run(arguments.uri, arguments.rounds, arguments.seed)
    except (Failure, OSError) as failure:
        sys.exit(f"bad_input (seed {arguments.seed}): {failure}")
    print("ok - bad_input")


main()
