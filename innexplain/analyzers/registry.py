"""The names, and what makes an analyzer of each.

To add an analyzer, write a `Method` and give it a row here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from innexplain.analyzers.averages import PathIntegral, Smoothing
from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.baselines import Input, Random
from innexplain.analyzers.choosing import method_of
from innexplain.analyzers.clear import Clear
from innexplain.analyzers.clear_analyzer import ClearAnalyzer
from innexplain.analyzers.gradient import Deconvnet, Gradient, GuidedBackprop, InputTimesGradient, Sensitivity
from innexplain.analyzers.lrp import LRP_METHODS
from innexplain.analyzers.method import METHODS, Method
from innexplain.analyzers.pattern import PATTERN_METHODS, Pattern, PatternAnalyzer
from innexplain.analyzers.wrappers import IntegratedGradients, SmoothGrad
from innexplain.errors import ArgumentError, nearest
from innexplain.network import Options, name_of

_COMMON = tuple(Options().shared)

#: Methods whose analyzers can do more than `analyze`.
_ANALYZERS: dict[type[Method], type[Analyzer]] = {
    Smoothing: SmoothGrad,
    PathIntegral: IntegratedGradients,
    Pattern: PatternAnalyzer,
    Clear: ClearAnalyzer,
}


def analyzer_names() -> tuple[str, ...]:
    """The names that `create_analyzer` knows.

    >>> "guided_backprop" in analyzer_names()
    True
    """
    return tuple(METHODS)


def register_method(name: str, method: Any) -> None:
    """Make a name known to `create_analyzer` and all that takes names, until the process ends.

    Args:
        name: a new name.
        method: a `Composite`, rows of your own; or a `Method`, settings of your own.

    Raises:
        ArgumentError: the name is one of the package's, or the method is none.

    >>> from innexplain.composites import everywhere, lrp_composite
    >>> from innexplain.rules import Epsilon
    >>> register_method("my_lrp", lrp_composite("my_lrp", everywhere(Epsilon(0.5))))
    >>> "my_lrp" in analyzer_names()
    True
    >>> unregister_method("my_lrp")
    """
    if not isinstance(name, str) or not name or name in _OWN:
        raise ArgumentError(
            "register_method needs a name that is not one of the package's. "
            f"Received: {name!r}. Choose another one."
        )
    METHODS[name] = replace(method_of(method), name=name, compared=0)


def unregister_method(name: str) -> None:
    """Forget a name of your own; nothing happens if there is no such name."""
    if name not in _OWN:
        METHODS.pop(name, None)


def create_analyzer(name: Any, model: Any, **kwargs: Any) -> Analyzer:
    """Make an analyzer of a model.

    Args:
        name: one of `analyzer_names()`; or a `Composite`, rows of your own, or a `Method`.
        model: a built Keras model, with or without its final softmax. It is not changed.  Methods that
            only call it take any function from arrays to arrays (n, ...) in its place.
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


def build(name: Any, model: Any, kwargs: dict[str, Any], check_only: bool = False) -> Analyzer:
    """`create_analyzer`, with layers that have no rule kept as they are if `check_only`."""
    common = {key: value for key, value in kwargs.items() if key in _COMMON}
    own = {key: value for key, value in kwargs.items() if key not in _COMMON}
    usual = method_of(name)
    _check_arguments(usual, own)
    options, network = Options(**common, check_only=check_only), None
    for word, value in own.items():
        if isinstance(value, Analyzer):
            outer = {key: getattr(options, key) for key in (*usual.own_options, "check_only")}
            _check_inner(value, model, replace(options, **{k: getattr(Options(), k) for k in outer}), word)
            options = replace(value.options, **outer)
            network = value.network if options == value.options and not usual.own_options else None
    method = replace(usual, **own)
    return analyzer_of(model, method, options, network)


def analyzer_of(model: Any, method: Method, options: Options, network: Any = None) -> Analyzer:
    """The analyzer of a method, of the class that has all that it can do."""
    kind = next((made for known, made in _ANALYZERS.items() if isinstance(method, known)), Analyzer)
    analyzer = kind.__new__(kind)
    analyzer._bind(model, method, options, network)
    return analyzer


def _check_arguments(method: Method, own: dict[str, Any]) -> None:
    known = [f.name for f in method.arguments()]
    unknown = [key for key in own if key not in known]
    if unknown:
        raise ArgumentError(
            f"{method.name} does not take {unknown[0]!r}.{nearest(unknown[0], (*known, *_COMMON))} "
            f"Its own arguments: {', '.join(known) or 'none'}; those of every analyzer: "
            f"{', '.join(_COMMON)}."
        )


def _check_inner(analyzer: Analyzer, model: Any, options: Options, word: str) -> None:
    """An analyzer inside another one is of the same model, and keeps its own settings."""
    if analyzer.model is not model:
        raise ArgumentError(
            f"{word} explains another model ({analyzer.network.name!r}) than the one given "
            f"({name_of(model)!r}). Give its name instead of the analyzer."
        )
    if options != Options():
        raise ArgumentError(
            f"An analyzer that is given as an object, {word}=, keeps its own settings: give "
            f"{', '.join(_COMMON)} when it is created, not to the one around it."
        )


def _fill(methods: dict[str, Method]) -> None:
    """Add rows to the table; later ones may be around earlier ones."""
    for name, method in methods.items():
        METHODS[name] = replace(method, name=name)


_fill({
    "input": Input(),
    "random": Random(compared=9),
    "gradient": Gradient(),
    "sensitivity": Sensitivity(compared=6),
    "input_t_gradient": InputTimesGradient(compared=7),
})  # fmt: skip
_fill({
    "integrated_gradients": PathIntegral(compared=8),
    "smoothgrad": Smoothing(),
    "deconvnet": Deconvnet(compared=4),
    "guided_backprop": GuidedBackprop(compared=5),
    **LRP_METHODS,
    **PATTERN_METHODS,
    "clear": Clear(),
})  # fmt: skip
_OWN = frozenset(METHODS)
