"""Bounds of coded compressive sensing as curves: measurements needed against SNR, for p = 2, 3, 5, 7 and k = 5.

    python benchmarks/coded_theory.py [--json FILE] [--svg FILE]

Theorem 1 (2k·r·log2 p / C), capacity for the source's own bits, and the noiseless count 2k·r of Remark 4.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from rows import Row, report

from qcskit.codec.coded import theory
from qcskit.codec.files import write_file

SIZES = {2: 511, 3: 728, 5: 624, 7: 342}
K = 5


def rows_of(snrs_db: list[float]) -> list[Row]:
    """Return the bounds at these SNRs."""
    rows = []
    for p, n in SIZES.items():
        bits = theory.source_bits(p, n, K)
        for snr_db in snrs_db:
            case = f"p={p} n={n}, {snr_db:g} dB"
            least = bits / theory.capacity_bits(p, snr_db)
            rows.append(Row(case, "Theorem 1", theory.theorem1_measurements(p, n, K, snr_db), "measurements"))
            rows.append(Row(case, "source bits / capacity", least, "measurements"))
        rows.append(Row(f"p={p} n={n}", "noiseless, Remark 4", theory.noiseless_measurements(p, n, K), "measurements"))
    return rows


def draw(path: Path) -> None:
    """Write the curves as SVG. Needs matplotlib (extra `report`)."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "qcskit"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    snrs_db = np.arange(-2.0, 14.1, 0.25)
    for p, n in SIZES.items():
        (line,) = axes.semilogy(snrs_db, [theory.theorem1_measurements(p, n, K, s) for s in snrs_db],
                                label=f"Theorem 1, p = {p}, n = {n}")  # fmt: skip
        bits = theory.source_bits(p, n, K)
        least = [bits / max(theory.capacity_bits(p, s), 1e-12) for s in snrs_db]
        axes.semilogy(snrs_db, least, "--", color=line.get_color(), label=f"source bits / capacity, p = {p}")
        lengths = [m for m in (32, 64, 128, 256, 512, 1024) if m * math.log2(p) > bits + 1]
        at = [theory.normal_approximation_snr_db(m, p, bits) for m in lengths]
        axes.semilogy(at, lengths, ".", color=line.get_color())
    axes.set(
        xlabel="SNR in dB", ylabel="measurements m", ylim=(20, 3000), title="k = 5; dots: normal approximation, 1 %"
    )
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=7)
    figure.tight_layout()
    write_file(path, lambda file: figure.savefig(file, format="svg", metadata={"Date": None}))
    plt.close(figure)


def main() -> int:
    """Print and draw the bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the same: this takes seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the curves here")
    options = parser.parse_args()
    if options.svg:
        draw(options.svg)
    return report("coded_theory", "Coded compressive sensing: bounds", rows_of([0.0, 3.0, 6.0, 10.0]), options.json)


if __name__ == "__main__":
    sys.exit(main())
