"""What the benchmark of patterns does in processes of its own."""

from statistics import median

import keras
import numpy as np
import tensorflow as tf

from innexplain.patterns import PatternComputer
from tests.benchmarks import networks
from tests.benchmarks.speed_tasks import taken_by
from tests.benchmarks.subprocesses import forget_peak, peak_megabytes


def _by_hand(logits: keras.Model):
    kernels = [w for w in logits.trainable_weights if len(w.shape) > 1]

    @tf.function
    def gradient(x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            score = tf.reduce_max(logits(x, training=False), axis=-1)
        return tape.gradient(score, [k.value for k in kernels])

    return lambda x: gradient(tf.convert_to_tensor(x))


def times(model: str, batch: int, rounds: int, precision: str) -> dict[str, float]:
    """Median seconds a batch of both sides, and their ratios."""
    logits, whole = networks.network(model)
    x = networks.images(batch)
    gradient, forward = _by_hand(logits), tf.function(lambda x: logits(x, training=False))
    computer = PatternComputer(whole, precision=precision)

    def by_hand() -> None:
        forward(tf.convert_to_tensor(x)).numpy()
        gradient(x)[-1].numpy()

    runs = {"by_hand": by_hand, "fit": lambda: computer.partial_fit(x)}
    done = [{name: taken_by(do) for name, do in runs.items()} for _ in range(rounds + 1)][1:]
    return {
        **{name: median(d[name].clock for d in done) for name in runs},
        "ratio": median(d["fit"].clock / d["by_hand"].clock for d in done),
        "cores": median(d["fit"].cores / d["by_hand"].cores for d in done),
    }


def peak(model: str, batch: int, fit: bool, precision: str) -> dict[str, float]:
    """The peak of memory of forward passes, or of a fit over the same batches, to the patterns."""
    logits, whole = networks.network(model)
    x = networks.images(batch)
    forget_peak()
    if fit:
        PatternComputer(whole, precision=precision).fit([x, x], progress=False)
    else:
        forward = tf.function(lambda x: logits(x, training=False))
        for _ in range(2):
            forward(tf.convert_to_tensor(x)).numpy()
    parameters = sum(int(np.prod(w.shape)) for w in logits.weights) * 4 / 2**20
    return {"peak": peak_megabytes(), "parameters": parameters}
