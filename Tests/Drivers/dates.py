"""Compares arithmetic on dates with Python's datetime and zoneinfo: random dates, time zones, units and amounts.

    Tests/Drivers/dates.py ADDRESS [--seed N] [--rounds 3000]

What Python has no word for (bins, boundaries of weeks) is written out here in the plainest way. Only years that all
copies of the time zone database agree on are taken.
"""

import calendar
import random
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from pymongo import MongoClient

from arguments import of_rounds

ZONES = ["UTC", "America/New_York", "America/St_Johns", "Europe/London", "Europe/Berlin", "Asia/Kolkata",
         "Asia/Kathmandu", "Asia/Tokyo", "Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland",
         "Africa/Johannesburg"]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
MONTHS = {"year": 12, "quarter": 3, "month": 1}
SPANS = {"hour": 3_600_000, "minute": 60_000, "second": 1000, "millisecond": 1}
UNITS = [*MONTHS, "week", "day", *SPANS]
MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def to_utc(local):
    """Of a time on the clocks of its zone: fold 0 is the first of two, and counts on from before over a gap."""
    return local.replace(fold=0).astimezone(timezone.utc)


def added(date, unit, amount, zone):
    if unit in SPANS:
        return date + timedelta(milliseconds=amount * SPANS[unit])
    if amount == 0:
        return date
    local = date.astimezone(zone)
    if unit in ("week", "day"):
        return to_utc(local + timedelta(days=amount * (7 if unit == "week" else 1)))
    month = local.year * 12 + local.month - 1 + amount * MONTHS[unit]
    year, month = divmod(month, 12)
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    return to_utc(local.replace(year=year, month=month + 1, day=day))


def difference(start, end, unit, zone, first_day):
    if unit == "millisecond":
        return (end - start) // MILLISECOND
    first, last = start.astimezone(zone), end.astimezone(zone)
    if unit in MONTHS:
        return (last.year * 12 + last.month - 1) // MONTHS[unit] - (first.year * 12 + first.month - 1) // MONTHS[unit]
    if unit == "day":
        return last.toordinal() - first.toordinal()
    if unit == "week":
        def week(date):
            return (date.toordinal() - 1 - first_day) // 7  # 0001-01-01 is a Monday
        return week(last) - week(first)
    # Whole units that the clocks show, less those by which they were put forward.
    def shown(date):
        return (date.replace(tzinfo=timezone.utc) - EPOCH) // timedelta(milliseconds=SPANS[unit])
    def offset(date):
        return int(date.utcoffset() / timedelta(milliseconds=SPANS[unit]))
    return shown(last) - offset(last) - shown(first) + offset(first)


def truncated(date, unit, size, zone, first_day):
    reference = datetime(2000, 1, 1, tzinfo=zone)
    if unit in SPANS:
        bin_span = timedelta(milliseconds=SPANS[unit] * size)
        return date - (date - to_utc(reference)) % bin_span
    local = date.astimezone(zone)
    if unit in MONTHS:
        month = local.year * 12 + local.month - 1
        month -= (month - 24_000) % (MONTHS[unit] * size)
        return to_utc(datetime(month // 12, month % 12 + 1, 1, tzinfo=zone))
    start = reference.toordinal()
    if unit == "week":
        while (start - 1) % 7 != first_day:
            start += 1
    day = local.toordinal()
    day -= (day - start) % ((7 if unit == "week" else 1) * size)
    return to_utc(datetime.fromordinal(day).replace(tzinfo=zone))


def text(date, zone):
    local = date.astimezone(zone)
    year, week, day = local.isocalendar()
    sign, minutes = ("-" if local.utcoffset() < timedelta() else "+"), abs(int(local.utcoffset().total_seconds())) // 60
    return (f"{local.year:04}-{local:%m-%dT%H:%M:%S}.{local.microsecond // 1000:03} {local:%j} {local:%U} "
            f"{local.isoweekday() % 7 + 1} {year:04} {week:02} {day} {sign}{minutes // 60:02}{minutes % 60:02}")


def random_case(generator):
    date = EPOCH + timedelta(milliseconds=generator.randrange(0, 2_080_000_000_000))
    if generator.random() < 0.3:  # close to where clocks are put forward or back
        date = date.replace(day=min(date.day, 30), month=generator.choice([3, 4, 9, 10, 11]),
                            hour=generator.choice([0, 1, 2, 14, 15, 16]))
    unit = generator.choice(UNITS)
    other = date + timedelta(milliseconds=int(generator.gauss(0, 1) * 10 ** generator.randrange(4, 11)))
    return {
        "d": date, "o": min(max(other, EPOCH), EPOCH + timedelta(days=24_000)), "u": unit,
        "a": generator.randrange(-40, 41), "z": generator.choice(ZONES), "n": generator.randrange(1, 30),
        "w": generator.randrange(7),
    }


def expected(case):
    zone = ZoneInfo(case["z"])
    return {
        "added": added(case["d"], case["u"], case["a"], zone),
        "taken": added(case["d"], case["u"], -case["a"], zone),
        "difference": difference(case["d"], case["o"], case["u"], zone, case["w"]),
        "truncated": truncated(case["d"], case["u"], case["n"], zone, case["w"]),
        "text": text(case["d"], zone),
        "back": case["d"],
    }


FORMAT = "%Y-%m-%dT%H:%M:%S.%L %j %U %w %G %V %u %z"
PROJECTION = {
    "added": {"$dateAdd": {"startDate": "$d", "unit": "$u", "amount": "$a", "timezone": "$z"}},
    "taken": {"$dateSubtract": {"startDate": "$d", "unit": "$u", "amount": "$a", "timezone": "$z"}},
    "difference": {"$dateDiff": {"startDate": "$d", "endDate": "$o", "unit": "$u", "timezone": "$z",
                                 "startOfWeek": "$s"}},
    "truncated": {"$dateTrunc": {"date": "$d", "unit": "$u", "binSize": "$n", "timezone": "$z", "startOfWeek": "$s"}},
    "text": {"$dateToString": {"date": "$d", "timezone": "$z", "format": FORMAT}},
    "back": {"$dateFromString": {"dateString": {"$dateToString": {"date": "$d", "timezone": "$z",
                                                                  "format": "%Y-%m-%dT%H:%M:%S.%L%z"}}}},
}


def main():
    arguments = of_rounds(__doc__, 3000)
    generator = random.Random(arguments.seed)
    cases = [random_case(generator) for _ in range(arguments.rounds)]
    client = MongoClient(arguments.address, tz_aware=True)
    collection = client["dates_test"]["cases"]
    collection.drop()
    collection.insert_many({"_id": index, "s": DAYS[case["w"]], **case} for index, case in enumerate(cases))
    wrong = 0
    for found in collection.aggregate([{"$sort": {"_id": 1}}, {"$project": PROJECTION}]):
        case = cases[found.pop("_id")]
        for name, value in expected(case).items():
            if found.get(name) != value:
                wrong += 1
                if wrong <= 10:
                    print(f"{name}: {found.get(name)}, not {value}, of {case}")
    client.drop_database("dates_test")
    if wrong:
        sys.exit(f"{wrong} differences; --seed {arguments.seed}")
    print("ok - dates")


main()
