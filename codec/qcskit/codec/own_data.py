"""The user's own samples, from a file to what the device sees, and the source vectors behind it."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints

from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.files import sha256
from qcskit.codec.interface import Array, Codec, Counts
from qcskit.codec.readers import Fill, Samples, read_samples

Holds = Literal["auto", "counts", "units"]


class DataFacts(Table):
    """The user's own file: its name and SHA-256, packets that it makes, samples left at its end."""

    name: Annotated[str, StringConstraints(max_length=10_000)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    packets: Annotated[int, Field(ge=1, le=10**15)]
    samples_left: Annotated[int, Field(ge=0, le=10**15)]


@dataclass(frozen=True)
class OwnData:
    """Counts int16 (packets, inputs); x (packets · windows, N) in units or None. rest: samples left.

    name, sha256: of the file.
    """

    counts: Counts
    x: Array | None
    rest: int = 0
    name: str = ""
    sha256: str = ""

    @property
    def facts(self) -> DataFacts:
        """What a result says of them."""
        return DataFacts(name=self.name, sha256=self.sha256, packets=len(self.counts), samples_left=self.rest)

    @property
    def evidence(self) -> str:
        """What these counts are: the file, and what was read of it."""
        return f"file {self.sha256}, counts {sha256(np.ascontiguousarray(self.counts).tobytes())}"


def read_own_data(
    codec: Codec,
    path: str | Path,
    column: str = "",
    holds: Holds = "auto",
    hop: int | None = None,
    gaps: Fill = "refuse",
) -> OwnData:
    """Return what the device sees of a file: samples of x, one behind the other, or a row per packet.

    Rows of `inputs` numbers are what the device sees; rows of N, or one column, are x, of which an analog front end's
    measurements are computed. hop: samples from one packet's first to the next; default windows · N. Raises QcsError
    that names file and remedy, and if it is ambiguous whether the file holds counts or units.
    """
    path = Path(path)
    samples = read_samples(path, column, gaps, codec.inputs)
    data = _seen(codec, path, samples, holds, hop)
    with path.open("rb") as file:
        return replace(data, name=path.name, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def _seen(codec: Codec, path: Path, samples: Samples, holds: Holds, hop: int | None) -> OwnData:
    values = samples.values.ravel() if 1 in samples.values.shape else samples.values
    n, width, direct = codec.width, codec.width * codec.windows, codec.bundle.manifest.signal.direct
    windows = values.ndim == 2 and values.shape[1] == n and (n != codec.inputs or direct)
    of_x = values.ndim == 1 or windows
    # The ADC behind an analog front end counts y: of x, whole numbers are units like others.
    in_counts = _in_counts(codec, path, "units" if of_x and not direct and holds == "auto" else holds, samples.integers)
    if of_x:
        series, step = values.ravel(), width if windows else hop or width
        if len(series) < width:
            raise QcsError(f"'{path}' has {len(series)} samples, a packet needs {width}")
        starts = np.arange(0, len(series) - width + 1, step)
        rest = len(series) - int(starts[-1]) - width
        return _from_x(codec, series[starts[:, None] + np.arange(width)].reshape(-1, n), in_counts, rest)
    if values.shape[1] == codec.inputs:
        return OwnData(_as_counts(codec, values, in_counts), None)
    raise QcsError(f"'{path}' has rows of {values.shape[1]} numbers: give one column of samples with --column, rows of "
                   f"n = {n}, or rows of what the device sees, {codec.inputs}")  # fmt: skip


def _from_x(codec: Codec, x: Array, in_counts: bool, rest: int = 0) -> OwnData:
    adc, sensor = codec.bundle.manifest.adc, codec.sensor
    if in_counts and sensor.signal.direct:
        seen = (x @ sensor.phi.T).reshape(-1, codec.inputs)
        return OwnData(_as_counts(codec, seen, True), adc.values(x), rest)
    units = adc.values(x) if in_counts else x
    return OwnData(codec.sense(units), units, rest)


def _as_counts(codec: Codec, values: NDArray[Any], in_counts: bool) -> Counts:
    if not in_counts:
        return codec.counts(values)
    return codec.checked(np.rint(values).astype(np.int64))


def _in_counts(codec: Codec, path: Path, holds: Holds, integers: bool) -> bool:
    adc = codec.bundle.manifest.adc
    if holds == "counts" and not integers:
        raise QcsError(f"'{path}' holds numbers that are no ADC counts (whole, within int16); give --in units")
    if holds != "auto":
        return holds == "counts"
    if integers and (adc.units_per_count, adc.offset_counts) != (1.0, 0):
        unit = adc.unit or "units"
        raise QcsError(f"'{path}' holds whole numbers and a count is {adc.units_per_count:.6g} {unit}: give "
                       f"--in counts or --in units")  # fmt: skip
    return integers
