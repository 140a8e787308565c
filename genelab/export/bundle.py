"""A folder that runs a policy on a machine without genelab."""

import hashlib
import shutil
from pathlib import Path

import torch

from genelab.config.task import TaskSpec
from genelab.errors import InputError
from genelab.export.export import export_policy
from genelab.records.export import ExportRecord
from genelab.runs.files import write_atomic
from genelab.runs.run_dir import RunDir
from genelab.sim.facts import SceneFacts
from genelab.sim.make import scene_xml
from genelab.sim.session import Session

POLICY, SCENE, SCRIPT, SUMS = "policy.onnx", "scene.xml", "run_policy.py", "SHA256SUMS"
KNOWN = {
    *("joint_pos_rel", "joint_vel_rel", "base_lin_vel", "base_ang_vel", "projected_gravity", "link_ang_vel"),
    *("height_scan", "last_action", "command"),
}
"""Observations that `run_policy.py` can make, functions of `genelab.mdp.observations`."""


def write_bundle(run_dir: RunDir, checkpoint: Path, folder: Path) -> ExportRecord:
    """Write the policy of a checkpoint, its contract, its robot on flat ground, and a script that runs it in MuJoCo.

    Raises:
        InputError: as `export_policy`, if the folder holds something, or if the script cannot make an observation or
            an action of this task.
        RunError: as `export_policy`.
    """
    task = run_dir.task()
    _require_known(task)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--bundle '{folder}': must be a new folder or an empty one")
    scene = _scene(task)
    folder.mkdir(parents=True, exist_ok=True)
    record = export_policy(run_dir, checkpoint, "onnx", folder / POLICY)
    write_atomic(folder / SCENE, scene)
    shutil.copyfile(Path(__file__).with_name(SCRIPT), folder / SCRIPT)
    files = (POLICY, f"{POLICY}.metadata.json", SCENE)
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}
    write_atomic(folder / SUMS, "".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    return record


def _require_known(task: TaskSpec) -> None:
    terms = task.env.observations[task.agent.actor_groups[0]].terms
    for name, term in terms.items():
        if term.func.removeprefix("genelab.mdp.observations:") not in KNOWN:
            raise InputError(f"--bundle: observation '{name}' ({term.func}) is none that {SCRIPT} knows")
    if task.scene.goal is not None or task.scene.action.kind != "joint_targets":
        raise InputError(f"--bundle: {SCRIPT} knows no goals and no inverse kinematics")


def _scene(task: TaskSpec) -> str:
    """The robot on flat ground, as MuJoCo has it here."""
    env = task.on("mujoco").scene.model_copy(update={"terrain": None})
    session = Session("mujoco", torch.device("cpu"), 0, 1, {}, 0.0)
    return scene_xml(env, SceneFacts(env, 1, session))
