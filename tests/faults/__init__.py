"""Does the suite still see what it should see?  Small faults, applied one at a time; see `__main__.py`."""

from tests.faults.fault import Fault
from tests.faults.judging import JUDGING
from tests.faults.methods import METHODS

__all__ = ["FAULTS", "Fault"]

FAULTS = (*METHODS, *JUDGING)
