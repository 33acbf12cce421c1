"""The wire protocol by hand, so that tests can send what no driver would.

https://github.com/mongodb/specifications/blob/master/source/message/OP_MSG.md
"""

import itertools
import socket
import struct
from urllib.parse import urlparse

import bson

OP_REPLY, OP_INSERT, OP_QUERY, OP_COMPRESSED, OP_MSG = 1, 2002, 2004, 2012, 2013

_request_ids = itertools.count(1)


def frame(opcode, body, length=None):
    """A message; `length` is what the header claims, by default the truth."""
    return struct.pack("<iiii", 16 + len(body) if length is None else length, next(_request_ids), 0, opcode) + body


def body_section(document):
    """`document` is a dictionary or bytes that claim to be BSON."""
    return b"\x00" + (document if isinstance(document, bytes) else bson.encode(document))


def sequence_section(identifier, documents, length=None):
    content = identifier + b"".join(d if isinstance(d, bytes) else bson.encode(d) for d in documents)
    return b"\x01" + struct.pack("<i", 4 + len(content) if length is None else length) + content


def op_msg(*sections, flags=0, tail=b""):
    return frame(OP_MSG, struct.pack("<I", flags) + b"".join(sections) + tail)


def op_query(collection, document, flags=0):
    body = struct.pack("<i", flags) + collection + b"\0" + struct.pack("<ii", 0, -1)
    return frame(OP_QUERY, body + (document if isinstance(document, bytes) else bson.encode(document)))


def op_compressed(compressor, original, payload, size, opcode=OP_MSG):
    return frame(OP_COMPRESSED, struct.pack("<iiB", opcode, size, compressor) + payload)


def element(type_byte, name, value):
    return bytes([type_byte]) + name + b"\0" + value


def document(*elements):
    """A BSON document from elements as bytes, which may be anything."""
    content = b"".join(elements)
    return struct.pack("<i", 5 + len(content)) + content + b"\0"


def nested(depth, type_byte=3):
    """A document of `depth` levels, written by hand: BSON libraries have limits of their own."""
    header = element(type_byte, b"0" if type_byte == 4 else b"a", b"")
    opening = [struct.pack("<i", 5 + (level - 1) * (len(header) + 5)) for level in range(depth, 0, -1)]
    return header.join(opening) + bytes(depth)


class Connection:
    def __init__(self, uri, timeout=20):
        address = urlparse(uri)
        self.socket = socket.create_connection((address.hostname, address.port or 27017), timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next reply as a dictionary; None when the server has closed the connection."""
        header = self._read(16)
        if header is None:
            return None
        length, _, _, opcode = struct.unpack("<iiii", header)
        body = self._read(length - 16)
        if body is None:
            return None
        return bson.decode(body[20:] if opcode == OP_REPLY else body[5:])

    def _read(self, count):
        parts = b""
        while len(parts) < count:
            try:
                part = self.socket.recv(count - len(parts))
            except (ConnectionResetError, BrokenPipeError):
                return None
            if not part:
                return None
            parts += part
        return parts

    def exchange(self, data):
        """Sends and receives; a connection that the server closes while we send counts as closed."""
        try:
            self.send(data)
        except (ConnectionResetError, BrokenPipeError):
            return None
        return self.receive()

    def command(self, document, *sections):
        return self.exchange(op_msg(body_section(document), *sections))
