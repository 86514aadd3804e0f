"""The search in floating point, against least squares over every support."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bundles import sparse_bundle

from qcskit.codec.metrics import nmse_db
from qcskit.codec.sensor import AdcConfig
from qcskit.codec.sparse.bundle import SparseCodec
from qcskit.codec.sparse.search import Found
from qcskit.export.sparse.floating import float_nmse_db


@pytest.mark.parametrize("s", [1, 2])
def test_it_is_the_best_support_by_least_squares_through_the_same_cells(s: int, tmp_path: Path) -> None:
    """A coarse ADC touches nothing of it; what the guard flags goes through its own cells."""
    signal = {"n": 7, "m": 5, "s": s, "noise_variance": 1e-3}
    codec: Any = sparse_bundle(tmp_path / "b", signal=signal, adc=AdcConfig(bits=8), bits=14, windows=1)
    assert isinstance(codec, SparseCodec)
    phi = np.asarray(codec.sensor.phi)
    norms = np.linalg.norm(phi, axis=0)
    x, y = codec.draw(400, 9)
    y[:40] += np.random.default_rng(1).normal(0, 0.5, (40, 5))
    tables = codec.tables
    count = 2.0**tables.align / codec.bundle.manifest.adc.units_per_count
    unit = count * 2.0 ** (tables.phi_bits - 16)
    best = []
    for own in y:
        fits = [(np.linalg.lstsq(phi[:, list(p)], own, rcond=None)[0], list(p)) for p in combinations(range(7), s)]
        left = [float(((own - phi[:, support] @ values) ** 2).sum()) for values, support in fits]
        values, support = fits[int(np.argmin(left))]
        over = min(left) * count**2 > tables.limit * 4.0**tables.residual_shift
        best.append((int(np.argmin(left)), np.rint(values * norms[support] * unit), over))
    supports, values, over = (np.array(column) for column in zip(*best, strict=True))
    assert 10 < over.sum() < 100
    x_hat = codec.estimate(codec.packets_of(Found(supports, values.astype(np.int64), over)))
    assert float_nmse_db(codec, phi / norms, x, y) == pytest.approx(nmse_db(x, x_hat), abs=1e-6)
