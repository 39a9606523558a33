"""Replicas and workers, each with a share of every batch, fit what one process fits."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from innexplain.patterns import PATTERN_TYPES, PatternComputer
from tests.conftest import CHECKOUT
from tests.patterns.distributed import data, in_parts, network, of_neurons_far_from_zero, of_rare_neurons


def start(kind, path, config=None):
    """A process that fits under a strategy and writes what it found."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    if config:
        environment["TF_CONFIG"] = json.dumps(config)
    command = [sys.executable, "-m", "tests.patterns.distributed", kind, str(path)]
    return subprocess.Popen(
        command, env=environment, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(processes):
    """Wait for all; a process that hangs takes no other with it."""
    try:
        for process in processes:
            text, _ = process.communicate(timeout=240)
            assert process.returncode == 0, text[-3000:]
    finally:
        for process in processes:
            process.kill()


def check(path):
    """Every form of data gives the patterns of a single fit."""
    patterns = PatternComputer(network(), list(PATTERN_TYPES)).fit(data(), progress=False)
    with np.load(path) as found:
        for form in ("array", "labels", "list", "large", "resumed"):
            assert found[f"{form} samples"] == len(data())
            for key, own in patterns.arrays.items():
                for pattern_type, array in own.items():
                    assert np.abs(array).max() > 0.05
                    np.testing.assert_allclose(found[f"{form} {key} {pattern_type}"], array, atol=1e-5)
        for mean_y in ("conditional", "all"):
            expected = np.array(in_parts(*of_rare_neurons(), mean_y))
            np.testing.assert_allclose(found[f"rare {mean_y}"], expected, atol=1e-5)
        np.testing.assert_allclose(found["far"], in_parts(*of_neurons_far_from_zero()), atol=1e-8)
        assert found["refused"].all()
        # None while batches come; then one of each sum: two by channel and four a group of two layers,
        # and how many samples there are.
        assert found["reductions"].tolist() == [0, 2 * (2 + 2 * 4) + 1]


@pytest.mark.slow
def test_mirrored(tmp_path):
    finish([start("mirrored", tmp_path / "found.npz")])
    check(tmp_path / "found.npz")


def free_ports(count):
    """Ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.mark.slow
def test_workers(tmp_path):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    finish(
        [
            start(
                "workers",
                tmp_path / f"{i}.npz",
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}},
            )
            for i in range(2)
        ]
    )
    for i in range(2):
        check(tmp_path / f"{i}.npz")
