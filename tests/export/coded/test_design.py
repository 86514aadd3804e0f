"""The measured recovery of a coded scheme: in blocks, of exactly as many vectors as were asked for."""

from pathlib import Path

import numpy as np
import pytest
from support.bundles import coded_bundle

from qcskit.codec import seeds
from qcskit.codec.coded.bundle import CodedCodec
from qcskit.export.coded import design as module


@pytest.mark.parametrize(("frames", "block"), [(100, 37), (74, 37), (30, 37), (1, 1)])
def test_blocks_are_measured_one_behind_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int, block: int
) -> None:
    codec = coded_bundle(tmp_path / "b", n=60, snr_db=-6.0)
    assert isinstance(codec, CodedCodec)
    monkeypatch.setattr(module, "_BLOCK", block)
    facts, nmse = module.measured(codec, frames)
    sizes = [min(block, frames - start) for start in range(0, frames, block)]
    assert sum(sizes) == frames
    drawn = [codec.draw(size, [seeds.TEST, block * place]) for place, size in enumerate(sizes)]
    x, y = (np.concatenate(part) for part in zip(*drawn, strict=True))
    x_hat = codec.decode(codec.encode_counts(codec.counts(y)))
    flagged = np.isnan(x_hat).any(axis=1)
    assert (facts.model_dump()["frames"], nmse.frames) == (frames, frames)
    assert facts.perfect_recovery == (x_hat == x).all(axis=1).mean()
    assert facts.flagged == flagged.mean()
    lost = ((x - np.nan_to_num(x_hat)) ** 2).sum()
    assert lost > 0
    assert nmse.deployed_db == pytest.approx(10 * np.log10(lost / (x.astype(float) ** 2).sum()))


def test_where_every_vector_comes_back_there_are_no_decibels(tmp_path: Path) -> None:
    codec = coded_bundle(tmp_path / "b", snr_db=40.0)
    assert isinstance(codec, CodedCodec)
    facts, nmse = module.measured(codec, 50)
    assert (facts.perfect_recovery, facts.flagged, nmse.deployed_db) == (1.0, 0.0, None)
