"""What examples/clear_paper measures and draws, on small networks, and whole runs on generated data."""

import doctest
import functools

import experiments
import figures
import keras
import networks
import numpy as np
import pytest
import table1
import training
from dogs import BREEDS
from PIL import Image
from scipy.io import savemat

from innexplain.errors import UnreadableFileError

from .test_data import mnist_arrays, svhn_arrays


def rng(seed=0):
    return np.random.default_rng(seed)


def small_model(seed=0, classes=3, frozen=(), filters=4):
    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name="body"),
        keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name="middle"),
        keras.layers.Conv2D(classes, 1, name="classes"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Softmax(),
    ]
    for layer in layers:
        layer.trainable = layer.name not in frozen
    image = x = keras.Input((6, 5, 1))
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


def test_measure_is_what_a_loop_over_images_finds():
    layers = [keras.Input((6, 5, 1)), keras.layers.Conv2D(3, 1), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential(layers)
    model.set_weights([np.array([[[[1.0, -1.0, 0.0]]]]), np.array([0.0, 0.0, 0.1])])
    x = (rng().normal(size=(40, 6, 5, 1)) + rng(1).normal(size=(40, 1, 1, 1)) / 4).astype("float32")
    y = training.predicted(model, x)
    y[:4] = (y[:4] + 1) % 3
    responses = rng(2).normal(size=(40, 6, 5))
    rows = table1.measure(model, x, y, responses, [0.2, 0.6], fill=0.5, batch_size=7)
    assert [row.threshold for row in rows] == [0.2, 0.6]
    for row in rows:
        right, shares = np.zeros((40, 3), bool), []
        for i in range(40):
            strong = (responses[i] > row.threshold * responses[i].max())[..., None]
            versions = np.stack([x[i], np.where(strong, x[i], 0.5), np.where(strong, 0.5, x[i])])
            right[i] = np.asarray(model(versions)).argmax(axis=1) == y[i]
            shares.append(strong.mean())
        np.testing.assert_allclose(row[1:4], right.mean(axis=0))
        np.testing.assert_allclose(row.share, np.mean(shares))
    assert rows[0].full == 0.9
    assert rows[0].only_strong != rows[0].without_strong  # or the two could be exchanged unnoticed


def test_shuffled_responses_stay_in_their_image():
    responses = rng().normal(size=(30, 4, 5))
    found = table1.shuffled(responses, seed=1)
    np.testing.assert_array_equal(np.sort(found.reshape(30, -1)), np.sort(responses.reshape(30, -1)))
    assert ((found == responses).mean(axis=(1, 2)) < 0.5).all()
    orders = np.argsort(found.reshape(30, -1)[:, np.newaxis] == responses.reshape(30, -1)[..., np.newaxis])
    assert len({order[:, -1].tobytes() for order in orders}) == 30  # each in an order of its own


def test_table_says_what_its_docstring_says():
    found = doctest.testmod(table1)
    assert found.attempted == 1 and found.failed == 0
    text = table1.table("dogs", [table1.Row(0.25, 0.6, 0.5, 0.4, 0.1)], 0.0)
    assert text.splitlines()[2].split() == ["paper", "58.74", "-", "-", "-"]


def test_choice_is_of_different_classes_and_the_same_ones_right_and_wrong():
    y = rng().integers(0, 10, 400)
    predicted = np.where(rng(1).random(400) < 0.8, y, (y + 1) % 10)
    right, wrong = figures.choose(predicted, y, rng(2))
    assert len(right) == len(wrong) == 5
    assert (predicted[right] == y[right]).all()
    assert (predicted[wrong] != y[wrong]).all()
    assert y[right].tolist() == y[wrong].tolist() == sorted(set(y[right]))
    np.testing.assert_array_equal(figures.choose(predicted, y, rng(2)), [right, wrong])
    assert figures.choose(predicted, y, rng(3))[0].tolist() != right.tolist()


def test_choice_makes_do_with_what_there_is():
    y = np.array([0, 0, 1, 1, 2, 2])
    right, wrong = figures.choose(np.array([0, 1, 1, 1, 0, 0]), y, rng(), count=2)
    assert right.tolist() == [0, 2] or right.tolist() == [0, 3]  # one of each class
    assert wrong.tolist() == [1, 4] or wrong.tolist() == [1, 5]
    right, wrong = figures.choose(np.array([0, 1, 1, 1, 0, 0]), y, rng(), count=5)
    assert right.tolist() in ([0, 2, 3], [0, 3, 2])  # all there are
    assert wrong.tolist() in ([1, 4, 5], [1, 5, 4])
    right, wrong = figures.choose(y, y, rng())
    assert len(right) == 5 and len(wrong) == 0


def test_training_moves_all_weights_and_finds_the_classes():
    y = rng().integers(0, 3, 300)
    x = (y[:, None, None, None] / 2 + 0.1 * rng(1).random((300, 6, 5, 1))).astype("float32")
    model = small_model(filters=16)
    before = [w.numpy() for w in model.weights]
    training.train(model, x, y, epochs=20)
    assert all((w.numpy() != old).any() for w, old in zip(model.weights, before, strict=True))
    assert (training.predicted(model, x, batch_size=7) == y).mean() > 0.9


def test_training_behind_a_frozen_body_changes_the_rest_of_the_same_model(few_steps):
    y = rng().integers(0, 3, 100)  # two batches
    x = (y[:, None, None, None] / 2 + 0.1 * rng(1).random((100, 6, 5, 1))).astype("float32")
    model = small_model(frozen=("body",))
    # What the whole model would learn if the body ran in every epoch: the same.
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    model.layers[0].trainable = False  # an input, as VGG16 freezes its own
    body = model.get_layer("body").kernel.numpy()
    keras.utils.set_random_seed(3)
    training.train(model, x, y, epochs=2)
    np.testing.assert_array_equal(model.get_layer("body").kernel.numpy(), body)
    keras.utils.set_random_seed(3)
    training.train(twin, x, y, epochs=2)
    for mine, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_model_that_is_another_one(tmp_path):
    path = tmp_path / "small.keras"
    training.save(small_model(), path)
    loaded = training.load(path, like=small_model(1))
    x = rng().random((2, 6, 5, 1), "float32")
    np.testing.assert_allclose(loaded(x), small_model()(x), rtol=1e-6)
    with pytest.raises(UnreadableFileError, match=r"outputs \(None, 4\)\. Received: \(None, 6, 5, 1\)"):
        training.load(path, like=small_model(classes=4))


@pytest.fixture
def digits(tmp_path):
    arrays = mnist_arrays(60)
    arrays["x_test"], arrays["y_test"] = arrays["x_train"][:40], arrays["y_train"][:40]
    np.savez(tmp_path / "mnist.npz", **arrays)
    return tmp_path


@pytest.fixture(params=[True, pytest.param(False, marks=pytest.mark.slow)], ids=["small", "as in the paper"])
def networks_(request, monkeypatch, few_steps):
    """The networks with one hidden layer, and two images in a figure; the slow tests have them in full."""
    if request.param:
        for name in ("MNIST", "SVHN"):
            monkeypatch.setattr(networks, name, ((3, 8), networks.POOL, (1, 10)))
        monkeypatch.setattr(figures, "choose", functools.partial(figures.choose, count=2))


def test_run_on_digits(digits, networks_, capsys, monkeypatch):
    measured, usual = [], table1.measure
    monkeypatch.setattr(table1, "measure", lambda *given: measured.append(given[3]) or usual(*given))
    output = digits / "results" / "first"
    given = ["mnist", "--data", str(digits / "mnist.npz"), "--limit", "30"]
    assert (
        experiments.main([*given, "--output", str(output), "--epochs", "1", "--threshold", "0.1", "0.5"]) == 0
    )
    said = capsys.readouterr().out
    assert "30 images to train with, 30 to test with" in said
    written = (output / "table1-mnist.txt").read_text()
    assert written in said
    assert [line.split()[1] for line in written.splitlines()[3:5]] == ["0.1", "0.5"]
    # Noise with ten labels: some wrong for sure.
    for name in ("mnist-right.png", "mnist-wrong.png"):
        assert f"wrote {output / name}" in said
        assert len(np.unique(np.asarray(Image.open(output / name)))) > 50

    again = ["--model", str(output / "clear_mnist.keras"), "--output", str(digits / "second")]
    assert experiments.main([*given, *again, "--threshold", "0.5", "0.1"]) == 0
    second = (digits / "second" / "table1-mnist.txt").read_text().splitlines()
    assert sorted(second) == sorted(written.splitlines())
    assert experiments.main([*given, *again, "--shuffle", "--threshold", "0.1", "0.5"]) == 0
    third = (digits / "second" / "table1-mnist-shuffle.txt").read_text().splitlines()
    assert [line.split()[-1] for line in third[:-1]] == [line.split()[-1] for line in written.splitlines()]
    assert third[-1] == "For comparison: as many pixels as are strong, chosen by chance."
    assert (digits / "second" / "table1-mnist.txt").read_text().splitlines() == second
    assert experiments.main([*given, *again, "--rectify"]) == 0
    fourth = (digits / "second" / "table1-mnist-rectify.txt").read_text().splitlines()
    assert fourth[-1] == "Responses are rectified at every ReLU."
    assert (digits / "second" / "mnist-rectify-right.png").exists()
    assert not (digits / "second" / "clear_mnist.keras").exists()
    first, loaded, shuffled, rectified = measured
    np.testing.assert_allclose(loaded, first, rtol=1e-4, atol=1e-6 * np.abs(first).max())
    assert all((other != loaded).mean() > 0.1 for other in (shuffled, rectified))


def test_errors_are_a_line(digits, capsys):
    assert experiments.main(["mnist", "--data", str(digits / "no.npz"), "--output", str(digits / "o")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    for wrong in (["--threshold", "1.5"], ["--threshold", "nan"], ["--epochs", "0"], ["--limit", "-3"]):
        with pytest.raises(SystemExit):
            experiments.main(["mnist", "--data", "a", *wrong])
        assert "expected a" in capsys.readouterr().err


# Of a network that has seen 20 images of noise.
@pytest.mark.filterwarnings("ignore:clear. the map of .* zero everywhere:innexplain.errors.InnexplainWarning")
def test_run_on_house_numbers(tmp_path, networks_):
    for part in ("train", "test"):
        savemat(tmp_path / f"{part}_32x32.mat", svhn_arrays(20))
    given = ["svhn", "--data", str(tmp_path), "--output", str(tmp_path / "out"), "--epochs", "1"]
    assert experiments.main([*given, "--rectify", "--last-relu"]) == 0
    trained = keras.models.load_model(tmp_path / "out" / "clear_svhn.keras", compile=False)
    assert trained.get_layer("classes").activation.__name__ == "relu"
    lines = (tmp_path / "out" / "table1-svhn-rectify.txt").read_text().splitlines()
    assert lines[2].split() == ["paper", "92.60", "69.12", "54.46", "-"]
    assert lines[-2] == "The rest is replaced by 0.5."
    assert lines[-1] == "Responses are rectified at every ReLU."
    assert (tmp_path / "out" / "svhn-rectify-wrong.png").exists()


@pytest.mark.slow
def test_run_on_dogs(tmp_path):
    """VGG16 at full size, its weights from a file, as those of ImageNet would be."""
    for number, breed in enumerate(BREEDS):
        folder = tmp_path / "Images" / f"n{number:08}-{breed}"
        folder.mkdir(parents=True)
        for i in range(2):
            pixels = rng(10 * number + i).integers(0, 256, (12, 14, 3), "uint8")
            Image.fromarray(pixels).resize((260, 240)).save(folder / f"{i}.jpg")
    weights = tmp_path / "vgg16.weights.h5"
    keras.utils.set_random_seed(0)
    keras.applications.VGG16(include_top=False, weights=None).save_weights(weights)
    given = ["dogs", "--data", str(tmp_path), "--weights", str(weights), "--output", str(tmp_path / "out")]
    assert experiments.main([*given, "--epochs", "1"]) == 0
    lines = (tmp_path / "out" / "table1-dogs.txt").read_text().splitlines()
    assert lines[2].split() == ["paper", "58.74", "-", "-", "-"]
    assert float(lines[3].split()[2]) % 10 == 0  # of ten images
    assert len(np.unique(np.asarray(Image.open(tmp_path / "out" / "dogs-wrong.png")))) > 50
