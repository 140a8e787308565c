"""Policies of tasks with a goal: three named inputs, and an action by differential inverse kinematics."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import onnxruntime
import pytest
import torch

from genelab.config.agent import SacCfg
from genelab.config.task import TaskSpec
from genelab.envs.actions import make_action
from genelab.export.export import FORMATS, contract, observations_of
from genelab.export.parity import measure
from genelab.learn.checkpoint import Checkpoint
from genelab.learn.policy import DeterministicPolicy
from genelab.learn.sb3.policy import SacActor, build_actor, deployable
from genelab.mdp.state import Names
from genelab.records.export import ExportedFile, ExportFormat, ExportRecord, Parity
from genelab.records.run import TrainedCheckpoint
from genelab.records.schema import json_schemas
from genelab.registry import get_task

from .conftest import layout_of

pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"), pytest.mark.slow]

FRANKA = "GeneLab-Franka-Pick-And-Place-v0"
GROUPS = ("observation", "achieved_goal", "desired_goal")
WIDTHS = {"observation": 35, "achieved_goal": 3, "desired_goal": 3}
ROWS = 40
SHA = "0" * 64


@pytest.fixture(scope="module")
def task() -> TaskSpec:
    return get_task(FRANKA)


@pytest.fixture(scope="module")
def checkpoint(task: TaskSpec) -> Checkpoint:
    """Random weights of the task's actor, its noise head included."""
    assert isinstance(task.agent, SacCfg)
    torch.manual_seed(4)
    actor = SacActor(sum(WIDTHS.values()), task.agent.actor.hidden_dims, torch.nn.ReLU, 4)
    return Checkpoint(SHA, 625, layout_of(task), actor.state_dict(), {}, trainer="stable_baselines3")


@pytest.fixture(scope="module")
def actor(task: TaskSpec, checkpoint: Checkpoint) -> SacActor:
    assert isinstance(task.agent, SacCfg)
    actor = build_actor(task.agent, checkpoint.layout, 4)
    actor.load_state_dict(checkpoint.actor)
    return actor.eval()


@pytest.fixture(scope="module")
def record(task: TaskSpec, checkpoint: Checkpoint) -> ExportRecord:
    """The contract of an export, as `export_policy` fills it."""
    parity = Parity(
        recorded_rows=1,
        random_rows=0,
        batch_sizes=(1,),
        largest_action=1.0,
        max_abs_difference=0.0,
        tolerance=1e-5,
        passed=True,
    )
    run: Any = SimpleNamespace(task=task.id, task_version=1, seed=1, config_sha256=SHA)
    trained = TrainedCheckpoint(path="model.zip", sha256=SHA, bytes=1, weights_sha256=SHA, iteration=625)
    file = ExportedFile(name="policy.onnx", format="onnx", sha256=SHA, bytes=1)
    return contract(run, task, trained, file, observations_of(task, checkpoint), parity, ())


@pytest.mark.parametrize("file_format", [*FORMATS])
def test_the_file_acts_as_the_policy_on_all_three_inputs(file_format: ExportFormat, actor: SacActor, tmp_path: Path):
    path = tmp_path / "policy"
    path.write_bytes(FORMATS[file_format].serialise(deployable(actor), WIDTHS))
    exported = FORMATS[file_format].load(path)
    native = DeterministicPolicy(actor, torch.device("cpu"), GROUPS)
    recorded = tuple(torch.randn(ROWS, width) for width in WIDTHS.values())

    def policy(*rows: torch.Tensor) -> torch.Tensor:
        return native(dict(zip(GROUPS, rows, strict=True)))

    assert measure(policy, exported, recorded).passed
    if file_format == "onnx":
        assert [given.name for given in onnxruntime.InferenceSession(path).get_inputs()] == [*GROUPS]
    # Every input counts, the two of equal width not interchangeably.
    observation, achieved, desired = recorded
    assert (exported(observation, desired, achieved) - policy(*recorded)).abs().max() > 1e-3
    assert not measure(policy, lambda o, a, d: exported(o, d, a), recorded).passed


def test_every_input_is_described(record: ExportRecord):
    inputs = (record.observation, *record.goals)
    assert {each.input.name: each.input.shape[1] for each in inputs} == WIDTHS
    assert {each.normalization for each in inputs} == {"none"}
    spans = {term.name: (term.start, term.stop) for term in record.observation.terms}
    assert spans["hand_position"] == (18, 21)
    assert spans["time_left"] == (34, 35)
    noise = {term.name: term.training_noise for each in inputs for term in each.terms}
    assert (noise["joint_vel"], noise["goal_position"]) == (0.05, None)
    # The goals themselves were clean.
    assert [term.training_noise for each in record.goals for term in each.terms] == [None, None]
    assert record.timing.episode_steps == 100, "time_left needs it"
    assert record.goal
    assert record.goal.tolerance == 0.05
    assert record.goal.achieved.params == {"object": "cube"}
    assert record.goal.achieved.meaning == "Position of an object's centre in the world frame, m."
    assert record.goal.desired.params["half_width"] == 0.15


def test_the_contract_follows_the_schema_and_comes_back(record: ExportRecord):
    data = record.model_dump(mode="json")
    jsonschema.validate(data, json.loads(json_schemas()["export.schema.json"]))
    assert ExportRecord.model_validate_json(json.dumps(data), strict=True) == record
    assert data["action"]["kind"] == "differential_ik"
    assert data["action"]["columns"] == ["hand_x", "hand_y", "hand_z", "gripper"]
    [fourth] = [joint for joint in data["action"]["joints"] if joint["name"] == "joint4"]
    assert fourth == {
        "name": "joint4",
        "default_pos": -1.85,
        "range": [-3.0718, -0.0698],
        "kp": 2000.0,
        "kv": 200.0,
        "effort_limit": 87.0,
        "law": "implicit_pd",
        "velocity_limit": None,
    }
    assert data["action"]["gravity_compensation"] == 1.0


def test_the_targets_follow_from_the_contract_alone(record: ExportRecord, task: TaskSpec):
    """What a deployer computes in numpy from the file is what the environment did."""
    rng = np.random.default_rng(0)
    rows, joints = 50, task.env.robot.joints
    ranges = np.array([task.env.robot.range_of(name) for name in joints])
    q = rng.uniform(*ranges.T, (rows, len(joints)))
    jacobian = rng.standard_normal((rows, 6, len(joints)))
    held, now = _quaternions(rng, 1), _quaternions(rng, rows)
    # Some close to the held one, as in a run that goes well.
    now[:25] = held + 0.02 * rng.standard_normal((25, 4))
    now /= np.linalg.norm(now, axis=1, keepdims=True)
    sim: Any = SimpleNamespace(
        device=torch.device("cpu"),
        names=Names(joints, ("hand",)),
        default_link_quat_w=torch.tensor(held),
        joint_range=torch.tensor(ranges.T),
        joint_pos=lambda: torch.tensor(q),
        link_quat_w=lambda: torch.tensor(now)[:, None],
        jacobian=lambda _: torch.tensor(jacobian),
    )
    action = 1.5 * rng.standard_normal((rows, 4))
    wanted = make_action(task.env.action, sim).targets(torch.tensor(action)).numpy()

    c = json.loads(json.dumps(record.action.model_dump(mode="json")))
    arm, fingers = ([joints.index(joint["name"]) for joint in c[part]] for part in ("joints", "fingers"))
    low, high = np.array([joint["range"] for joint in c["joints"]]).T
    c = c["constants"]
    a = np.clip(action, *c["clip"])
    for k in range(rows):
        turn = _rotation_vector(_product(held[0], now[k] * [1, -1, -1, -1]))
        dx = np.concatenate([c["scale"] * a[k, :3], c["orientation_gain"] * turn])
        j = jacobian[k][:, arm]
        dq = j.T @ np.linalg.inv(j @ j.T + c["damping"] ** 2 * np.eye(6)) @ dx
        step = np.clip(dq, -c["max_joint_step"], c["max_joint_step"])
        finger = np.clip(q[k, fingers].mean() + c["finger_scale"] * a[k, 3], *c["finger_range"])
        target = [*np.clip(q[k, arm] + step, low, high), *[finger] * len(fingers)]
        np.testing.assert_allclose(wanted[k], target, atol=1e-5)


def _quaternions(rng: np.random.Generator, rows: int) -> np.ndarray:
    found = rng.standard_normal((rows, 4))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    vector = a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])
    return np.concatenate([[a[0] * b[0] - a[1:] @ b[1:]], vector])


def _rotation_vector(quat: np.ndarray) -> np.ndarray:
    """Axis times angle of the shorter way round."""
    quat = -quat if quat[0] < 0 else quat
    sine = np.linalg.norm(quat[1:])
    return 2.0 * np.arctan2(sine, quat[0]) * quat[1:] / sine
