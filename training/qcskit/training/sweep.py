"""Many points, one table: every combination of a grid, run by processes here or by Dask workers, appended as they end.

What a point is — a training, a fit or a design of a codec that needs none — its method's family says, in its room
`sweep.py`:

`METHODS`                              names that `[sweep] variants` takes
`TABLES`                               TOML tables that it reads beside [signal], with their models
`CONFIG`                               model of all that a point depends on beside its signal
`configure(chosen, tables, signal)`    CONFIG of one combination of the grid (chosen) over the tables' given keys
`columns(config, signal)`              columns known before it runs, "variant" and "rate_bits" among them
`run(path, config, signal)`            runs it into directory `path`, resuming what it can; columns known then

A row is written in one piece and synced, so a sweep that was killed goes on where it was: finished points are skipped,
a point that was under way resumes from its checkpoint, failed points are tried again.
"""

import csv
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from qcskit.codec.codecs import Family, families
from qcskit.codec.config import Table, nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.files import append, check_file, locked, write_text
from qcskit.codec.json_file import why_invalid
from qcskit.codec.optional import optional
from qcskit.codec.signal import SignalConfig
from qcskit.training.config import Recipe
from qcskit.training.point import HALTED, Spec, Workers, failed, run_in_child

COLUMNS = (
    "point", "status", "variant", "recipe", "n", "m", "s", "outputs", "levels", "rate_bits", "seed", "steps",
    "nmse_hard_db", "best_step", "seconds", "error", "macs", "nmse_float_db", "vector_bytes",
)  # fmt: skip
"""macs: multiplications of the encoder per source vector. nmse_float_db: of the same codec in floating point, without
ADC. vector_bytes: what is sent of a source vector, whole bytes of packets. Where a point is a bundle, nmse_hard_db is
of its integers, ADC included."""

_HEADER = ",".join(COLUMNS)
_OLD_HEADERS = tuple(",".join(COLUMNS[: COLUMNS.index(first)]) for first in ("macs", "nmse_float_db"))
"""Of tables that an earlier kit wrote: later columns were added at the end."""

Row = dict[str, str]


def methods() -> dict[str, Family]:
    """Return the names of all methods that can be swept, with their families."""
    return {name: family for family in families() if family.sweep for name in family.room("sweep").METHODS}


def sweep_tables() -> dict[str, type[Table]]:
    """Return the configuration of every table whose keys a sweep reads besides [sweep] and [signal]."""
    return {name: model for family in methods().values() for name, model in family.room("sweep").TABLES.items()}


class SweepConfig(Table):
    """Table `[sweep]`: every combination is one point; a list left empty keeps the value of [signal] or the method."""

    rates: tuple[float, ...] = Field(default=(), description="bits per source entry; K and I follow")
    variants: tuple[str, ...] = Field(
        default=(), description="methods: variants of [train], or classical codecs by name"
    )
    recipes: tuple[Recipe, ...] = Field(default=(), description="recipes")
    outputs: tuple[int, ...] = Field(default=(), description="K")
    sizes: tuple[tuple[int, int, int], ...] = Field(default=(), description="[n, m, s] triples")
    seeds: tuple[int, ...] = Field(default=(), description="seeds of initialisation and data")
    workers: int = Field(default=1, ge=1, description="processes on this machine; its cores are shared out evenly")

    @field_validator("variants")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = tuple(methods())
        for name in names:
            if name not in known:
                raise ValueError(f"unknown method '{name}'; {nearest(name, known)}")
        return names


@dataclass(frozen=True)
class Point:
    """One run of the sweep, of a method of `family`. id: a hash of all that its result depends on."""

    id: str
    signal: SignalConfig
    config: Any
    family: Family

    def columns(self) -> Row:
        """Return the columns that are known before it runs."""
        values = {"point": self.id, **self.signal.model_dump(include={"n", "m", "s"})}
        values |= self.family.room("sweep").columns(self.config, self.signal)
        return {key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in values.items()}

    def spec(self, folder: Path) -> Spec:
        """Return what a worker must know; its run is kept below `folder`."""
        path = str((folder / "runs" / self.id).resolve())
        return Spec(path, self.family.sweep, self.signal.model_dump(mode="json"), self.config.model_dump(mode="json"))


def packed(config: Any, signal: SignalConfig) -> dict[str, object]:
    """Return the columns of K indices of I levels each, for a configuration that has such a packing."""
    packing = config.packing(signal)
    return {"outputs": packing.count, "levels": packing.levels, "rate_bits": packing.packed_bits / signal.n}


def grid(sweep: SweepConfig, signal: dict[str, Any], tables: Mapping[str, dict[str, Any]]) -> list[Point]:
    """Return the points: every combination over the given keys of `[signal]` and of each table. Doubles appear once.

    tables: given keys, by the names of `sweep_tables`. Without a method a point is of the first family. Raises QcsError
    for a combination that is not valid, naming it.
    """
    points: dict[str, Point] = {}
    sizes: list[dict[str, Any]] = [dict(zip("nms", size, strict=True)) for size in sweep.sizes] or [{}]
    keys = ("rate", "variant", "recipe", "outputs", "seed")
    axes = (sweep.rates, sweep.variants, sweep.recipes, sweep.outputs, sweep.seeds)
    for size, values in itertools.product(sizes, itertools.product(*(axis or (None,) for axis in axes))):
        chosen: dict[str, Any] = {key: value for key, value in zip(keys, values, strict=True) if value is not None}
        try:
            point = _point(chosen, SignalConfig(**{**signal, **size}), tables)
        except (ValueError, QcsError) as error:
            reason = why_invalid(error) if isinstance(error, ValidationError) else str(error)
            raise QcsError(f"[sweep] the point {size | chosen} is not valid: {reason}") from None
        points[point.id] = point
    return list(points.values())


def _point(chosen: dict[str, Any], signal: SignalConfig, tables: Mapping[str, dict[str, Any]]) -> Point:
    known = methods()
    family = known[chosen["variant"]] if "variant" in chosen else next(iter(known.values()))
    config = family.room("sweep").configure(chosen, tables, signal)
    facts = json.dumps([signal.model_dump(mode="json"), config.model_dump(mode="json")], sort_keys=True)
    return Point(hashlib.sha256(facts.encode()).hexdigest()[:12], signal, config, family)


def run_sweep(
    points: list[Point], folder: Path, workers: int, scheduler: str | None, finished: Callable[[Row], None]
) -> list[Row]:
    """Run the points that `folder`/results.csv does not hold yet; return its last row of each point.

    Runs are kept in folder/runs. scheduler: address of a Dask scheduler, whose workers must see `folder` at the same
    path; else `workers` processes here. finished(row) is called for each point as it ends. Raises QcsError if another
    sweep writes this table, something else stands in its place, or the disk is full: those that run are then ended.
    """
    table = folder / "results.csv"
    check_file(table)
    with locked(table):
        rows = read_table(table)
        if rows and table.read_text(encoding="utf-8").splitlines()[0] in _OLD_HEADERS:
            table_of(table, rows)
        done = {row["point"] for row in rows if row["status"] == "done"}
        specs = {point.id: point.spec(folder) for point in points if point.id not in done}
        engine = _dask(specs, scheduler) if scheduler else _local(specs, workers)
        known = {point.id: point.columns() for point in points}
        with closing(engine):
            for name, result in engine:
                if result["status"] == HALTED:
                    raise QcsError(f"the sweep stopped, its finished points are kept: {result['error']}")
                row = dict.fromkeys(COLUMNS, "") | known[name] | result
                append_row(table, row)
                finished(row)
        last = {row["point"]: row for row in read_table(table)}
    return [last[point.id] for point in points]


def _local(specs: dict[str, Spec], workers: int) -> Generator[tuple[str, Row], None, None]:
    threads = max(1, (os.cpu_count() or 1) // workers)
    children = Workers()
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(run_in_child, spec, threads, children): name for name, spec in specs.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            children.stop()


def _dask(specs: dict[str, Spec], address: str) -> Generator[tuple[str, Row], None, None]:
    dask = optional("distributed", "sweep", "--scheduler")
    try:
        client = dask.Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise QcsError(f"no Dask scheduler answers at '{address}' ({error}); start one with 'dask scheduler'") from None
    with client:
        names = {client.submit(run_in_child, spec, 0, key=f"qcskit-{name}"): name for name, spec in specs.items()}
        for future in dask.as_completed(names):
            lost = future.exception()
            yield names[future], failed(lost) if lost else future.result()


def read_table(path: Path) -> list[Row]:
    """Return the rows of a results table, [] if there is none; a row torn by a kill is passed over.

    Raises QcsError if the file is not such a table.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().decode(errors="replace").splitlines()
    if not lines or lines[0] not in (_HEADER, *_OLD_HEADERS):
        raise QcsError(f"'{path}' is not a table of this sweep (its columns differ); choose another --out")
    whole = (row for row in csv.DictReader(lines) if None not in row and None not in row.values())
    return [dict.fromkeys(COLUMNS, "") | row for row in whole]


def table_of(path: Path, rows: list[Row]) -> None:
    """Write a whole table, all or nothing."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def append_row(path: Path, row: Row) -> None:
    """Append one row in one piece that is synced to disk; a new table begins with the names of the columns."""
    if not path.exists():
        write_text(path, f"{_HEADER}\n")
    text = StringIO()
    if not path.read_bytes().endswith(b"\n"):  # a torn row stays a line of its own
        text.write("\n")
    values = {key: " ".join(value.split()) for key, value in row.items()}
    csv.DictWriter(text, COLUMNS, lineterminator="\n").writerow(values)
    append(path, text.getvalue().encode())
