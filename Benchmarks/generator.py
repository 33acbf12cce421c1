"""Builds and runs `load`, the load generator, and reads what it prints."""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "Tests", "Drivers"))

from servers import ServerError  # noqa: E402


class Result:
    """Throughput in operations per second, latencies in milliseconds. `details` has what only some workloads have."""

    def __init__(self, operations, p50, p99, errors=0, details=None):
        self.operations = operations
        self.p50 = p50
        self.p99 = p99
        self.errors = errors
        self.details = details or {}

    @property
    def is_exact(self):
        """Whether the server held exactly what it had acknowledged; True where nothing was counted."""
        return self.details.get("exact", "yes") == "yes"


class LoadGenerator:
    def __init__(self, directory):
        self.binary = os.path.join(directory, "load")
        checked(["sh", "-c", f"gcc -std=gnu11 -O2 -Wall -Wextra {HERE}/load/*.c -o {self.binary} "
                 "$(pkg-config --cflags --libs libmongoc-1.0) -pthread -lm"])

    def measure(self, uri, workload, **options):
        """Options are those of `load`, with an underscore for each hyphen."""
        command = [self.binary, "--uri", uri, "--workload", workload]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        done = run(command)
        # A run with failed calls is a result; one without a line of output is not.
        if done.returncode not in (0, 1) or not done.stdout:
            raise ServerError(f"load {workload}: status {done.returncode}\n{done.stderr}")
        sys.stderr.write(done.stderr)
        details = dict(field.split("=") for field in done.stdout.split()[1:])
        operations, p50, p99 = (float(details.pop(name)) for name in ("ops/s", "p50", "p99"))
        return Result(operations, p50, p99, int(details.pop("errors")), details)

    def command(self, uri, **command):
        return json.loads(checked([self.binary, "--uri", uri, "--command", json.dumps(command)]))


def run(command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          **options)


def checked(command, **options):
    done = run(command, **options)
    if done.returncode != 0:
        raise ServerError(f"{os.path.basename(command[0])}: status {done.returncode}\n{done.stderr}{done.stdout}")
    return done.stdout
