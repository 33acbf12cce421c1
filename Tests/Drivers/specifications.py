"""Runs the specification tests of MongoDB's drivers against a Martlet server. PyMongo's own test suite is the runner.

    Tests/Drivers/specifications.py MARTLET [--specifications DIR] [--tests DIR] [--verbose] [SUITE …]

SUITE             any of those in SUITES below, or the name of a file of PyMongo's tests such as test_crud_unified;
                  the default is DEFAULT_SUITES
--specifications  a checkout of mongodb/specifications, whose newer JSON files replace those that PyMongo comes with
--tests           the directory that holds PyMongo's `test`; by default it is taken from the source
                  distribution on PyPI of the installed version, once, and kept in the virtual environment
--verbose         also list why tests were skipped

A failure that KNOWN explains is counted apart. Ends with 0 if there is no other.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from xml.etree import ElementTree

import pymongo
from servers import Martlet, ServerError, temporary_directory

SUITES = {
    "retryable-writes": ["test_retryable_writes_unified", "test_retryable_writes"],
    "retryable-reads": ["test_retryable_reads_unified", "test_retryable_reads"],
    "transactions": ["test_transactions_unified", "test_transactions"],  # with transactions-convenient-api
    "sessions": ["test_sessions_unified", "test_session"],
    "causal-consistency": ["test_causal_consistency"],
    "client-backpressure": ["test_client_backpressure"],
    "auth": ["test_auth_spec", "test_auth"],
}
# On a server where clients must log in; PyMongo's suite makes the first user.
SUITES_WITH_LOGINS = {"auth"}
DEFAULT_SUITES = list(SUITES)
# Where PyMongo keeps the files of a specification.
SPECIFICATION_FILES = {
    "retryable-writes/tests/unified": "retryable_writes/unified",
    "retryable-reads/tests/unified": "retryable_reads/unified",
    "transactions/tests/unified": "transactions/unified",
    "transactions-convenient-api/tests/unified": "transactions-convenient-api/unified",
    "sessions/tests": "sessions",
    "causal-consistency/tests": "causal_consistency",
    "client-backpressure/tests": "client-backpressure",
    "auth/tests/legacy": "auth/legacy",
    "auth/tests/unified": "auth/unified",
}
TEST_SECONDS = 300
SUITE_SECONDS = 1_200
SLOWEST_SHOWN = 5
MESSAGE_CHARACTERS_SHOWN = 160

# Parts of the name, of the message, and the reason. Keep it short: what belongs here is what Martlet leaves out on
# purpose or has not come to yet.
KNOWN = [
    (r"", r"the stage \$(lookup|graphLookup|unionWith|facet) is not implemented yet",
     "stages that read other collections"),
    # The sum of pauses of a driver that meets conflicts: more on a machine that is busy.
    (r"test_4_retry_backoff_is_enforced", r"not less than", "timing"),
    (r"", r"indexes other than the one on _id are not supported yet", "indexes"),
    (r"mongodb-aws", r"not raised by MongoClient", "rules for clients that are newer than PyMongo"),
    (r"test_scram_threaded", r"False is not true", "its threads wait by JavaScript"),
    # The socket's time limit of 100 ms strikes once more when the machine is busy, and the driver sends once more.
    (r"BlockConnection", r"AssertionError: \d+ != \d+ : expected events", "time limit of a busy machine"),
]
# A replica set of one member cannot run these: they wait half a minute for a secondary.
LEFT_OUT = ["TestUnifiedReadPref and test_secondary_readPreference",
            "test_run_command_fails_with_explicit_secondary_read_preference",
            "test_run_command_fails_with_secondary_read_preference_from_transaction_options"]

CONFIGURATION = """\
[pytest]
addopts = --strict-markers --color=no
filterwarnings = ignore
markers =
    default
    default_async
    auth
    encryption
    load_balancer
    mockupdb
"""
# Some tests connect to the default address.
PLUGIN = """\
import os
from pymongo import MongoClient
MongoClient.HOST = os.environ["DB_IP"]
MongoClient.PORT = int(os.environ["DB_PORT"])
"""


class Outcome:
    def __init__(self, case):
        self.file = case.get("classname", "").split(".")[1:2]
        self.file = self.file[0] if self.file else "?"
        self.name = f"{case.get('classname', '').split('.')[-1]}.{case.get('name')}"
        self.seconds = float(case.get("time", 0))
        self.kind, self.message = "passed", ""
        for kind in ("failure", "error", "skipped"):
            for found in case.findall(kind):
                self.kind = "skipped" if kind == "skipped" else "failed"
                self.message = first_line(found.get("message") or found.text or "")
        if self.kind == "failed" and self.known_reason():
            self.kind = "known"

    def known_reason(self):
        for name, message, reason in KNOWN:
            if re.search(name, self.name) and re.search(message, self.message):
                return reason
        return None


def first_line(message):
    lines = [line for line in message.splitlines() if line.strip()]
    return re.sub(r", full error: .*", "", lines[0])[:MESSAGE_CHARACTERS_SHOWN] if lines else ""


def pymongo_tests():
    """The directory that holds PyMongo's tests, from PyPI if they were not here before."""
    kept = os.path.join(sys.prefix, f"pymongo-{pymongo.version}-tests")
    if not os.path.isdir(kept):
        with tempfile.TemporaryDirectory(dir=sys.prefix) as directory:
            subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                            "--no-deps", "--no-binary", "pymongo", "--dest", directory,
                            f"pymongo=={pymongo.version}"], check=True)
            name = f"pymongo-{pymongo.version}"
            with tarfile.open(os.path.join(directory, name + ".tar.gz")) as archive:
                wanted = [member for member in archive if member.name.startswith(name + "/test/")]
                archive.extractall(directory, wanted, filter="data")
            os.rename(os.path.join(directory, name), kept)
    return kept


def set_up(arguments, directory):
    """A directory with the tests and without PyMongo's sources: those that are installed are tested."""
    shutil.copytree(os.path.join(arguments.tests or pymongo_tests(), "test"), os.path.join(directory, "test"))
    for name, text in (("pytest.ini", CONFIGURATION), ("default_address.py", PLUGIN)):
        with open(os.path.join(directory, name), "w") as file:
            file.write(text)
    if arguments.specifications:
        for source, destination in SPECIFICATION_FILES.items():
            shutil.copytree(os.path.join(arguments.specifications, "source", source),
                            os.path.join(directory, "test", destination), dirs_exist_ok=True,
                            ignore=lambda _, names: [name for name in names if not name.endswith(".json")])


def run_file(name, server, directory):
    """Returns the outcomes of one file of tests."""
    results = os.path.join(directory, f"{name}.xml")
    command = [sys.executable, "-m", "pytest", "--quiet", "--tb=short", "-p", "default_address",
               f"--timeout={TEST_SECONDS}", f"--junitxml={results}", f"test/{name}.py",
               "-k", "not (" + " or ".join(f"({name})" for name in LEFT_OUT) + ")"]
    environment = {**os.environ, "DB_IP": "127.0.0.1", "DB_PORT": str(server.port), "PYTHONPATH": directory}
    try:
        done = subprocess.run(command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SUITE_SECONDS)
    except subprocess.TimeoutExpired as timeout:
        raise ServerError(f"{name} took more than {SUITE_SECONDS} s\n{(timeout.stdout or b'')[-2000:]}") from None
    if not os.path.exists(results):
        raise ServerError(f"{name} did not run\n{done.stdout[-2000:]}")
    return [Outcome(case) for case in ElementTree.parse(results).getroot().iter("testcase")]


def report(name, outcomes, is_verbose):
    counts = Counter(outcome.kind for outcome in outcomes)
    print(f"{name}: {counts['passed']} passed, {counts['failed']} failed, {counts['known']} known to fail, "
          f"{counts['skipped']} skipped in {sum(outcome.seconds for outcome in outcomes):.1f} s", flush=True)
    for outcome in outcomes:
        if outcome.kind == "failed":
            print(f"    {outcome.name}: {outcome.message}")
    known = Counter(outcome.known_reason() for outcome in outcomes if outcome.kind == "known")
    for reason, number in known.most_common():
        print(f"    known: {number} ({reason})")
    if is_verbose:
        for reason, number in Counter(each.message for each in outcomes if each.kind == "skipped").most_common():
            print(f"    skipped: {number} ({reason})")
        for outcome in sorted(outcomes, key=lambda each: -each.seconds)[:SLOWEST_SHOWN]:
            print(f"    {outcome.seconds:.1f} s: {outcome.name}")
    return counts


def has_option(binary, option):
    shown = subprocess.run([binary, "serve", "--help"], stdout=subprocess.PIPE, text=True)
    return option in shown.stdout


def run_suites(arguments, directory, suites, options):
    """Returns the counts of the suites on a server of their own."""
    total = Counter()
    if not suites:
        return total
    server = Martlet(arguments.martlet, os.path.join(directory, "-".join(["server", *options]).replace("-", "")),
                     options=options)
    os.makedirs(server.directory, mode=0o755)
    if has_option(server.binary, "--enable-test-commands"):
        server.options.append("--enable-test-commands")
    else:
        print("this server has no --enable-test-commands: tests that need fail points are skipped")
    try:
        server.start()
        for suite in suites:
            for name in SUITES.get(suite, [suite]):
                total += report(name, run_file(name, server, directory), arguments.verbose)
        server.stop()
    finally:
        server.clean_up()
    return total


def run_tests(arguments, directory):
    set_up(arguments, directory)
    suites = arguments.suites or DEFAULT_SUITES
    return (run_suites(arguments, directory, [suite for suite in suites if suite not in SUITES_WITH_LOGINS], [])
            + run_suites(arguments, directory, [suite for suite in suites if suite in SUITES_WITH_LOGINS], ["--auth"]))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("martlet")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=" ".join(SUITES))
    parser.add_argument("--specifications", metavar="DIR")
    parser.add_argument("--tests", metavar="DIR")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_intermixed_args()


def main():
    arguments = parse_arguments()
    directory = temporary_directory()
    try:
        total = run_tests(arguments, directory)
    except (ServerError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"specifications: {error}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"total: {total['passed']} passed, {total['failed']} failed, {total['known']} known to fail, "
          f"{total['skipped']} skipped")
    if total["failed"] or not total["passed"]:
        sys.exit(1)
    print("ok - specifications")


main()
