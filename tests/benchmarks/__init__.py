"""Measurements, run by hand: `python -m tests.benchmarks speed`. Nothing is asserted: machines differ."""
