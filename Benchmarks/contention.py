"""The measurements of the contention study: their file, and what follows from them."""

import csv
import math
from dataclasses import dataclass, field
from statistics import median

STRATEGIES = ["pessimistic", "optimistic", "hybrid"]
CLIENTS = [1, 2, 4, 8, 16, 32, 64]
# Name and options of `load`; `keys` comes from the command line unless it is given here.
SKEWS = {
    "uniform": {"skew": 0},
    "zipf-0.5": {"skew": 0.5},
    "zipf-0.8": {"skew": 0.8},
    "zipf-0.99": {"skew": 0.99},
    "zipf-1.2": {"skew": 1.2},
    "one-key": {"skew": 0, "keys": 1},
}
TOLERANCE = 0.05

COLUMNS = ["strategy", "clients", "skew", "round", "throughput", "p50_ms", "p99_ms", "errors", "acknowledged",
           "counted", "exact", "retries", "wasted", "counters"]

# Which of the server's counters are which: by the last part of a name, in lower case.
RETRIES = ("retries",)
WASTED = ("caslosses", "wasted", "lostraces")


@dataclass
class Measurement:
    strategy: str
    clients: int
    skew: str
    round: int
    throughput: float
    p50: float
    p99: float
    errors: int
    acknowledged: int
    counted: int
    exact: bool
    # What the server counted meanwhile, by dotted name.
    counters: dict = field(default_factory=dict)

    @property
    def retries(self):
        return self._total(RETRIES)

    @property
    def wasted(self):
        """Versions of documents that were computed and not stored. None if the server does not count them."""
        return self._total(WASTED)

    def _total(self, names):
        found = [value for name, value in self.counters.items() if name.split(".")[-1].lower() in names]
        return sum(found) if found else None

    def row(self):
        counters = ";".join(f"{name}={exact_text(value)}" for name, value in sorted(self.counters.items()))
        return [self.strategy, self.clients, self.skew, self.round, f"{self.throughput:.0f}", f"{self.p50:.3f}",
                f"{self.p99:.3f}", self.errors, self.acknowledged, self.counted, "yes" if self.exact else "no",
                *("" if value is None else exact_text(value) for value in (self.retries, self.wasted)), counters]

    @staticmethod
    def parse(row):
        pairs = (pair.split("=") for pair in row["counters"].split(";") if pair)
        return Measurement(row["strategy"], int(row["clients"]), row["skew"], int(row["round"]),
                           float(row["throughput"]), float(row["p50_ms"]), float(row["p99_ms"]), int(row["errors"]),
                           int(row["acknowledged"]), int(row["counted"]), row["exact"] == "yes",
                           {name: float(value) for name, value in pairs})


def exact_text(value):
    return str(int(value)) if value == int(value) else repr(value)


def read_measurements(path):
    with open(path, newline="") as file:
        return [Measurement.parse(row) for row in csv.DictReader(file)]


def numeric_leaves(value, prefix=""):
    """The numbers in a reply's subdocument by dotted name; a truth value is no number."""
    if isinstance(value, dict):
        leaves = {}
        for name, below in value.items():
            leaves.update(numeric_leaves(below, f"{prefix}.{name}" if prefix else name))
        return leaves
    return {prefix: value} if isinstance(value, (int, float)) and not isinstance(value, bool) else {}


class Study:
    def __init__(self, measurements):
        self.measurements = measurements
        self.strategies = self._present("strategy", STRATEGIES)
        self.skews = self._present("skew", list(SKEWS))
        self.clients = sorted({one.clients for one in measurements})

    def _present(self, name, order):
        found = {getattr(one, name) for one in self.measurements}
        return [value for value in order if value in found] + sorted(found - set(order))

    def at(self, strategy, clients, skew):
        return [one for one in self.measurements
                if (one.strategy, one.clients, one.skew) == (strategy, clients, skew)]

    def throughput(self, *point):
        """The median of the rounds; None if the point was not measured."""
        found = self.at(*point)
        return median(one.throughput for one in found) if found else None

    def p99(self, *point):
        found = self.at(*point)
        return median(one.p99 for one in found) if found else None

    def per_thousand(self, name, *point):
        """Retries or wasted work for 1,000 acknowledged writes; None if the server does not count them."""
        found = [one for one in self.at(*point) if getattr(one, name) is not None]
        acknowledged = sum(one.acknowledged for one in found)
        return 1000 * sum(getattr(one, name) for one in found) / acknowledged if acknowledged else None

    def advantages(self, clients, skew, other):
        """Hybrid's throughput over that of another, less 1, for each round: within a round they were measured one
        after the other, so that most of what disturbs a machine disturbs both."""
        ours, theirs = ({one.round: one.throughput for one in self.at(strategy, clients, skew)}
                        for strategy in ("hybrid", other))
        return [ours[round] / theirs[round] - 1 for round in sorted(ours.keys() & theirs.keys()) if theirs[round] > 0]

    def advantage(self, clients, skew):
        """The median of hybrid's advantages over the other that does best against it, and who that is; None if
        hybrid or all others are missing."""
        rounds = {other: self.advantages(clients, skew, other) for other in self.strategies if other != "hybrid"}
        medians = {other: median(values) for other, values in rounds.items() if values}
        if not medians:
            return None
        best = min(medians, key=medians.get)
        return medians[best], best

    def points(self):
        return [(clients, skew) for skew in self.skews for clients in self.clients]

    def shortfalls(self):
        """Where hybrid is more than the tolerance below the best: (clients, skew, advantage, best), worst first."""
        found = [(clients, skew, *advantage) for clients, skew in self.points()
                 if (advantage := self.advantage(clients, skew)) and advantage[0] < -TOLERANCE]
        return sorted(found, key=lambda one: one[2])

    def inexact(self):
        return [one for one in self.measurements if not one.exact]

    def noise(self):
        """How much hybrid's advantage differs between the rounds of a point: the median over all points of the
        difference between the highest and the lowest; None with one round."""
        rounds = [self.advantages(*point, other) for point in self.points() for other in self.strategies
                  if other != "hybrid"]
        spreads = [max(values) - min(values) for values in rounds if len(values) > 1]
        return median(spreads) if spreads else None


def skew_title(name):
    kind, _, exponent = name.partition("-")
    return f"Zipf {exponent}" if kind == "zipf" else name.replace("-", " ")


def nice_ceiling(value):
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    if value <= 0:
        return 1
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)
