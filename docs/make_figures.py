"""Draw the pictures of docs/concepts.md with the kit's own functions: python docs/make_figures.py

Everything is computed from the layer, the tables and the protocol as they are, with the bundle of tests/data.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
import numpy as np

from qcskit.codec import open_codec
from qcskit.firmware.protocol.framing import encode_frame
from qcskit.firmware.protocol.messages import Type, encode_payload

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
BUNDLE = ROOT / "tests" / "data" / "bundle"
STYLE = {"svg.hashsalt": "qcskit", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def annealing() -> Any:
    """Draw what SHQ gives for four values of the steepness h, and the hard quantizer that it becomes."""
    from qcskit.training.backend import tf
    from qcskit.training.shq import SHQ

    figure, axes = plt.subplots(figsize=(6.4, 3.4))
    a = np.linspace(-1, 1, 801, dtype=np.float32)
    layer = SHQ(4)
    layer.build((None, 1))
    for number, steepness in enumerate((2, 5, 15, 50)):
        layer.anneal(steepness=steepness)
        soft = layer(tf.constant(a[:, None])).numpy()[:, 0]
        axes.plot(a, soft, color=plt.get_cmap("viridis")(number / 4), label=f"soft, h = {steepness}")
    axes.plot(a, layer.hard(tf.constant(a[:, None])).numpy()[:, 0], "k", lw=1, label="hard: what the device has")
    axes.set(xlabel="output of the encoder network, a", ylabel="level that the decoder gets", title="SHQ of 4 levels")
    axes.legend(frameon=False, fontsize=8)
    return figure


def thresholds() -> Any:
    """Draw the last sums of the encoder on the golden vectors, the integer thresholds, and the index they give."""
    codec: Any = open_codec(BUNDLE)
    sums = codec.tables.accumulator(codec.bundle.vectors["input"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.2), layout="constrained")
    for output in range(sums.shape[1]):
        left.plot(sums[:, output] / 1000, np.full(len(sums), output), ".", ms=3, color="tab:blue", alpha=0.6)
        left.plot(
            codec.tables.thresholds[output] / 1000,
            np.full(codec.tables.levels - 1, output),
            "|",
            ms=11,
            color="tab:red",
        )
    left.set(
        xlabel="sum of the last layer (int32), in thousands", ylabel="output", title="sums (dots) and thresholds (bars)"
    )
    cut = codec.tables.thresholds[0].astype(np.int64)
    every = np.arange(cut[0] - 3000, cut[-1] + 3000, 10)
    all_outputs = np.repeat(every[:, None], sums.shape[1], axis=1)
    right.step(every / 1000, codec.tables.index_of(all_outputs)[:, 0], where="post", color="tab:red")
    right.set(
        xlabel="sum of output 0, in thousands", ylabel="index that is sent", title="all that is left of the last layer"
    )
    return figure


def bundle() -> Any:
    """Draw the files of a bundle by size."""
    files = sorted(open_codec(BUNDLE).bundle.content.items(), key=lambda item: len(item[1]))
    figure, axes = plt.subplots(figsize=(6.4, 3.0), layout="constrained")
    bars = axes.barh([name for name, _ in files], [len(content) / 1000 for _, content in files], color="tab:blue")
    axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    axes.set(xlabel="kB", title="the files of a small learned codec")
    return figure


def frame() -> Any:
    """Draw an ENCODE frame of one vector as it stands on the line, byte by byte."""
    counts = open_codec(BUNDLE).bundle.vectors["counts"][:1]
    payload = encode_payload(counts)
    line = encode_frame(Type.ENCODE, 1, payload)
    ends = np.cumsum([0, 1, 1, 1, 1, 2, 2, len(payload) - 2, 4, 1])  # each stuffed zero keeps its place
    names = ("zero", "COBS", "version", "type", "seq", "input type, count", "ADC counts", "CRC-32", "zero")
    figure, axes = plt.subplots(figsize=(8.4, 2.2))
    for number, (start, end) in enumerate(pairwise(ends)):
        color = plt.get_cmap("Pastel1")(number % 9)
        for place in range(start, end):
            axes.add_patch(plt.Rectangle((place, 0), 1, 1, facecolor=color, edgecolor="white"))
            axes.text(place + 0.5, 0.5, f"{line[place]:02x}", ha="center", va="center", fontsize=8, family="monospace")
        axes.text((start + end) / 2, 1.2, names[number], ha="left", va="bottom", fontsize=8, rotation=35)
    axes.set(xlim=(0, len(line) + 2), ylim=(0, 3))
    axes.axis("off")
    if ends[-1] != len(line):
        raise ValueError(f"the frame has {len(line)} bytes, the picture {ends[-1]}: the protocol has changed")
    return figure


def proof() -> Any:
    """Draw the road of a frame, what is proven equal and what is measured, with the bundle's own figures."""
    nmse = open_codec(BUNDLE).bundle.manifest.nmse
    figure, axes = plt.subplots(figsize=(8.4, 2.4))
    boxes = ("x", "y = Φ x", "ADC\ncounts", "integers", "packet", "decoder", "x̂")
    for place, name in enumerate(boxes):
        inside = name in ("integers", "packet")
        color = plt.get_cmap("Pastel1")(2 if inside else 8)
        axes.add_patch(plt.Rectangle((place * 1.3, 0), 1, 1, facecolor=color, edgecolor="gray"))
        axes.text(place * 1.3 + 0.5, 0.5, name, ha="center", va="center")
        if place:
            axes.annotate("", (place * 1.3, 0.5), (place * 1.3 - 0.3, 0.5), arrowprops={"arrowstyle": "->"})
    axes.annotate("", (2.5, 1.25), (6.3, 1.25), arrowprops={"arrowstyle": "<->", "color": "tab:green"})
    axes.text(
        4.4, 1.35, "proven: the same bytes on host, board, TFLite Micro", ha="center", color="tab:green", fontsize=9
    )
    axes.annotate("", (0, -0.25), (8.8, -0.25), arrowprops={"arrowstyle": "<->", "color": "tab:red"})
    told = f"measured on {nmse.frames:,} frames: {nmse.deployed_db:.2f} dB (float {nmse.float_db:.2f} dB)"
    axes.text(4.4, -0.35, told, ha="center", va="top", color="tab:red", fontsize=9)
    axes.set(xlim=(-0.1, 9), ylim=(-0.8, 1.8))
    axes.axis("off")
    return figure


PICTURES = {"annealing": annealing, "thresholds": thresholds, "bundle": bundle, "frame": frame, "proof": proof}
"""Name of the file, concept_NAME.svg, and who draws it."""


def draw(folder: Path, pictures: dict[str, Callable[[], Any]]) -> None:
    """Write pictures by name."""
    with mpl.rc_context(STYLE):
        for name, make in pictures.items():
            figure = make()
            figure.savefig(folder / f"concept_{name}.svg", bbox_inches="tight", metadata={"Date": None})
            plt.close(figure)


if __name__ == "__main__":
    draw(FIGURES, PICTURES)
