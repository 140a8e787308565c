"""Runs the policy of this folder in MuJoCo. Needs numpy, onnxruntime and mujoco, and nothing of genelab.

python run_policy.py --seconds 10 --command 0.5 0 0      # m/s forward, m/s to the left, rad/s to the left
python run_policy.py --view                              # watch it
"""

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import mujoco
import mujoco.viewer
import numpy as np
import onnxruntime

HERE = Path(__file__).parent
mj: Any = mujoco


def require_whole() -> None:
    """Stop if a file is another than the one that was written here."""
    for line in (HERE / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        if hashlib.sha256((HERE / name).read_bytes()).hexdigest() != digest:
            print(f"error: '{name}' was changed: its sha256 is not the one in SHA256SUMS", file=sys.stderr)
            sys.exit(2)


def sensed(term: dict[str, Any], data: Any, last: Any, command: Any, default: dict[str, float]) -> Any:
    """The value of an observation term, as its function says."""
    turn = data.body(1).xmat.reshape(3, 3)
    match term["func"].split(":")[1]:
        case "joint_pos_rel":
            return [data.joint(name).qpos[0] - default[name] for name in term["columns"]]
        case "joint_vel_rel":
            return [data.joint(name).qvel[0] for name in term["columns"]]
        case "base_lin_vel":
            return turn.T @ data.qvel[:3]
        case "base_ang_vel":
            return data.qvel[3:6]
        case "projected_gravity":
            return -turn[2]
        case "link_ang_vel":
            body = data.body(term["params"]["link"])
            return body.xmat.reshape(3, 3).T @ body.cvel[:3]
        case "height_scan":
            # On flat ground.
            height = data.body(term["params"]["link"]).xpos[2] - term["params"].get("offset", 0.0)
            return np.full(len(term["columns"]), np.clip(height, *(term["params"].get("clip") or (None, None))))
        case "last_action":
            return last
        case "command":
            return command
        case other:
            raise SystemExit(f"this script knows no observation '{other}'")


def exerted(joints: list[dict[str, Any]], targets: Any, data: Any) -> list[float]:
    """What goes to the motors: the target, or the torque of a law that is computed before every physics step."""
    sent: list[float] = []
    for joint, target in zip(joints, targets, strict=True):
        if joint["law"] == "explicit_pd":
            speed, limit = data.joint(joint["name"]).qvel[0], joint["effort_limit"] or np.inf
            fade = speed / (joint["velocity_limit"] or np.inf)
            torque = joint["kp"] * (target - data.joint(joint["name"]).qpos[0]) - joint["kv"] * speed
            # Less and less is left in the direction of motion.
            target = np.clip(torque, -limit * np.clip(1 + fade, 0, 1), limit * np.clip(1 - fade, 0, 1))
        sent.append(target)
    return sent


def main() -> None:
    """Run it, and print how it moves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--command", type=float, nargs=3, default=[0.5, 0.0, 0.0])
    parser.add_argument("--view", action="store_true")
    args = parser.parse_args()
    require_whole()
    contract = json.loads((HERE / "policy.onnx.metadata.json").read_text())
    policy: Any = onnxruntime.InferenceSession(str(HERE / "policy.onnx"), providers=["CPUExecutionProvider"])
    action, timing, default = contract["action"], contract["timing"], contract["robot"]["default_pos"]
    oldest = max(term["age"] for term in contract["observation"]["terms"])
    terms, width = contract["observation"]["terms"], contract["observation"]["input"]["shape"][1]
    model = mj.MjModel.from_xml_path(str(HERE / "scene.xml"))
    data = mj.MjData(model)
    for name, pos in default.items():
        data.joint(name).qpos[0] = pos
    mj.mj_forward(model, data)
    floating = model.jnt_type[0] == mj.mjtJoint.mjJNT_FREE
    viewer = mujoco.viewer.launch_passive(model, data) if args.view else None
    last, frames, moved = np.zeros(len(action["columns"])), [], []
    for step in range(round(args.seconds / timing["control_dt"])):
        newest = {term["name"]: sensed(term, data, last, args.command, default) for term in terms if term["age"] == 0}
        # An episode starts with copies of its first frame.
        frames = [newest, *(frames or [newest] * oldest)][: oldest + 1]
        obs = np.zeros((1, width), dtype=np.float32)
        for term in terms:
            obs[0, term["start"] : term["stop"]] = term["scale"] * np.asarray(frames[term["age"]][term["name"]])
        last = policy.run(["actions"], {"obs": obs})[0][0]
        offset = [0.0 if joint["law"] == "velocity" else joint["default_pos"] for joint in action["joints"]]
        targets = offset + np.asarray(action["constants"]["scale"]) * last
        for _ in range(timing["decimation"]):
            data.ctrl[:] = exerted(action["joints"], targets, data)
            mj.mj_step(model, data, nstep=timing["substeps"])
        # What follows from positions and velocities lags a step behind them.
        mj.mj_forward(model, data)
        if floating:
            turn = data.body(1).xmat.reshape(3, 3)
            moved.append([*(turn.T @ data.qvel[:3])[:2], data.qvel[5]])
        if step % round(1.0 / timing["control_dt"]) == 0:
            print(f"{data.time:6.2f} s  {np.array2string(data.qpos[: 7 if floating else None], precision=3)}")
        if viewer is not None:
            viewer.sync()
            time.sleep(timing["control_dt"])
    # Without the second in which it gets going.
    if rest := moved[round(1.0 / timing["control_dt"]) :]:
        mean = np.mean(rest, axis=0)
        print(
            f"mean velocity: {mean[0]:.3f} m/s forward, {mean[1]:.3f} m/s to the left, {mean[2]:.3f} rad/s to the left"
        )


if __name__ == "__main__":
    main()
