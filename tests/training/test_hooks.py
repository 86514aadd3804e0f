"""Functions of the user's own: each replaces its part and nothing else; every fault is one line with file and line."""

import json
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig
from qcskit.training import loop
from qcskit.training.config import TrainConfig
from qcskit.training.hooks import ARGUMENTS, hooks_of, read_module
from qcskit.training.networks import build_model, parts
from qcskit.training.run import read_run, train_run
from qcskit.training.source import Source

SIGNAL = SignalConfig(n=6, m=4, s=2)
KEYS = {"levels": 4, "decoder_widths": (16,), "steps": 40, "warmup_steps": 4, "batch": 50, "test_frames": 500,
        "validation_frames": 200, "encoder_widths": (8,), "hard_fraction": 0.0}  # fmt: skip

DRAW = """
import tensorflow as tf

def draw(frames, seed, part):
    shift = {"train": 1.0, "validation": 2.0, "test": 3.0}[part]
    x = tf.random.stateless_uniform((frames, 6), seed) + shift
    return x, x[:, :4]
"""
EVERYTHING = (
    DRAW
    + """
import keras
from beside import WIDTH

@keras.saving.register_keras_serializable(package="test_hooks")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2.0 * x

def loss(x, x_hat):
    return tf.abs(x - x_hat)

def metric(x, x_hat):
    return abs(x - x_hat).max()

def build_encoder(train, signal):
    return keras.Sequential([keras.layers.Dense(WIDTH, "relu"), keras.layers.Dense(train.outputs, "tanh")])

def build_decoder(train, signal):
    start = keras.Input((train.outputs,))
    return keras.Model(start, Doubled()(keras.layers.Dense(signal.n)(start)))
"""
)


def ignore(step: int, soft: float, hard: float) -> None:
    """No progress wanted."""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """write(text) → the path of a module with this text."""
    monkeypatch.delitem(sys.modules, "beside", raising=False)

    def write(text: str) -> str:
        path = tmp_path / "my_train.py"
        path.write_text(text, encoding="utf-8")
        (tmp_path / "beside.py").write_text("WIDTH = 7\n", encoding="utf-8")
        return str(path)

    return write


def hooks(path: str):
    return hooks_of(path, read_module(path).digest)


def test_a_run_with_every_hook_is_trained_resumed_and_read_back(tmp_path, written, monkeypatch) -> None:
    path = written(EVERYTHING)
    config = TrainConfig(**{**KEYS, "module": path, "outputs": 3, "steps": 500})
    metrics = train_run(tmp_path / "a", config, SIGNAL, ignore)
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0.0)

    def stop(step: int, soft: float, hard: float) -> None:
        if step == 500:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train_run(tmp_path / "b", config, SIGNAL, stop)
    steps: list[int] = []
    again = train_run(tmp_path / "b", config, SIGNAL, lambda step, soft, hard: steps.append(step))
    assert steps == [500]  # it went on at 250
    run, repeated = (read_run(tmp_path / name) for name in ("a", "b"))
    for mine, other in zip(run.model.get_weights(), repeated.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert metrics["hooks"] == sorted(ARGUMENTS)
    assert metrics["train"]["module_sha256"] == run.train.module_sha256 == read_module(path).digest
    stages = parts(run.model)
    assert [layer.units for layer in stages.encnet.layers] == [7, 3]
    # The metric of the run, by hand: the largest error of the hard quantizer on the part "test".
    x, y = run.source.test(500, 2_000_003)
    assert 3.0 <= x.min() < x.max() <= 4.0
    worst = np.abs(x - stages.decnet(stages.shq.hard(stages.encnet(y))).numpy()).max()
    assert metrics["metric"] == pytest.approx(worst, rel=1e-5)
    assert metrics["metric"] == again["metric"]


def test_the_page_tells_what_works(tmp_path, written) -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    config = TrainConfig(**{**KEYS, "module": written(page.split("# my_train.py\n")[1].split("```")[0])})
    metrics = train_run(tmp_path / "run", config, SignalConfig(), ignore)
    assert metrics["hooks"] == sorted(ARGUMENTS)
    assert [len(parts(read_run(tmp_path / "run").model).encnet.layers), metrics["train"]["odd"]] == [2, False]


def test_what_the_file_does_not_define_stays_as_it_is(tmp_path, written) -> None:
    plain = TrainConfig(**KEYS)
    measured = TrainConfig(module=written("def metric(x, x_hat):\n    return 1.0\n"), **KEYS)
    without = train_run(tmp_path / "plain", plain, SIGNAL, ignore)
    with_it = train_run(tmp_path / "measured", measured, SIGNAL, ignore)
    assert with_it["nmse_hard_db"] == without["nmse_hard_db"]
    assert with_it["train"]["odd"] is without["train"]["odd"] is True
    assert (with_it["metric"], without["metric"], without["hooks"]) == (1.0, None, [])
    assert "metric" not in without["history"]


def test_frames_are_drawn_by_part_and_by_seed(written) -> None:
    source = Source(SIGNAL, hooks(written(DRAW)))
    for part, low in (("train", 1.0), ("validation", 2.0), ("test", 3.0)):
        x, y = source.frames(300, 5, part)
        assert low <= x.min() < x.max() <= low + 1
        np.testing.assert_array_equal(y, x[:, :4])
        np.testing.assert_array_equal(source.frames(300, 5, part)[0], x)
        assert not np.array_equal(source.frames(300, 6, part)[0], x)
    np.testing.assert_array_equal(source.training(10, 5)[0], source.frames(10, 5, "train")[0])
    np.testing.assert_array_equal(source.test(10, 5)[0], source.frames(10, 5, "test")[0])
    assert source.energy == pytest.approx(6 * (7 / 3), rel=0.01)  # E(1 + u)²
    x, y = source.batch(20, tf.constant([1, 2]), None)
    assert (x.shape, y.shape) == ((20, 6), (20, 4))
    assert float(tf.reduce_min(x)) >= 1.0


def test_the_own_loss_is_what_training_lowers(tmp_path, written) -> None:
    # Its minimum is x_hat = 5 wherever x is: the squared error would never go there.
    path = written("import tensorflow as tf\n\ndef loss(x, x_hat):\n    return (x_hat - 5.0) ** 2\n")
    config = TrainConfig(**{**KEYS, "module": path, "steps": 300, "optimizer": "adam", "weight_rate": 0.05,
                            "bias_rate": 0.05})  # fmt: skip
    train_run(tmp_path / "run", config, SIGNAL, ignore)
    run = read_run(tmp_path / "run")
    stages = parts(run.model)
    x_hat = stages.decnet(stages.shq.hard(stages.encnet(run.source.test(200, 1)[1]))).numpy()
    assert np.abs(x_hat - 5.0).mean() < 0.5


def test_the_own_metric_chooses_the_weights_that_are_kept(tmp_path, written) -> None:
    """The metric is lowest at the second of four looks, whatever the NMSE says."""
    path = written("calls = []\n\ndef metric(x, x_hat):\n    calls.append(1)\n    return abs(len(calls) - 2)\n")
    metrics = train_run(tmp_path / "run", TrainConfig(**{**KEYS, "module": path, "steps": 1000}), SIGNAL, ignore)
    assert metrics["history"]["metric"] == [1.0, 0.0, 1.0, 2.0]
    assert metrics["best_step"] == 500


def test_a_changed_module_is_not_executed(tmp_path, written) -> None:
    path = written(EVERYTHING)
    train_run(tmp_path / "run", TrainConfig(module=path, outputs=3, **KEYS), SIGNAL, ignore)
    written(EVERYTHING + f"\nopen({str(tmp_path / 'executed')!r}, 'w')\n")
    with pytest.raises(QcsError, match=r"my_train\.py' is not the one of this training \(sha256 differs\)"):
        read_run(tmp_path / "run")
    assert not (tmp_path / "executed").exists()
    (tmp_path / "my_train.py").unlink()
    with pytest.raises(QcsError, match=r"my_train\.py' cannot be read: No such file"):
        read_run(tmp_path / "run")
    pinned = TrainConfig(module=written(DRAW), module_sha256="0" * 64, **KEYS)
    with pytest.raises(QcsError, match="module_sha256 is not that of module"):
        train_run(tmp_path / "pinned", pinned, SIGNAL, ignore)


def test_another_module_starts_the_training_over(tmp_path, written) -> None:
    from qcskit.training.checkpoint import fingerprint

    config = TrainConfig(module=written(DRAW), **KEYS)
    before = fingerprint(SIGNAL, config.resolved(SIGNAL))
    assert fingerprint(SIGNAL, config.resolved(SIGNAL)) == before
    written(DRAW.replace("+ shift", "+ 2 * shift"))
    assert fingerprint(SIGNAL, config.resolved(SIGNAL)) != before


def test_the_module_is_found_again_from_anywhere(tmp_path, written, monkeypatch) -> None:
    written(DRAW)
    monkeypatch.chdir(tmp_path)
    train_run(tmp_path / "run", TrainConfig(module="my_train.py", **KEYS), SIGNAL, ignore)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert read_run(tmp_path / "run").hooks.has("draw")
    assert json.loads((tmp_path / "run/metrics.json").read_text())["train"]["module"] == str(tmp_path / "my_train.py")


def test_hooks_may_be_imported_or_assigned(written) -> None:
    path = written("import keras\nfrom beside import WIDTH as _width, draw\nloss = keras.losses.Huber()\n")
    Path(path).with_name("beside.py").write_text("WIDTH = 1\ndef draw(frames, seed):\n    return frames, seed\n")
    found = hooks(path)
    assert sorted(found.functions) == ["draw", "loss"]
    assert found.draw(3, 4, "train") == (3, 4)
    assert isinstance(found.functions["loss"], keras.losses.Huber)
    for text in ("def loss(x, y): pass\n", "import no_such_module\ndef loss(x, y): pass\n"):
        with suppress(QcsError):
            hooks(written(text))
        assert str(Path(path).parent) not in sys.path  # for the time of the execution only


NORMAL = "tf.random.stateless_normal((frames, 6), seed)"


def draws(*lines: str) -> str:
    """A module whose draw begins in line 4."""
    return "\n    ".join(["import numpy as np\nimport tensorflow as tf\n\ndef draw(frames, seed):", *lines]) + "\n"


def hook(head: str, *lines: str) -> str:
    """A module whose hook begins in line 4."""
    return "\n    ".join([f"import keras\nimport tensorflow as tf\n\ndef {head}:", *lines]) + "\n"


FAULTS = {
    # what the file holds, the line that is blamed (None: no line), what is said
    "syntax": ("def draw(frames, seed)\n    pass\n", 1, "expected ':'"),
    "null": ("def draw(frames, seed): pass\0", 1, "null bytes"),
    "no hook": ("WIDTH = 3\n", None, "defines none of the hooks: draw, loss, metric, build_encoder, build_decoder"),
    "misspelt": ("def metric(x, y): pass\n\ndef drow(f, s): pass\n", 3, "no hook 'drow'; did you mean 'draw'?"),
    "nearly": ("def build_model(train, signal): pass\n", 1, "did you mean 'build_"),
    "arguments": ("\ndef loss(x):\n    return x\n", 2, "loss must be a function of 2 arguments"),
    "no function": ("draw = 3\n", "?", "draw must be a function of 2 or 3 arguments"),
    "import": ("import os\nimport no_such_module\ndef draw(f, s): pass\n", 2, "ModuleNotFoundError: No module named"),
    "at import": ("def draw(frames, seed): pass\n\nx = 1 / 0\n", 3, "ZeroDivisionError: division by zero"),
    "error": (draws("x = tf.zeros((frames, 6))", "return x, x @ x"), 6, "ValueError: Dimensions must be equal"),
    "helper": (draws("return _help()") + "\ndef _help():\n    raise KeyError('no')\n", 8, "KeyError: 'no'"),
    "numpy": (draws("return np.asarray(seed), 0"), 5, "NotImplementedError"),
    "condition": (draws("if seed[0] > 0:", "    pass"), 5, "OperatorNotAllowedInGraphError"),
    "one value": (draws("return tf.zeros((frames, 6))"), 4, "draw must return x and y"),
    "shape": (draws("x = tf.random.stateless_normal((frames, 5), seed)", "return x, x"), 4,
              "draw gives x and y of shapes (800, 5) and (800, 5), expected (800, 6) and (800, 4)"),
    "seedless": (draws("x = tf.random.normal((frames, 6))", "return x, x[:, :4]"), 4,
                 "draw gives other frames for the same seed"),
    "constant": (draws("x = np.random.normal(size=(frames, 6))", "return x, x[:, :4]"), 4,
                 "draw gives the same frames for every seed"),
    "infinite": (draws(f"x = {NORMAL} / 0", "return x, x[:, :4]"), 4, "draw gives values that are not finite"),
    "zero": (draws(f"y = {NORMAL}[:, :4]", "return tf.zeros((frames, 6)), y"), 4, "draw gives x that is zero"),
    "loss": (hook("loss(x, x_hat)", "return x - x_hat[:, :5]"), 5, "ValueError: Dimensions must be equal"),
    "gradient": (hook("loss(x, x_hat)", "return tf.reduce_sum(x)"), 4, "loss has no gradient to x_hat"),
    "XLA": (hook("loss(x, x_hat)", "return tf.numpy_function(abs, [x - x_hat], tf.float32)"), 4, "cannot be compiled"),
    "metric": (hook("metric(x, x_hat)", "return x_hat[9999]"), 5, "IndexError"),
    "nan": (hook("metric(x, x_hat)", "return float('nan')"), 4, "metric must return one finite number, not nan"),
    "array": (hook("metric(x, x_hat)", "return x[0]"), 4, "metric must return one finite number"),
    "encoder": (hook("build_encoder(train, signal)", "return keras.Sequential([keras.layers.Dense(9)])"), 4,
                "build_encoder gives a model (None, 4) → (None, 9), expected (None, 4)"),
    "decoder": (hook("build_decoder(train, signal)", "return signal.k"), 5, "AttributeError"),
    "no model": (hook("build_decoder(train, signal)", "return 3"), 4, "must return a Keras model, not int"),
    "layer": (hook("build_decoder(train, signal)", "return keras.Sequential([keras.layers.Reshape((3, 3))])"), 4,
              "ValueError"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_that_names_the_file_and_the_line(tmp_path, written, fault: str) -> None:
    text, line, words = FAULTS[fault]
    path = written(text)
    with pytest.raises(QcsError) as refused:
        train_run(tmp_path / "run", TrainConfig(module=path, **KEYS), SIGNAL, ignore)
    said = str(refused.value)
    assert said.startswith(f"module '{path}'" + (f", line {line}: " if line else ""))
    assert words in said
    assert "\n" not in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_frames_of_another_shape_are_refused_in_every_part(written, part: str) -> None:
    lines = (f"x = tf.zeros((frames, 5 if part == {part!r} else 6))", "return x, x[:, :4]")
    source = Source(SIGNAL, hooks(written(draws(*lines).replace("frames, seed", "frames, seed, part"))))
    asked = {"train": source.training, "test": source.test, "validation": lambda *a: source.frames(*a, "validation")}
    for name, draw in asked.items():
        with nullcontext() if name != part else pytest.raises(QcsError, match=r"line 4: draw gives x and y of shapes"):
            assert draw(9, 1)[0].shape == (9, 6)


@pytest.mark.parametrize("variant", ["ce-decnet", "lloyd-decnet"])
def test_an_encoder_of_ones_own_needs_a_variant_that_has_one(written, variant: str) -> None:
    path = written("def build_encoder(train, signal): pass\n")
    with pytest.raises(QcsError, match=f"{variant} has no encoder to build"):
        TrainConfig(module=path, variant=variant).resolved(SIGNAL)


def test_own_networks_start_from_the_seed(written) -> None:
    config = TrainConfig(module=written(EVERYTHING), outputs=3, **KEYS)

    def start(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return build_model(config, SIGNAL).get_weights()

    first, same, other = start(1), start(1), start(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
