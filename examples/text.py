"""Which words decided? A small text classifier, and a score for each of its tokens.

    python text.py

The model takes integers, which have no derivative; tokens are explained at the output of their embedding.
"""

import keras
import numpy as np

import innexplain

GOOD = ["good", "great", "lovely", "fine", "brilliant", "warm"]
BAD = ["bad", "awful", "dull", "poor", "boring", "cold"]
PLAIN = ["the", "a", "film", "book", "was", "is", "it", "and", "we", "saw", "story", "actors", "music"]
WORDS = ["<pad>", *GOOD, *BAD, *PLAIN]
NUMBER = {word: number for number, word in enumerate(WORDS)}
LENGTH = 8


def encode(sentence: str) -> np.ndarray:
    """A sentence as a row of token numbers, filled up with zeros."""
    numbers = [NUMBER[word] for word in sentence.split()]
    return np.array(numbers + [0] * (LENGTH - len(numbers)), "int32")


def reviews(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sentences of plain words with one or two that judge; the label is 1 for good ones."""
    x, y = [], rng.integers(0, 2, n)
    for label in y:
        judging = list(rng.choice(GOOD if label else BAD, rng.integers(1, 3)))
        words = judging + list(rng.choice(PLAIN, LENGTH - len(judging) - 1))
        x.append(encode(" ".join(rng.permutation(words))))
    return np.stack(x), y.astype("float32")


def train() -> keras.Model:
    """A network that averages embedded words, and says how likely the review is good."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((LENGTH,), dtype="int32"),
            keras.layers.Embedding(len(WORDS), 8, mask_zero=True),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.optimizer.learning_rate = 0.02
    x, y = reviews(1000, np.random.default_rng(0))
    model.fit(x, y, epochs=5, verbose=0)
    return model


def main() -> None:
    """Train, then print every sentence with its words' scores."""
    model = train()
    sentences = ["the story was great and we saw it", "a dull film and the music was lovely"]
    x = np.stack([encode(sentence) for sentence in sentences])
    analyzer = innexplain.create_analyzer("integrated_gradients", model)
    scores, info = analyzer.analyze(x, return_info=True)
    for sentence, row, neuron, score in zip(sentences, scores, info["neuron"], info["score"], strict=True):
        print(f"\n{sentence!r} is {'good' if neuron else 'bad'}: score {score:.2f} before the sigmoid")
        for word, value in zip(sentence.split(), row, strict=False):
            print(f"  {word:<10}{value:+8.3f}  {'#' * round(30 * abs(value) / np.abs(row).max())}")


if __name__ == "__main__":
    main()
