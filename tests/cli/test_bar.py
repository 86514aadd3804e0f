"""Progress without a terminal: a line for each phase, and one now and then that says how far it is."""

import threading
from io import StringIO
from types import SimpleNamespace

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


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({}, "a …"),
        ({"completed": 0, "total": 8}, "a …"),
        ({"completed": 3, "total": None}, "a …"),
        ({"completed": 1234, "total": 5000}, "a: 1,234 of 5,000"),
        ({"elapsed": 0.99}, "a …"),
        ({"elapsed": 1.0}, "a: 1 s"),
        ({"elapsed": 12.4, "time_remaining": 3.4, "live": "b"}, "a: 12 s, about 3 s left, b"),
    ],
)
def test_what_is_known_of_a_task_is_told(figures: dict[str, object], told: str) -> None:
    known = {"completed": 0, "total": None, "elapsed": None, "time_remaining": None, "live": ""} | figures
    task = SimpleNamespace(description="a", fields={"live": known.pop("live")}, **known)
    assert module._line(task) == told  # type: ignore[arg-type]


def test_lines_become_rarer_the_longer_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 5 s in the first 100 s, then after a twentieth of what has passed."""
    bar = Bar(Screen(file=StringIO()), quiet=False)
    now, waited = iter([0.0, 0.0, 99.0, 101.0, 400.0]), []
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(now)))
    bar._ended = SimpleNamespace(wait=lambda seconds: waited.append(seconds) or len(waited) == 4)  # type: ignore[assignment]
    bar._tell_on()
    assert waited == pytest.approx([5.0, 5.0, 5.05, 20.0])


@pytest.mark.parametrize("quiet", [False, True])
def test_on_a_terminal_a_bar_is_shown_and_ends(quiet: bool) -> None:
    out = StringIO()
    bar = Bar(Screen(file=out, force_terminal=True, width=100), quiet)
    with bar:
        task = bar.add_task("train [b]", total=8)
        bar.update(task, completed=3, live="NMSE [i]")
        assert bar.live.is_started != quiet
    assert not bar.live.is_started
    assert ("train [b]" in out.getvalue(), "3/8" in out.getvalue(), "NMSE [i]" in out.getvalue()) == (not quiet,) * 3
    assert "train [b]: 3 of 8" not in out.getvalue()
