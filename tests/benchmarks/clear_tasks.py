"""What the benchmark of CLEAR does in processes of its own."""

from statistics import median

import tensorflow as tf

import innexplain
from tests.benchmarks import networks
from tests.benchmarks.speed_tasks import rounds_of
from tests.benchmarks.subprocesses import forget_peak, peak_megabytes


def times(model: str, batch: int, classes: int, batch_size: int, rounds: int) -> dict:
    """Median seconds of each side, and the median ratio to forward + classes x (gradient - forward)."""
    logits, whole = networks.network(model)
    x = networks.images(batch)
    written = networks.hand_written_gradient(logits)
    only_forward = tf.function(lambda x: logits(x, training=False))
    analyzer = innexplain.create_analyzer("clear", whole, top_k=classes)
    runs = {
        "forward": lambda: only_forward(tf.convert_to_tensor(x)).numpy(),
        "gradient": lambda: written(x),
        "clear": lambda: analyzer.maps(x, batch_size=batch_size),
    }
    found = rounds_of(runs, rounds)
    return {
        **{name: median(r[name].clock for r in found) for name in runs},
        "ratio": median(_ratio(r, "clock", classes) for r in found),
        "cores": median(_ratio(r, "cores", classes) for r in found),
    }


def _ratio(taken: dict, what: str, classes: int) -> float:
    seconds = {name: getattr(t, what) for name, t in taken.items()}
    backward = seconds["gradient"] - seconds["forward"]
    return seconds["clear"] / (seconds["forward"] + classes * backward)


def peak(model: str, batch: int, classes: int, batch_size: int, clear: bool) -> dict:
    """The peak of memory, and the size of the answer."""
    logits, whole = networks.network(model)
    x = networks.images(batch)
    forget_peak()
    if not clear:
        networks.hand_written_gradient(logits)(x)
        return {"peak": peak_megabytes()}
    maps = innexplain.create_analyzer("clear", whole, top_k=classes).maps(x, batch_size=batch_size)
    return {"peak": peak_megabytes(), "answer": sum(part.nbytes for part in maps) / 2**20}
