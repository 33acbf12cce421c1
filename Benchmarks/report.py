"""Writes the pages of the contention study: charts, and a README.md with the machine they came from."""

import json
import os
import platform
import time
from datetime import datetime, timezone
from statistics import median

from charts import draw_heat_map, draw_skew, signed_percent
from contention import TOLERANCE, skew_title

FLUSHES = 200


def describe_machine(directory, status, settings):
    with open("/proc/cpuinfo") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo") as file:
        kilobytes = next(int(line.split()[1]) for line in file if line.startswith("MemTotal"))
    martlet = status.get("martlet", {})
    return {
        "Date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "Processor": models[0] if models else platform.machine(),
        "Cores": str(os.cpu_count()),
        "Memory": f"{kilobytes / (1 << 20):.0f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
        "A flush to disk (fdatasync of 8 kB, median)": f"{flush_milliseconds(directory):.2f} ms",
        "PostgreSQL": martlet.get("postgresql", "unknown"),
        "Martlet": martlet.get("version", "unknown"),
        "Load average before": f"{os.getloadavg()[0]:.2f}",
        "Each measurement": settings,
    }


def flush_milliseconds(directory):
    """What a commit waits for at least; it bounds a strategy that commits each write by itself."""
    path = os.path.join(directory, "flush")
    page = os.urandom(8192)
    times = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(FLUSHES):
            start = time.perf_counter()
            file.write(page)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    os.remove(path)
    return median(times) * 1000


def write_report(study, machine, directory):
    with open(os.path.join(directory, "machine.json"), "w") as file:
        json.dump(machine, file, indent=2, ensure_ascii=False)
        file.write("\n")
    for skew in study.skews:
        draw_skew(study, skew, os.path.join(directory, f"{skew}.svg"))
    has_heat_map = draw_heat_map(study, os.path.join(directory, "hybrid.svg"))
    parts = [INTRODUCTION, machine_table(machine), exactness(study)]
    parts += comparison(study) if has_heat_map else []
    parts += [wasted_table(study), charts(study)]
    with open(os.path.join(directory, "README.md"), "w") as file:
        file.write("\n".join(part for part in parts if part))


INTRODUCTION = """# Contention: three ways to write, compared

<!-- written by Benchmarks/study (make study): do not edit -->

Clients increment a field of random documents by `_id`, each in a closed loop. What varies is the number of clients and
how unevenly they choose: all documents alike, by Zipf's law with a growing exponent, or all the same document. The
server protects a document from two writers at once in one of three ways (`--write-strategy`):

| | |
|---|---|
| `pessimistic` | locks the row when it reads, holds the lock to the commit; a write per transaction |
| `optimistic` | reads without a lock, stores if the row is unchanged, else tries again; a write per transaction |
| `hybrid` | the default: writes that wait for one document become one new version, different documents share a commit |

The strategies take turns at each point, so that a machine that gets slower or faster does so to all. Everything is in
[contention.csv](contention.csv), a line for each measurement.
"""


def machine_table(machine):
    rows = "".join(f"| {name} | {value} |\n" for name, value in machine.items())
    return f"## The machine\n\nClients, Martlet and PostgreSQL share it.\n\n| | |\n|---|---|\n{rows}"


def exactness(study):
    total = sum(one.acknowledged for one in study.measurements)
    wrong = study.inexact()
    text = (f"## Exactness\n\n{total:,} increments were acknowledged in {len(study.measurements)} measurements. "
            "After each of them the counters in the database were added up: ")
    if not wrong:
        return text + "**all agree with what was acknowledged**.\n"
    rows = "".join(f"| {one.strategy} | {skew_title(one.skew)} | {one.clients} | {one.acknowledged:,} | "
                   f"{one.counted:,} | {one.errors:,} |\n" for one in wrong)
    return (text + f"**not so in {len(wrong)} of them**.\n\n"
            f"| strategy | keys | clients | acknowledged | counted | errors |\n|---|---|--:|--:|--:|--:|\n{rows}")


def comparison(study):
    points = [point for point in study.points() if study.advantage(*point)]
    shortfalls = study.shortfalls()
    ahead = sum(1 for point in points if study.advantage(*point)[0] >= 0)
    noise = study.noise()
    caution = ("Each point was measured once: differences of a few per cent mean nothing." if noise is None else
               f"From round to round the difference varies by {noise * 100:.0f} percentage points (median of all "
               "points): smaller differences mean nothing.")
    text = (f"## Hybrid against the best\n\n![Heat map: throughput of hybrid against the better of the other two]"
            f"(hybrid.svg)\n\nA difference is the median of the rounds; the letter is the better of the others. Of "
            f"{len(points)} points hybrid is the fastest at {ahead}, and more than {TOLERANCE * 100:.0f} % below the "
            f"best at {len(shortfalls)}. {caution}\n")
    if not shortfalls:
        return [text]
    rows = "".join(f"| {skew_title(skew)} | {clients} | {study.throughput('hybrid', clients, skew):,.0f} | "
                   f"{study.throughput(best, clients, skew):,.0f} ({best}) | {signed_percent(value)} | "
                   + ", ".join(map(signed_percent, study.advantages(clients, skew, best))) + " |\n"
                   for clients, skew, value, best in shortfalls)
    return [text, "| keys | clients | hybrid op/s | best op/s | difference | by round |\n"
                  f"|---|--:|--:|--:|--:|--:|\n{rows}"]


def wasted_table(study):
    """At the largest number of clients: there is most of it."""
    clients = study.clients[-1]
    names = ("retries", "wasted")
    cells = {(name, strategy, skew): study.per_thousand(name, strategy, clients, skew)
             for name in names for strategy in study.strategies for skew in study.skews}
    if all(value is None for value in cells.values()):
        return None
    header = "| keys |" + "".join(f" {strategy} |" for strategy in study.strategies)
    rows = "".join(
        f"| {skew_title(skew)} |" + "".join(
            " " + " / ".join(counted(cells[name, strategy, skew]) for name in names) + " |"
            for strategy in study.strategies) + "\n"
        for skew in study.skews)
    return (f"## Retries and wasted work\n\nFor 1,000 acknowledged increments of {clients} clients: retries / versions "
            "of a document that were computed and not stored, as the server counted them.\n\n"
            f"{header}\n|---|{'--:|' * len(study.strategies)}\n{rows}")


def counted(value):
    return "–" if value is None else f"{value:,.1f}"


def charts(study):
    lines = "\n".join(f"![Throughput and p99 by clients, keys: {skew_title(skew)}]({skew}.svg)\n"
                      for skew in study.skews)
    return f"## By skew\n\n{lines}"
