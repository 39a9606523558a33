"""What cannot be saved or loaded is refused with its reason; nothing is half written, nothing is executed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import innexplain
from innexplain import rules
from innexplain.analyzers import saving
from innexplain.errors import AddressError, ArgumentError, ModelError, OutputPathError, UnreadableFileError
from tests.analyzers.saved import MODEL, X, maps, network, patterns

L = keras.layers
create, load = innexplain.create_analyzer, innexplain.load_analyzer


def _content(path: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in path.iterdir()}


class Loose(rules.Epsilon):
    """A rule that is no dataclass itself and holds more than its fields tell."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        object.__setattr__(self, "factor", factor)


FUNCTIONS = [
    ({"neuron_selection_mode": lambda y: y[:, 0]}, r"neuron_selection_mode holds <function.*holds no code"),
    ({"rules": [(lambda step: True, "Z")]}, r"rules holds <function"),
    ({"rules": {"conv": Loose(2.0)}}, r"rules holds Loose.*settings that are no fields.*frozen dataclass"),
    ({"until_layer_idx": 1, "until_layer_rule": Loose(2.0)}, r"lrp\.z: until_layer_rule holds Loose"),
]


@pytest.mark.parametrize(("given", "words"), FUNCTIONS, ids=range(len(FUNCTIONS)))
def test_functions_are_refused_by_the_name_of_the_setting(given: dict, words: str, tmp_path: Path) -> None:
    analyzer = create("lrp.z", MODEL, **given)
    with pytest.raises(ArgumentError, match=words):
        analyzer.save(tmp_path / "a")
    around = create("smoothgrad", MODEL, analyzer=analyzer)
    with pytest.raises(ArgumentError, match=words.removeprefix("lrp\\.z: ")):
        around.save(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_function_is_no_model_to_be_written(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="include_model=True needs a Keras model, and 'sum_up' is a func"):
        create("input", sum_up).save(tmp_path / "a", include_model=True)


def sum_up(x: np.ndarray) -> np.ndarray:
    return x.sum(axis=(1, 2))


class Silent(keras.Model):
    """A subclassed model that cannot tell its settings."""

    def __init__(self, number: int) -> None:
        super().__init__(name="silent")
        self.dense = L.Dense(number)

    def call(self, x: Any) -> Any:
        return self.dense(x)


def test_a_model_that_keras_cannot_save_or_load(tmp_path: Path) -> None:
    silent = Silent(2)
    silent(X)
    with pytest.raises(ModelError, match=r"Keras cannot save the model 'silent'.*Leave include_model out"):
        create("gradient", silent).save(tmp_path / "a", include_model=True)
    assert list(tmp_path.iterdir()) == []
    coded = keras.Sequential([keras.Input((8, 8, 2)), L.Lambda(lambda x: x + 1), L.Flatten(), L.Dense(2)])
    path = create("gradient", coded).save(tmp_path / "b", include_model=True)
    with pytest.raises(
        UnreadableFileError, match=r"model\.keras: Keras cannot load the model.*give it as mod"
    ):
        load(path)
    np.testing.assert_array_equal(maps(load(path, coded)), maps(create("gradient", coded)))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An analyzer with arrays and a layer in its settings."""
    analyzer = create("pattern.net", MODEL, patterns=patterns(), rules={MODEL.get_layer("pool"): "gradient"})
    return analyzer.save(tmp_path_factory.mktemp("saved") / "a")


def _reordered() -> keras.Model:
    model = network()
    stack = [keras.Input(X.shape[1:]), *model.layers[:3], L.AveragePooling2D(2), *model.layers[4:]]
    return keras.Sequential(stack, name="other")


MODELS = [
    (lambda: network(1), r"'small', with other weights\. Load the weights"),
    (
        lambda: network(activation="tanh"),
        r"whose layer 7 is Dense \(relu\) \(5,\).*layers: Dense \(tanh\) \(5,",
    ),
    (_reordered, r"whose layer 4 is MaxPooling2D.*'other', with other layers: AveragePooling2D"),
    (
        lambda: keras.Sequential([keras.Input((8, 8, 2)), *network().layers[:-1]]),
        r"whose layer 8 is Dense.*other layers: no more there",
    ),
    (lambda: None, r"holds no model\. Give the model that it explains, 'small'.*include_model=True"),
    (lambda: sum_up, r"'small', which is a Keras model\. Received: the function 'sum_up', which is none"),
    (
        lambda: "small.keras",
        r"Expected a keras\.Model, or a function.*'small\.keras' \(of type str\)",
    ),
]


@pytest.mark.parametrize(("model", "words"), MODELS, ids=range(len(MODELS)))
def test_another_model_is_refused(model: Callable[[], Any], words: str, saved: Path) -> None:
    with pytest.raises(ModelError, match=words):
        load(saved, model())


def test_a_model_in_place_of_a_function(tmp_path: Path) -> None:
    path = create("input", sum_up).save(tmp_path / "a")
    with pytest.raises(
        ModelError, match=r"the function 'sum_up', which is a function\. Received: the Sequential"
    ):
        load(path, MODEL)
    with pytest.raises(ModelError, match=r"Give the function .*, 'sum_up'.*No file holds one\.$"):
        load(path)


def test_layers_of_other_names(tmp_path: Path, saved: Path) -> None:
    """Weights and layers are the same; those in the settings go by their names."""
    model = keras.models.clone_model(MODEL, clone_function=_renamed)
    model.set_weights(MODEL.get_weights())
    plain = create("lrp.z", MODEL)
    np.testing.assert_array_equal(maps(load(plain.save(tmp_path / "a"), model)), maps(plain))
    with pytest.raises(ModelError, match="patterns belong to another model: they know a layer 'conv'"):
        load(saved, model)
    path = create("lrp.z", MODEL, rules={MODEL.get_layer("conv"): "Flat"}).save(tmp_path / "b")
    with pytest.raises(AddressError, match=r"No step of the model answers to \('conv',\)"):
        load(path, model)


def _renamed(layer: Any) -> Any:
    return type(layer).from_config({**layer.get_config(), "name": f"my_{layer.name}"})


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGES = [
    ("arrays.npz", _cut, r"arrays\.npz: the file is truncated"),
    ("arrays.npz", _spoil, r"arrays\.npz: the file is damaged"),
    ("settings.json", _spoil, r"settings\.json: the file is damaged, or was changed since"),
    ("settings.json", Path.unlink, r"settings\.json: the file is missing"),
    ("contents.json", Path.unlink, r"expected an analyzer.*something else, since it has no contents"),
    ("contents.json", _cut, r"contents\.json: expected a list of files.*damaged"),
]


@pytest.mark.parametrize(("name", "damage", "words"), DAMAGES, ids=range(len(DAMAGES)))
def test_damaged_files_are_named(
    name: str, damage: Callable[[Path], None], words: str, saved: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copytree(saved, tmp_path / "a"))
    damage(path / name)
    with pytest.raises(UnreadableFileError, match=words):
        load(path, MODEL)


def test_folders_of_others_and_of_later(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="there is no such folder"):
        load(tmp_path / "none", MODEL)
    with pytest.raises(UnreadableFileError, match="the folder is something else"):
        load(tmp_path, MODEL)
    path = Path(shutil.copytree(saved, tmp_path / "a"))
    for kind, words in (
        ("an analyzer, format 2", "newer version of innexplain"),
        ("a net", "received 'a net'"),
    ):
        contents = {**json.loads((path / "contents.json").read_text()), "kind": kind}
        (path / "contents.json").write_text(json.dumps(contents))
        with pytest.raises(UnreadableFileError, match=words):
            load(path, MODEL)


def test_a_folder_is_written_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = create("lrp.epsilon", MODEL, epsilon=0.5).save(tmp_path / "a")
    before = _content(path)

    def fail(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(saving, "write_arrays", fail)
        with pytest.raises(OutputPathError, match="No space left"):
            create("lrp.z", MODEL).save(path)
    assert _content(path) == before and [p.name for p in tmp_path.iterdir()] == ["a"]
    create("lrp.z", MODEL).save(path, include_model=True)
    assert load(path).name == "lrp.z"
    assert set(_content(create("lrp.z", MODEL).save(path))) == set(before)
    (path / "mine.txt").write_text("precious")
    with pytest.raises(OutputPathError, match=r"it holds another file, 'mine\.txt'"):
        create("lrp.epsilon", MODEL).save(path)
    assert load(path, MODEL).name == "lrp.z"
