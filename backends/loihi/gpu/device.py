"""Which device the emulator runs on, how exact its products are kept, and how much fits.

cpu         numba and torch on the processor, the default
cuda[:N]    a GPU: torch and Triton
auto        cuda where there is one, else cpu
torch:cpu   what runs on a GPU, on the processor: slow, for tests
"""

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from ....core.errors import BackendUnavailable, ConfigError
from ....core.threads import Shared
from ..threads import in_threads, torch_or_none

VARIABLE = "SPIKEPORT_LOIHI_DEVICE"
MEANT = "cpu, cuda, cuda:N, auto or torch:cpu"
MOST = 16 << 30  # bytes of signals at once on a device
SHARE = 0.4  # of the memory that is free
ON_CPU = 256 << 20  # bytes, where a processor plays the device


def chosen(asked: str | None) -> str | None:
    """torch's name of the device; None: the processor's own path.

    ConfigError for a name that means none; BackendUnavailable where there is no such device."""
    wanted = asked or os.environ.get(VARIABLE) or "cpu"
    if wanted == "cpu":
        return None
    torch = torch_or_none()
    there = torch.cuda.device_count() if torch and torch.cuda.is_available() else 0
    if wanted == "auto":
        return "cuda" if there else None
    kind, _, number = wanted.partition(":")
    if wanted != "torch:cpu" and (kind != "cuda" or not (number.isdigit() or wanted == "cuda")):
        raise ConfigError(f"Loihi's device is {wanted!r}; {MEANT} is meant")
    if torch is None:
        raise BackendUnavailable(
            f"device {wanted!r} needs torch: pip install 'spikeport[loihi]', or take device cpu"
        )
    if wanted == "torch:cpu":
        return "cpu"
    if int(number or 0) >= there:
        raise BackendUnavailable(
            f"device {wanted!r} is not there: torch {torch.__version__} sees {there} GPUs; take "
            "device cpu, or install a torch with CUDA"
        )
    return wanted


_products = Shared()


def exact_products() -> AbstractContextManager[None]:
    """Products of float32 in IEEE's float32 inside the block: no TF32, no bfloat16, which a user
    may have asked for; processors have them too. The wish is there again after the last of all
    blocks that go on at once."""
    return _products.held(exact)


@contextmanager
def exact() -> Iterator[None]:
    """The same for one block."""
    torch: Any = torch_or_none()
    if torch is None:  # then there are none but numba's
        yield
        return
    kinds: list[Any] = [getattr(torch.backends.mkldnn, name, None) for name in ("matmul", "conv")]
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError:  # users said it by the newer names, and torch bears no mixture of the two
        before = None
        kinds.append(torch.backends.cuda.matmul)
    own = [k for k in kinds if hasattr(k, "fp32_precision")]  # of newer torch
    asked = [k.fp32_precision for k in own]
    if before is not None:
        torch.set_float32_matmul_precision("highest")
    for kind in own:
        kind.fp32_precision = "ieee"
    try:
        yield
    finally:
        if before is not None:
            torch.set_float32_matmul_precision(before)
        for kind, wanted in zip(own, asked, strict=True):
            kind.fp32_precision = wanted


def room(device: str) -> int:
    """Bytes that signals may take at once."""
    torch: Any = torch_or_none()
    if not device.startswith("cuda"):
        return ON_CPU
    free, _ = torch.cuda.mem_get_info(device)
    return min(MOST, int(SHARE * free))


def in_turns(work: Callable[[int], None], jobs: Sequence[int], at_once: int, device: str) -> None:
    """work(job) for each job, some at once, all on one device. See `threads.in_threads`."""

    def there(job: int) -> None:
        with current(device):
            work(job)

    in_threads(there, jobs, min(at_once, len(jobs)))


def current(device: str) -> AbstractContextManager[Any]:
    """Kernels are launched on the device inside the block."""
    torch: Any = torch_or_none()
    return torch.cuda.device(device) if device.startswith("cuda") else nullcontext()


def gpus() -> list[str]:
    """The GPUs that torch sees, by name."""
    torch: Any = torch_or_none()
    count = torch.cuda.device_count() if torch else 0
    return [torch.cuda.get_device_name(n) for n in range(count)]


def engine(device: str, kernel: str) -> str:
    """'triton' or 'eager': what runs populations there. Triton's interpreter runs on a processor,
    which its own variable says."""
    if kernel == "eager" or importlib.util.find_spec("triton") is None:
        return "eager"
    return "triton" if device.startswith("cuda") or interpreted() else "eager"


def interpreted() -> bool:
    """Whether Triton's interpreter runs kernels, which bears one at a time."""
    return os.environ.get("TRITON_INTERPRET") == "1"
