"""All dialects by name."""

from .base import Dialect
from .norse import NORSE
from .plain import PLAIN
from .snntorch import SNNTORCH
from .spikingjelly import SPIKINGJELLY

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (SNNTORCH, NORSE, SPIKINGJELLY, PLAIN)
}
