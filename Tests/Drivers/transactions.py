"""Drives transactions as an application does, and by hand where a driver would not, against a server of its own.

    Tests/Drivers/transactions.py MARTLET [--only WORDS]

Every check has a database of its own and says what is wrong; the others go on. `--only` takes the checks whose sentence
contains the words.
"""

import argparse
import shutil
import sys
import time
import traceback

from pymongo.errors import PyMongoError

from servers import Martlet, PostgreSQL, ServerError, temporary_directory
from transactions import visibility, statements, rules, conflicts, shared, faults  # noqa: F401, I001; they register
from transactions.harness import Bench, Wrong, brief, checks

SLOW_SECONDS = 5  # worth a line


def run(number, sentence, function, server, url):
    """Returns what was wrong, None if nothing was."""
    bench = Bench(server, url, f"transactions_{number}")
    try:
        bench.client.drop_database(bench.name)
        bench.client.admin.command("killAllSessions", [])  # what the check before has left open
        function(bench)
        return None
    except (Wrong, PyMongoError, ServerError, OSError) as error:
        what = brief(error) if isinstance(error, PyMongoError) else f"{type(error).__name__}: {error}"
        return f"{what}\n{place(error)}"
    finally:
        bench.close()
        if not server.is_running():
            server.start()


def place(error):
    """Where in the checks it happened."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/transactions/" in frame.filename]
    return "\n".join(f"  {frame.filename.split('/')[-1]}:{frame.lineno}: {frame.line}" for frame in frames[:2])


def run_all(arguments, server, url):
    failed = passed = 0
    for number, (sentence, function) in enumerate(checks):
        if arguments.only not in sentence:
            continue
        start = time.monotonic()
        problem = run(number, sentence, function, server, url)
        passed, failed = passed + (problem is None), failed + (problem is not None)
        seconds = time.monotonic() - start
        if problem or arguments.only or seconds > SLOW_SECONDS:
            print(f"{'not ok' if problem else 'ok'} - {sentence} ({seconds:.1f} s)", flush=True)
        if problem:
            print("    " + problem.replace("\n", "\n    "), flush=True)
    return passed, failed


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("martlet")
    parser.add_argument("--only", default="", metavar="WORDS")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    directory = temporary_directory()
    postgresql = PostgreSQL(directory)
    server = Martlet(arguments.martlet, directory, postgresql.url)
    try:
        postgresql.start()
        server.start()
        passed, failed = run_all(arguments, server, postgresql.url)
        server.stop()
    except ServerError as error:
        sys.exit(f"transactions: {error}")
    finally:
        server.clean_up()
        postgresql.clean_up()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{'not ok' if failed else 'ok'} - transactions: {passed} checks passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
