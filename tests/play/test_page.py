"""The page: its controls, and what a browser shows. Without a browser the widgets are set as a browser sets them."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from genelab.config.commands import PlayCfg
from genelab.config.run import ExecutionCfg
from genelab.config.task import TaskSpec
from genelab.families.tracking.controls import Scrubber
from genelab.families.velocity.controls import Joystick
from genelab.play.controls import GoalHandle
from genelab.play.page import Page
from genelab.play.play import open_page
from genelab.registry import get_task
from tests.browser import launch
from tests.clips import G1_TRACKING, swaying, with_clip

pytest.importorskip("viser", reason="needs genelab[play]")

GO1, FRANKA = "Genelab-Velocity-Flat-Unitree-Go1-v0", "GeneLab-Franka-Pick-And-Place-v0"
INPUT = "xpath=following::input[not(@type='hidden')][1]"
"""The field behind a label."""
Open = Callable[[TaskSpec], Page]


@pytest.fixture
def opened() -> Iterator[Open]:
    pages: list[Page] = []

    def open_(task: TaskSpec) -> Page:
        pages.append(open_page(task, PlayCfg(port=8300), ExecutionCfg()))
        return pages[-1]

    yield open_
    for page in pages:
        page.server.stop()


def steps(page: Page, count: int) -> None:
    """Let the loop of the page take so many control steps."""
    taken, step = [0], page.player.step

    def counted() -> None:
        taken[0] += 1
        step()

    page.player.step = counted
    page.run(lambda: taken[0] >= count)
    page.player.step = step


def read(page: Page, term: str) -> torch.Tensor:
    """What the policy is about to read of a term."""
    row = next(row for row in page.player.env.layout()["policy"] if row["name"] == term)
    return page.player.observations["policy"][0, row["start"] : row["stop"]]


def test_the_joystick_changes_what_the_policy_reads(opened: Open) -> None:
    page = opened(get_task(GO1))
    [joystick] = page.controls
    assert isinstance(joystick, Joystick)
    drawn = read(page, "command").clone()
    steps(page, 1)
    assert torch.equal(read(page, "command"), drawn)
    joystick.sliders[0].value, joystick.sliders[2].value = 0.8, -0.3
    joystick.by_hand.value = True
    steps(page, 1)
    assert read(page, "command").tolist() == pytest.approx([0.8, 0.0, -0.3])
    joystick.by_hand.value = False
    steps(page, 1)
    assert torch.equal(read(page, "command"), drawn)


def test_a_dragged_goal_is_the_goal(opened: Open) -> None:
    page = opened(get_task(FRANKA))
    [handle] = page.controls
    assert isinstance(handle, GoalHandle)
    assert tuple(handle.gizmo.position) == pytest.approx(page.player.observations["desired_goal"][0].tolist())
    handle.gizmo.position, handle.by_hand.value = (0.45, 0.1, 0.15), True
    steps(page, 1)
    assert page.player.observations["desired_goal"][0].tolist() == pytest.approx([0.45, 0.1, 0.15])


def test_the_scrubber_starts_the_episode_within_the_clip(opened: Open, tmp_path: Path) -> None:
    page = opened(with_clip(swaying(get_task(G1_TRACKING).env.robot, 100), tmp_path))
    [scrubber] = page.controls
    assert isinstance(scrubber, Scrubber)
    page.toggle()
    scrubber.start.value = 1.0
    deadline = time.monotonic() + 20.0
    memory = page.player.env.state_dict
    page.run(lambda: int(memory()["parts/motion/frame"][0]) == 50 or time.monotonic() > deadline)
    assert int(memory()["parts/motion/frame"][0]) == 50
    assert page.player.seconds == 0.0


def test_a_checkpoint_that_does_not_load_leaves_the_policy(opened: Open) -> None:
    page = opened(get_task("GeneLab-Inverted-Pendulum-v1"))
    page.choose("random")
    acting = page.player.policy
    page.choose("model_9.pt")
    assert page.player.policy is acting
    assert page.policy.value == "random"


@pytest.mark.slow
def test_the_page_in_chromium(opened: Open) -> None:
    """The page loads, the robot moves, and a slider changes the command that the policy reads."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    page = opened(get_task(GO1))
    done = threading.Event()
    seen: dict[str, Any] = {}

    def browse() -> None:
        try:
            with playwright.sync_playwright() as started:
                seen.update(_browsed(launch(started), page))
        except BaseException as error:  # noqa: BLE001 raised again below, in the thread of the test
            seen["error"] = error
        finally:
            done.set()

    threading.Thread(target=browse).start()
    page.run(done.is_set)
    if "error" in seen:
        raise seen["error"]
    assert seen["errors"] == []
    assert seen["moved"] > 0.02
    assert seen["stepped"] == pytest.approx(0.02)
    assert seen["pictures"][0] != seen["pictures"][1]
    assert seen["before"] != pytest.approx([0.5, 0.0, 0.0], abs=1e-3)
    assert seen["after"] == pytest.approx([0.5, 0.0, 0.0], abs=1e-3)


def _browsed(browser: Any, page: Page) -> dict[str, Any]:
    """What a visitor sees and does. Waits are long: the browser draws without a GPU."""
    seen: dict[str, Any] = {"errors": []}
    visitor = browser.new_page(viewport={"width": 480, "height": 700})
    visitor.set_default_timeout(180_000)
    visitor.on("pageerror", lambda error: seen["errors"].append(str(error)))
    visitor.goto(page.url)
    visitor.get_by_text("Joystick").wait_for()
    start = page.player.env.state().link_pos_w.clone()
    seen["pictures"] = [visitor.locator("canvas").first.screenshot()]
    visitor.get_by_text("policy").locator(INPUT).click()
    visitor.get_by_role("option", name="random").click()
    seen["before"] = read(page, "command").tolist()
    box = visitor.get_by_text("x", exact=True).locator(INPUT)
    box.fill("0.5")
    box.press("Enter")
    visitor.get_by_text("command: x +0.50").wait_for()
    seen["after"] = read(page, "command").tolist()
    while page.policy.value != "random" or page.player.seconds < 0.5:
        visitor.wait_for_timeout(50)
    seen["moved"] = float((page.player.env.state().link_pos_w - start).abs().max())
    seen["pictures"].append(visitor.locator("canvas").first.screenshot())
    visitor.get_by_role("button", name="pause / play").click()
    visitor.get_by_text(", paused").wait_for()
    paused_at = page.player.seconds
    visitor.get_by_role("button", name="step").click()
    visitor.get_by_text(f"{paused_at + 0.02:.2f} s").wait_for()
    seen["stepped"] = page.player.seconds - paused_at
    browser.close()
    return seen
