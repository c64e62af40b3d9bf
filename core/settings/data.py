"""`[data]`: what is learned from."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import Count, NotNegative, Positive, Section
from .encoders import AnyEncoder, Direct


class Manifolds(Section):
    """Of data.name = random-manifolds: classes differ in the timing of spikes alone. The defaults
    are stork's example (Zenke & Vogels 2021); its steps are data.steps = 100 of 2 ms."""

    classes: Count = 10
    units: Count = 20
    """inputs"""
    dimensions: Count = 1
    """D, of the manifolds"""
    alpha: Positive = 1.0
    """their roughness: large is smooth"""
    samples: Count = 1000
    """of each class"""
    spikes: Count = 1
    """of each unit, in every sample"""
    fraction: Annotated[float, Field(gt=0, le=1)] = 0.5
    """of the steps, in which spikes fall"""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """of the manifolds and the points on them"""


class Sound(Section):
    """Of data.name = spoken-digits: what a recording's mel bands become in data.steps steps."""

    kind: Literal["current", "crossings", "latency"] = "current"
    bands: Count = 40
    levels: Annotated[int, Field(ge=2)] = 4
    """crossings only"""


class Events(Section):
    """Of n-mnist, dvs-cifar10, dvs128-gesture and shd: what events become in data.steps frames."""

    by: Literal["time", "number"] = "time"
    """frames of equal times, or of equal numbers of events"""
    duration: NotNegative = 0.0
    """milliseconds, by time; what comes later is cut off; 0: each recording's own"""
    once: bool = False
    """several events at one pixel in a frame are one spike; else their number"""
    scaled: bool = False
    """each frame is divided by its largest value"""
    size: Annotated[int, Field(ge=0)] = 0
    """pixels are put together to size x size; 0: the sensor's own"""


class Images(Section):
    """Of imagenet."""

    size: Count = 224
    shorter: Count = 256
    """the shorter side, of which the middle is taken where nothing is left to chance"""
    augment: bool = True
    """for training: a random part, mirrored by chance"""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.size > self.shorter:
            raise ValueError(f"size is {self.size} of a shorter side of {self.shorter}")
        return self


class Data(Section):
    """What is learned from."""

    name: str = "digits"
    """one of docs/data.md, or the path of an .npz file"""
    folder: str = ""
    """where the files of a named set lie; empty: the usual places"""
    download: bool = False
    """fetch missing files"""
    steps: Count = 4
    """T"""
    temporal: bool = False
    """.npz only: x is [N, T, *shape]"""
    content: Literal["auto", "analogue", "spikes"] = "auto"
    """auto: spikes if all are 0 or 1"""
    samples: Annotated[int, Field(ge=0)] = 0
    """of the train split, the first so many; 0: all"""
    validation_samples: Annotated[int, Field(ge=0)] = 0
    """of that split; 0: all"""
    manifolds: Manifolds = Manifolds()
    """random-manifolds only"""
    sound: Sound = Sound()
    """spoken-digits only"""
    events: Events = Events()
    """recordings of events only"""
    images: Images = Images()
    """imagenet only"""
    workers: Annotated[int, Field(ge=0)] = 0
    """processes that read ahead, of a set that is read sample by sample; 0: none"""
    cache: str = ""
    """a folder for decoded recordings of events; empty: they are decoded each time"""
    encoder: AnyEncoder = Direct()
    """how a still sample becomes T steps"""
