"""Frames: what goes in comes out, and nothing else is taken for one."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spikeport.backends.lava.worker import wire

KINDS = st.sampled_from(["u1", "i4", "i8", "f8", "?"])


def there_and_back(head: dict[str, Any], given: dict[str, Any]) -> wire.Message:
    frame = b"".join(wire.pack(head, given))
    return wire.unpack(reader(frame))


def reader(data: bytes) -> Any:
    stream = io.BytesIO(data)

    def read(count: int) -> bytes:
        got = stream.read(count)
        if len(got) != count:
            raise EOFError
        return got

    return read


@given(KINDS.flatmap(lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0))))
def test_arrays_come_back(array: Any) -> None:
    head, got = there_and_back({"a": [1, None, "é"]}, {"x/y": array, "none": np.zeros((0, 3))})
    assert head == {"a": [1, None, "é"]}
    assert got["x/y"].dtype == array.dtype and got["x/y"].shape == array.shape
    assert got["x/y"].tobytes() == array.tobytes()
    assert got["none"].shape == (0, 3)


def test_turned_arrays_come_back() -> None:
    array = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)
    assert np.array_equal(there_and_back({}, {"x": array})[1]["x"], array)


def test_printed_text_is_no_frame() -> None:
    with pytest.raises(wire.WireError, match="not a frame"):
        wire.unpack(reader(b"Traceback (most recent call last)"))


def test_a_stray_length_asks_for_no_memory() -> None:
    start = wire.START.pack(wire.MAGIC, 10, wire.LIMIT + 1)
    with pytest.raises(wire.WireError, match="over the limit"):
        wire.unpack(reader(start))


def test_objects_do_not_travel() -> None:
    frame = b"".join(wire.pack({}, {"x": np.zeros(1)})).replace(b'"<f8"', b'"|O8"')
    with pytest.raises(wire.WireError, match="plain numbers"):
        wire.unpack(reader(frame))


def test_a_cut_frame_is_an_end() -> None:
    frame = b"".join(wire.pack({}, {"x": np.zeros(9)}))
    with pytest.raises(EOFError):
        wire.unpack(reader(frame[:-1]))
