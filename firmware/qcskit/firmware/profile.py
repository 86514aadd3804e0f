"""Where an encode spends its instructions: per layer and per function, averaged over vectors."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from qcskit.firmware.counting import STEP, Counts, Place
from qcskit.firmware.cycles import cost_tables, estimate_cycles
from qcskit.firmware.symbols import Symbol, functions


@dataclass(frozen=True)
class Share:
    """Means per encode of a part of it. loads, stores: None where they are not counted.

    cycles: true ones (simavr). cycles_low, cycles_high: estimated (qcskit.firmware.cycles). None where there are none.
    """

    name: str
    instructions: float
    loads: float | None
    stores: float | None
    taken: float
    cycles: float | None
    cycles_low: float | None
    cycles_high: float | None


@dataclass(frozen=True)
class Profile:
    """A whole run: the encode, its layers in order, its functions by weight, and the functions of each layer."""

    board: str
    core: str
    frames: int
    instructions_min: int
    instructions_max: int
    total: Share
    layers: tuple[Share, ...]
    functions: tuple[Share, ...]
    tree: dict[str, dict[str, float]]
    cycles_source: str


def profile(counts: Counts) -> Profile:
    """Return the profile of a counted run."""
    symbols = functions(counts.elf)
    names = _layer_names(counts.phases)
    by_layer = [[p for p in counts.places if p.phase == i] for i in range(len(names))]
    by_function: dict[str, list[Place]] = {}
    for place in counts.places:
        by_function.setdefault(_function(symbols, place.pc), []).append(place)
    shares = (_share(counts, name, places) for name, places in by_function.items())
    return Profile(
        board=counts.board.name,
        core=counts.board.core,
        frames=len(counts.instructions),
        instructions_min=int(counts.instructions.min()),
        instructions_max=int(counts.instructions.max()),
        total=_share(counts, "encode", counts.places),
        layers=tuple(_share(counts, name, part) for name, part in zip(names, by_layer, strict=True)),
        functions=tuple(sorted(shares, key=lambda share: -share.instructions)),
        tree={name: _by_function(counts, symbols, part) for name, part in zip(names, by_layer, strict=True)},
        cycles_source=_cycles_source(counts),
    )


def _layer_names(phases: tuple[str, ...]) -> list[str]:
    """Return a name per phase: "call", then that of the function it began with; equal ones are numbered.

    >>> _layer_names(("encode", "qcs_int8_dense_step", "qcs_int8_dense_step", "qcs_int8_last_step"))
    ['call', 'int8 dense 1', 'int8 dense 2', 'int8 last']
    """
    if len(phases) == 1:
        return ["encode"]
    words = [phase.removeprefix("qcs_").removesuffix(STEP).replace("_", " ") for phase in phases]
    names = [f"{word} {words[: i + 1].count(word)}" if words.count(word) > 1 else word for i, word in enumerate(words)]
    return ["call", *names[1:]]


def _by_function(counts: Counts, symbols: tuple[Symbol, ...], places: Iterable[Place]) -> dict[str, float]:
    spent: dict[str, float] = {}
    for place in places:
        name = _function(symbols, place.pc)
        spent[name] = spent.get(name, 0.0) + place.executed / len(counts.instructions)
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def _share(counts: Counts, name: str, places: Iterable[Place]) -> Share:
    places = list(places)
    frames = len(counts.instructions)
    accesses = counts.cycles is None  # simavr counts cycles but no accesses, QEMU the reverse
    estimate = estimate_cycles(counts.board, counts.elf, places)

    def mean(field: str) -> float:
        return sum(getattr(place, field) for place in places) / frames

    return Share(
        name=name,
        instructions=mean("executed"),
        loads=mean("loads") if accesses else None,
        stores=mean("stores") if accesses else None,
        taken=mean("taken"),
        cycles=None if accesses else mean("cycles"),
        cycles_low=estimate[0] / frames if estimate else None,
        cycles_high=estimate[1] / frames if estimate else None,
    )


def _cycles_source(counts: Counts) -> str:
    if counts.cycles is not None:
        return "are those of the simulated core, which is cycle-accurate"
    if tables := cost_tables(counts.board):
        low, high = tables
        ends = f"low: {low.core}, {low.source}; high: {high.core}, {high.source}"
        return f"are estimated; {ends}; flash wait states not included"
    return "were not measured: QEMU models none, and there is no cost table for this core"


def _function(symbols: tuple[Symbol, ...], pc: int) -> str:
    for symbol in symbols:
        if symbol.address <= pc < symbol.address + symbol.size:
            return symbol.name
    return "compiler's library"


def as_dict(result: Profile) -> dict[str, Any]:
    """Return the profile as plain data for JSON."""
    from dataclasses import asdict

    return asdict(result)


def flame_svg(result: Profile, width: int = 900, row: int = 22) -> str:
    """Return an SVG flame picture: the encode, below it its layers, below those their functions, by instructions."""
    total = result.total.instructions
    rows: list[str] = []

    def box(x: float, level: int, share: float, label: str, hue: int) -> None:
        w = share / total * width
        text = f"{label} {share:,.0f}" if w > 7 * (len(label) + 8) else label if w > 7 * len(label) else ""
        rows.append(
            f"<g><title>{label}: {share:,.0f} instructions ({100 * share / total:.1f} %)</title>"
            f'<rect x="{x:.1f}" y="{level * row}" width="{w:.1f}" height="{row - 2}" fill="hsl({hue},60%,75%)"/>'
            f'<text x="{x + 4:.1f}" y="{level * row + 15}">{text}</text></g>'
        )

    box(0, 0, total, f"encode on {result.core}", 35)
    x = 0.0
    for i, layer in enumerate(result.layers):
        box(x, 1, layer.instructions, layer.name, 20 + 25 * (i % 6))
        inner = x
        for name, spent in result.tree[layer.name].items():
            box(inner, 2, spent, name, 200 + 20 * (i % 4))
            inner += spent / total * width
        x += layer.instructions / total * width
    height = 3 * row
    title = f"one encode on {result.board}: layers, below them their functions, by instructions"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-row} {width} {height + row}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="{title}">\n<title>{title}</title>\n'
        f'<text x="0" y="-7" font-weight="bold" fill="currentColor">{title}</text>\n' + "\n".join(rows) + "\n</svg>\n"
    )
