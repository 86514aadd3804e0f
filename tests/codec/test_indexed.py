"""Counts beside decision boundaries: there C with a threshold that is off shows."""

import re
from pathlib import Path

import numpy as np
import pytest
from support.bundles import BUNDLES
from support.tampered import lower_first_threshold

from qcskit.codec.interface import Codec, Packets
from qcskit.firmware import HostCodec, build_host_library, c_directory

EDGES = 20_000
"""As many as a run of `simulate` draws."""

RUNS = 3
"""An error of 1 shows in most runs, not in each: only vectors exactly on that threshold meet it."""
NOTICED = {"int16": 1024, "identity": 1024}
"""Error of one threshold that shows, 1 where nothing stands here: sums of int16 have 30 bits, few vectors meet one."""


def off_by(codec: Codec, error: int) -> dict[str, str]:
    """Return the C of a codec whose first threshold is wrong; all of them, of a scheme that has one offset."""
    files = codec.c_files()
    name = f"qcs_model_{codec.name}.c"
    if ".rounding = " in files[name]:  # all thresholds at once, by a share of a step that 32,767 windows meet
        text = re.sub(r"\.rounding = (\d+)", lambda found: f".rounding = {int(found[1]) + 64 * error}", files[name])
        return files | {name: text}
    if ".least = " in files[name]:  # a lone boundary, in front of the first index
        text = re.sub(r"\.least = (\d+)", lambda found: f".least = {int(found[1]) + error}", files[name])
        return files | {name: text}
    if " thresholds[" in files[name]:
        return files | {name: lower_first_threshold(files[name], error)}
    lines = [line for line in files[name].splitlines(keepends=True) if "_Static_assert" not in line]
    moved = ".offset = OFFSET " + ("+ STEP" if error > 0 else "- STEP")
    return files | {name: "".join(lines).replace(".offset = OFFSET", moved)}


@pytest.mark.parametrize("name", BUNDLES)
def test_a_threshold_that_is_off_by_one_shows_on_the_edges(name: str, tmp_path: Path) -> None:
    codec = BUNDLES[name](tmp_path / "b")
    counts = np.concatenate([codec.edges(EDGES, np.random.default_rng(seed)) for seed in range(RUNS)])
    packets = codec.encode_counts(counts)
    for error in (NOTICED.get(name, 1), -NOTICED.get(name, 1)):
        wrong = off_by(codec, error)
        assert wrong != codec.c_files()
        host = HostCodec(build_host_library(c_directory(wrong)), f"qcs_{codec.name}_codec")
        assert packets.differ(Packets.rows(*host.encode(counts))).any(), error
