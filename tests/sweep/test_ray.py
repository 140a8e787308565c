"""A cluster of Ray on the loopback, whose nodes die, stop answering, and differ."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from genelab.records.files import read_record
from genelab.records.sweep import SeedEntry, SweepRecord
from genelab.runs.run_dir import RunDir
from tests.conftest import search_path

from .harness import wait_for

pytest.importorskip("ray", reason="Ray is not installed: pip install 'genelab[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray"), pytest.mark.timeout(1800)]

TASK = "GeneLab-Inverted-Pendulum-v1"
ITERATIONS = 120
SMALL = (
    *("--engine", "mujoco", "--num-envs", "8", "--iterations", str(ITERATIONS)),
    *(
        "--set",
        "agent.num_steps_per_env=8",
        "--set",
        "agent.num_learning_epochs=1",
        "--set",
        "agent.num_mini_batches=1",
    ),
    *("--set", "agent.save_interval=5", "--set", "protocol.episodes=4", "--set", "protocol.num_envs=4"),
)
HEAD = "127.0.0.2"
QUICK = {"health_check_period_ms": 1000, "health_check_timeout_ms": 2000, "health_check_failure_threshold": 3}
"""Settings of the head by which a node that does not answer is dead after some seconds."""


class Nodes:
    """A head without room for seeds, and nodes with room for two each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"node_ip_address": HEAD, "num_cpus": 0, "include_dashboard": False, "_system_config": QUICK}
        self.cluster: Any = Cluster(initialize_head=True, head_node_args=head)
        self.nodes: dict[str, Any] = {}

    def add(self, number: int) -> str:
        address = f"127.0.0.{number}"
        self.nodes[address] = self.cluster.add_node(node_ip_address=address, num_cpus=2)
        return address

    def tree(self, address: str) -> list[psutil.Process]:
        raylet = psutil.Process(self.nodes[address].all_processes["raylet"][0].process.pid)
        return [raylet, *raylet.children(recursive=True)]

    def kill(self, address: str) -> None:
        raylet = self.nodes.pop(address).all_processes["raylet"][0].process
        raylet.kill()
        # What waits for a parent that is a zombie goes on.
        raylet.wait()


@pytest.fixture(scope="module")
def nodes() -> Generator[Nodes]:
    before = dict(os.environ)
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0"}
    made = Nodes()
    yield made
    made.cluster.shutdown()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def two_nodes(request: pytest.FixtureRequest) -> None:
    """Two nodes that are there when the test begins, whatever the last one did to them."""
    if "nodes" in request.fixturenames:
        made: Nodes = request.getfixturevalue("nodes")
        while len(made.nodes) < 2:
            made.add(max((int(a.rpartition(".")[2]) for a in made.nodes), default=2) + 1)


def command(log_dir: Path, *more: str) -> list[str]:
    words = (sys.executable, "-P", "-m", "genelab", "train", TASK, *SMALL, "--log-dir", str(log_dir))
    return [*words, *more]


def on_ray(nodes: Nodes, log_dir: Path, *more: str) -> subprocess.Popen[str]:
    words = command(log_dir, "--executor", "ray", "--address", nodes.cluster.address, *more)
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process: subprocess.Popen[str], code: int = 0, timeout_s: float = 800) -> str:
    told = process.communicate(timeout=timeout_s)[0]
    assert process.returncode == code, told
    return told


def entries(log_dir: Path) -> dict[int, SeedEntry]:
    return {entry.seed: entry for entry in read_record(log_dir / "sweep.json", SweepRecord).seeds}


def weights(log_dir: Path) -> dict[str, str]:
    records = (json.loads(path.read_text()) for path in sorted(log_dir.glob("seed_*/run.json")))
    return {record["seed"]: record["checkpoint"]["weights_sha256"] for record in records}


def saved(log_dir: Path, seed: int) -> int:
    """Iterations whose state is here, of a seed that is being trained."""
    run_dir = RunDir(log_dir / f"seed_{seed}")
    attempts = run_dir.load().attempts if run_dir.resume.is_dir() else ()
    return attempts[-1].to_iteration or 0 if attempts else 0


def midway(log_dir: Path, process: subprocess.Popen[str]) -> int:
    """Wait until a seed is between its start and its end; returns it."""

    def found() -> list[int]:
        assert process.poll() is None, process.communicate()[0]
        if not (log_dir / "sweep.json").exists():
            return []
        busy = [entry.seed for entry in entries(log_dir).values() if entry.state == "training" and entry.nodes]
        return [seed for seed in busy if 5 <= saved(log_dir, seed) < ITERATIONS - 20]

    wait_for(found, 400)
    return found()[0]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Weights of three seeds that were trained here."""
    log_dir = tmp_path_factory.mktemp("here") / "sweep"
    subprocess.run(command(log_dir, "--no-eval"), check=True, capture_output=True)
    return weights(log_dir)


@pytest.mark.parametrize("killed", [True, False])
def test_a_node_that_is_killed_or_stops_answering_changes_no_weights(
    nodes: Nodes, tmp_path: Path, undisturbed: dict[str, str], killed: bool
) -> None:
    log_dir = tmp_path / "sweep"
    process = on_ray(nodes, log_dir, "--no-eval", "--max-attempts", "4")
    seed = midway(log_dir, process)
    victim = entries(log_dir)[seed].nodes[-1]
    tree = nodes.tree(victim)
    if killed:
        nodes.kill(victim)
    else:
        for each in tree:
            each.suspend()
    # The head looks for 1 s and 2 s three times.
    wait_for(lambda: "was lost" in (entries(log_dir)[seed].reason or "") or entries(log_dir)[seed].attempts == 2, 40)
    told = ended(process)
    if not killed:
        for each in tree:
            each.kill()
        nodes.kill(victim)
    assert weights(log_dir) == undisturbed
    assert f"seed {seed}: planned, node {victim} was lost" in told
    assert entries(log_dir)[seed].nodes[0] == victim != entries(log_dir)[seed].nodes[-1]
    attempts = RunDir(log_dir / f"seed_{seed}").load().attempts
    assert attempts[0].end == "killed"
    assert attempts[1].from_iteration >= 5


def test_a_launcher_that_is_killed_goes_on_when_it_is_started_again(
    nodes: Nodes, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    log_dir = tmp_path / "sweep"
    process = on_ray(nodes, log_dir, "--no-eval")
    seed = midway(log_dir, process)
    process.kill()
    process.communicate()
    told = ended(on_ray(nodes, log_dir, "--no-eval"))
    assert weights(log_dir) == undisturbed
    assert f"seed {seed:<5} resume" in told


def test_a_stop_saves_and_another_machine_is_waited_for_or_started_on_anew(
    nodes: Nodes, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    log_dir = tmp_path / "sweep"
    process = on_ray(nodes, log_dir, "--seed", "1")
    midway(log_dir, process)
    process.send_signal(signal.SIGTERM)
    ended(process, 143)
    run_dir = RunDir(log_dir / "seed_1")
    record = run_dir.load()
    assert record.status == "interrupted"
    assert record.attempts[-1].end == "interrupted"
    assert record.hardware is not None
    assert entries(log_dir)[1].state == "interrupted"

    other = record.hardware.cpu.replace(model="Another Processor")
    run_dir.update(hardware=record.hardware.replace(cpu=other))
    process = on_ray(nodes, log_dir, "--seed", "1")
    wait_for(lambda: "Another Processor" in (entries(log_dir)[1].reason or ""), 300)
    process.send_signal(signal.SIGTERM)
    told = ended(process, 143)
    assert "waits for a free node like the one it began on: Another Processor, no GPU" in told

    ended(on_ray(nodes, log_dir, "--seed", "1", "--other-machine", "restart"))
    first, second = run_dir.load().attempts
    assert (first.to_iteration, second.from_iteration, second.to_iteration) == (None, 0, ITERATIONS)
    assert weights(log_dir) == {1: undisturbed[1]}
    assert entries(log_dir)[1].state == "finished"
    assert not list(run_dir.path.rglob(".*.tmp"))
    subprocess.run([sys.executable, "-P", "-m", "genelab", "check", "--weights", str(log_dir)], check=True)


def test_what_a_cluster_lacks_is_told_before_anything_is_written(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ended(on_ray(nodes, tmp_path / "a", "--threads", "64"), 2)
    assert "a seed needs 64 CPU(s) and 0 GPU(s) on one node; the nodes of the cluster have 0 CPU(s)" in told
    told = ended(on_ray(nodes, tmp_path / "a", "--gpus", "0.5"), 2)
    assert "a seed needs 1 CPU(s) and 0.5 GPU(s)" in told

    metadata = tmp_path / "site" / "mujoco-1.2.3.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: mujoco\nVersion: 1.2.3\n")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", search_path(metadata.parents[1]))
        address = nodes.add(20)
    told = ended(on_ray(nodes, tmp_path / "a"), 2)
    nodes.kill(address)
    assert f"error: --executor ray: node {address} has another installation: packages.mujoco is 1.2.3, here " in told
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("listens", [False, True])
def test_an_address_without_a_cluster_is_told_within_seconds(tmp_path: Path, listens: bool) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{server.getsockname()[1]}"
        if listens:
            server.listen()
        begin = time.monotonic()
        words = command(tmp_path / "sweep", "--executor", "ray", "--address", address)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, time.monotonic() - begin < 45) == (2, True)
        assert done.stderr.endswith(f"error: --address {address}: no Ray cluster answers there\n")
