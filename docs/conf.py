"""Settings of the documentation; `tox -e docs` builds it with warnings as errors."""

import configparser
import doctest
import os
from pathlib import Path

# Snippets are executed while building, and import TensorFlow.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_settings = configparser.ConfigParser()
_settings.read(Path(__file__).resolve().parents[1] / "setup.cfg", encoding="utf-8")

project = _settings["metadata"]["name"]
author = _settings["metadata"]["author"]
copyright = f"2026, {author}"
release = version = _settings["metadata"]["version"]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
# A single pair of backquotes is code, in these pages as in docstrings.
default_role = "code"

html_theme = "alabaster"
html_theme_options = {"description": _settings["metadata"]["description"]}

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the Args sections give shapes and units, which types cannot

# The same flags as the suite's, in setup.cfg, and the same warnings are errors.
doctest_default_flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
doctest_global_setup = """
import warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
"""


def _leave_docstrings_to_the_suite(app, what, name, obj, options, lines):
    """Their snippets are executed there, as doctests of the modules; here, those of the pages."""
    if app.builder.name == "doctest":
        lines.clear()


def setup(app):
    app.connect("autodoc-process-docstring", _leave_docstrings_to_the_suite)
