"""A recording as a 16-bit converter gives it: a random walk with a daily cycle, counts around 12,000.

The walk is drawn back to 12,000 within days, so that nearly all that comes later lies in the range of what came first.
The seed was set before anything was trained on it.

python examples/drift.py FILE.csv | FILE.npy [SAMPLES]
"""

import sys
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAMPLES_PER_DAY = 1440
RETURN_DAYS = 2.0
"""In this time the walk has lost all but 1/e of a deviation."""


def counts(samples: int = 60_000, seed: int = 1) -> NDArray[np.int16]:
    """Return int16 counts (samples,), one a minute."""
    rng = np.random.default_rng(seed)
    kept = 1.0 - 1.0 / (RETURN_DAYS * SAMPLES_PER_DAY)
    walk = np.fromiter(accumulate(rng.normal(0.0, 4.0, samples), lambda level, step: kept * level + step), float)
    day = 300.0 * np.sin(2 * np.pi * np.arange(samples) / SAMPLES_PER_DAY)
    noise = rng.normal(0.0, 1.0, samples)
    return np.rint(12_000.0 + walk + day + noise).clip(-32768, 32767).astype(np.int16)


def main() -> None:
    """Write the recording."""
    path = Path(sys.argv[1])
    recording = counts(*(int(word) for word in sys.argv[2:3]))
    if path.suffix == ".npy":
        np.save(path, recording)
    else:
        path.write_text("counts\n" + "".join(f"{count}\n" for count in recording.tolist()), encoding="utf-8")


if __name__ == "__main__":
    main()
