"""Which nodes of a program must go step by step together: its strongly connected parts."""

from ...core.schedule import Program


def parts(program: Program) -> list[tuple[str, ...]]:
    """The nodes in groups, each after all that it hears; a group of one is no loop unless it
    hears itself. Within a group: program order. Tarjan's algorithm, without recursion."""
    place = {name: i for i, name in enumerate(program.order)}
    groups = [tuple(sorted(g, key=place.__getitem__)) for g in components(program)]
    return groups


def components(program: Program) -> list[list[str]]:
    """Strongly connected components, sources of a component before it."""
    sources = program.network.sources
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in program.order:
        if root in index:
            continue
        work = [(root, iter(sources[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            name, ahead = work[-1]
            source = next(ahead, None)
            if source is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    found.append(popped(stack, on_stack, name))
            elif source not in index:
                index[source] = low[source] = len(index)
                stack.append(source)
                on_stack.add(source)
                work.append((source, iter(sources[source])))
            elif source in on_stack:
                low[name] = min(low[name], index[source])
    return found


def popped(stack: list[str], on_stack: set[str], last: str) -> list[str]:
    """Take a component off the stack."""
    taken = []
    while True:
        name = stack.pop()
        on_stack.discard(name)
        taken.append(name)
        if name == last:
            return taken
