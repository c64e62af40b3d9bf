"""The one exception tree. A message names the thing, the value, the limit and the next move.

SpikeportError
├── ConfigError(ValueError)         a setting or a command-line option
├── DataError(ValueError)           a data set, a recording, an input array
├── CheckpointError(ValueError)     a file of trained weights
├── NetworkError(ValueError)        a graph or a .nir file
│   ├── UnsupportedNode             an operation that cannot be lowered or run
│   ├── PassError                   a lowering pass that does not apply, or did not keep its word
│   └── QuantisationError           a number that the chip's integers cannot hold
├── TrainingError                   training went wrong (a loss that is not a number, ...)
└── BackendError                    an engine
    ├── BackendUnavailable(ImportError)
    ├── UnknownBackend(LookupError)
    └── WorkerError
        └── WorkerTimeout
"""


class SpikeportError(Exception):
    """Everything that is raised on purpose."""


class ConfigError(SpikeportError, ValueError):
    """A setting or a command-line option has no meaning, or the wrong one."""


class DataError(SpikeportError, ValueError):
    """A data set or an array is missing, malformed or of the wrong shape."""


class CheckpointError(SpikeportError, ValueError):
    """A checkpoint cannot be read, or belongs to another model."""


class NetworkError(SpikeportError, ValueError):
    """A graph, or the file that holds it, has no clear meaning."""


class UnsupportedNode(NetworkError):
    """An operation that cannot be lowered, or that an engine does not have."""


class PassError(NetworkError):
    """A lowering pass does not apply here, or its result is not the same network."""


class QuantisationError(NetworkError):
    """A number does not fit the chip's integers."""


class TrainingError(SpikeportError):
    """Training cannot go on."""


class BackendError(SpikeportError):
    """An engine could not do what was asked of it."""


class BackendUnavailable(BackendError, ImportError):
    """An engine's packages or interpreter are not there."""


class UnknownBackend(BackendError, LookupError):
    """No engine of that name is registered."""


class WorkerError(BackendError):
    """The Lava worker failed; the message carries its remote traceback."""


class WorkerTimeout(WorkerError):
    """The Lava worker ran past its time limit and was ended."""
