"""Tiny saved models and images, made once for all tests of the command line."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from innexplain import plots
from innexplain.cli.main import main


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models (.keras), images and files that are neither."""
    folder = tmp_path_factory.mktemp("files")
    layers = keras.layers
    keras.utils.set_random_seed(0)

    def save(name: str, *stack: object) -> None:
        keras.Sequential(list(stack)).save(folder / name)

    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    convolution = layers.Conv2D(4, 3, activation="relu", name="conv")
    save("rgb.keras", keras.Input((12, 10, 3)), convolution, *head)
    grey = [layers.Conv2D(4, 3, activation="relu"), layers.Flatten()]
    save("grey.keras", keras.Input((8, 8, 1)), *grey, layers.Dense(1, activation="sigmoid"))
    anysize = [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    save("any.keras", keras.Input((None, None, 3)), *anysize, layers.Dense(3))
    first = [layers.Permute((2, 3, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)]
    save("first.keras", keras.Input((3, 8, 6)), *first)
    save("fixed.keras", keras.Input((8, 8, 1), batch_size=2), layers.Flatten(), layers.Dense(3))
    save("table.keras", keras.Input((4,)), layers.Dense(3))
    save("four.keras", keras.Input((8, 8, 4)), layers.Flatten(), layers.Dense(3))
    save("maps.keras", keras.Input((8, 8, 3)), layers.Conv2D(2, 3))
    gelu = [layers.Conv2D(2, 3, activation="gelu", name="curved"), layers.Flatten()]
    save("gelu.keras", keras.Input((8, 8, 3)), *gelu, layers.Dense(3))
    save("lambda.keras", keras.Input((8, 8, 3)), layers.Lambda(lambda x: x * 2), layers.Flatten())

    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    (folder / "more").mkdir()
    Image.fromarray(pixels[..., :3]).save(folder / "a.png")
    Image.fromarray(pixels[..., 0]).save(folder / "more" / "a.png")
    Image.fromarray(pixels).save(folder / "clear.png")
    Image.fromarray(pixels[:12, :10, :3]).save(folder / "fits.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    whole = (folder / "a.png").read_bytes()
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "junk.png").write_text("no image")
    (folder / "junk.keras").write_text("no model")
    (folder / "text.txt").write_text("cat\ndog\nowl\n")
    return folder


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, but their files stay empty: rendering them takes longer than all the rest."""
    monkeypatch.setattr(plots, "save_figure", lambda figure, path: plots.save_text("", path))


@pytest.fixture
def innexplain_(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    return run
