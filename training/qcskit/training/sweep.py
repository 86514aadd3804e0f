"""Many trainings, one table: the points of a grid, run by processes here or by Dask workers, appended as they finish.

Classical codecs take part by name: their points are fitted and tested instead of trained.

A row is written in one piece and synced, so a sweep that was killed goes on where it was: finished points are skipped,
a point that was under way resumes from its checkpoint, failed points are tried again.
"""

import csv
import hashlib
import io
import itertools
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import Field, field_validator

from qcskit.codec.classical import NAMES
from qcskit.codec.classical.config import ClassicalConfig
from qcskit.codec.config import Table, nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.packing import Packing
from qcskit.codec.signal import SignalConfig
from qcskit.training.config import Recipe, TrainConfig, Variant
from qcskit.training.point import Spec, Workers, run_in_child

COLUMNS = (
    "point", "status", "variant", "recipe", "n", "m", "s", "outputs", "levels", "rate_bits", "seed", "steps",
    "nmse_hard_db", "best_step", "seconds", "error",
)  # fmt: skip

Row = dict[str, str]
VARIANTS: tuple[str, ...] = get_args(Variant)


class SweepConfig(Table):
    """Table `[sweep]`: every combination is one point; a list left empty keeps the value of [signal] or [train]."""

    rates: tuple[float, ...] = Field((), description="bits per source entry; K and I follow")
    variants: tuple[str, ...] = Field((), description="methods: variants of [train], or classical codecs by name")
    recipes: tuple[Recipe, ...] = Field((), description="recipes")
    outputs: tuple[int, ...] = Field((), description="K")
    sizes: tuple[tuple[int, int, int], ...] = Field((), description="[n, m, s] triples")
    seeds: tuple[int, ...] = Field((), description="seeds of initialisation and data")
    workers: int = Field(1, ge=1, description="processes on this machine; its cores are shared out evenly")

    @field_validator("variants")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in VARIANTS and name not in NAMES:
                raise ValueError(f"unknown method '{name}'; {nearest(name, (*VARIANTS, *NAMES))}")
        return names


@dataclass(frozen=True)
class Point:
    """One training, or fit of a classical codec, of the sweep. id: a hash of all that its result depends on."""

    id: str
    signal: SignalConfig
    train: TrainConfig | ClassicalConfig

    def facts(self) -> Row:
        """Return the columns that are known before it runs."""
        train, signal = self.train, self.signal
        method: dict[str, object]
        if isinstance(train, ClassicalConfig):
            packing, method = train.packing(signal), {"variant": train.codec, "recipe": "", "steps": ""}
        else:
            packing = Packing(train.outputs or signal.m, train.levels)
            method = {"variant": train.variant or "", "recipe": train.recipe, "steps": str(train.total_steps)}
        values = {
            "point": self.id, **method, "n": signal.n, "m": signal.m, "s": signal.s, "outputs": packing.count,
            "levels": packing.levels, "rate_bits": packing.packed_bits / signal.n, "seed": train.seed,
        }  # fmt: skip
        return {key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in values.items()}


def grid(
    sweep: SweepConfig, signal: dict[str, Any], train: dict[str, Any], classical: dict[str, Any] | None = None
) -> list[Point]:
    """Return the points: every combination over the given keys of `[signal]` and `[train]`. Doubles appear once.

    classical: given keys of `[classical]`, for those variants that are classical codecs; they have no recipe.
    Raises QcsError for a combination that is not valid, naming it.
    """
    points: dict[str, Point] = {}
    named = {"rate": sweep.rates, "variant": sweep.variants, "recipe": sweep.recipes, "outputs": sweep.outputs,
             "seed": sweep.seeds}  # fmt: skip
    axes: list[list[dict[str, Any]]] = [[dict(zip("nms", size, strict=True)) for size in sweep.sizes] or [{}]]
    axes += [[{key: value} for value in values] or [{}] for key, values in named.items()]
    for size, *choices in itertools.product(*axes):
        chosen = {key: value for choice in choices for key, value in choice.items()}
        try:
            signal_config = SignalConfig(**{**signal, **size})
            train_config = _configure(chosen, train, classical or {}, signal_config)
        except (ValueError, QcsError) as error:
            reason = str(error).replace("\n", " ")
            raise QcsError(f"[sweep] the point {size | chosen} is not valid: {reason}") from None
        point = Point(_hash(signal_config, train_config), signal_config, train_config)
        points[point.id] = point
    return list(points.values())


def _configure(
    chosen: dict[str, Any], train: dict[str, Any], classical: dict[str, Any], signal: SignalConfig
) -> TrainConfig | ClassicalConfig:
    """Return what one combination trains or fits. Raises QcsError or ValueError if it cannot be."""
    if chosen.get("variant") not in NAMES:
        return TrainConfig(**{**train, **chosen}).resolved(signal)
    if chosen.get("outputs") not in (None, signal.m):
        raise QcsError(f"outputs: {chosen['variant']} quantizes the m = {signal.m} measurements; leave it out")
    keys = {key: value for key, value in chosen.items() if key in ("rate", "seed")}
    return ClassicalConfig(**{**classical, **keys, "codec": chosen["variant"]}).resolved(signal)


def _hash(signal: SignalConfig, train: TrainConfig | ClassicalConfig) -> str:
    facts = [signal.model_dump(mode="json"), train.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def run_sweep(
    points: list[Point], folder: Path, workers: int, scheduler: str | None, finished: Callable[[Row], None]
) -> list[Row]:
    """Run the points that `folder`/results.csv does not hold yet; return its last row of each point.

    Runs are kept in folder/runs. scheduler: address of a Dask scheduler, whose workers must see `folder` at the same
    path; else `workers` processes here. finished(row) is called for each point as it ends.
    """
    table = folder / "results.csv"
    folder.mkdir(parents=True, exist_ok=True)
    done = {row["point"] for row in read_table(table) if row["status"] == "done"}
    todo = [point for point in points if point.id not in done]
    specs = {
        point.id: Spec(str((folder / "runs" / point.id).resolve()), point.signal.model_dump(mode="json"),
                       point.train.model_dump(mode="json"), isinstance(point.train, ClassicalConfig))
        for point in todo
    }  # fmt: skip
    engine = _dask(specs, scheduler) if scheduler else _local(specs, workers)
    known = {point.id: point.facts() for point in points}
    for name, result in engine:
        row = dict.fromkeys(COLUMNS, "") | known[name] | result
        append_row(table, row)
        finished(row)
    last = {row["point"]: row for row in read_table(table)}
    return [last[point.id] for point in points]


def _local(specs: dict[str, Spec], workers: int) -> Iterator[tuple[str, Row]]:
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


def _dask(specs: dict[str, Spec], address: str) -> Iterator[tuple[str, Row]]:
    try:
        from distributed import Client
        from distributed import as_completed as dask_as_completed
    except ImportError:
        raise QcsError("--scheduler needs Dask; install it with: pip install 'qcskit[sweep]'") from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise QcsError(f"no Dask scheduler answers at '{address}' ({error}); start one with 'dask scheduler'") from None
    with client:
        names = {client.submit(run_in_child, spec, 0, key=f"qcskit-{name}"): name for name, spec in specs.items()}
        for future in dask_as_completed(names):
            lost = future.exception()
            yield names[future], {"status": "failed", "error": _one_line(lost)} if lost else future.result()


def _one_line(error: object) -> str:
    return " ".join(str(error).split())


def read_table(path: Path) -> list[Row]:
    """Return the rows of a results table, [] if there is none; a row torn by a kill is cut off the file.

    Raises QcsError if the file is not such a table.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as stream:
            stream.truncate(len(whole))
    reader = csv.DictReader(io.StringIO(whole.decode()))
    if whole and tuple(reader.fieldnames or ()) != COLUMNS:
        raise QcsError(f"'{path}' is not a table of this sweep (its columns differ); choose another --out")
    return list(reader)


def append_row(path: Path, row: Row) -> None:
    """Append one row, the header first if the table is new, and sync it to disk."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    if not path.exists() or path.stat().st_size == 0:
        writer.writeheader()
    writer.writerow({key: _one_line(value) for key, value in row.items()})
    with path.open("ab") as stream:
        stream.write(text.getvalue().encode())
        stream.flush()
        os.fsync(stream.fileno())
