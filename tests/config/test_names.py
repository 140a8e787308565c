"""Name patterns: what they match, in which order, and what is refused."""

import re

import pytest

from genelab.config.names import matching, values_by_name

LEGS = ("left_hip", "left_knee", "right_hip", "right_knee", "waist.yaw")


def test_a_pattern_matches_whole_names_in_the_order_of_the_model() -> None:
    assert matching([".*"], LEGS, "joint") == LEGS
    assert matching([".*_knee", "left_hip"], LEGS, "joint") == ("left_knee", "right_knee", "left_hip")
    assert matching(["waist.yaw"], (*LEGS, "waist_yaw"), "joint") == ("waist.yaw",), "a name is its own pattern"


def test_values_come_in_the_order_of_the_model() -> None:
    values = values_by_name({"right_.*": 2.0, "left_.*": 1.0}, LEGS, "joint")
    assert list(values.items()) == [("left_hip", 1.0), ("left_knee", 1.0), ("right_hip", 2.0), ("right_knee", 2.0)]


@pytest.mark.parametrize(
    ("patterns", "told"),
    [
        (["knee"], "unknown joint 'knee'; known: left_hip, left_knee, right_hip, right_knee, waist.yaw"),
        ([".*_hip", "left_.*"], "joint 'left_hip' is matched by '.*_hip' and by 'left_.*'"),
        (["(left"], r"'(left' is no regular expression: missing ), unterminated subpattern at position 0"),
    ],
)
def test_a_pattern_that_matches_nothing_or_twice_is_named_with_the_joint(patterns: list[str], told: str) -> None:
    for resolve in (
        lambda: matching(patterns, LEGS, "joint"),
        lambda: values_by_name(dict.fromkeys(patterns, 1.0), LEGS, "joint"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
            resolve()


def test_a_joint_without_a_value_is_named() -> None:
    with pytest.raises(ValueError, match=r"^no pattern matches joint 'waist\.yaw'$"):
        values_by_name({".*_(hip|knee)": 1.0}, LEGS, "joint", all_of=LEGS)
