"""The command `innexplain`: demo, explain, compare, check.  It starts in `innexplain.cli.main`."""
