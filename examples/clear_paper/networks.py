"""The three networks of the CLEAR paper, layer by layer as its tables 2 to 4 give them.

All of them are convolutional to the end: the last layer has a kernel of 1 x 1 for each class, whose responses
are averaged over the image and go through a softmax.  Each of those kernels thus speaks for one class.

What the tables leave open, and what is chosen here:

- padding: "same", so that a response map of the last layer covers the whole image and VGG16's weights fit;
- ReLU after every convolution but the last, which the paper calls "linearly connected to the softmax"; with
  `last_relu` after the last too, as SqueezeNet has it;
- no dropout and no batch norm, as none is listed;
- a bias in every convolution, and Glorot's uniform start, Keras's defaults.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

__all__ = ["DOGS", "MNIST", "POOL", "SVHN", "dogs_network", "mnist_network", "svhn_network"]

# A table is a row a layer: (size of the kernel, kernels), or POOL for 2 x 2 with stride 2.
POOL = "pool"
Table = Sequence[tuple[int, int] | str]

MNIST: Table = (*[(3, 32)] * 4, POOL, (3, 64), (1, 10))
SVHN: Table = (*[(3, 32)] * 3, POOL, *[(3, 64)] * 3, POOL, (3, 128), (1, 128), (1, 10))
VGG16: Table = (
    *(*[(3, 64)] * 2, POOL),
    *(*[(3, 128)] * 2, POOL),
    *(*[(3, 256)] * 3, POOL),
    *(*[(3, 512)] * 3, POOL),
    *(*[(3, 512)] * 3, POOL),
)
DOGS_END: Table = ((3, 512), (1, 512), (1, 10))
DOGS: Table = (*VGG16, *DOGS_END)


def mnist_network(last_relu: bool = False) -> keras.Model:
    """Table 2: 28 x 28 gray images, the background 0; 47,210 weights.

    Args:
        last_relu: whether the responses of the last convolution are rectified before their mean is taken.

    Returns:
        A model with weights that wait for training.
    """
    return _network("clear_mnist", (28, 28, 1), MNIST, last_relu)


def svhn_network(last_relu: bool = False) -> keras.Model:
    """Table 3: 32 x 32 colour images; 203,402 weights.

    Args:
        last_relu: as for `mnist_network`.

    Returns:
        A model with weights that wait for training.
    """
    return _network("clear_svhn", (32, 32, 3), SVHN, last_relu)


def dogs_network(classes: int = 10, weights: str | None = None, last_relu: bool = False) -> keras.Model:
    """Table 4: 224 x 224 colour images, the body of VGG16 and three layers on top of it.

    The body is that of `keras.applications.VGG16`, with the names that its layers have there.

    Args:
        classes: kernels of the last layer; the paper has 10.
        weights: what `keras.applications.VGG16` takes: `None` (default) for untrained ones, `"imagenet"` to
            download those of ImageNet, or the path of a file.  With them the body is frozen, as in the paper,
            which trains the end only, and images go through `keras.applications.vgg16.preprocess_input`.
        last_relu: as for `mnist_network`.

    Returns:
        A model whose end waits for training.
    """
    body = keras.applications.VGG16(include_top=False, weights=weights, input_shape=(224, 224, 3))
    body.trainable = weights is None
    end = (*DOGS_END[:-1], (1, classes))
    return keras.Model(body.inputs, _end(_stack(body.outputs[0], end, last_relu)), name="clear_dogs")


def _network(name: str, shape: tuple[int, int, int], table: Table, last_relu: bool) -> keras.Model:
    image = keras.Input(shape, name="image")
    return keras.Model(image, _end(_stack(image, table, last_relu)), name=name)


def _stack(x: keras.KerasTensor, table: Table, last_relu: bool) -> keras.KerasTensor:
    *hidden, (size, classes) = table
    for row in hidden:
        if row == POOL:
            x = keras.layers.MaxPooling2D(2, strides=2)(x)
        else:
            x = keras.layers.Conv2D(row[1], row[0], padding="same", activation="relu")(x)
    last = "relu" if last_relu else None
    return keras.layers.Conv2D(classes, size, padding="same", activation=last, name="classes")(x)


def _end(responses: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Softmax()(keras.layers.GlobalAveragePooling2D()(responses))
