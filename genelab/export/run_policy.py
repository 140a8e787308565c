"""Runs the policy of this folder in MuJoCo. Needs numpy, onnxruntime and mujoco, and nothing of genelab.

python run_policy.py --seconds 10 --command 0.5 0 0      # m/s forward, m/s to the left, rad/s to the left
python run_policy.py --view                              # watch it
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import mujoco
import mujoco.viewer
import numpy as np
import onnxruntime

HERE = Path(__file__).parent
mj: Any = mujoco


def build(contract: dict[str, Any]) -> Any:
    """The model: robot, ground, and an actuator for each driven joint."""
    robot, timing = contract["robot"], contract["timing"]
    spec = mj.MjSpec.from_file(str(HERE / "robot.xml"))
    for element in (*spec.actuators, *spec.sensors, *spec.keys):
        spec.delete(element)
    spec.option.timestep = timing["physics_dt"] / timing["substeps"]
    spec.option.integrator = mj.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.gravity = robot["gravity"]
    for body in spec.worldbody.bodies:
        body.pos = np.asarray(body.pos) + robot["pos"]
    for joint in spec.joints:
        if joint.name in robot["passive"]:
            joint.armature = robot["passive"][joint.name]["armature"]
    if robot["ground_friction"] is not None:
        friction = [robot["ground_friction"], 0.005, 0.0001]
        spec.worldbody.add_geom(type=mj.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], friction=friction, solref=[0.01, 1])
    for joint in contract["action"]["joints"]:
        actuator = spec.add_actuator(name=joint["name"], target=joint["name"], trntype=mj.mjtTrn.mjTRN_JOINT)
        if joint["effort_limit"] is not None:
            actuator.forcelimited, actuator.forcerange = True, [-joint["effort_limit"], joint["effort_limit"]]
        actuator.biastype = mj.mjtBias.mjBIAS_AFFINE
        actuator.gainprm[0] = joint["kv"] if joint["law"] == "velocity" else joint["kp"]
        actuator.biasprm[:3] = 0, -joint["kp"], -joint["kv"]
    model = spec.compile()
    model.body_gravcomp[1:] = contract["action"]["gravity_compensation"]
    return model


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
            height = data.body(term["params"]["link"]).xpos[2] - term["params"]["offset"]
            return np.full(len(term["columns"]), np.clip(height, *term["params"]["clip"]))
        case "last_action":
            return last
        case "command":
            return command
        case other:
            raise SystemExit(f"this script knows no observation '{other}'")


def main() -> None:
    """Run it, and print how it moves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--command", type=float, nargs="*", default=[0.5, 0.0, 0.0])
    parser.add_argument("--view", action="store_true")
    args = parser.parse_args()
    contract = json.loads((HERE / "policy.onnx.metadata.json").read_text())
    policy: Any = onnxruntime.InferenceSession(str(HERE / "policy.onnx"), providers=["CPUExecutionProvider"])
    action, timing, default = contract["action"], contract["timing"], contract["robot"]["default_pos"]
    terms, width = contract["observation"]["terms"], contract["observation"]["input"]["shape"][1]
    model = build(contract)
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
        frames = [newest, *(frames or [newest] * 64)][:64]
        obs = np.zeros((1, width), dtype=np.float32)
        for term in terms:
            obs[0, term["start"] : term["stop"]] = term["scale"] * np.asarray(frames[term["age"]][term["name"]])
        last = policy.run(["actions"], {"obs": obs})[0][0]
        offset = [0.0 if joint["law"] == "velocity" else joint["default_pos"] for joint in action["joints"]]
        data.ctrl[:] = offset + np.asarray(action["constants"]["scale"]) * last
        mj.mj_step(model, data, nstep=timing["decimation"] * timing["substeps"])
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
    if floating:
        # Without the second in which it gets going.
        mean = np.mean(moved[round(1.0 / timing["control_dt"]) :], axis=0)
        print(
            f"mean velocity: {mean[0]:.3f} m/s forward, {mean[1]:.3f} m/s to the left, {mean[2]:.3f} rad/s to the left"
        )


if __name__ == "__main__":
    main()
