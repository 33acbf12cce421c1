"""Values at the edges of every BSON type."""

import struct
import uuid

from bson import Binary, Code, DatetimeMS, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.raw_bson import RawBSONDocument

from wire import document, element, nested

INT64_MAX = 2**63 - 1
INT64_MIN = -2**63

INTEGERS = [0, 1, -1, 2, 3, 7, 10, 100, 1000, 2**31 - 1, -2**31, 2**31, 2**32, Int64(0), Int64(1), Int64(-1), Int64(5),
            Int64(INT64_MAX), Int64(INT64_MIN), Int64(INT64_MAX - 1), Int64(2**53 + 1), Int64(-2**31 - 1)]
DOUBLES = [0.0, -0.0, 1.0, -1.0, 1.5, -2.5, 0.1, 1e308, -1e308, 5e-324, 1e19, -1e19, 2.0**63, -2.0**63, 2.0**62, 1e300,
           2147483647.5, 9007199254740993.0, float("nan"), float("inf"), float("-inf")]
DECIMALS = [Decimal128(text) for text in (
    "0", "-0", "0E+6111", "0E-6176", "1", "-1", "1.5", "2.5", "0.1", "NaN", "-NaN", "sNaN", "Infinity", "-Infinity",
    "9.999999999999999999999999999999999E+6144", "-9.999999999999999999999999999999999E+6144", "1E-6176", "1E+1000",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "1E+34")]
NUMBERS = INTEGERS + DOUBLES + DECIMALS

DATES = [DatetimeMS(milliseconds) for milliseconds in (
    0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1, 1_700_000_000_000, 951_782_400_000, 1_711_846_800_000,
    -62_135_596_800_000, 253_402_300_799_999, -62_198_755_200_000, INT64_MAX // 2, INT64_MIN // 2, -2_208_988_800_001,
    1_698_541_199_999, 4_102_444_800_000, INT64_MIN + 43_200_000, INT64_MAX - 43_200_000)]

WORDS = ["", "a", "A", "ab", "abc", "\0", "a\0b", "é", "e\u0301", "日本", "🐦", "\u0301" * 40, "ß", "ﬃ", "İ",
         "x" * 3000, "ab" * 1500, " ", " \t\n ", "-1", "0", "1", "12", "9" * 40, "1e400", "-1e-400", "0x1F", "Infinity",
         "NaN", "+", "-", ".", "..", "%", "/", "\\", "(", "[", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "\uffff", "\U0010ffff"]
PATHS = ["$a", "$n", "$s", "$d", "$o", "$x", "$a.b", "$o.a", "$a.0", "$a.a.a", "$$ROOT", "$$CURRENT", "$$NOW", "$$this",
         "$$value", "$$REMOVE", "$$v", "$", "$$", "$.", "$a.", "$a..b", "$$ROOT.a", "$_id", "$" + ".".join("a" * 150),
         "$$DESCEND", "$$PRUNE", "$$KEEP", "$missing", "$d.a", "$$CLUSTER_TIME", "$$USER_ROLES", "$$SEARCH_META"]
NAMES = ["a", "b", "n", "s", "d", "o", "x", "_id", "a.b", "a.0", "o.a", "o.a.b", "a.a", "x.y.z", "", ".", "a.", ".a",
         "a..b", "0", "-1", "1", "é", "$a", "$", "a.$", "a.$[]", "a.$[e]", "a.$[].b", "a.$[e].$[]", "$**", "a.3000",
         "a.99999999999999999999", "a.1700000", "n.0", "a.-1", ".".join("a" * 150), "x" * 300, "_id.a", "a.$.b", "$id"]
TIME_ZONES = ["UTC", "GMT", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "+00:00", "+14:00", "-99:99",
              "+0530",
              "+5", "Europe/Nowhere", "", "+", "Z", "EST", "Africa/Monrovia", "Antarctica/Troll", "x" * 200, "\0"]
UNITS = ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "", "years", "DAY"]
FORMATS = ["%Y-%m-%d", "%Y%m%dT%H%M%S.%LZ", "%G-W%V-%u", "%j", "%b %B %d", "%z %Z", "%U %w", "%", "%%", "%q", "",
           "%Y" * 400,
           "%H:%M", "%L%L%L", "\0%Y", "%Y %Y", "%u%V%G%z"]
DATE_TEXTS = ["2024-02-29", "2023-02-29", "2024-02-29T23:59:60Z", "0000-01-01", "9999-12-31T24:00:00Z", "-9999-01-01",
              "292278994-08-17T07:12:55.807Z", "99999999999999999999-01-01", "2024-W53-7", "2024-366",
              "2024-02-30T25:61",
              "2024-01-01T00:00:00.999999999999999999999Z", "2024-01-01T00:00:00+99:99", "Feb 29 2024 1:30pm", "12:30",
              "2024/1/1 Europe/Berlin", "1", "20240229T101112", "", "T", "Monday", "2024-02-29 GMT+9999", "1.1.70"]
PATTERNS = ["", "a", "^a", "a$", "(a+)+$", "(?:a|aa)+$", "[", "(", "a{1000}{1000}", "(?<n>a)(b)?", "\\p{L}+", "(?i)é",
            ".*",
            "\\C", "(*UTF)a", "(?R)", "(a)\\1",
            "\\", "(?=a)*", "(((((((((((a)))))))))))", "x*", "(?<=a)b", "[[:alpha:]]", "\\K"]
FLAGS = ["", "i", "m", "s", "x", "u", "imsx", "z", "l"]
TYPE_NAMES = ["double", "string", "object", "array", "binData", "undefined", "objectId", "bool", "date", "null",
              "regex",
              "int", "timestamp", "long", "decimal", "minKey", "maxKey", "number", "javascript", "missing", "uuid", ""]
METADATA = ["textScore", "indexKey", "searchScore", "sortKey", "recordId", "geoNearDistance", "randVal", "x"]
COLLATIONS = [{"locale": "en"}, {"locale": "simple"}, {"locale": "de@collation=phonebook"}, {"locale": "en",
                                                                                             "strength": 1},
              {"locale": "en", "strength": 2, "caseLevel": True}, {"locale": "en", "numericOrdering": True},
              {"locale": "fr_CA", "backwards": True}, {"locale": "en", "alternate": "shifted", "maxVariable": "space"},
              {"locale": "xx"}, {"locale": ""}, {"locale": "en", "strength": 9}, {"locale": "x" * 400}, {"strength": 1},
              {"locale": "en", "caseFirst": "upper"}, {"locale": "zh", "normalization": True}, {"locale": "en\0x"}]


def raw(type_byte, name, content):
    """What PyMongo has no type for, as a document with one field."""
    return RawBSONDocument(document(element(type_byte, name, content)))


ODD_DOCUMENTS = [
    {}, {"a": 1}, {"": ""}, {"a": {"a": {"a": {}}}}, {"$ref": "c", "$id": 1}, {"k": "a", "v": 1}, {"$a": 1},
    raw(6, b"a", b""), raw(14, b"a", b"\x02\0\0\0x\0"), raw(12, b"a", b"\x02\0\0\0x\0" + bytes(12)),
    RawBSONDocument(document(element(16, b"a", b"\1\0\0\0"), element(16, b"a", b"\2\0\0\0"))),
    RawBSONDocument(document(element(4, b"a", document(element(16, b"7", b"\1\0\0\0"), element(8, b"x", b"\1"))))),
    RawBSONDocument(nested(90)), RawBSONDocument(nested(90, type_byte=4)), {"a.b": 1, ".": 2},
]


class Values:
    """Random values, drawn from `source`."""

    def __init__(self, source):
        self.source = source

    def one_of(self, values):
        return self.source.choice(values)

    def chance(self, probability):
        return self.source.random() < probability

    def number(self):
        if self.chance(0.2):
            return self.source.randrange(-20, 20)
        if self.chance(0.1):
            return struct.unpack("<d", self.source.randbytes(8))[0]
        return self.one_of(NUMBERS)

    def integer(self):
        return self.source.randrange(-5, 12) if self.chance(0.6) else self.number()

    def text(self):
        if self.chance(0.1):
            return "".join(chr(self.source.choice([97, 98, 0x301, 0xe9, 0x1f600, 0x200d, 32, 0x10ffff, 0x130]))
                           for _ in range(self.source.randrange(12)))
        return self.one_of(self.one_of([WORDS, WORDS, DATE_TEXTS, PATTERNS]))

    def date(self):
        return DatetimeMS(self.source.randrange(-2**63, 2**63)) if self.chance(0.1) else self.one_of(DATES)

    def binary(self):
        lengths = [0, 1, 2, 3, 4, 8, 9, 15, 16, 17, 100]
        return Binary(self.source.randbytes(self.one_of(lengths)),
                      self.one_of([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 128, 255]))

    def regex(self):
        return Regex(self.one_of(PATTERNS), self.one_of(["", "i", "m", "sx"]))

    def array(self, depth=2):
        kind = self.source.random()
        if kind < 0.05:
            return list(range(self.source.randrange(300)))
        if kind < 0.25:
            return [self.number() for _ in range(self.source.randrange(6))]
        if kind < 0.35:
            return [self.text() for _ in range(self.source.randrange(6))]
        if kind < 0.5:
            return [self.document(depth - 1) for _ in range(self.source.randrange(5))]
        if kind < 0.55:
            return [[self.text(), self.value(depth - 1)], {"k": self.text(), "v": 1}]
        return [self.value(depth - 1) for _ in range(self.source.randrange(6))]

    def document(self, depth=2):
        if depth <= 0 or self.chance(0.2):
            return self.one_of(ODD_DOCUMENTS)
        return {self.field(): self.value(depth - 1) for _ in range(self.source.randrange(5))}

    def field(self):
        return self.one_of("abnsdox") if self.chance(0.7) else self.one_of(NAMES)

    def geometry(self):
        def position():
            return [self.one_of([0, 1, -1, 180, -180, 90, 1e-9, 0.5, self.number()]) for _ in range(2)]
        kind = self.one_of(["Point", "LineString", "Polygon", "MultiPoint", "MultiPolygon", "GeometryCollection", "X"])
        line = [position() for _ in range(self.source.randrange(6))]
        ring = line + line[:1]
        content = {"Point": position(), "Polygon": [ring], "MultiPolygon": [[ring]]}.get(kind, line)
        if self.chance(0.1):
            content = self.value(1)
        return {"type": kind, "coordinates": content}

    def scalar(self):
        kind = self.source.randrange(14)
        if kind < 3:
            return self.number()
        if kind < 5:
            return self.text()
        return [lambda: None, self.date, self.binary, self.regex, lambda: self.chance(0.5), lambda: ObjectId(),
                lambda: Timestamp(self.one_of([0, 1, 2**32 - 1]), self.one_of([0, 1, 2**32 - 1])),
                lambda: self.one_of([MinKey(), MaxKey()]),
                lambda: self.one_of([Code("x"), Code("x", {"a": 1}), DBRef(
                    "c", 1), Binary.from_uuid(uuid.UUID(int=7))]),
                ][kind - 5]()

    def value(self, depth=2):
        kind = self.source.random()
        if depth > 0 and kind < 0.15:
            return self.document(depth)
        if depth > 0 and kind < 0.3:
            return self.array(depth)
        if depth > 0 and kind < 0.33:
            return self.geometry()
        return self.scalar()

    def stored(self):
        """A document for a collection: each field most often holds what its name says."""
        row = {"n": self.number(), "s": self.text(), "d": self.date(), "a": self.array(), "o": self.document(),
               "x": self.value(), "b": self.value(3)}
        if self.chance(0.1):
            row["l"] = self.geometry()
        names = [name for name in row if not self.chance(0.1)]
        return {name: self.value() if self.chance(0.1) else row[name] for name in names}
