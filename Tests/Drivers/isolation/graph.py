"""Who depends on whom, and cycles in it.

An edge a → b says that b comes after a in every serial order:

    ww  b wrote the version after a's
    wr  b read a's version
    rw  b wrote the version after the one that a read
"""

from collections import defaultdict, deque, namedtuple

Edge = namedtuple("Edge", "source target kind key")


class Graph:
    def __init__(self):
        self.edges = {}  # a set that keeps its order
        self.outgoing = defaultdict(list)

    def add(self, source, target, kind, key):
        edge = Edge(source, target, kind, key)
        if source != target and edge not in self.edges:
            self.edges[edge] = True
            self.outgoing[source].append(edge)

    def of_kind(self, kind):
        return [edge for edge in self.edges if edge.kind == kind]


def dependencies(versions):
    """The graph of the committed transactions."""
    graph = Graph()
    writers = {key: _writers(versions, key, order) for key, order in versions.orders.items()}
    for key, order in writers.items():
        for (_, earlier), (_, later) in zip(order, order[1:]):
            graph.add(earlier, later, "ww", key)
    for reader, key, position, exact in versions.readings:
        before = [number for index, number in writers.get(key, ()) if index < position]
        after = [number for index, number in writers.get(key, ()) if index >= position]
        if before and exact:
            graph.add(before[-1], reader.number, "wr", key)
        if after:
            graph.add(reader.number, after[0], "rw", key)
    return graph


def _writers(versions, key, order):
    """(index, transaction number) of each version that a committed transaction wrote."""
    known = ((index, versions.writers.get((key, value))) for index, value in enumerate(order))
    return [(index, writer.number) for index, writer in known if writer and writer.number in versions.committed]


def components(successors):
    """Tarjan's strongly connected components with more than one node; `successors` is {node: [node]}."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def enter(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        return node, iter(successors.get(node, ()))

    def leave(node):
        if low[node] == index[node]:
            component = set()
            while not component or node not in component:
                component.add(stack.pop())
            on_stack.difference_update(component)
            if len(component) > 1:
                found.append(component)

    for root in list(successors):
        work = [enter(root)] if root not in index else []
        while work:
            node, remaining = work[-1]
            for successor in remaining:
                if successor not in index:
                    work.append(enter(successor))
                    break
                if successor in on_stack:
                    low[node] = min(low[node], index[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                leave(node)
    return found


def shortest_path(graph, source, target, allows):
    """The edges from `source` to `target`, None if there is no way. `allows(last, edge)` says whether `edge` may
    follow one of the kind `last`, which is None at the start."""
    start = (source, None)
    came = {start: None}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        node, last = state
        for edge in graph.outgoing[node]:
            following = (edge.target, edge.kind)
            if following in came or not allows(last, edge):
                continue
            came[following] = (state, edge)
            if edge.target == target:
                return _trace(came, following)
            queue.append(following)
    return None


def _trace(came, state):
    path = []
    while came[state] is not None:
        state, edge = came[state]
        path.append(edge)
    return path[::-1]
