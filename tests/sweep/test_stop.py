import os
from signal import SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGXCPU

import pytest

from genelab.sweep.stop import StopRequest, stop_requests


@pytest.mark.parametrize(
    ("signals", "first", "insists"),
    [
        ([(0.0, SIGTERM)], SIGTERM, False),
        # `timeout` signals its child and then the group, systemd adds SIGHUP, a wrapper forwards as another signal.
        ([(0.0, SIGTERM), (0.0, SIGTERM), (0.1, SIGTERM)], SIGTERM, False),
        ([(0.0, SIGTERM), (0.0, SIGHUP), (5.0, SIGHUP)], SIGTERM, False),
        ([(0.0, SIGINT), (0.3, SIGTERM)], SIGINT, False),
        ([(0.0, SIGQUIT), (0.0, SIGQUIT)], SIGQUIT, False),
        # A scheduler warns, and ends what has not ended.
        ([(0.0, SIGUSR1), (30.0, SIGTERM)], SIGUSR1, False),
        ([(0.0, SIGXCPU), (1.0, SIGXCPU), (9.0, SIGXCPU)], SIGXCPU, False),
        ([(0.0, SIGINT), (2.0, SIGINT)], SIGINT, True),
        ([(0.0, SIGHUP), (1.0, SIGTERM), (3.0, SIGINT)], SIGHUP, True),
        ([(0.0, SIGINT), (0.5, SIGQUIT)], SIGINT, True),
    ],
)
def test_what_counts_as_one_request(signals: list[tuple[float, int]], first: int, insists: bool) -> None:
    stop = StopRequest()
    assert not stop
    for at_s, signum in signals:
        stop.note(signum, 100.0 + at_s)
    assert (stop.signum, stop.insists) == (first, insists)


def test_requests_are_collected_in_place_of_an_end() -> None:
    with stop_requests() as stop:
        for signum in (SIGUSR1, SIGTERM, SIGTERM):
            os.kill(os.getpid(), signum)
        assert (stop.signum, stop.insists) == (SIGUSR1, False)
