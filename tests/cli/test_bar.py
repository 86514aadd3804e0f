"""Progress without a terminal: a line for each phase, and one now and then that says how far it is."""

import threading
from io import StringIO

import pytest

from qcskit.cli import bar as module
from qcskit.cli.bar import Bar
from qcskit.cli.common import Screen


class Told(StringIO):
    """A stream that says when it was written to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        """Write, and tell."""
        done = super().write(text)
        self.written.set()
        return done


def test_each_phase_is_a_line_at_once() -> None:
    out = StringIO()
    with Bar(Screen(file=out), quiet=False) as bar:
        task = bar.add_task("load")
        bar.update(task, description="train", total=200, completed=50, live="NMSE -9 dB")
        bar.update(task, description="train", completed=60)
    assert out.getvalue().splitlines() == ["load …", "train: 50 of 200, NMSE -9 dB"]


def test_a_phase_that_lasts_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LINE_S", 0.01)
    out = Told()
    with Bar(Screen(file=out), quiet=False) as bar:
        task = bar.add_task("train", total=200)
        bar.update(task, completed=70)
        out.written.clear()
        assert out.written.wait(60)
    assert "train: 70 of 200" in out.getvalue()


def test_what_is_done_or_quiet_says_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LINE_S", 0.001)
    for quiet in (True, False):
        out = StringIO()
        with Bar(Screen(file=out), quiet=quiet) as bar:
            task = bar.add_task("train", total=2)
            bar.update(task, completed=2)
            bar._ended.wait(0.05)
        assert out.getvalue().splitlines()[1:] == []
        assert bool(out.getvalue()) != quiet


def test_time_left_is_what_the_speed_so_far_gives() -> None:
    """Four of eight in ten seconds."""
    clock = [0.0]
    bar = Bar(Screen(file=StringIO()), quiet=False)
    bar.get_time = lambda: clock[0]
    task = bar.add_task("train", total=8)
    for step in range(5):
        clock[0] = 2.5 * step
        bar.update(task, completed=step)
    assert module._line(bar.tasks[task]) == "train: 4 of 8, 10 s, about 10 s left"
