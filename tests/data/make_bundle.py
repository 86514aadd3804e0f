"""Make `tests/data/bundle`: a small trained codec (10-50-10, I = 8) that tests use without TensorFlow.

Run from the repository root: python tests/data/make_bundle.py
"""

import tempfile
from pathlib import Path

from qcskit.codec.signal import SignalConfig
from qcskit.export.config import ExportConfig
from qcskit.export.learned.run import export_run
from qcskit.training.config import TrainConfig
from qcskit.training.run import train_run

HERE = Path(__file__).parent
TRAIN = TrainConfig(name="small", levels=8, decoder_widths=(60, 60), steps=3000, test_frames=20_000)
EXPORT = ExportConfig(finetune_steps=500, golden_frames=64, test_frames=20_000)


def main() -> None:
    """Train, export, replace the bundle."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        train_run(run, TRAIN, SignalConfig(), lambda step, soft, hard: None)
        export_run(run, HERE / "bundle", EXPORT, lambda stage, done, total: None)


if __name__ == "__main__":
    main()
