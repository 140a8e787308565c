from genelab.config.actions import JointTargetsCfg
from genelab.config.fields import leaves
from genelab.config.terms import TerminationCfg
from genelab.registry import all_tasks


def test_a_leaf_has_value_default_and_meaning() -> None:
    by_path = {leaf.path: leaf for leaf in leaves(JointTargetsCfg(joints=("a",), scale=2.0))}
    assert list(by_path) == ["kind", "joints", "scale", "latency", "noise_std"]
    assert (by_path["joints"].value, by_path["joints"].default) == (["a"], [".*"])
    assert (by_path["scale"].value, by_path["scale"].default) == (2.0, 1.0)
    assert by_path["scale"].meaning.startswith("Target per unit of action, m, rad, m/s or rad/s: one for all joints")


def test_an_entry_of_a_mapping_has_the_meaning_of_the_mapping_and_no_default() -> None:
    leaf = list(leaves(TerminationCfg(func="a:b", params={"limit": 0.4}), "x."))[1]
    assert (leaf.path, leaf.value, leaf.required) == ("x.params.limit", 0.4, True)
    assert leaf.meaning == "Keyword arguments of the function."


def test_a_mapping_by_pattern_is_one_value() -> None:
    patterns = {".*_hip_joint": 0.1}
    leaf = list(leaves(TerminationCfg(func="a:b", params={"limits": patterns}), "x."))[1]
    assert (leaf.path, leaf.value) == ("x.params.limits", patterns)


def test_every_field_of_every_task_is_documented() -> None:
    undocumented = [f"{task.id} {leaf.path}" for task in all_tasks() for leaf in leaves(task) if not leaf.meaning]
    assert undocumented == []
