"""All dialects by name."""

from .base import Dialect
from .hxtorch import HXTORCH
from .norse import NORSE
from .plain import PLAIN
from .rockpool import ROCKPOOL
from .sinabs import SINABS
from .snntorch import SNNTORCH
from .spikingjelly import SPIKINGJELLY
from .spyx import SPYX

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (SNNTORCH, NORSE, SINABS, SPIKINGJELLY, ROCKPOOL, SPYX, HXTORCH, PLAIN)
}
