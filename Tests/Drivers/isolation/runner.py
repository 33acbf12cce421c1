"""Several threads execute plans on a store and record the history.

A store has

    execute(process, random, steps, attempts)  runs the steps as a transaction, again after a transient error; each time
                                               with a new recorder from `attempts`; StoreError is for other errors
    read_all(keys, registers)                  [ReadList or ReadRegister], when nothing else runs
"""

import itertools
import random
import threading
import time

from .history import Append, Below, History, ReadList, ReadRegister, Status, Write
from .versions import FINAL

END_SECONDS = 60


class StoreError(Exception):
    """An answer that no correct store gives."""


class OutOfTime(Exception):
    """The run is over; the transaction is given up."""


class Recorder:
    """Makes the values of one attempt and writes down what it did. A write is written down before it is sent."""

    def __init__(self, transaction, values):
        self.transaction = transaction
        self._values = values

    def _add(self, operation):
        self.transaction.operations.append(operation)

    def append(self, key):
        value = next(self._values)
        self._add(Append(key, value))
        return value

    def write(self, key):
        value = next(self._values)
        self._add(Write(key, value))
        return value

    def written_as(self, number):
        """The last write is the `number`-th of its key."""
        self.transaction.operations[-1] = self.transaction.operations[-1]._replace(number=number)

    def list_read(self, key, values):
        self._add(ReadList(key, tuple(values)))

    def register_read(self, key, number, value):
        self._add(ReadRegister(key, number, value))

    def shorter_than(self, key, bound):
        self._add(Below(key, bound))

    def ended(self, status):
        self.transaction.status = status


class Attempts:
    """The attempts of one plan: what a store needs to record them."""

    def __init__(self, run, process):
        self._run = run
        self._process = process
        self.last = None

    def begin(self):
        """A new attempt; the one before, if any, has failed."""
        if self.last:
            self.last.ended(Status.FAILED)
        if time.monotonic() > self._run.deadline + END_SECONDS / 2:
            raise OutOfTime
        self.last = Recorder(self._run.history.begin(self._process), self._run.values)
        return self.last


def record_scan(recorder, step, found):
    """`found` are the lists that a scan returned, by _id."""
    for key in step.keys:
        if key[1] in found:
            recorder.list_read(key, found[key[1]])
        else:
            recorder.shorter_than(key, step.bound or 1)


class Run:
    def __init__(self, workload, seconds):
        self.workload = workload
        self.history = History()
        self.values = itertools.count(1)
        self.deadline = time.monotonic() + seconds

    def on(self, store, threads, seed):
        """Runs the workload and returns the history."""
        workers = [threading.Thread(target=self._work, args=(store, process, random.Random(f"{seed} {process}")),
                                    daemon=True) for process in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(max(0.0, self.deadline + END_SECONDS - time.monotonic()))
        if any(worker.is_alive() for worker in workers):
            raise StoreError(f"{self.workload.name}: a transaction has not ended within {END_SECONDS} s")
        final = self.history.begin(FINAL)
        final.operations = store.read_all(self.workload.all_keys(), self.workload.registers)
        final.status = Status.OK
        return self.history

    def _work(self, store, process, random):
        while time.monotonic() < self.deadline and not self.history.errors:
            attempts = Attempts(self, process)
            try:
                store.execute(process, random, self.workload.plan(random), attempts)
            except OutOfTime:
                return
            except Exception as error:  # whatever it is, the run reports it
                self.history.errors.append(f"{error!r}\n  in {attempts.last and attempts.last.transaction}")
                return
