"""Trained networks and real images: loaders for the evaluation material beside the checkout.

Every function takes `data`, the folder of that material, from the `shared_data` fixture, which
skips a test where the folder is absent. Networks return logits unless `softmax=True`.
"""

import dataclasses
import functools
import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import keras
import numpy as np

from . import undisturbed_random_state


class _Loader(importlib.machinery.SourceFileLoader):
    """Imports a script and leaves no byte code beside it: the folder is not ours to write to."""

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o666) -> None:
        pass


@functools.cache
def script(data: Path, name: str) -> ModuleType:
    """One of the scripts in the folder, as a module (`build_squeezenet`, `photo_utils`, ...)."""
    path = str(Path(data) / f"{name}.py")
    spec = importlib.util.spec_from_loader(name, _Loader(name, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def squeezenet(data: Path, softmax: bool = False) -> keras.Model:
    """SqueezeNet v1.1 on ImageNet: (n, 227, 227, 3) -> 1000, no Dense layer."""
    with undisturbed_random_state():
        return script(data, "build_squeezenet").build(softmax=softmax)


def mobilenet_v2(data: Path, with_bn: bool = False, softmax: bool = False) -> keras.Model:
    """MobileNetV2 on ImageNet: (n, 224, 224, 3) -> 1000; `with_bn` puts biases in batch norms."""
    with undisturbed_random_state():
        return script(data, "build_mobilenet_v2").build(softmax=softmax, with_bn=with_bn)


def resnet20(data: Path, softmax: bool = False) -> keras.Model:
    """ResNet-20 on CIFAR-10 with trained batch norm: (n, 32, 32, 3) -> 10."""
    with undisturbed_random_state():
        return script(data, "build_cifar_resnets").build_resnet20(softmax=softmax)


def resnet8(data: Path, softmax: bool = False) -> keras.Model:
    """ResNet-8 on CIFAR-10 with trained batch norm: (n, 32, 32, 3) -> 10."""
    with undisturbed_random_state():
        return script(data, "build_cifar_resnets").build_resnet8(softmax=softmax)


@dataclasses.dataclass(frozen=True)
class Photographs:
    """Photographs as a network takes them.

    `x` is the preprocessed batch, `rgb` the same crops as uint8; `accepted[i]` the class indices
    that are right for photograph i, `recorded[i]` the network's best class when it was recorded;
    `boxes[i]` the objects, (left, top, right, bottom) in pixels of the crop.
    """

    names: tuple[str, ...]
    x: np.ndarray
    rgb: np.ndarray
    accepted: tuple[tuple[int, ...], ...]
    recorded: tuple[int, ...]
    boxes: tuple[list, ...]


# network -> (its builder script, the key of its recorded predictions, crop size, short side)
_PHOTO_NETWORKS = {
    "squeezenet": ("build_squeezenet", "squeezenet_v1.1", 227, 227),
    "mobilenet_v2": ("build_mobilenet_v2", "mobilenet_v2", 224, 256),
}


def photographs(data: Path, network: str = "squeezenet") -> Photographs:
    """The five photographs for `network`: "squeezenet" or "mobilenet_v2"."""
    builder, key, size, short = _PHOTO_NETWORKS[network]
    build, utils = script(data, builder), script(data, "photo_utils")
    notes = utils.load_boxes("photos_cc")
    rgb = np.stack([build.load_image(str(Path(data) / "photos_cc" / name)) for name in notes])
    boxes = (
        utils.boxes_to_crop(note["boxes"], note["width"], note["height"], size, short)
        for note in notes.values()
    )
    return Photographs(
        names=tuple(notes),
        x=build.preprocess(rgb),
        rgb=rgb,
        accepted=tuple(tuple(note["accepted_class_indices"]) for note in notes.values()),
        recorded=tuple(note["predictions"][key][0][0] for note in notes.values()),
        boxes=tuple(boxes),
    )


def cifar(data: Path, network: str | None = None, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10 test images and labels: uint8, or as "resnet20" or "resnet8" take them."""
    with np.load(Path(data) / "cifar10_test1000.npz") as arrays:
        x, y = arrays["x"][:count], arrays["y"][:count].astype("int64")
    if network == "resnet20":
        x = script(data, "build_cifar_resnets").preprocess_resnet20(x)
    elif network == "resnet8":
        x = x.astype("float32")
    elif network is not None:
        raise ValueError(f"Expected network 'resnet20', 'resnet8' or None. Received: {network!r}")
    return x, y


def mnist(data: Path, split: str = "test", count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """MNIST images (n, 28, 28, 1) in [0, 1] and labels of the "train" or the "test" split."""
    with np.load(Path(data) / "mnist.npz") as arrays:
        x, y = arrays[f"x_{split}"][:count], arrays[f"y_{split}"][:count]
    return x[..., None].astype("float32") / np.float32(255.0), y.astype("int64")
