"""Recordings of event cameras and of artificial ears, as frames of T steps.

source        events -> frames, by time or by number, through the cache
nmnist        N-MNIST
dvs_cifar10   DVS-CIFAR10, AEDAT 2.0
gesture       DVS128 Gesture, AEDAT 3.1
shd           Spiking Heidelberg Digits, HDF5
"""

from . import dvs_cifar10, gesture, nmnist, shd

LOADERS = {
    nmnist.NAME: nmnist.load,
    dvs_cifar10.NAME: dvs_cifar10.load,
    gesture.NAME: gesture.load,
    shd.NAME: shd.load,
}

__all__ = ["LOADERS"]
