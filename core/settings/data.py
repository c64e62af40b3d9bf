"""`[data]`: what is learned from."""

from typing import Literal

from .base import Count, Section
from .encoders import AnyEncoder, Direct


class Data(Section):
    """What is learned from."""

    name: str = "digits"  # digits, fashion-mnist, or a path to an .npz file with x and y
    folder: str = ""  # where the files of a named set lie; empty: the usual places
    download: bool = False  # fetch missing files
    steps: Count = 4  # T
    temporal: bool = False  # .npz only: x is [N, T, *shape]
    content: Literal["auto", "analogue", "spikes"] = "auto"  # auto: spikes if all are 0 or 1
    encoder: AnyEncoder = Direct()  # how a still sample becomes T steps
