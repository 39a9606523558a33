"""The names, and what makes an analyzer of each.

To add an analyzer, write a builder `f(model, options, *, own_argument=default)` and give it a row here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from innexplain.analyzers import backward
from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.baselines import Input, Random
from innexplain.analyzers.clear import DECONVOLUTION, clear
from innexplain.analyzers.core import Options
from innexplain.analyzers.lrp import LRP_METHODS
from innexplain.analyzers.pattern import PATTERN_METHODS
from innexplain.analyzers.signatures import add_keywords
from innexplain.analyzers.wrappers import IntegratedGradients, SmoothGrad
from innexplain.errors import ArgumentError, NotFittedError, UnknownNameError, nearest

__all__ = ["analyzer_names", "build", "create_analyzer"]

Builder = Callable[..., Analyzer]
_COMMON = tuple(f.name for f in fields(Options) if f.name != "check_only")


def _around(wrapper: Builder) -> Builder:
    """A builder of a wrapper around an analyzer given by name; its own arguments stay those of the class."""

    def around(model: Any, options: Options, *, analyzer: Any = "gradient", **own: Any) -> Analyzer:
        if isinstance(analyzer, Analyzer):
            _same_model(analyzer, model, options)
            return wrapper(analyzer, **own)
        return wrapper(_ready(analyzer, model, options, "analyzer"), **own)

    add_keywords(around, wrapper, skip=("analyzer",))
    return around


def _ready(name: Any, model: Any, options: Options, word: str) -> Analyzer:
    """An analyzer made from its name alone, which must need nothing more."""
    analyzer = _build(name, model, options, {})
    if analyzer.needs_fit:
        raise NotFittedError(
            f"{word}={name!r} needs patterns of this model, which no name gives. Give an analyzer that has "
            f"them: {word}=create_analyzer({name!r}, model, patterns=...), or one after fit(dataset)."
        )
    return analyzer


def _same_model(analyzer: Analyzer, model: Any, options: Options, word: str = "analyzer") -> None:
    if analyzer.model is not model:
        raise ArgumentError(
            f"{word} explains another model ({analyzer.model.name!r}) than the one given "
            f"({model.name!r}). Give its name instead of the analyzer."
        )
    if options != Options():
        raise ArgumentError(
            f"An analyzer that is given as an object, {word}=, keeps its own settings: give "
            f"{', '.join(_COMMON)} when it is created, not to the one around it."
        )


def _clear(model: Any, options: Options, *, response: Any = DECONVOLUTION, **own: Any) -> Analyzer:
    """`clear`, with the analyzer behind the class maps made if it is given by name."""
    if isinstance(response, Analyzer):
        _same_model(response, model, replace(options, neuron_selection_mode="max_activation"), "response")
    elif response != DECONVOLUTION:
        if not isinstance(response, str) or response not in _REGISTRY:
            raise UnknownNameError(
                f"response must be {DECONVOLUTION!r}, the name of an analyzer, or an analyzer."
                f"{nearest(response, (DECONVOLUTION, *_REGISTRY))} Received: response={response!r}"
            )
        response = _ready(response, model, options, "response")
    return clear(model, options, response=response, **own)


add_keywords(_clear, clear, skip=("model", "options", "response"))

_REGISTRY: dict[str, Builder] = {
    "input": Input,
    "random": Random,
    "gradient": backward.gradient,
    "sensitivity": backward.sensitivity,
    "input_t_gradient": backward.input_t_gradient,
    "integrated_gradients": _around(IntegratedGradients),
    "smoothgrad": _around(SmoothGrad),
    "deconvnet": backward.deconvnet,
    "guided_backprop": backward.guided_backprop,
    **LRP_METHODS,
    **PATTERN_METHODS,
    "clear": _clear,
}


def analyzer_names() -> tuple[str, ...]:
    """The names that `create_analyzer` knows.

    >>> "guided_backprop" in analyzer_names()
    True
    """
    return tuple(_REGISTRY)


def create_analyzer(name: str, model: Any, **kwargs: Any) -> Analyzer:
    """Make an analyzer of a model.

    Args:
        name: one of `analyzer_names()`.
        model: a built Keras model, with or without its final softmax. It is not changed.
        neuron_selection_mode: `"max_activation"` (default; of one sigmoid unit, the predicted class),
            `"index"`, `"all"` (the sum of all outputs), `"weights"`, or a callable that takes the outputs
            (n, ...) and gives a score (n,), written with `keras.ops`.
        output: which output of the model: an index, a name, or any layer or path inside; needed where
            there are several.
        pre_softmax: `"auto"` (default) explains the score before a final softmax or sigmoid, `True`
            insists on finding one, `False` explains the output as it is.
        rules: the caller's own rules, address -> rule, tried first. An address is a layer, a layer type,
            a name or a path tuple; a rule is a `Rule`, `"gradient"`, or `"relu"` (treat as a ReLU).
        unsupported: `"error"` (default) refuses layers that the method has no rule for; `"gradient"`
            takes the gradient there.
        embedding_map: give token inputs the whole map at their embedding instead of a score a token.
        **kwargs: the analyzer's own arguments, see its page.

    Returns:
        An `Analyzer`; its `analyze(x)` gives the maps.

    Raises:
        UnknownNameError: there is no analyzer of that name.
        ArgumentError: an argument is unknown or out of range.
        ModelError: the model is none, was never built, or has no graph and the method needs one.
        UnsupportedLayerError: the method has no rule for one of the layers.

    Example:
        >>> import keras, numpy, innexplain
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, activation="relu"),
        ...     keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, activation="softmax")])
        >>> analyzer = innexplain.create_analyzer("guided_backprop", model)
        >>> analyzer.analyze(numpy.ones((3, 8, 8, 1))).shape
        (3, 8, 8, 1)
    """
    return build(name, model, kwargs)


def build(name: str, model: Any, kwargs: dict[str, Any], check_only: bool = False) -> Analyzer:
    """`create_analyzer`, with layers that have no rule kept as they are if `check_only`."""
    common = {key: value for key, value in kwargs.items() if key in _COMMON}
    own = {key: value for key, value in kwargs.items() if key not in _COMMON}
    return _build(name, model, Options(**common, check_only=check_only), own)


def _build(name: str, model: Any, options: Options, own: dict[str, Any]) -> Analyzer:
    if not isinstance(name, str) or name not in _REGISTRY:
        raise UnknownNameError(
            f"There is no analyzer {name!r}.{nearest(name, _REGISTRY)} "
            f"Expected one of: {', '.join(_REGISTRY)}."
        )
    builder = _REGISTRY[name]
    parameters = inspect.signature(builder).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    unknown = [key for key in own if key not in known]
    if unknown:
        raise ArgumentError(
            f"{name} does not take {unknown[0]!r}.{nearest(unknown[0], (*known, *_COMMON))} "
            f"Its own arguments: {', '.join(known) or 'none'}; those of every analyzer: "
            f"{', '.join(_COMMON)}."
        )
    return builder(model, options, **own)
