"""Fits under a strategy, run in processes of their own by `test_distribution.py`.

python -m tests.patterns.distributed mirrored|workers FILE
"""

import sys
from contextlib import ExitStack, contextmanager, nullcontext
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from innexplain.errors import InputError
from innexplain.patterns import PATTERN_TYPES, PatternComputer, blocks, parts, sites
from tests.zoo import randomise


def data():
    """37 images, which no number of replicas divides."""
    return np.random.default_rng(0).normal(0.3, 1, (37, 8, 8, 2)).astype("float32")


def network():
    """A small network with a batch norm."""
    layers = keras.layers
    stack = [
        keras.Input((8, 8, 2)),
        layers.Conv2D(4, 3, name="conv"),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(3, name="top"),
    ]
    return randomise(keras.Sequential(stack), 1)


def source(kind):
    """The data, in one of the forms that `fit` takes."""
    x = data()
    if kind == "array":
        return x
    if kind == "labels":
        return tf.data.Dataset.from_tensor_slices((x, np.arange(37))).batch(10)
    return [x[:20], x[20:21], x[21:]]  # one batch is smaller than the number of replicas


@contextmanager
def as_if_large():
    """Kernels, activations and blocks are taken for large ones."""
    new = {(sites, "_FEW_WEIGHTS"): 0, (blocks, "_WEIGHTS_AT_A_TIME"): 10, (parts, "_MOST_VALUES"): 1000}
    with ExitStack() as stack:
        for (module, name), value in new.items():
            stack.enter_context(mock.patch.object(module, name, value))
        yield


def fits(strategy):
    """Patterns of every form of data, and of sums that were written and read half-way, as flat names."""
    found = {}
    with strategy.scope():
        model = network()
        for kind in ("array", "labels", "list", "large"):
            with as_if_large() if kind == "large" else nullcontext():
                computer = PatternComputer(model, list(PATTERN_TYPES))
                computer.fit(source(kind), progress=False)
                patterns = computer.finalize()
            found[f"{kind} samples"] = np.array(computer.samples)
            found.update({f"{kind} {k} {t}": a for k, s in patterns.arrays.items() for t, a in s.items()})
        first = PatternComputer(model, list(PATTERN_TYPES)).partial_fit(data()[:20])
        resumed = PatternComputer(model, list(PATTERN_TYPES)).merge(first).partial_fit(data()[20:])
        found.update({f"rare {m}": np.array(in_parts(*of_rare_neurons(), m)) for m in ("conditional", "all")})
        found["far"] = np.array(in_parts(*of_neurons_far_from_zero()))
        found["refused"] = np.array([refuses(data() * np.nan), refuses(data()[..., :1])])
        found["reductions"] = np.array(reductions(strategy))
        patterns = resumed.finalize()
        found["resumed samples"] = np.array(resumed.samples)
        found.update({f"resumed {k} {t}": a for k, s in patterns.arrays.items() for t, a in s.items()})
    return found


def refuses(x):
    """Whether a data set that the model cannot take is an error that says so."""
    try:
        dataset = tf.data.Dataset.from_tensor_slices(x).batch(10)
        PatternComputer(network(), list(PATTERN_TYPES)).fit(dataset, progress=False)
    except InputError:
        return True
    return False


def of_rare_neurons():
    """A neuron that fires for one sample before a fit goes on, and for none just behind that."""
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    x[10:30] += 3
    w = np.array([[1.0], [-1], [0.5]], "float32")
    dense = keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((3,)), dense])
    z = (x @ w)[:, 0]
    x[np.r_[1:10, 10:30], 1] += (np.maximum(z, 0) + 0.5)[np.r_[1:10, 10:30]]
    x[np.r_[0, 30:40], 1] -= (np.maximum(-z, 0) + 0.5)[np.r_[0, 30:40]]
    dense.set_weights([w, np.zeros(1)])
    return model, x


def of_neurons_far_from_zero():
    """Inputs and outputs whose spread is a millionth of their mean."""
    x = 1e5 + 0.1 * np.random.default_rng(0).normal(size=(40, 3))
    dense = keras.layers.Dense(1, dtype="float64")
    model = keras.Sequential([keras.Input((3,), dtype="float64"), dense])
    dense.set_weights([np.array([[1.0], [-0.5], [0.5]]), np.zeros(1)])
    return model, x


def in_parts(model, x, mean_y="conditional"):
    """Its patterns, fitted in parts."""
    first = PatternComputer(model, list(PATTERN_TYPES), mean_y).partial_fit(x[:10])
    own = PatternComputer(model, list(PATTERN_TYPES), mean_y).merge(first)
    patterns = own.partial_fit(x[10:30]).partial_fit(x[30:]).finalize()
    return [patterns.get(model.layers[-1], t) for t in PATTERN_TYPES]


def reductions(strategy):
    """How often replicas are added up while batches come, and then to make patterns."""
    counts, reduce = [0, 0], strategy.reduce

    def counted(*arguments, **named):
        counts[-1] += 1
        return reduce(*arguments, **named)

    strategy.reduce = counted
    computer = PatternComputer(network(), list(PATTERN_TYPES)).partial_fit(data()[:20]).partial_fit(data())
    counts[0], counts[1] = counts[1], 0
    computer.finalize()
    strategy.reduce = reduce
    return counts


def main(kind, path):
    """Fit and write."""
    if kind == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    else:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    if strategy.num_replicas_in_sync != 2:
        raise SystemExit(f"expected 2 replicas, received {strategy.num_replicas_in_sync}")
    np.savez(path, **fits(strategy))


if __name__ == "__main__":
    main(*sys.argv[1:])
