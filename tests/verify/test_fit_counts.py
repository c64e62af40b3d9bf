"""What parts of a population need, held against the plain definition on the written-out matrix."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.core.arrays import frozen
from spikeport.core.linear import apply
from spikeport.core.nodes import Conv, SumPool2d
from spikeport.verify.fit.chips import Lists, chips
from spikeport.verify.fit.cut import Cut, cuts, view_of
from spikeport.verify.fit.dense import Dense
from spikeport.verify.fit.need import Need, Store
from spikeport.verify.fit.window import Window, window

LOIHI1 = chips()["loihi1"].lists
# small words and lists, so that small layers fill several of each
SMALL = Lists("", False, 16, 3, 4, (1, 2, 4, 8), (0, 2, 3, 4, 5, 6, 8, 12), 3, 2)


def list_bits(how: Lists, n: int, weight: int, delay: int, index: int) -> int:
    """Bits of one list of n synapses, list by list and word by word."""
    total = 0
    while n > 0:
        entries = min(n, how.synapses)
        bits = how.header + entries * (weight + delay + index)
        while bits % how.word:
            bits += 1
        total += bits
        n -= entries
    return total


def parts(cut: Cut) -> Iterator[tuple[tuple[int, int, int], Any]]:
    """(where among the parts, the part's neurons as a slice of the view)."""
    for at in np.ndindex(*cut.shape):
        yield at, tuple(slice(*cut.ranges(axis)[at[axis]]) for axis in range(3))


def own_by_definition(there: Any, cut: Cut, how: Lists, weight: int) -> tuple[Need, Any]:
    """Every source has an axon and a list. there [targets, sources]."""
    sources = there.shape[1]
    found = [np.zeros(cut.shape, np.int64) for _ in range(3)]
    reach = np.zeros(sources, np.int64)
    for at, box in parts(cut):
        rows = there.reshape(*cut.view, sources)[box].reshape(-1, sources)
        counts = rows.sum(axis=0)
        reach += counts > 0
        index = next(f for f in how.index_fields if 2**f >= len(rows))
        sparse = sum(list_bits(how, int(n), weight, 0, index) for n in counts)
        dense = sum(list_bits(how, len(rows), weight, 0, 0) for n in counts if n)
        for array, value in zip(
            found, ((counts > 0).sum(), counts.sum(), min(sparse, dense)), strict=True
        ):
            array[at] = value
    axons, synapses, bits = found
    return Need(axons, synapses, synapses, bits), reach


def assert_same(found: Need, wanted: Need) -> None:
    for name in ("axons", "synapses", "kept", "bits"):
        assert (getattr(found, name) == getattr(wanted, name)).all(), name


@st.composite
def windows(draw: st.DrawFn) -> tuple[Any, tuple[int, ...]]:
    """A convolution or a pool, and the shape that it hears."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = [draw(st.integers(3, 7)) for _ in range(2)]
    kernel: Any = [draw(st.integers(1, 3)) for _ in range(2)]
    stride: Any = [draw(st.integers(1, 3)) for _ in range(2)]
    padding: Any = [draw(st.integers(0, k)) for k in kernel]
    channels = draw(st.sampled_from([1, 2, 4]))
    if draw(st.integers(0, 5)) == 0:
        half = tuple(min(p, k // 2) for p, k in zip(padding, kernel, strict=True))
        return SumPool2d(tuple(kernel), tuple(stride), half), (channels, *size)
    groups = draw(st.sampled_from([g for g in (1, 2, 4) if channels % g == 0]))
    dilation = [draw(st.integers(1, 1 if k == 3 else 2)) for k in kernel]
    outputs = groups * draw(st.integers(1, 3))
    weight = random.normal(size=(outputs, channels // groups, *kernel))
    if draw(st.booleans()):
        weight *= random.random(weight.shape) < 0.5
    one = draw(st.integers(0, 5)) == 0
    if one:  # along one axis
        how: dict[str, Any] = {
            "stride": stride[1:],
            "padding": padding[1:],
            "dilation": dilation[1:],
        }
        return Conv(frozen(weight[:, :, 0]), groups=groups, **how), (channels, size[1])
    how = {"stride": stride, "padding": padding, "dilation": dilation}
    return Conv(frozen(weight), groups=groups, **how), (channels, *size)


def written_out(node: Any, shape: tuple[int, ...], values: Any = None) -> Any:
    """The matrix [targets, sources] of whether there is a synapse; values: in place of the
    weights."""
    if isinstance(node, Conv):
        given = (node.weight != 0).astype(float) if values is None else values
        node = Conv(
            frozen(given), None, node.stride, node.padding, node.dilation, groups=node.groups
        )
    impulses = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    return apply(node, impulses).reshape(len(impulses), -1).T != 0


def any_cut(draw: Any, view: tuple[int, int, int]) -> Cut:
    c, y, x = (draw.draw(st.integers(1, n)) for n in view)
    return Cut(view, (c, y, x))


@settings(max_examples=120, deadline=None)
@given(windows(), st.data())
def test_convolution_is_its_matrix(made: tuple[Any, tuple[int, ...]], data: Any) -> None:
    node, shape = made
    found = window(node, shape)
    there = written_out(node, shape)
    assert found.out_view == view_of(node.output_shape(shape))
    cut = any_cut(data, found.out_view)
    wanted, reach = own_by_definition(there, cut, SMALL, 4)
    assert_same(found.need(cut, Store(SMALL, 4, 0), False), wanted)
    assert (found.reach(cut, False) == reach).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.data())
def test_matrix_by_definition(seed: int, data: Any) -> None:
    random = np.random.default_rng(seed)
    view = (int(random.integers(1, 12)), int(random.integers(1, 3)), int(random.integers(1, 4)))
    there = random.random((int(np.prod(view)), 9)) < random.choice([0.2, 0.9, 1.0])
    cut = any_cut(data, view)
    wanted, reach = own_by_definition(there, cut, SMALL, 2)
    assert_same(Dense(there).need(cut, Store(SMALL, 2, 0), True), wanted)
    assert (Dense(there).reach(cut, True) == reach).all()


def shared_by_definition(found: Window, cut: Cut, how: Lists, weight: int) -> tuple[Any, ...]:
    """All channels of a group's pixel come in through one axon; pixels with the same taps to
    the same places, and the same multiple of the offset before them, share a list."""
    height, width = found.in_view[1:]
    per_in, per_out = found.there.shape[1], len(found.there) // found.groups
    axons, kept, bits = (np.zeros(cut.shape, np.int64) for _ in range(3))
    reach = np.zeros((found.groups, height, width), np.int64)
    for at, (channels, rows, columns) in parts(cut):
        neurons = int(cut.neurons()[at])
        index = next(f for f in how.index_fields if 2**f >= neurons)
        for group in range(found.groups):
            low, high = group * per_out, (group + 1) * per_out
            inside = len(set(range(channels.start, channels.stop)) & set(range(low, high)))
            lists = set()
            for y in range(height):
                for x in range(width):
                    heard = reached(found, y, x, rows, columns) if inside else []
                    if not heard:
                        continue
                    axons[at] += 1
                    reach[group, y, x] += 1
                    first = min(t for t, _ in heard), min(t for _, t in heard)
                    base = first[0] * (columns.stop - columns.start) + first[1]
                    relative = tuple((a - first[0], b - first[1]) for a, b in heard)
                    lists.add(
                        (relative, taps_of(found, y, x, rows, columns), base // how.shared_offset)
                    )
            for relative, _, _ in lists:
                entries = len(relative) * per_in * inside
                kept[at] += entries
                bits[at] += list_bits(how, entries, weight, 0, index)
    return axons, kept, bits, reach


def reached(found: Window, y: int, x: int, rows: slice, columns: slice) -> list[tuple[int, int]]:
    """The places of a part, counted from its corner, that hear a pixel."""
    return [(a, b) for a, _ in ends(found, 0, y, rows) for b, _ in ends(found, 1, x, columns)]


def taps_of(found: Window, y: int, x: int, rows: slice, columns: slice) -> Any:
    """Through which taps."""
    down, across = ends(found, 0, y, rows), ends(found, 1, x, columns)
    return tuple(t for _, t in down), tuple(t for _, t in across)


def ends(found: Window, axis: int, line: int, targets: slice) -> list[tuple[int, int]]:
    """(place in the part, tap) of every target along an axis that hears a line."""
    taps, stride, padding, dilation = found.along(axis)
    return [
        (target - targets.start, tap)
        for target in range(targets.start, targets.stop)
        for tap in range(taps)
        if target * stride - padding + tap * dilation == line
    ]


@settings(max_examples=80, deadline=None)
@given(windows(), st.data())
def test_shared_lists_by_definition(made: tuple[Any, tuple[int, ...]], data: Any) -> None:
    found = window(*made)
    cut = any_cut(data, found.out_view)
    axons, kept, bits, reach = shared_by_definition(found, cut, SMALL, 4)
    need = found.need(cut, Store(SMALL, 4, 0), True)
    assert (need.axons == axons).all()
    assert (need.kept == kept).all()
    assert (need.bits == bits).all()
    assert (found.reach(cut, True) == reach).all()
    assert (need.synapses == found.need(cut, Store(SMALL, 4, 0), False).synapses).all()


@pytest.mark.parametrize(
    ("synapses", "neurons", "weight", "delay", "bits"),
    [
        (0, None, 8, 0, 0),
        (1, None, 8, 0, 64),  # 10 + 8 in one word
        (64, None, 8, 0, 576),  # 10 + 512 in nine words
        (65, None, 8, 0, 640),
        (200, None, 8, 0, 1856),  # 3 x 576, and 10 + 64 in two words
        (64, 1024, 8, 0, 1216),  # an index of 10 bits: 10 + 64 x 18
        (64, 60, 8, 0, 960),  # 6 bits: 10 + 64 x 14
        (64, 1, 8, 0, 576),  # nothing to tell apart
        (64, None, 7, 0, 576),  # there is no field of 7 bits
        (64, None, 6, 0, 448),
        (64, None, 8, 5, 768),  # 3 bits of delay
    ],
)
def test_lists_of_loihi_1(
    synapses: int, neurons: int | None, weight: int, delay: int, bits: int
) -> None:
    assert int(LOIHI1.bits(np.array(synapses), weight, delay, neurons)) == bits


@pytest.mark.parametrize(
    ("neurons", "groups", "fits"),
    [
        (512, 1, False),
        (256, 2, False),
        (170, 3, True),
        (128, 4, True),
        (102, 5, True),
        (85, 6, True),
        (73, 7, True),
    ],
)
def test_lists_agree_with_nengo_loihi(neurons: int, groups: int, fits: bool) -> None:
    """Which fully connected networks its emulator took, one group a core, as its users found
    (forum.nengo.ai, topic 706)."""
    bits = neurons * groups * int(LOIHI1.bits(np.array(neurons), 8, 0, None))
    assert (bits <= 1_048_576) == fits


def test_weights_alone_are_a_lower_bound() -> None:
    """Where nothing is known of the formats: every weight once."""
    lists = chips()["loihi2"].lists
    random = np.random.default_rng(0)
    weight = random.normal(size=(8, 4, 3, 3)) * (random.random((8, 4, 3, 3)) < 0.7)
    found = window(Conv(frozen(weight), padding=(1, 1)), (4, 9, 9))
    cut = Cut(found.out_view, (8, 5, 9))
    shared = found.need(cut, Store(lists, 8, 3), True)
    assert (shared.bits == 8 * (weight != 0).sum()).all()
    own = found.need(cut, Store(lists, 8, 3), False)
    assert (own.bits == 8 * own.synapses).all()
    assert own.synapses.sum() == written_out(Conv(frozen(weight), padding=(1, 1)), (4, 9, 9)).sum()


def test_cuts_are_even_and_come_in_order() -> None:
    found = list(cuts((6, 4, 5), 20))
    counts = [cut.count for cut in found]
    assert counts == sorted(counts) and counts[-1] == 120
    assert all(cut.neurons().max() <= 20 and cut.neurons().sum() == 120 for cut in found)
    assert min(counts) == 6


def test_parts_that_hear_other_channels_differ() -> None:
    """Two output channels with the same kinds of kernels, but not as many of each."""
    weight = np.array([[1.0, 1, 1, 0], [1, 0, 0, 0]])[:, :, None, None]
    found = window(Conv(frozen(weight)), (4, 1, 1))
    need = found.need(Cut((2, 1, 1), (1, 1, 1)), Store(SMALL, 4, 0), False)
    assert need.axons.ravel().tolist() == [3, 1]
