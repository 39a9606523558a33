"""Memory: analyzers that are dropped leave nothing, and the number of steps costs none."""

import gc
import json
import subprocess
import sys
import weakref
from pathlib import Path

import keras
import numpy as np
import psutil
import pytest
from keras import layers as L
from tensorflow.python.framework.func_graph import FuncGraph

import innexplain
from innexplain.analyzers.method import METHODS
from innexplain.backward import BackwardModel
from tests.zoo import randomise
from tests.zoo.models import MODELS

from . import NAMES, OF_CLASSES, create, over, rng

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.filterwarnings("ignore::innexplain.errors.InnexplainWarning"),
]
CHECKOUT = Path(__file__).resolve().parents[2]


def network():
    x = keras.Input((5,))
    return randomise(keras.Model(x, L.Dense(3, activation="softmax")(L.Dense(6, activation="relu")(x))), 1)


@pytest.fixture(scope="module", autouse=True)
def quick_collections():
    """What was there before these tests is not searched for garbage again and again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def alive(*kinds):
    """How many objects of some classes there are, after all garbage is gone."""
    gc.collect()
    gc.collect()
    return [sum(issubclass(type(o), kind) for o in gc.get_objects()) for kind in kinds]


def failing_target(name):
    """A score that fails inside a trace; methods that compare classes take none, and get a wrong class."""
    return {"neuron_selection_mode": "index" if name in OF_CLASSES else lambda outputs: 1 / 0}


def use_and_drop(name):
    """Watch what an analyzer consists of, after use and after exceptions, before a trace and in it."""
    model, x = network(), rng().normal(size=(3, 5)).astype("float32")
    analyzer = create(name, model)
    analyzer.analyze(x)
    with pytest.raises(innexplain.errors.InnexplainError):
        analyzer.analyze(x * np.nan)
    failing = create(name, model, **failing_target(name))
    with pytest.raises((ZeroDivisionError, innexplain.errors.ArgumentError)):
        failing.analyze(x, 3 if name in OF_CLASSES else None)
    objects = [analyzer, analyzer.network, analyzer.network.runner, failing, model, model.layers[1]]
    if METHODS[name].backwards:
        objects.append(analyzer.network.backward)
        assert isinstance(objects[-1], BackwardModel)
    return [weakref.ref(o) for o in objects]


def check_gone(*names):
    """With compiled functions and the user's model."""
    before = alive(BackwardModel, FuncGraph)
    watched = {name: use_and_drop(name) for name in names}
    assert alive(BackwardModel, FuncGraph) == before
    for name, references in watched.items():
        assert [ref() for ref in references] == [None] * len(references), name


def test_dropped_analyzers_are_gone():
    """One of each family, in one go."""
    check_gone(
        "input", "gradient", "smoothgrad", "guided_backprop", "lrp.alpha_2_beta_1", "pattern.net", "clear"
    )


@pytest.mark.slow
@over(*NAMES)
def test_a_dropped_analyzer_is_gone(name):
    check_gone(name)


@pytest.mark.slow
def test_thirty_cycles_of_create_analyze_delete_are_flat():
    """One of each family in turn, after two rounds of each: neither objects nor memory pile up."""
    model, x = network(), rng().normal(size=(3, 5)).astype("float32")

    def cycles(count):
        for i in range(count):
            create(names[i % len(names)], model).analyze(x)
            gc.collect()  # else memory is what happens to wait for the collector
        objects = alive(BackwardModel, FuncGraph)
        return psutil.Process().memory_info().rss / 2**20, objects, len(gc.get_objects())

    names = ("gradient", "smoothgrad", "deconvnet", "guided_backprop", "lrp.epsilon", "lrp.alpha_2_beta_1")
    first, objects, count = cycles(2 * len(names))
    last, objects_after, count_after = cycles(30)
    assert objects_after == objects
    assert count_after - count < 20 * 30
    assert last - first < 10, f"{first:.0f} MB became {last:.0f} MB"


@pytest.mark.slow
def test_repeated_calls_are_flat():
    """The same analyzer on new images: neither Python objects nor memory pile up."""
    analyzer = create("integrated_gradients", MODELS["conv_net"].build())
    batches = [MODELS["conv_net"].inputs(2, rng(i)) for i in range(5)]

    def calls():
        for _ in range(10):
            for x in batches:
                analyzer.analyze(x, return_info=True)
        alive()
        return psutil.Process().memory_info().rss / 2**20, len(gc.get_objects())

    calls()
    (first, objects), (last, objects_after) = calls(), calls()
    assert objects_after - objects < 50
    assert last - first < 5


# Runs by itself: the peak of a process that has done other things says nothing.
PEAKS = """
import json, sys, threading, time
import keras, numpy as np, psutil, innexplain
from keras import layers as L

name, argument = sys.argv[1:]
keras.utils.set_random_seed(0)
x = keras.Input((64, 64, 3))
y = L.GlobalAveragePooling2D()(L.Conv2D(8, 3, activation="relu")(x))
model = keras.Model(x, L.Dense(4)(y))
image = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("float32")
process = psutil.Process()


def peak(steps, batch_size=32):
    analyzer = innexplain.create_analyzer(name, model, **{argument: steps})
    highest, done = [0], threading.Event()

    def watch():
        while not done.is_set():
            highest[0] = max(highest[0], process.memory_info().rss)
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    thread.start()
    analyzer.analyze(image, batch_size=batch_size)
    done.set()
    thread.join()
    return highest[0] / 2**20


peak(3)
print(json.dumps([peak(50), peak(1000), peak(1000, batch_size=1000)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "argument"), [("integrated_gradients", "steps"), ("smoothgrad", "augment_by_n")]
)
def test_a_thousand_steps_take_the_memory_of_fifty(name, argument):
    """All copies at once, which the caller may ask for, take 47 MB as images and more as activations."""
    command = [sys.executable, "-W", "ignore", "-c", PEAKS, name, argument]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=CHECKOUT)
    fifty, thousand, at_once = json.loads(done.stdout.splitlines()[-1])
    assert thousand <= 1.1 * fifty
    assert thousand - fifty < 30
    assert at_once > 1.1 * fifty  # so the measurement would see it
