"""The paper's four variants and the hard-forward ones under equal budgets: same networks, steps, batches and seeds.

    python benchmarks/variants.py [--quick] [--json FILE] [--sweep DIR] [--workers W] [--length L] [--seeds S]

One row per variant and rate: mean test NMSE (hard quantizer) over the seeds, its spread, its place. A broken run goes
on where it was, because every point is a row of DIR/results.csv. docs/training.md says what each variant is; in this
recipe the paper's schedules are squeezed into its steps (`rate_distortion.py --recipe paper` keeps them as printed).
"""

import argparse
import sys
from pathlib import Path
from statistics import mean, stdev

from _deepqcs import HARD, N20, QUICK_LENGTH, VARIANTS, Curve, run_curves
from _sweeps import records
from rows import Row, report

PAPER_NETWORKS = {"encoder_widths": (50,), "decoder_hidden": 3, "decoder_factor": 4}
RATES = (1.0, 2.0)


def ranking(results: dict[tuple[str, float], list[float]], seconds: dict[tuple[str, float], float]) -> list[Row]:
    """Return the rows of every rate in ascending NMSE; the reference is the best variant's mean."""
    rows = []
    for rate in RATES:
        means = {name: mean(values) for (name, at), values in results.items() if at == rate}
        for place, name in enumerate(sorted(means, key=means.__getitem__), start=1):
            values = results[name, rate]
            spread = f"± {stdev(values):.2f} dB" if len(values) > 1 else "one seed"
            note = f"place {place}; {spread} over {len(values)} seeds; {seconds[name, rate]:.0f} s each"
            rows.append(Row(f"{name} R={rate:g}", "NMSE", means[name], "dB", min(means.values()), note=note))
    return rows


def main() -> int:
    """Train, rank, report; 1 if a point failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few minutes: too short to rank anything")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    parser.add_argument("--sweep", type=Path, metavar="DIR", default=Path("runs/variants"), help="table and runs")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--length", type=float, default=1.0, help="multiplies the recipe's steps")
    parser.add_argument("--seeds", type=int, default=3, help="seeds 0 … S−1")
    options = parser.parse_args()
    length = QUICK_LENGTH if options.quick else options.length
    wanted = [
        Curve(name, {"rates": RATES}, N20, {**PAPER_NETWORKS, "variant": name, "length": length})
        for name in (*VARIANTS, *HARD)
    ]
    results: dict[tuple[str, float], list[float]] = {}
    seconds: dict[tuple[str, float], float] = {}
    failed, trained = [], []
    for name, row in run_curves(wanted, options.sweep, tuple(range(options.seeds)), options.workers):
        if row["status"] != "done":
            failed.append(Row(f"{name} R={row['rate_bits']}", "NMSE", None, "dB", meets=False, note=row["error"]))
            continue
        key = name, float(row["rate_bits"])
        results.setdefault(key, []).append(float(row["nmse_hard_db"]))
        seconds[key] = float(row["seconds"])
        trained.append({"curve": name, "rate_bits": key[1], "runs": records(options.sweep, [row])})
    title = f"Variants, N = 20, M = 10, S = 2, {round(12_000 * length):,} steps each (reference: best mean)"
    return report("variants", title, ranking(results, seconds) + failed, options.json, trained)


if __name__ == "__main__":
    sys.exit(main())
