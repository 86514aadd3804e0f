"""A recording as a 16-bit converter gives it: a random walk with a daily cycle, counts around 12,000.

python examples/drift.py FILE.csv | FILE.npy [SAMPLES]
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAMPLES_PER_DAY = 1440


def counts(samples: int = 60_000, seed: int = 1) -> NDArray[np.int16]:
    """Return int16 counts (samples,), one a minute."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0.0, 4.0, samples))
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
