"""Runs jobs as tasks of a Ray cluster: one stateless task for each phase of a seed.

A task gets the files of its seed, runs the worker in a directory of its own on its node, and tells every change of a
file as long as the worker runs. So no file system has to be shared, and what a machine still writes that was given up
reaches nobody. Ray retries nothing: the launcher counts attempts, and goes on from the last state that arrived.
"""

import importlib
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genelab.config.choices import chosen_files
from genelab.config.run import ExecutionCfg, ExecutorCfg
from genelab.config.snapshot import differences, one_line
from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.progress import VERBOSE
from genelab.records import names
from genelab.records.run import RunRecord
from genelab.runs.files import remove_temporaries
from genelab.runs.run_dir import RunDir
from genelab.sweep.executors import Phase
from genelab.sweep.executors.files import PIECE, Receiver, files_of
from genelab.sweep.executors.local import job_settings
from genelab.sweep.executors.ray_node import LOOK_S, Ended, Started, import_ray, probe, send_stop, work
from genelab.worker.stop import STOPPED

ANSWER_S = 4.0
"""Longest wait for the head of a cluster, s."""
PROBE_S = 120.0
"""Longest wait for what a node says of itself, s. It imports genelab and asks git."""
TAKE_S = 0.2
"""Longest time that one poll takes files in, s."""
AVOID_S = 60.0
"""How long a node that a job was lost on gets no other, s. Ray may not know yet that it is dead."""


@dataclass(frozen=True)
class Kind:
    """What float sums depend on of a machine."""

    cpu: str
    gpu: str | None
    """None where a seed does not compute on one."""

    def __str__(self) -> str:
        return f"{self.cpu}, {self.gpu or 'no GPU'}"


@dataclass(frozen=True)
class Node:
    """A machine of the cluster that runs the same code."""

    id: str
    address: str
    cpus: float
    gpus: float
    kind: Kind


class RayExecutor:
    """Starts jobs on the nodes of a cluster."""

    def __init__(self, task: TaskSpec, execution: ExecutionCfg, cfg: ExecutorCfg, command: Sequence[str] = ()) -> None:
        """Connect, and see before anything starts that seeds can run there.

        Args:
            task: what is trained.
            execution: device and threads of each seed.
            cfg: address, and what a seed may have.
            command: starts a worker in place of that of each node's genelab.

        Raises:
            InputError: if Ray is not installed, no cluster answers, no node has what a seed needs, or a node has other
                code or versions.
        """
        self.cfg = cfg
        self.command = command
        self.ray = _connect(cfg.address)
        self._packages = tuple(dict.fromkeys(("genelab", task.package.partition(".")[0])))
        self._here = probe(self._packages)
        self._probes: dict[str, Any] = {}
        self._nodes: dict[str, Node | None] = {}
        self._refused: dict[str, str] = {}
        self._alive: dict[str, dict[str, Any]] = {}
        self._looked = -LOOK_S
        self._avoid: dict[str, float] = {}
        self._busy = Counter[str]()
        on_gpu = execution.device != "cpu" and any(stage.env.engine == "genesis" for _, stage in task.line())
        self._threads = execution.threads
        self.gpus = self._gpus_of_a_seed(execution.device, on_gpu)
        self._require_room()
        self._look(wait_s=PROBE_S)
        if self._refused:
            raise InputError(f"--executor ray: {next(iter(self._refused.values()))}")

    def lines(self) -> list[str]:
        """The nodes, as text."""
        told = f"each seed has {self._threads} CPU(s) and {self.gpus:g} GPU(s); {self.slots} fit at a time"
        nodes = (f"node       {n.address}: {n.kind}, {n.cpus:g} CPU(s), {n.gpus:g} GPU(s)" for n in self.fitting())
        return [f"cluster    {self.cfg.address}, {told}", *nodes]

    @property
    def slots(self) -> int:
        """How many seeds the cluster has room for."""
        return sum(self._room(node.cpus, node.gpus) for node in self.fitting())

    def start(self, phase: Phase, run_dir: RunDir, execution: ExecutionCfg) -> "RayJob":
        """Queue a phase of a seed. It starts when there is a node for it."""
        return RayJob(self, phase, run_dir, job_settings(execution))

    def fitting(self) -> list[Node]:
        """Nodes that are alive and have what a seed needs."""
        self._look()
        nodes = (self._nodes.get(id_) for id_ in self._alive)
        return [node for node in nodes if node and self._room(node.cpus, node.gpus)]

    def is_alive(self, node: Node) -> bool:
        """Whether Ray takes a node for alive."""
        self._look()
        return node.id in self._alive

    def take(self, kind: Kind | None) -> Node | None:
        """The node with the most room left, of a kind if one is given; None if there is none now."""
        now = time.monotonic()
        nodes = [n for n in self.fitting() if kind in (None, n.kind) and self._avoid.get(n.id, 0.0) <= now]
        node = max(nodes, key=self._left, default=None)
        if node is None or self._left(node) <= 0:
            return None
        self._busy[node.id] += 1
        return node

    def release(self, node: Node, lost: bool) -> None:
        """A job on a node has ended."""
        self._busy[node.id] -= 1
        if lost:
            self._avoid[node.id] = time.monotonic() + AVOID_S

    def knows(self, kind: Kind) -> bool:
        """Whether a node of a kind is alive."""
        return any(node.kind == kind for node in self.fitting())

    def left_out(self) -> str:
        """Why nodes that joined later are not used, as the end of a line."""
        told = [why for id_, why in self._refused.items() if id_ in self._alive]
        return f" ({'; '.join(told)})" if told else ""

    def remote(self, function: Any, node_id: str, **options: Any) -> Any:
        """A function to be called on a node, as a task that Ray never starts twice."""
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        place = strategies.NodeAffinitySchedulingStrategy(node_id, soft=False)
        return self.ray.remote(function).options(max_retries=0, scheduling_strategy=place, **options)

    def resources(self) -> dict[str, Any]:
        """What Ray reserves for a job."""
        return {"num_cpus": self._threads, "num_gpus": self.gpus}

    def _look(self, wait_s: float = 0.0) -> None:
        """See who is alive, and judge nodes that are new."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._alive = {node["NodeID"]: node for node in self.ray.nodes() if node["Alive"]}
        for id_ in self._alive.keys() - self._nodes.keys():
            self._nodes[id_] = None
            has = self._alive[id_]["Resources"]
            if not self._room(has.get("CPU", 0.0), has.get("GPU", 0.0)):
                continue
            self._probes[id_] = self.remote(probe, id_, num_cpus=0).remote(self._packages)
        if self._probes:
            refs = list(self._probes.values())
            self.ray.wait(refs, num_returns=len(refs), timeout=wait_s)
        for id_, ref in list(self._probes.items()):
            if self.ray.wait([ref], timeout=0)[0]:
                del self._probes[id_]
                self._judge(id_, ref)
            elif wait_s:
                self._refused[id_] = f"node {self._address(id_)} did not answer within {wait_s:g} s"
        self._looked = time.monotonic()

    def _judge(self, id_: str, ref: Any) -> None:
        try:
            found = self.ray.get(ref)
        except self.ray.exceptions.RayError as error:
            # It died, or genelab is not there: then Ray tells at the end of a traceback which import failed.
            last = one_line(str(error).strip().rpartition("\n")[2])
            self._refused[id_] = f"node {self._address(id_)} cannot run genelab: {last}"
            return
        here, there = ({key: what[key] for key in ("packages", "code")} for what in (self._here, found))
        other = differences(here, there)
        if other:
            told = ", ".join(f"{path} is {theirs}, here {ours}" for path, ours, theirs in other)
            self._refused[id_] = f"node {self._address(id_)} has another installation: {told}"
            return
        has = self._alive[id_]["Resources"] if id_ in self._alive else {}
        kind = Kind(found["cpu"], next(iter(found["gpus"]), None) if self.gpus else None)
        self._nodes[id_] = Node(id_, self._address(id_), has.get("CPU", 0.0), has.get("GPU", 0.0), kind)

    def _address(self, id_: str) -> str:
        return next(node["NodeManagerAddress"] for node in self.ray.nodes() if node["NodeID"] == id_)

    def _gpus_of_a_seed(self, device: str, on_gpu: bool) -> float:
        if device.startswith("cuda:"):
            raise InputError(f"--device {device}: Ray gives each seed a GPU of its own; write --device cuda")
        most = max((node["Resources"].get("GPU", 0.0) for node in self.ray.nodes() if node["Alive"]), default=0.0)
        wanted = self.cfg.gpus
        if wanted is None:
            wanted = 1.0 if on_gpu and (most or device == "cuda") else 0.0
        if device == "cuda" and not wanted:
            raise InputError("--gpus 0: --device cuda needs a GPU")
        return wanted

    def _require_room(self) -> None:
        has = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        pairs = sorted({(r.get("GPU", 0.0), r.get("CPU", 0.0)) for r in has})
        if not any(self._room(cpus, gpus) for gpus, cpus in pairs):
            told = ", ".join(f"{cpus:g} CPU(s) and {gpus:g} GPU(s)" for gpus, cpus in pairs)
            raise InputError(
                f"--executor ray: a seed needs {self._threads} CPU(s) and {self.gpus:g} GPU(s) on one node; "
                f"the nodes of the cluster have {told}"
            )

    def _left(self, node: Node) -> int:
        return self._room(node.cpus, node.gpus) - self._busy[node.id]

    def _room(self, cpus: float, gpus: float) -> int:
        return int(min(cpus / self._threads, gpus / self.gpus if self.gpus else cpus))


class RayJob:
    """One phase of a seed on the cluster."""

    def __init__(self, executor: RayExecutor, phase: Phase, run_dir: RunDir, env: Mapping[str, str]) -> None:
        self.node: str | None = None
        self.waiting: str | None = None
        self.lost = False
        self._executor = executor
        self._phase: Phase = phase
        self._run_dir = run_dir
        self._env = dict(env) | ({VERBOSE: "1"} if os.environ.get(VERBOSE) else {})
        self._on: Node | None = None
        self._task: Any = None
        self._receiver = Receiver(run_dir.path)
        self._pid: int | None = None
        self._stopped = self._killed = False
        self._code: int | None = None
        self._last_line: str | None = None

    def poll(self) -> int | None:
        """Exit code, once all files are here; None while it waits or runs."""
        if self._code is None:
            self._code = self._advance()
            if self._code is not None and self._on is not None:
                self._executor.release(self._on, self.lost)
        return self._code

    def stop(self) -> None:
        """Ask it to save its state and end."""
        self._stopped = True
        if self._pid is not None and self._on is not None:
            self._executor.remote(send_stop, self._on.id, num_cpus=0).remote(self._pid)
        elif self._task is not None:
            self._executor.ray.cancel(self._task, force=False)

    def kill(self) -> None:
        """Kill the task with everything it started."""
        self._killed = True
        if self._task is not None:
            self._executor.ray.cancel(self._task, force=True)

    def last_line(self) -> str | None:
        """What the worker wrote last, or what became of its node."""
        return self._last_line

    def _advance(self) -> int | None:
        if self._task is None:
            if self._stopped or self._killed:
                return STOPPED
            self._place()
            return None
        ray, end = self._executor.ray, time.monotonic() + TAKE_S
        try:
            while time.monotonic() < end and ray.wait([self._task], timeout=0, fetch_local=True)[0]:
                event = ray.get(next(self._task))
                if isinstance(event, Started):
                    self._pid, self.waiting = event.pid, None
                    self.node = self._on and self._on.address
                    if self._stopped:
                        self.stop()
                elif isinstance(event, Ended):
                    self._last_line = event.last_line
                    return event.code
                else:
                    self._receiver.take(event)
        except (StopIteration, ray.exceptions.TaskCancelledError):
            if self._killed or self._stopped:
                return -signal.SIGKILL if self._killed else STOPPED
            return self._lose("its task was cancelled")
        except ray.exceptions.RayTaskError as error:
            # Something on the node that is no fault of the worker, such as a full disk.
            self._last_line = one_line(str(error).strip().rpartition("\n")[2])
            return 1
        except ray.exceptions.RayError as error:
            return self._lose(type(error).__name__)
        if self._on is not None and not self._executor.is_alive(self._on):
            ray.cancel(self._task, force=True)
            return self._lose("Ray takes it for dead")
        return None

    def _lose(self, why: str) -> int:
        self.lost = True
        self._last_line = f"node {self._on and self._on.address} was lost ({why})"
        return -signal.SIGKILL

    def _place(self) -> None:
        """Start the task if there is a node for it."""
        record, executor = self._run_dir.load(), self._executor
        kind = _kind_of(record) if self._phase == "train" else None
        if kind is not None and executor.cfg.other_machine == "restart" and not executor.knows(kind):
            self._run_dir.restart()
            kind = None
        self._on = executor.take(kind)
        if self._on is None:
            self.waiting = (
                f"waits for a free node{f' like the one it began on: {kind}' if kind else ''}{executor.left_out()}"
            )
            return
        self.waiting = f"waits for its turn on {self._on.address}"
        remove_temporaries(self._run_dir.path, self._run_dir.params, self._run_dir.resume)
        env = self._env | ({} if executor.gpus else {"CUDA_VISIBLE_DEVICES": ""})
        options = {**executor.resources(), "num_returns": "streaming", "_generator_backpressure_num_objects": 16}
        task = executor.remote(work, self._on.id, **options)
        place = str(self._run_dir.path.absolute())
        self._task = task.remote(executor.command, self._phase, place, self._files(record), env)

    def _files(self, record: RunRecord) -> dict[str, list[Any]]:
        """What the worker needs, as references to Ray objects: its directory, chosen files and the parent's policy."""
        folder = self._run_dir.path.absolute()
        found = {str(folder / name): folder / name for name in files_of(folder)}
        if self._phase == "evaluate":
            found = {place: path for place, path in found.items() if path.parent != self._run_dir.resume.absolute()}
        for name, path in chosen_files(self._run_dir.task()).items():
            found[str(folder.parent / names.FILES / name)] = path
        if record.parent is not None:
            parent = Path(os.path.normpath(folder / record.parent.path))
            found[str(parent)] = parent
        return {place: [self._executor.ray.put(piece) for piece in _pieces(path)] for place, path in found.items()}


def _pieces(path: Path) -> Generator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _kind_of(record: RunRecord) -> Kind | None:
    """The kind of machine that a seed has to go on with; None if it has nothing saved."""
    saved = record.stages or any(attempt.to_iteration for attempt in record.attempts)
    if record.hardware is None or not saved:
        return None
    return Kind(record.hardware.cpu.model, record.hardware.gpu and record.hardware.gpu.name)


def _connect(address: str | None) -> Any:
    host, _, port = (address or "").rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"--address {address}: must be HOST:PORT of the head of a Ray cluster")
    # It calls home otherwise.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = import_ray()
    # Ray would try for more than a minute, and end the process.
    if not _answers(host, int(port)):
        raise InputError(f"--address {address}: no Ray cluster answers there")
    # Ray takes 127.* for the outer address of this machine, where a head on the loopback does not listen.
    own = {"_node_ip_address": host} if host.startswith("127.") else {}
    try:
        ray.init(address, log_to_driver=False, logging_level="ERROR", **own)
    except (RuntimeError, ConnectionError, ValueError) as error:
        raise InputError(f"--address {address}: {one_line(str(error))}") from error
    # It prints the log of every node that dies, whatever `log_to_driver` says.
    importlib.import_module("ray._private.worker").print_to_stdstream = lambda *_, **__: None  # type: ignore[attr-defined]
    return ray


def _answers(host: str, port: int) -> bool:
    """Whether a gRPC server, as the head of a cluster is one, greets as HTTP/2 has it."""
    hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    try:
        with socket.create_connection((host, port), timeout=ANSWER_S) as connection:
            connection.sendall(hello)
            # The type of the first frame: settings.
            return connection.recv(9)[3:4] == b"\x04"
    except OSError:
        return False
