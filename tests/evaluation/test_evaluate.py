import torch

from genelab.evaluation.evaluate import RECORDED_ROWS, Recorder


def test_the_recorder_keeps_the_first_rows_of_what_the_policy_reads():
    recorder = Recorder(("observation", "goal"))
    steps = [{group: torch.randn(600, 2) for group in ("goal", "observation", "critic")} for _ in range(3)]
    for step in steps:
        recorder(step)
    found = recorder.rows()
    assert list(found) == ["observation", "goal"]
    for group, rows in found.items():
        assert torch.equal(rows, torch.cat([step[group] for step in steps])[:RECORDED_ROWS])
