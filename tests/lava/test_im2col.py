"""The stand-in for Lava's convolution, held against Lava's own on Lava's Python."""

import subprocess
from pathlib import Path

from spikeport.backends.lava import client
from spikeport.backends.lava.environment import ensure

CODE = """
import numpy as np
from worker import im2col

random = np.random.default_rng(3)
tried = 0
while tried < 300:
    def each(least, most):
        return tuple(int(v) for v in random.integers(least, most + 1, 2))
    groups = int(random.choice([1, 1, 2, 3, 6]))
    kernel, stride, padding, dilation = each(1, 4), each(1, 3), each(0, 3), each(1, 3)
    size = each(1, 12)
    room = [s + 2 * p - d * (k - 1) for s, p, d, k in zip(size, padding, dilation, kernel)]
    if min(room) < 1:
        continue
    x = random.integers(-9, 10, (*size, 6))
    weight = random.integers(-256, 256, (6 * int(random.integers(1, 3)), *kernel, 6 // groups))
    told = (kernel, stride, padding, dilation, groups)
    assert np.array_equal(im2col.lavas_own(x, weight, *told), im2col.conv(x, weight, *told)), told
    real = random.normal(0, 1, weight.shape)
    a, b = im2col.lavas_own(x > 0, real, *told), im2col.conv(x > 0, real, *told)
    assert np.allclose(a, b, rtol=0, atol=1e-12), told
    im2col.forget()
    tried += 1

from lava.proc.conv import utils
assert im2col.works()
im2col.install(True)
assert utils.conv_scipy is im2col.conv
im2col.install(False)
assert utils.conv_scipy is im2col.lavas_own
wrong = lambda weight, groups: [np.zeros((weight[0].size, len(weight) // groups))] * groups
im2col.matrices = wrong
assert not im2col.works()
print("equal", tried)
"""


def test_im2col_is_lavas_convolution() -> None:
    """Bit for bit on whole numbers, within rounding on real ones; a wrong one is not installed."""
    folder = Path(client.__file__).parent
    done = subprocess.run(
        [ensure(), "-c", CODE], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert done.stdout.split() == ["equal", "300"], done.stderr
