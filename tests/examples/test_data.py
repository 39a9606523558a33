"""The loaders of examples/clear_paper on generated files of the shapes that the real ones have."""

import data
import dogs
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from innexplain.errors import ArgumentError, UnreadableFileError

BREEDS = {"n02085620-Chihuahua": 5, "n02085936-Maltese_dog": 4, "n02086240-Shih-Tzu": 2}


def rng():
    return np.random.default_rng(0)


def mnist_arrays(n=12):
    pixels = rng().integers(0, 256, (2, n, 28, 28), "uint8")
    labels = np.arange(n, dtype="uint8") % 10
    return {"x_train": pixels[0], "y_train": labels, "x_test": pixels[1, :5], "y_test": labels[:5]}


def svhn_arrays(n=11):
    return {
        "X": rng().integers(0, 256, (32, 32, 3, n), "uint8"),
        "y": (np.arange(n) % 10 + 1)[:, None].astype("uint8"),
    }


@pytest.fixture
def svhn(tmp_path):
    savemat(tmp_path / "train_32x32.mat", svhn_arrays())
    savemat(tmp_path / "test_32x32.mat", svhn_arrays(10))
    return tmp_path


@pytest.fixture
def kennel(tmp_path):
    """Images of one colour each: red tells the breed, green the image."""
    for number, (name, count) in enumerate(BREEDS.items()):
        folder = tmp_path / "Images" / name
        folder.mkdir(parents=True)
        for i in range(count):
            colour = (80 * number + 20, 30 * i + 20, 100)
            Image.new("RGB", (300, 240), colour).save(folder / f"{name[:9]}_{i}.jpg", quality=100)
    return tmp_path


def save_lists(folder, train, test):
    """As Stanford gives them out: a cell of texts, and labels from 1."""
    folder.mkdir(exist_ok=True)
    for name, files in (("train_list.mat", train), ("test_list.mat", test)):
        cells = np.empty((len(files), 1), object)
        cells[:, 0] = files
        savemat(folder / name, {"file_list": cells, "labels": np.ones((len(files), 1))})


def test_mnist_is_what_the_file_has_in_zero_to_one(tmp_path):
    arrays = mnist_arrays()
    arrays["x_train"][0, 0, :3] = (0, 51, 255)
    np.savez(tmp_path / "mnist.npz", **arrays)
    found = data.load_mnist(tmp_path / "mnist.npz")
    np.testing.assert_allclose(found.train_x[0, 0, :3, 0], [0, 0.2, 1], rtol=1e-6)
    np.testing.assert_array_equal(np.rint(found.test_x[..., 0] * 255), arrays["x_test"])
    assert found.train_x.shape == (12, 28, 28, 1) and found.train_x.dtype == "float32"
    assert found.train_y.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert found.test_y.tolist() == [0, 1, 2, 3, 4]
    assert found.names == tuple("0123456789")
    few = data.load_mnist(tmp_path / "mnist.npz", limit=3)
    np.testing.assert_array_equal(few.train_x, found.train_x[:3])
    assert len(few.train_y) == len(few.test_x) == len(few.test_y) == 3


@pytest.mark.slow
def test_mnist_of_the_shared_data(shared_data):
    found = data.load_mnist(shared_data / "mnist.npz")
    assert (len(found.train_x), len(found.test_x)) == (60_000, 10_000)
    assert np.bincount(found.test_y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.median(found.test_x) == 0  # the background


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"x_test": None},
            r"expected x_train, y_train, x_test, y_test in it. Received: x_train, y_train, y_t",
        ),
        ({"x_train": np.zeros((12, 32, 32), "uint8")}, r"x_train: .*\(n, 28, 28\).*Received: \(12, 32, 32\)"),
        ({"x_train": np.zeros((12, 28, 28), "float32")}, "dtype uint8. Received: .* float32"),
        ({"x_test": np.zeros((0, 28, 28), "uint8")}, r"x_test: .*Received: \(0, 28, 28\)"),
        ({"y_train": np.arange(4)}, "y_train: expected 12 labels, one an image, from 0 to 9. Received: 4"),
        (
            {"y_test": np.array([0, 1, 2, 3, 10])},
            r"y_test: expected 5 labels.* among them \[0, 1, 2, 3, 10\]",
        ),
    ],
)
def test_mnist_that_is_none(tmp_path, change, message):
    arrays = {key: value for key, value in {**mnist_arrays(), **change}.items() if value is not None}
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(UnreadableFileError, match=message):
        data.load_mnist(tmp_path / "mnist.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"no archive", None, "array"])
def test_mnist_that_is_no_archive(tmp_path, content):
    path = tmp_path / "mnist.npz"
    if content == "array":
        with path.open("wb") as stream:
            np.save(stream, np.arange(3))
    elif content is not None:
        path.write_bytes(content)
    message = "there is no such file" if content is None else "expected an npz file with x_train"
    with pytest.raises(UnreadableFileError, match=message):
        data.load_mnist(path)


def test_svhn_puts_images_first_and_calls_ten_zero(svhn):
    found = data.load_svhn(svhn)
    assert found.train_x.shape == (11, 32, 32, 3) and found.train_x.dtype == "float32"
    assert found.train_y.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    pixels = svhn_arrays()["X"]
    np.testing.assert_allclose(found.train_x[7, 3, 5], pixels[3, 5, :, 7] / 255, rtol=1e-6)
    few = data.load_svhn(svhn, limit=2)
    np.testing.assert_array_equal(few.test_x, found.test_x[:2])
    assert few.train_y.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (None, "test_32x32.mat: there is no such file"),
        ({"X": svhn_arrays()["X"]}, "expected X, y in it. Received: X"),
        (
            {**svhn_arrays(), "X": np.zeros((11, 32, 32, 3), "uint8")},
            r"expected images of shape \(32, 32, 3, n\)",
        ),
        ({**svhn_arrays(), "y": np.arange(11)[:, None]}, "from 1 to 10"),
    ],
)
def test_svhn_that_is_none(svhn, arrays, message):
    (svhn / "test_32x32.mat").unlink()
    if arrays is not None:
        savemat(svhn / "test_32x32.mat", arrays)
    with pytest.raises(UnreadableFileError, match=message):
        data.load_svhn(svhn)


@pytest.mark.parametrize("size", [0, 10, 300, 5000])
def test_svhn_that_is_no_matlab_file(svhn, size):
    whole = (svhn / "test_32x32.mat").read_bytes()
    (svhn / "test_32x32.mat").write_bytes(whole[:size])
    with pytest.raises(UnreadableFileError, match=r"test_32x32\.mat: expected"):
        data.load_svhn(svhn)
    (svhn / "test_32x32.mat").write_bytes(b"no matlab file " * 40)
    with pytest.raises(UnreadableFileError, match="expected a MATLAB file with X, y"):
        data.load_svhn(svhn)


def test_dogs_are_split_by_name_and_shown_as_they_were(kennel):
    found = dogs.load_dogs(kennel, ["Maltese_dog", "Chihuahua"])
    assert found.names == ("Maltese dog", "Chihuahua")
    assert found.train_y.tolist() == [0, 0, 1, 1]
    assert found.test_y.tolist() == [0, 0, 1, 1, 1]
    assert found.test_x.shape == (5, 224, 224, 3) and found.test_x.dtype == "float32"
    pictures = dogs.shown(found.test_x) * 255
    colours = [(100, 80, 100), (100, 110, 100), (20, 80, 100), (20, 110, 100), (20, 140, 100)]
    np.testing.assert_allclose(pictures[:, 50, 60], colours, atol=3)  # JPEG
    # VGG16 takes blue, green, red, each less its mean.
    np.testing.assert_allclose(found.test_x[0, 0, 0], [100 - 103.939, 80 - 116.779, 100 - 123.68], atol=3)
    few = dogs.load_dogs(kennel, ["Maltese_dog", "Chihuahua"], limit=1)
    np.testing.assert_array_equal(few.test_x, found.test_x[[0, 2]])


def test_dogs_come_as_a_middle_square(kennel):
    wide = np.zeros((224, 448, 3), "uint8")
    wide[:, 112:336] = 200
    path = kennel / "Images" / "n02086240-Shih-Tzu" / "n02086240_0.jpg"
    Image.fromarray(wide).save(path, quality=100)
    found = dogs.load_dogs(kennel, ["Shih-Tzu", "Chihuahua"])
    assert dogs.shown(found.train_x[0]).min() > 190 / 255


@pytest.mark.parametrize("place", ["", "lists"])
def test_dogs_follow_the_lists(kennel, place):
    files = {name: [f"{name}/{name[:9]}_{i}.jpg" for i in range(count)] for name, count in BREEDS.items()}
    train = [f for name in files for f in files[name][1:]]
    save_lists(kennel / place, train, [names[0] for names in files.values()])
    found = dogs.load_dogs(kennel, ["Chihuahua", "Shih-Tzu"])
    assert found.train_y.tolist() == [0, 0, 0, 0, 1]
    assert found.test_y.tolist() == [0, 1]
    np.testing.assert_allclose(dogs.shown(found.train_x[:, 0, 0])[:, 1] * 255, [50, 80, 110, 140, 50], atol=3)


def test_dogs_without_images_in_a_list(kennel):
    save_lists(kennel, ["n02085620-Chihuahua/n02085620_0.jpg"], ["n02086240-Shih-Tzu/n02086240_0.jpg"])
    with pytest.raises(UnreadableFileError, match=r"in test_list\.mat, there are 1 and 0"):
        dogs.load_dogs(kennel, ["Chihuahua", "Shih-Tzu"])


def test_dogs_that_are_missing(kennel, tmp_path_factory):
    with pytest.raises(UnreadableFileError, match="a folder Images in it"):
        dogs.load_dogs(tmp_path_factory.mktemp("empty"))
    with pytest.raises(
        UnreadableFileError, match=r"n\.\.\.-Afghan_hound, there are 0.*Chihuahua, Maltese_dog, Shih"
    ):
        dogs.load_dogs(kennel, ["Chihuahua", "Afghan_hound"])
    (kennel / "Images" / "n02086240-Shih-Tzu" / "n02086240_0.jpg").write_bytes(b"no image")
    with pytest.raises(UnreadableFileError, match=r"n02086240_0\.jpg: not an image"):
        dogs.load_dogs(kennel, ["Chihuahua", "Shih-Tzu"])
    (kennel / "Images" / "n02086240-Shih-Tzu" / "n02086240_0.jpg").unlink()
    with pytest.raises(UnreadableFileError, match="expected two images"):
        dogs.load_dogs(kennel, ["Chihuahua", "Shih-Tzu"])


@pytest.mark.parametrize("classes", [["Chihuahua"], ["Chihuahua", "Chihuahua"]])
def test_dogs_of_one_breed_are_no_task(kennel, classes):
    with pytest.raises(ArgumentError, match="two breeds or more, each once"):
        dogs.load_dogs(kennel, classes)


def test_breeds_are_ten_and_those_that_the_paper_names():
    named = {"Chihuahua", "Maltese_dog", "Shih-Tzu", "toy_terrier", "Rhodesian_ridgeback", "Afghan_hound"}
    assert len(set(dogs.BREEDS)) == 10
    assert named < set(dogs.BREEDS)
