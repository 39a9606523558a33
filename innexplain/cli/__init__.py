"""The command `innexplain`: demo, explain, check.  It starts in `innexplain.cli.main`."""
