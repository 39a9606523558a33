"""Network quality: AOPC next to accuracy, and a training that does not notice."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

import innexplain
from innexplain.errors import ArgumentError, InnexplainError, InputError, UnknownNameError
from innexplain.evaluators import NetworkQuality, region_perturbation
from innexplain.samplers import ConstantSampler

rng = np.random.default_rng(0)
X = rng.random((64, 8, 8, 1)).astype("float32")
Y = (X[:, :, :4].mean(axis=(1, 2, 3)) > X[:, :, 4:].mean(axis=(1, 2, 3))).astype("int32")
SETTINGS = {"region_size": 2, "repeats": 2}


def network(seed: int = 0) -> keras.Model:
    """Everything that draws random numbers or counts while it is trained."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            L.RandomFlip("vertical"),
            L.Conv2D(4, 3),
            L.BatchNormalization(),
            L.ReLU(),
            L.Dropout(0.2),
            L.Flatten(),
            L.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def plain() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 1)), L.Flatten(), L.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model: keras.Model, *callbacks: keras.callbacks.Callback, epochs: int = 3) -> keras.callbacks.History:
    return model.fit(
        X,
        Y,
        epochs=epochs,
        batch_size=16,
        verbose=0,
        validation_data=(X[:20], Y[:20]),
        callbacks=list(callbacks),
    )


def state(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]]


@pytest.fixture(scope="module")
def ends() -> dict:
    """What a training ends with (state, history, what is drawn next), and the same one watched."""
    found: dict = {"weights": []}
    qualities = [
        NetworkQuality(X[:6], "smoothgrad", analyzer_arguments={"augment_by_n": 2}, **SETTINGS),
        NetworkQuality(X[:6], "lrp.epsilon", **SETTINGS),
    ]
    for name, callbacks in (("alone", []), ("watched", qualities)):
        model = network()
        keep = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs, m=model: found["weights"].append(m.get_weights())
        )
        history = fit(model, *callbacks, *([keep] if callbacks else []), epochs=2)
        drawn = [random.random(), np.random.random(), float(tf.random.uniform(()))]  # noqa: NPY002
        found[name] = (state(model), history.history, drawn)
    return {**found, "model": model, "records": qualities[1].history}


def test_training_does_not_notice(ends: dict) -> None:
    for one, other in zip(ends["alone"][0], ends["watched"][0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert ends["alone"][1:] == ends["watched"][1:]


def test_records_are_those_of_the_weights_of_each_epoch(ends: dict) -> None:
    model, records, history = ends["model"], ends["records"], ends["watched"][1]
    assert [record["epoch"] for record in records] == [1, 2]
    for name in ("accuracy", "val_accuracy", "loss", "val_loss"):
        assert [record[name] for record in records] == pytest.approx(history[name])
    for record, w in zip(records, ends["weights"], strict=True):
        model.set_weights(w)
        maps = innexplain.create_analyzer("lrp.epsilon", model).analyze(X[:6])
        found = region_perturbation(model, X[:6], maps, **SETTINGS)
        assert record["aopc"] == pytest.approx(found.aopc[-1], abs=1e-6)
        assert record["aopc_minus_random"] == pytest.approx(found.aopc_minus_random[-1], abs=1e-6)
    assert len({record["aopc"] for record in records}) == 2


def test_chosen_epochs() -> None:
    expected = [
        (1, [1, 2, 3, 4, 5]),
        (2, [2, 4]),
        (np.int64(3), [3]),
        ([1, 5, 9], [1, 5]),
        (range(2, 4), [2, 3]),
        ({4}, [4]),
    ]
    settings = {"steps": 1, **SETTINGS}
    qualities = [NetworkQuality(X[:2], "gradient", every=every, **settings) for every, _ in expected]
    fit(plain(), *qualities, epochs=5)
    recorded = [[record["epoch"] for record in quality.history] for quality in qualities]
    assert recorded == [epochs for _, epochs in expected]


@pytest.mark.compiled
def test_everything_is_made_once_a_model_also_where_training_builds_it(monkeypatch) -> None:
    made = []

    def create(*args, **kwargs):
        made.append(innexplain.create_analyzer(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr("innexplain.evaluators.quality.create_analyzer", create)
    quality = NetworkQuality(X[:2], "input_t_gradient", steps=2, **SETTINGS)
    model = plain()
    fit(model, quality)
    assert len(made) == 1 and made[0].model is model
    assert made[0].network.runner.traces == 1
    keras.utils.set_random_seed(0)
    other = keras.Sequential([L.Flatten(), L.Dense(2, activation="softmax")])
    other.compile("sgd", "sparse_categorical_crossentropy")
    fit(other, quality, epochs=1)
    assert len(made) == 2 and made[1].model is other
    assert [record["epoch"] for record in quality.history] == [1]
    assert set(quality.history[0]) == {"epoch", "aopc", "aopc_minus_random", "loss", "val_loss"}


def test_better_networks_have_better_maps() -> None:
    """The class is told by one quarter of the image: a trained network's maps find it."""
    x = rng.random((400, 8, 8, 1)).astype("float32")
    x[::2, :4, :4] += 0.5
    y = np.arange(400) % 2 == 0
    model = plain()
    quality = NetworkQuality(
        x[:40:2], "input_t_gradient", every=[1, 8], region_size=4, sampler=ConstantSampler(0.25)
    )
    model.fit(x, y.astype("int32"), epochs=8, verbose=0, callbacks=[quality])
    first, last = quality.history
    assert last["accuracy"] > first["accuracy"] + 0.1
    assert last["aopc_minus_random"] > first["aopc_minus_random"] + 0.05


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"x": X[0, 0, 0]}, InputError, "at least one sample"),
        ({"x": X * np.nan}, InputError, "x must be finite"),
        ({"analyzer": None}, ArgumentError, "analyzer must be a name"),
        ({"every": 0}, ArgumentError, "every must be an int of at least 1"),
        ({"every": [0, 1]}, ArgumentError, "every must be an int of at least 1"),
        ({"every": True}, ArgumentError, "every must be"),
        ({"every": 1.5}, ArgumentError, "the epochs to record"),
        ({"every": "all"}, ArgumentError, "every must be"),
        ({"batch_size": 0}, ArgumentError, "batch_size must be"),
        ({"region_size": 9}, ArgumentError, "must not exceed the input"),
        ({"regionsize": 2}, ArgumentError, "Did you mean 'region_size'"),
        ({"baseline": None}, ArgumentError, "does not take 'baseline'.*analyzer_arguments="),
    ],
)
def test_bad_arguments_are_refused_at_once(changed: dict, error: type, words: str) -> None:
    with np.errstate(invalid="ignore"), pytest.raises(error, match=words):
        NetworkQuality(**{"x": X[:2], "analyzer": "gradient", "region_size": 2, **changed})


def test_the_regions_of_the_paper_do_not_fit_small_images() -> None:
    with pytest.raises(ArgumentError, match=r"must not exceed the input.*region_size=9"):
        NetworkQuality(X[:2])


@pytest.mark.parametrize(
    ("analyzer", "arguments", "error"),
    [
        ("lrp.epsilonn", {}, UnknownNameError),
        ("gradient", {"steps": 3}, ArgumentError),
        ("guided_backprop", {}, InnexplainError),
    ],
)
def test_what_cannot_be_explained_is_refused_before_the_first_epoch(analyzer, arguments, error) -> None:
    model = plain()
    before = model.get_weights()
    with pytest.raises(error):
        fit(model, NetworkQuality(X[:2], analyzer, analyzer_arguments=arguments, **SETTINGS))
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
