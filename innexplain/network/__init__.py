"""A model, or any predict function, made ready to be asked.

Checking what a user gives, batching, compiling once a shape, filling up fixed batches and naming what fails
happen here and nowhere else.
"""

from innexplain.graph.functions import name_of
from innexplain.network.network import Network
from innexplain.network.results import Given, Options, Request, Result, Rows, chunks, float_dtype, total
from innexplain.network.running import Runner

__all__ = [
    "Given",
    "Network",
    "Options",
    "Request",
    "Result",
    "Rows",
    "Runner",
    "chunks",
    "float_dtype",
    "name_of",
    "total",
]
