"""What int8 costs: NMSE of the float network against each arithmetic profile, at 1 to 4 bits per entry.

    python benchmarks/int8_loss.py [--quick] [--json FILE] [--rates 1 1.5 2 3 4]
    python benchmarks/int8_loss.py --sweep DIR

Trains one codec per rate, or takes the finished ones of a `qcskit sweep` folder, which may hold any recipe and seed.

`loss` compares two encoders in front of decoders that were fine-tuned alike, on the same fresh frames: what integers
alone cost. `deployed` compares with the trained float model as it came out of training, which is what `qcskit export`
reports and what the targets are for.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rows import Row, report

from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.codec.learned.bundle import PROFILES

RATES = (1.0, 1.5, 2.0, 3.0, 4.0)
TARGET_DB = {1.0: 0.1, 1.5: 0.1, 2.0: 0.1, 3.0: 0.15, 4.0: 0.15}
TFLM_TARGET_DB = {1.0: 0.1, 1.5: 0.1, 2.0: 0.15}
FULL = {"steps": 12_000, "finetune_steps": 8_000, "test_frames": 200_000}
QUICK = {"steps": 1_500, "finetune_steps": 400, "test_frames": 50_000}


def main() -> None:
    """Train or read one codec per rate, deploy it in every profile, print and store the losses."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="short trainings: proves that it works, not the figures")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--activation", default="tanh", choices=list(ACTIVATIONS))
    parser.add_argument("--sweep", type=Path, metavar="DIR", help="finished runs of this folder instead of training")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    budget = QUICK if options.quick else FULL
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for path in finished(options.sweep) if options.sweep else trained(Path(folder), options, budget):
            rows += losses(path, budget)
    steps = "" if options.sweep else f"; {budget['steps']:,} steps"
    title = f"int8 loss, N = 20, M = 10, S = 2{steps}"
    raise SystemExit(report("int8_loss", title, rows, options.json))


def trained(folder: Path, options: argparse.Namespace, budget: dict[str, int]) -> Iterator[Path]:
    """Train one codec per rate and yield its run."""
    from qcskit.codec.signal import SignalConfig
    from qcskit.training.config import TrainConfig
    from qcskit.training.run import train_run

    for rate in options.rates:
        recipe = TrainConfig(rate=rate, steps=budget["steps"], encoder_activation=options.activation)
        train_run(folder / f"{rate}", recipe, SignalConfig(), lambda step, soft, hard: None)
        yield folder / f"{rate}"


def finished(folder: Path) -> Iterator[Path]:
    """Yield the runs of a sweep that have an encoder, by rate."""
    from qcskit.training.config import WITHOUT_ENCODER
    from qcskit.training.sweep import read_table

    rows = [row for row in read_table(folder / "results.csv") if row["status"] == "done"]
    for row in sorted(rows, key=lambda row: float(row["rate_bits"])):
        if row["variant"] not in WITHOUT_ENCODER:
            yield folder / "runs" / row["point"]


def losses(path: Path, budget: dict[str, int]) -> list[Row]:
    """Return the rows of one run: fine-tune and test behind every encoder."""
    from qcskit.codec.signal import draw_frames
    from qcskit.export.config import ExportConfig
    from qcskit.export.learned.job import Frames
    from qcskit.export.learned.run import choose_ranges, run_job
    from qcskit.training.finetune import finetune_decoder, material_of
    from qcskit.training.run import read_run

    run = read_run(path)
    rate = float(run.metrics["rate_bits"])
    job = run_job(run, ExportConfig(), lambda stage, done, total: None)
    levels, decoder = job.parts.levels, job.parts.decoder
    trained, material = decoder.get_weights(), material_of(run.source, 0)
    x, y = draw_frames(run.signal, budget["test_frames"], 9_000_011)
    test = Frames(x, y)

    def integers(profile: Any) -> Callable[[NDArray[np.float64]], NDArray[np.uint8]]:
        decoder.set_weights(trained)
        return choose_ranges(job, job.network(), profile).index

    candidates = {"float": job.float_index} | {name: integers(name) for name in PROFILES}
    decoder.set_weights(trained)
    results = {}
    base = job.index_db(candidates["float"](y), test)
    for name, index in candidates.items():
        decoder.set_weights(trained)
        finetune_decoder(decoder, levels, index, material, budget["finetune_steps"], job.config.finetune_rate)
        results[name] = job.index_db(index(y), test)
    case = f"R = {rate:g}, {run.train.encoder_activation}, {run.train.variant}"
    rows = [Row(case, "NMSE float, as trained", base, "dB"),
            Row(case, "NMSE float, decoder fine-tuned", results["float"], "dB")]  # fmt: skip
    for name in PROFILES:
        target = TFLM_TARGET_DB.get(rate) if name == "tflm" else None
        deployed = results[name] - base
        rows += [
            Row(case, f"NMSE {name}", results[name], "dB", reference=base),
            Row(case, f"loss {name}", results[name] - results["float"], "dB", reference=0.0),
            Row(case, f"deployed {name}", deployed, "dB", reference=0.0, target=target,
                meets=None if target is None else deployed <= target),
        ]  # fmt: skip
    best, target = min(results[name] for name in PROFILES), TARGET_DB.get(rate)
    rows.append(Row(case, "deployed, best profile", best - base, "dB", reference=0.0, target=target,
                    meets=None if target is None else best - base <= target))  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
