"""Explain one image with a network of keras.applications: a heatmap, and the heatmap over the image.

    python quickstart.py
    python quickstart.py --weights imagenet --image cat.jpg --analyzer input_t_gradient

Without --weights the network is an untrained one, so that nothing is downloaded: the pictures then show how
the call works, not what a cat looks like.
"""

import argparse
from pathlib import Path

import keras
import numpy as np

import innexplain
from innexplain import plots


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", choices=["imagenet"], help="download trained weights")
    parser.add_argument("--image", help="a picture (default: a drawn disc)")
    parser.add_argument("--analyzer", default="guided_backprop", choices=innexplain.analyzer_names())
    parser.add_argument("--output", type=Path, default=Path("quickstart-maps"), help="a folder")
    return parser.parse_args()


def load(path: str | None) -> np.ndarray:
    """A picture as an array (224, 224, 3) of values from 0 to 255."""
    if path is not None:
        return keras.utils.img_to_array(keras.utils.load_img(path, target_size=(224, 224)))
    rows, columns = np.mgrid[-1:1:224j, -1:1:224j]
    disc = (rows**2 + columns**2 < 0.4).astype("float32")
    return np.stack([220 * disc, 120 * disc, 60 + 100 * np.abs(rows)], axis=-1).astype("float32")


def main() -> None:
    """Predict, explain, write."""
    arguments = parse()
    image = load(arguments.image)
    x = keras.applications.mobilenet_v2.preprocess_input(image[np.newaxis].copy())
    keras.utils.set_random_seed(0)  # for the untrained weights
    model = keras.applications.MobileNetV2(weights=arguments.weights)

    analyzer = innexplain.create_analyzer(arguments.analyzer, model)
    heatmap, info = analyzer.analyze(x, return_info=True)

    neuron = int(info["neuron"][0])
    if arguments.weights is not None:
        top = keras.applications.mobilenet_v2.decode_predictions(model.predict(x, verbose=0), top=1)[0][0]
        print(f"predicted class: {top[1]} (probability {top[2]:.2f})")
    print(f"explained neuron: {neuron}, its score before the softmax: {info['score'][0]:.3g}")

    arguments.output.mkdir(parents=True, exist_ok=True)
    pixels = image.astype("uint8")
    heat = plots.save_image(plots.heatmap_image(heatmap[0]), arguments.output / "heatmap.png")
    over = plots.save_image(plots.overlay(pixels, heatmap[0]), arguments.output / "overlay.png")
    raw = plots.save_array(heatmap, arguments.output / "heatmap.npy")
    print(f"wrote {heat}, {over} and {raw}")


if __name__ == "__main__":
    main()
