"""`qcskit train`: qcs.toml → run directory."""

from pathlib import Path
from typing import Annotated, Any

import typer

from qcskit.cli import completion
from qcskit.cli.bar import Bar
from qcskit.cli.common import (
    FILES,
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    console,
    facts_table,
    keys_option,
    load,
    native_chatter_hidden,
    print_json,
)
from qcskit.cli.layout import BUNDLE, RUN

_JSON_KEYS = (
    "nmse_hard_db",
    "metric",
    "hooks",
    "test_frames",
    "rate_bits",
    "train_seconds",
    "device",
    "signal",
    "train",
)


def train(
    out: Annotated[Path, typer.Option("--out", "-o", help="Run directory to write.", rich_help_panel=FILES)] = RUN,
    config: ConfigOption = None,
    settings: SetOption = None,
    recipe: Annotated[str | None, typer.Option(help="fast, best or paper: a set of defaults.")] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            help="deepqcs, hard-surrogate, ce-decnet and others: --keys lists them.", autocompletion=completion.variants
        ),
    ] = None,
    levels: Annotated[int | None, typer.Option(help="Quantizer levels I per output.")] = None,
    rate: Annotated[float | None, typer.Option(help="Bits per source entry, instead of --levels.")] = None,
    length: Annotated[float | None, typer.Option(help="Multiply the recipe's steps by this.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed; the same seed gives the same model.")] = None,
    module: Annotated[
        Path | None,
        typer.Option(
            help="Python file with draw, loss, metric, build_encoder, build_decoder of yours; executed.",
            rich_help_panel=FILES,
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Folder for TensorBoard's event files.", rich_help_panel=FILES)
    ] = None,
    keys: Annotated[bool, keys_option("signal", "train")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train EncNet, quantizer and DecNet; write a run directory. Called the same way again, it goes on if broken off.

    Keys of [signal] and [train]: see 'qcskit train --keys'.
    """
    signal = load("signal", config, settings)
    chosen = load(
        "train", config, settings, recipe=recipe, variant=variant, levels=levels, rate=rate, length=length,
        steps=steps, seed=seed, module=str(module) if module else None,
    ).resolved(signal)  # fmt: skip
    metrics = run_training(out, chosen, signal, quiet or json, tensorboard)
    if json:
        print_json({"run": str(out), **{k: metrics[k] for k in _JSON_KEYS}})
    elif not quiet:
        made = metrics["train"]
        rows = {
            "run": str(out),
            "training": f"{metrics['train_seconds']:.0f} s, {made['variant']}, recipe {made['recipe']}",
            "rate": f"{metrics['rate_bits']:g} bits/entry: {chosen.outputs} outputs, {chosen.levels} levels",
            "NMSE, hard quantizer": f"{metrics['nmse_hard_db']:.2f} dB on {metrics['test_frames']:,} frames",
        }
        if made["module"]:
            rows["module"] = f"{made['module']}: {', '.join(metrics['hooks'])}"
        if metrics["metric"] is not None:
            rows["metric"] = f"{metrics['metric']:.6g}"
        told = "qcskit export" if out == RUN else f"qcskit export {out} -o {out.parent / BUNDLE.name}"
        console.print(facts_table("trained", {**rows, "next": told}))


def run_training(out: Path, recipe: Any, signal: Any, quiet: bool, tensorboard: Path | None = None) -> dict[str, Any]:
    """Train with a progress bar that shows the live NMSE."""
    with native_chatter_hidden() as terminal, Bar(terminal, quiet) as bar:
        task = bar.add_task("train: load TensorFlow and compile")
        from qcskit.training.run import train_run

        def progress(step: int, soft_db: float, hard_db: float) -> None:
            live = f"NMSE soft {soft_db:.2f} hard {hard_db:.2f} dB"
            bar.update(task, description="train", total=recipe.total_steps, completed=step, live=live)

        return train_run(out, recipe, signal, progress, tensorboard)
