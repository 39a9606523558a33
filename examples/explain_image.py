"""Explain a network of keras.applications on one image, and write three pictures.

    python explain_image.py [IMAGE]

The network has random weights here, so that the script needs no download: give MobileNetV2
`weights="imagenet"` and the input shape (224, 224, 3) for maps that mean something.
"""

import sys

import keras
import numpy as np
from PIL import Image

import innexplain
from innexplain import plots

SIZE = 96
NAMES = ("gradient", "smoothgrad", "guided_backprop")


def load(path: str | None) -> np.ndarray:
    """The image as RGB pixels, or a disc on a gradient if there is none."""
    if path is not None:
        return np.asarray(Image.open(path).convert("RGB").resize((SIZE, SIZE)))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    disc = np.hypot(rows - 40, columns - 56) < 22
    picture = np.stack([2 * rows, 2 * columns, 255 - rows - columns], axis=-1)
    return np.where(disc[..., None], (220, 60, 40), picture).astype(np.uint8)


def main() -> None:
    """Explain, print, and write `explained-*.png` to the current folder."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(input_shape=(SIZE, SIZE, 3), alpha=0.35, weights=None, classes=10)
    pixels = load(sys.argv[1] if len(sys.argv) > 1 else None)
    x = keras.applications.mobilenet_v2.preprocess_input(pixels[None].astype("float32"))

    maps = {}
    for name in NAMES:
        options = {"augment_by_n": 8} if name == "smoothgrad" else {}
        analyzer = innexplain.create_analyzer(name, model, **options)
        maps[name], info = analyzer.analyze(x, return_info=True)
        print(f"{name}: class {info['neuron'][0]}, score {info['score'][0]:.3g}")

    heatmap = plots.heatmap_image(maps["gradient"][0])
    overlay = plots.overlay(pixels, maps["gradient"][0], opacity=0.8)
    gallery = plots.gallery(pixels[None], maps, ["MobileNetV2,\nrandom weights"])
    print("written:", plots.save_image(heatmap, "explained-heatmap.png"))
    print("written:", plots.save_image(overlay, "explained-overlay.png"))
    print("written:", plots.save_figure(gallery, "explained-gallery.png"))


if __name__ == "__main__":
    main()
