"""Data sets: real ones by name, anybody's by path. Importing costs no torch."""

from pathlib import Path

from ...core.errors import DataError
from ...core.settings import Data
from . import cifar, digits, events, fashion_mnist, imagenet, manifolds, npz, spoken_digits
from .dataset import DataSet
from .encoded import encoded
from .limit import limited
from .npz import Content

__all__ = ["NAMES", "DataSet", "encoded", "load", "named", "of"]
READ_LAZILY = {**events.LOADERS, imagenet.NAME: imagenet.load}
NAMES = (
    "digits",
    "fashion-mnist",
    *cifar.FORMS,
    spoken_digits.NAME,
    manifolds.NAME,
    *READ_LAZILY,
)


def named(settings: Data) -> DataSet:
    """The data set that a table [data] names, before its encoder."""
    if settings.name == manifolds.NAME:
        return limited(manifolds.load(settings.manifolds, settings.steps), settings)
    if settings.name == spoken_digits.NAME:
        heard = spoken_digits.load(settings.folder, settings.sound, settings.steps)
        return limited(heard, settings)
    if settings.name in READ_LAZILY:
        return limited(READ_LAZILY[settings.name](settings), settings)
    how = settings.model_dump(include={"name", "folder", "download", "temporal", "content"})
    found = load(**how)
    if settings.name.endswith(".npz"):
        npz.check_said(found, settings)
    return limited(found, settings)


def of(settings: Data, seed: int = 0) -> DataSet:
    """The same through its encoder; seed: of the encoder's chance."""
    return encoded(named(settings), settings.encoder, seed)


def load(
    name: str,
    folder: str = "",
    download: bool = False,
    temporal: bool = False,
    content: Content = "auto",
) -> DataSet:
    """The data set of that name, or in the .npz file of that path.

    folder: where the files of a named set lie (empty: the usual places); download: fetch them
    if they are missing; temporal and content: of an .npz file. DataError if there is none.
    """
    if name == "digits":
        return digits.load()
    if name == manifolds.NAME:
        return manifolds.load()
    if name == spoken_digits.NAME:
        return spoken_digits.load(folder)
    if name in cifar.FORMS:
        return cifar.load(name, folder)
    if name in READ_LAZILY:
        return READ_LAZILY[name](Data(name=name, folder=folder))
    if name == "fashion-mnist":
        return fashion_mnist.load(folder, download)
    if name.endswith(".npz"):
        return npz.load(Path(name), temporal, content)
    raise DataError(
        f"there is no data set '{name}'; give {', '.join(NAMES)}, or the path of an .npz file"
    )
