"""SQL for the PostgreSQL that a server of the benchmarks runs on."""

import glob
import os
import re
import subprocess

from generator import ROOT  # noqa: F401 (extends the path to the modules of the drivers' tests)
from servers import postgresql_tool


class Psql:
    def __init__(self, server):
        [pid_file] = glob.glob(os.path.join(server.data_directory, "**", "postmaster.pid"), recursive=True)
        with open(pid_file) as file:
            lines = file.read().splitlines()
        # Line 4 is the port, line 5 the directory of the socket.
        self.arguments = [postgresql_tool("psql"), "-p", lines[3], "-h", lines[4], "-U", "martlet", "-d", "martlet",
                          "-XqAt", "-v", "ON_ERROR_STOP=1"]

    def run(self, command, output=subprocess.PIPE):
        done = subprocess.run([*self.arguments, "-c", command], stdout=output, check=True)
        return done.stdout.decode() if output == subprocess.PIPE else None

    def seconds(self, query):
        """How long a query takes as the client sees it, without the start of the client; and what it gives."""
        script = f"\\timing on\n{query};\n"
        done = subprocess.run(self.arguments, input=script.encode(), stdout=subprocess.PIPE, check=True)
        text = done.stdout.decode()
        found = re.search(r"^Time: ([\d.]+) ms", text, re.MULTILINE)
        return float(found[1]) / 1000, text[:found.start()].splitlines()

    def copy(self, table, lines):
        """Fills a table of one column from an iterator of values in COPY's text format."""
        process = subprocess.Popen([*self.arguments, "-c", f"COPY {table} FROM STDIN"], stdin=subprocess.PIPE)
        for line in lines:
            process.stdin.write(line)
        process.stdin.close()
        if process.wait():
            raise OSError("COPY failed")

    def largest_table(self):
        return self.run("SELECT oid::regclass FROM pg_class WHERE relkind = 'r' "
                        "ORDER BY pg_relation_size(oid) DESC LIMIT 1").strip()
