"""Names the anomalies of a history.

    internal            a transaction does not see its own writes
    G1a                 it read what an aborted transaction had written
    G1b                 it read what its writer overwrote later
    G0                  two transactions each wrote after the other (cycle of ww)
    G1c                 each saw or overwrote something of the other (cycle of ww and wr)
    lost update         it overwrote what it had read although somebody else had overwritten that (one rw, one key)
    read skew           it saw a part of another transaction's writes (cycle with one rw)
    long fork           two saw two writes in different order (cycle with several rw, no two in a row)
    write skew          each read what the other overwrote (two rw in a row)
    duplicate           one write took effect twice
    lost write          an acknowledged write is not in the final state
    incompatible order  two reads contradict each other about the order of writes
    unknown value       nobody wrote what was read

Under snapshot isolation a cycle has two rw edges in a row, and every other cycle is forbidden (Cerone and Gotsman);
under serializability every cycle is.
"""

from collections import Counter

from .graph import components, dependencies, shortest_path
from .history import Append, Below, ReadList
from .versions import Anomaly, ListVersions, RegisterVersions

ALLOWED = {"snapshot": {"write skew"}, "serializable": set()}
REPORTED = 50  # per kind; a broken store has very many


def check(history):
    """The anomalies of a history, a list."""
    versions = _versions(history)
    return versions.anomalies + _CycleSearch(history, dependencies(versions)).run()


def names(anomalies):
    return Counter(anomaly.name for anomaly in anomalies)


def forbidden(anomalies, level):
    return [anomaly for anomaly in anomalies if anomaly.name not in ALLOWED[level]]


def _versions(history):
    lists = any(isinstance(operation, (Append, ReadList, Below))
                for transaction in history.transactions for operation in transaction.operations)
    return ListVersions(history) if lists else RegisterVersions(history)


class _CycleSearch:
    """Looks for the worst name first; an edge whose cycle has a name is not looked at again."""

    def __init__(self, history, graph):
        self.transactions = {transaction.number: transaction for transaction in history.transactions}
        self.graph = graph
        self.found = []
        self.known = Counter()

    def run(self):
        self._search_without_reads_before_writes()
        beyond_snapshot = self._not_two_in_a_row()
        for component in components(self._successors(lambda edge: True)):
            for edge in self.graph.of_kind("rw"):
                if {edge.source, edge.target} <= component:
                    self._search_through(edge, component, edge in beyond_snapshot)
        return self.found

    def _successors(self, includes):
        return {node: [edge.target for edge in edges if includes(edge)]
                for node, edges in self.graph.outgoing.items()}

    def _not_two_in_a_row(self):
        """The rw edges on cycles that snapshot isolation forbids. A node is doubled: reached by an rw edge or not."""
        successors = {}
        for edge in self.graph.edges:
            successors.setdefault((edge.source, False), []).append((edge.target, edge.kind == "rw"))
            if edge.kind != "rw":
                successors.setdefault((edge.source, True), []).append((edge.target, False))
        component_of = {node: i for i, component in enumerate(components(successors)) for node in component}
        return {edge for edge in self.graph.of_kind("rw")
                if component_of.get((edge.source, False), -1) == component_of.get((edge.target, True), -2)}

    def _search_without_reads_before_writes(self):
        for name, kinds in (("G0", ["ww"]), ("G1c", ["wr", "ww"])):
            for component in components(self._successors(lambda edge: edge.kind in kinds)):
                inside = lambda last, next: next.kind in kinds and next.target in component
                for edge in self.graph.of_kind(kinds[0]):
                    if {edge.source, edge.target} <= component:
                        self._close(name, edge, inside)

    def _search_through(self, edge, component, beyond_snapshot):
        """The cycles through one rw edge."""
        same_key = lambda last, next: next.kind == "ww" and next.key == edge.key
        one = lambda last, next: next.kind != "rw" and next.target in component
        # `edge` itself is an rw: neither the first nor the last of the others may be one.
        apart = lambda last, next: next.target in component and (
            next.kind != "rw" or last in ("ww", "wr") and next.target != edge.source)
        some = lambda last, next: next.target in component
        if beyond_snapshot and any(self._close(name, edge, allows) for name, allows in (
                ("lost update", same_key), ("read skew", one), ("long fork", apart))):
            return
        self._close("write skew", edge, some)

    def _close(self, name, edge, allows):
        """Whether a path leads from the edge's target to its source, so that there is a cycle of this name."""
        if self.known[name] >= REPORTED:
            return True
        path = shortest_path(self.graph, edge.target, edge.source, allows)
        if path is None:
            return False
        cycle = [edge, *path]
        members = name, frozenset(step.source for step in cycle)
        if members not in self.known:
            self.known[members] = 1
            self.known[name] += 1
            self.found.append(Anomaly(name, self._describe(cycle)))
        return True

    def _describe(self, cycle):
        way = " ".join(f"T{edge.source} -{edge.kind} {'/'.join(map(str, edge.key))}->" for edge in cycle)
        lines = [f"{way} T{cycle[0].source}"]
        lines += [f"  {self.transactions[edge.source]}" for edge in cycle]
        return "\n".join(lines)
