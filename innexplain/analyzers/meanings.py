"""What the numbers of a map stand for: a legend has to say it."""

from __future__ import annotations

from innexplain.analyzers.base import Analyzer
from innexplain.analyzers.clear_network import ClearNetwork
from innexplain.analyzers.method import METHODS, Method


def map_meaning(analyzer: Analyzer | Method | str) -> str:
    """What the maps of an analyzer stand for.

    Args:
        analyzer: an analyzer, a method, or the name of one with its own settings.

    Returns:
        `"relevance"`: above zero for what is explained, below zero against it; `"dominance"`: the same for
        the class that dominates at each place; `"strength"`: never below zero; `"signal"`: values like
        those of the input, with a sign of their own.

    >>> [map_meaning(name) for name in ("lrp.epsilon", "sensitivity", "pattern.net")]
    ['relevance', 'strength', 'signal']
    """
    if isinstance(analyzer, str):
        return METHODS[analyzer].meaning if analyzer in METHODS else "relevance"
    if isinstance(analyzer, Method):
        return analyzer.meaning
    if isinstance(analyzer.network, ClearNetwork) and analyzer.network.asked_for_one:
        return "relevance"
    return analyzer.method.meaning
