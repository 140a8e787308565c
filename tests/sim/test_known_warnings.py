import logging

import pytest

from genelab.sim.genesis.runtime import KnownWarnings


@pytest.mark.parametrize(
    ("level", "message", "is_shown"),
    [
        (logging.WARNING, "Neutral robot position (qpos0) exceeds joint limits.", False),
        (logging.WARNING, "Link 'foot' has dubious center of mass [x=0.1] compared to the bounding box", False),
        (logging.ERROR, "Neutral robot position (qpos0) exceeds joint limits.", True),
        (logging.WARNING, "something new", True),
    ],
)
def test_known_warnings_are_counted_and_others_shown(level: int, message: str, is_shown: bool) -> None:
    known = KnownWarnings()
    assert known.filter(logging.LogRecord("genesis", level, "", 0, message, None, None)) is is_shown
    assert known.count == (not is_shown)
