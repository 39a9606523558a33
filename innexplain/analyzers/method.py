"""A method: settings, and what they make of a network's rows; the table of methods by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from innexplain.composites.composite import check_unsupported
from innexplain.digests import digest
from innexplain.errors import ArgumentError, GraphError
from innexplain.network import Network, Options, Request, Result, Rows, name_of

#: Every method by name; `registry.py` fills it.
METHODS: dict[str, Method] = {}

#: Of fields that belong to a name of the table, and are no arguments of `create_analyzer`.
FIXED = {"fixed": True}


@dataclass(frozen=True, eq=False)
class Method(ABC):
    """Settings alone: what `create_analyzer` takes for a name; a subclass is a frozen dataclass, too.

    Class variables say what it is; legends, messages and tables of methods follow from them.

    Args:
        name: under which it is known.
        compared: its place among the methods that `compare` takes if the caller names none; 0 for none.
    """

    #: What the numbers of a map stand for: see `map_meaning`.
    meaning: ClassVar[str] = "relevance"
    #: `"calls"`: any function will do; `"derivative"`: any Keras model; `"graph"`: the layers are rewritten.
    needs: ClassVar[str] = "graph"
    #: Whether a map has one number a location, without a channel axis.
    spatial: ClassVar[bool] = False
    #: Whether `return_layers` can be told: it goes backwards through the layers, once a sample.
    records_layers: ClassVar[bool] = False
    #: Of `Options`, what a method around this analyzer may say itself.
    own_options: ClassVar[tuple[str, ...]] = ()
    #: Where it comes from, for the tables.
    reference: ClassVar[str] = ""

    name: str = field(default="", kw_only=True, metadata=FIXED)
    compared: int = field(default=0, kw_only=True, repr=False, metadata=FIXED)

    @property
    def gradient_like(self) -> bool:
        """Whether the map is a derivative or acts like one, so that path methods may integrate it."""
        return False

    @property
    def needs_fit(self) -> bool:
        """Whether it has to see data before it can explain."""
        return False

    @property
    def backwards(self) -> bool:
        """Whether its maps come from a pass backwards through the network."""
        return True

    def rows_per_sample(self, network: Network) -> int:
        """Rows of model calls that one sample costs; the progress bar counts them."""
        return 1

    @property
    def settings(self) -> dict[str, Any]:
        """What `create_analyzer` takes besides the arguments of every analyzer, with its values."""
        return {f.name: getattr(self, f.name) for f in self.arguments()}

    @classmethod
    def arguments(cls) -> list[Field[Any]]:
        """The fields that are arguments."""
        return [f for f in fields(cls) if not f.metadata.get("fixed")]

    def changed(self) -> dict[str, Any]:
        """The settings that differ from those of the name."""
        usual = METHODS.get(self.name)
        known = usual.settings if type(usual) is type(self) and usual is not None else {}
        return {k: v for k, v in self.settings.items() if k not in known or not same_setting(known[k], v)}

    def network(self, model: Any, options: Options) -> Network:
        """The model, made ready for this method.

        Raises:
            ModelError: the model lacks what the method needs.
            UnsupportedLayerError: there is no rule for one of the layers.
        """
        check_unsupported(options.unsupported)
        if options.rules:
            raise ArgumentError(
                f"{self.name} goes through no layers, so that rules= says nothing. Leave it out. "
                f"Received: rules={options.rules!r}"
            )
        return Network.of(model, options)

    @abstractmethod
    def attribute(self, network: Network, rows: Rows, data: np.ndarray, request: Request) -> Result:
        """Explain rows that are already checked.

        Args:
            network: what `network` made.
            rows: one array an entry of the graph.
            data: the target's data, one row a sample.
            request: how many rows at a time, and what to tell besides.
        """


def same_setting(a: Any, b: Any) -> bool:
    """Whether two values of a setting are the same, arrays by what they hold."""
    return a is b or (type(a) is type(b) and digest(a) == digest(b))


def _short(value: Any) -> str:
    """A setting in a line."""
    if isinstance(value, np.ndarray):
        return f"<array {value.shape} {value.dtype}>"
    if isinstance(value, Method):
        return f"<{value.name}{listed_settings(value.changed())}>"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"<{type(value).__name__}>"


def listed_settings(settings: dict[str, Any]) -> str:
    """Settings as they stand in a `repr`."""
    return "".join(f", {name}={_short(value)}" for name, value in settings.items())


def names_where(condition: Callable[[Method], bool]) -> tuple[str, ...]:
    """The names of the methods of which something is true, in the order of the table."""
    return tuple(name for name, method in METHODS.items() if condition(method))


def check_needs(method: Method, network: Network) -> None:
    """Refuse a model that lacks what a method needs.

    Raises:
        GraphError: a function has no derivative, a subclassed model no graph.
    """
    if method.needs != "calls" and network.is_function:
        only = ", ".join(names_where(lambda m: m.needs == "calls"))
        raise GraphError(
            f"{method.name} needs derivatives, and {network.name!r} is a function, which can only be called. "
            f"Give the Keras model itself, or use a method that only calls: {only}."
        )
    if method.needs == "graph" and network.graph.opaque:
        only = ", ".join(names_where(lambda m: m.needs == "derivative"))
        raise GraphError(
            f"{method.name} rewrites the layers of a model, and {name_of(network.model)!r} "
            f"({type(network.model).__name__}) has no graph of layers to read: it is a subclassed model, or "
            "overrides call. Build it with the functional API or keras.Sequential, or use a method that only "
            f"calls the model: {only}."
        )
