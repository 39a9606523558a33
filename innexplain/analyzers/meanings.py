"""What the numbers of a map stand for: a legend has to say it."""

from __future__ import annotations

from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.clear import Clear
from innexplain.analyzers.wrappers import SmoothGrad

__all__ = ["map_meaning"]

_STRENGTH = ("sensitivity",)
_SIGNAL = ("input", "pattern.net")


def map_meaning(analyzer: Analyzer | str) -> str:
    """What the maps of an analyzer stand for.

    Args:
        analyzer: an analyzer, or the name of one with its own settings.

    Returns:
        `"relevance"`: above zero for what is explained, below zero against it; `"dominance"`: the same for
        the class that dominates at each place; `"strength"`: never below zero; `"signal"`: values like
        those of the input, with a sign of their own.

    >>> [map_meaning(name) for name in ("lrp.epsilon", "sensitivity", "pattern.net")]
    ['relevance', 'strength', 'signal']
    """
    if isinstance(analyzer, SmoothGrad):
        return map_meaning(analyzer.analyzer)
    name = analyzer if isinstance(analyzer, str) else analyzer.name
    if name == "clear" and not (isinstance(analyzer, Clear) and analyzer.asked_for_one):
        return "dominance"
    return "strength" if name in _STRENGTH else "signal" if name in _SIGNAL else "relevance"
