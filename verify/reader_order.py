"""The order in which other libraries' importers run a graph: found by their own rules from the
edges or the names in a file, and put right by an order of edges, or by names that sort."""

import keyword
import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from ..core.network import Edge, Network
from ..core.nodes import Input, Output
from ..core.schedule import compile, reached
from .names import renamed

# what torch's modules have already: a node of that name cannot become one of their children
TAKEN = frozenset(
    """add_module add_submodule append apply bfloat16 bool buffers call_super_init children clear
    code compile copy cpu cuda delete_all_unused_submodules delete_submodule double dump_patches
    eval extend extra_repr float forward fromkeys get get_buffer get_extra_state get_parameter
    get_submodule graph half has_key insert ipu items keys load_state_dict meta modules mtia
    named_buffers named_children named_modules named_parameters parameters pop popitem
    print_readable recompile register_backward_hook register_buffer register_forward_hook
    register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module
    register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    self set_extra_state set_submodule setdefault shape_env share_memory state_dict to to_empty
    to_folder train training type update values xpu zero_grad""".split()
)


def safely_named(network: Network) -> Network:
    """The network with names that can be modules' beside each other; itself if it has them."""
    found = Counter(plainly(name) for name in network.nodes)
    fine = all(found[plainly(n)] == 1 and is_safe(plainly(n)) for n in network.nodes)
    return network if fine else named_in_order(network)


def plainly(name: str) -> str:
    """What nirtorch makes of a name."""
    name = name.replace(".", "_")
    return f"nir_node_{name}" if keyword.iskeyword(name) else name


def is_safe(name: str) -> bool:
    """Whether a module can have the name, and code that is made of it can be run."""
    return name not in TAKEN and re.fullmatch(r"[^\W_]\w*", name) is not None


def named_in_order(network: Network) -> Network:
    """The network with names that sort as its nodes run; where each came from is its origin."""
    order = compile(network).order
    width = len(str(len(order)))
    new = {
        name: f"n{i:0{width}d}_{re.sub(r'[^a-zA-Z0-9]', '_', name)}" for i, name in enumerate(order)
    }
    return renamed(network, new)


def late_in_queue(network: Network) -> frozenset[Edge]:
    """The edges that nirtorch 2.6 has bring the previous step: it takes nodes by name, puts one off
    whose sources it has not run, and does not wait for those in a loop with it, if it hears
    several."""
    behind = {name: reached(network, name) for name in network.nodes}
    todo, done = deque(network.nodes), set[str]()
    late: set[Edge] = set()
    for _ in range(len(network.nodes) ** 2):
        if not todo:
            break
        name = todo.popleft()
        node, sources = network.nodes[name], network.sources[name]
        missing = [s for s in sources if s not in done]
        waits = any(s not in behind[name] for s in missing) or (missing and len(sources) == 1)
        first = not done and not isinstance(node, Input)
        if first or waits or (isinstance(node, Output) and todo):
            todo.append(name)
            continue
        late |= {(s, name) for s in missing}
        done.add(name)
    return frozenset(late)


def edges_depth_first(network: Network) -> tuple[list[Edge], list[str]]:
    """The edges, in an order that has a depth-first walk run every node after those that it hears;
    and what it still runs too early."""
    program = compile(network)
    place = {name: i for i, name in enumerate(program.order)}
    behind = {name: reached(network, name) for name in network.nodes}
    edges = sorted(
        network.edges, key=lambda e: (place[e[0]], e[0] not in behind[e[1]], place[e[1]])
    )
    at: Mapping[str, int] = {name: i for i, name in enumerate(walked(edges, network.inputs[0]))}
    told = {name: network.original(name) or name for name in network.nodes}
    late = [
        f"{told[b]!r} before {told[a]!r}, which it hears"
        for a, b in edges
        if (at[a] < at[b]) == ((a, b) in program.back_edges)
    ]
    late += [f"{told[n]!r} after the Output" for n in at if at[n] > at[network.outputs[0]]]
    return edges, late


def walked(edges: Sequence[Edge], root: str) -> list[str]:
    """Depth-first, in the order of the edges."""
    order, todo = list[str](), [root]
    while todo:
        name = todo.pop()
        if name not in order:
            order.append(name)
            todo += [b for a, b in reversed(edges) if a == name]
    return order
