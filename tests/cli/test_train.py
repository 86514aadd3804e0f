"""What `qcskit train` hands to a training, and what it tells while that runs."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli import train as verb

METRICS = dict.fromkeys(verb._JSON_KEYS, 0)


def test_steps_and_levels_are_told_while_it_trains(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[Any] = []

    def train_run(out: Path, recipe: Any, signal: Any, progress: Any, tensorboard: Path | None) -> dict[str, Any]:
        asked.extend([out, recipe, signal, tensorboard])
        progress(40, -17.126, -16.25)
        return METRICS

    monkeypatch.setitem(sys.modules, "qcskit.training.run", SimpleNamespace(train_run=train_run))
    recipe = SimpleNamespace(total_steps=5000)
    assert verb.run_training(tmp_path, recipe, "signal", False, tmp_path / "t") is METRICS
    assert asked == [tmp_path, recipe, "signal", tmp_path / "t"]
    told = capfd.readouterr().err.splitlines()
    assert told == [
        "train: load TensorFlow and compile …",
        "train: 40 of 5,000, NMSE soft -17.13 hard -16.25 dB",
    ]
    verb.run_training(tmp_path, recipe, "signal", True)
    assert asked[-1] is None
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("words", "quiet"), [((), False), (("-q",), True), (("--json",), True)])
def test_every_option_reaches_the_training(
    words: tuple[str, ...], quiet: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def metric(x, x_hat):\n    return 0\n")
    asked: list[Any] = []
    made = METRICS | {"train": {"variant": "a", "recipe": "b", "module": None}, "metric": None}
    monkeypatch.setattr(verb, "run_training", lambda *given: asked.extend(given) or made)
    options = ["--recipe", "best", "--variant", "hard-surrogate", "--levels", "5", "--steps", "700", "--seed", "9"]
    more = ["--length", "0.5", "--module", "mine.py", "--tensorboard", "tb", "-s", "signal.n=24", "-o", "r"]
    done = CliRunner().invoke(build_app(), ["train", *options, *more, *words])
    assert done.exit_code == 0, done.output
    out, recipe, signal, silent, tensorboard = asked
    assert (out, silent, tensorboard, signal.n) == (Path("r"), quiet, Path("tb"), 24)
    assert (recipe.recipe, recipe.variant, recipe.levels, recipe.seed) == ("best", "hard-surrogate", 5, 9)
    assert (recipe.steps, recipe.length, recipe.module) == (700, 0.5, "mine.py")
    assert (done.stdout == "") == (words == ("-q",))
