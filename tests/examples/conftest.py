"""The modules of examples/clear_paper import each other by name, as a script's neighbours do."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples" / "clear_paper"))
