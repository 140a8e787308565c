"""A folder that runs a policy on a machine without genelab."""

import shutil
from pathlib import Path

from genelab.config.model_file import model_path
from genelab.errors import InputError
from genelab.export.export import export_policy
from genelab.records.export import ExportRecord
from genelab.runs.run_dir import RunDir

POLICY = "policy.onnx"
KNOWN = {
    *("joint_pos_rel", "joint_vel_rel", "base_lin_vel", "base_ang_vel", "projected_gravity", "link_ang_vel"),
    *("height_scan", "last_action", "command"),
}
"""Observations that `run_policy.py` can make, functions of `genelab.mdp.observations`."""


def write_bundle(run_dir: RunDir, checkpoint: Path, folder: Path) -> ExportRecord:
    """Write the policy of a checkpoint, its contract, its robot and a script that runs it.

    Raises:
        InputError: as `export_policy`, if the folder holds something, or if the script cannot make an observation or
            an action of this task.
        RunError: as `export_policy`.
    """
    task = run_dir.task()
    read = {name: term.func for name, term in task.env.observations[task.agent.actor_groups[0]].terms.items()}
    for name, func in read.items():
        if func.removeprefix("genelab.mdp.observations:") not in KNOWN:
            raise InputError(f"--bundle: observation '{name}' ({func}) is none that run_policy.py knows")
    laws = {task.env.robot.actuator_of(joint).law for joint in task.env.driven}
    if task.env.goal is not None or task.env.action.kind != "joint_targets" or "explicit_pd" in laws:
        raise InputError("--bundle: run_policy.py knows no goals, no inverse kinematics and no explicit actuators")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"--bundle '{folder}': must be a new folder or an empty one")
    folder.mkdir(parents=True, exist_ok=True)
    record = export_policy(run_dir, checkpoint, "onnx", folder / POLICY)
    shutil.copyfile(model_path(task.env.robot.model, task.env.robot.model_sha256), folder / "robot.xml")
    shutil.copyfile(Path(__file__).with_name("run_policy.py"), folder / "run_policy.py")
    return record
