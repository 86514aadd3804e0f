"""What a static context model could save: ideal code length of the indices, against the K log2 I bits that are sent.

    python benchmarks/index_entropy.py BUNDLE... [--train-frames N] [--json FILE]

Three models, fitted on training frames with smoothed counts and measured on fresh ones: each output by itself; a tree
in which every output knows one other (Chow & Liu, 1968, the best such tree; K I² table entries); and with --limit, as
what no table of a small device reaches, gradient-boosted trees that know all earlier outputs. Nothing here is sent or
coded: the rate that qcskit reports is always the bits on the wire.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rows import Row, report
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.indexed import IndexCodec

TRAIN_SEED, TEST_SEED = 31_000_003, 32_000_011
TEST_FRAMES = 50_000
BOOSTED_FRAMES = 60_000


def pair_counts(index: NDArray[np.uint8], levels: int, i: int, j: int) -> NDArray[np.float64]:
    """Return the smoothed joint counts (I, I) of outputs i and j of `index` (frames, K)."""
    joint = np.bincount(index[:, i].astype(np.int64) * levels + index[:, j], minlength=levels * levels)
    return joint.reshape(levels, levels) + 1.0 / levels


def parents(index: NDArray[np.uint8], levels: int) -> list[tuple[int, int]]:
    """Return (output, parent) of the Chow–Liu tree in an order in which parents come first; the root's parent is −1."""
    outputs = index.shape[1]
    information = np.zeros((outputs, outputs))
    for i in range(outputs):
        for j in range(i + 1, outputs):
            p = pair_counts(index, levels, i, j)
            p /= p.sum()
            information[i, j] = (p * np.log2(p / (p.sum(1, keepdims=True) * p.sum(0, keepdims=True)))).sum()
    tree = minimum_spanning_tree(-information)
    order, before = breadth_first_order(tree, 0, directed=False)
    return [(int(k), int(before[k]) if k != order[0] else -1) for k in order]


def independent_bits(train: NDArray[np.uint8], test: NDArray[np.uint8], levels: int) -> float:
    """Return the mean bits per frame if every output has its own table."""
    return sum(_marginal_bits(train[:, k], test[:, k], levels) for k in range(train.shape[1]))


def tree_bits(train: NDArray[np.uint8], test: NDArray[np.uint8], levels: int) -> float:
    """Return the mean bits per frame if every output but one has a table for each value of its parent."""
    bits = 0.0
    for k, parent in parents(train, levels):
        if parent < 0:
            bits += _marginal_bits(train[:, k], test[:, k], levels)
            continue
        joint = pair_counts(train, levels, parent, k)
        given = joint / joint.sum(1, keepdims=True)
        bits -= float(np.log2(given[test[:, parent], test[:, k]]).mean())
    return bits


def boosted_bits(train: NDArray[np.uint8], test: NDArray[np.uint8], levels: int) -> float:
    """Return the mean bits per frame if every output is predicted from all earlier ones by boosted trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    bits = _marginal_bits(train[:, 0], test[:, 0], levels)
    for k in range(1, train.shape[1]):
        model = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(train[:, :k], train[:, k])
        place = np.searchsorted(model.classes_, test[:, k]).clip(max=len(model.classes_) - 1)
        seen = model.classes_[place] == test[:, k]
        p = np.where(seen, model.predict_proba(test[:, :k])[np.arange(len(test)), place], 0.0)
        bits -= float(np.log2(p * (1 - 1e-4) + 1e-4 / levels).mean())
    return bits


def _marginal_bits(train: NDArray[np.uint8], test: NDArray[np.uint8], levels: int) -> float:
    p = np.bincount(train, minlength=levels) + 1.0 / levels
    return -float(np.log2(p[test] / p.sum()).mean())


def rows(path: Path, frames: int, limit: bool) -> list[Row]:
    """Return the rows of one bundle. Raises QcsError if it cannot be read or has no levels to model."""
    codec = open_codec(path)
    if not isinstance(codec, IndexCodec):
        raise QcsError(f"bundle '{path}': its packets are not K indices of I levels; give another one")
    packing = codec.packing
    train, test = (
        codec.index(codec.counts(codec.draw(count, seed)[1]))
        for count, seed in ((frames, TRAIN_SEED), (TEST_FRAMES, TEST_SEED))
    )
    levels, n = packing.levels, codec.width
    sent = packing.packed_bits / n
    case = f"{path.name}: R = {sent:g}"
    entries = train.shape[1] * levels * levels
    found = [
        ("each output by itself", independent_bits(train, test, levels), f"{train.shape[1] * levels} table entries"),
        ("Chow–Liu tree", tree_bits(train, test, levels), f"{entries} table entries"),
    ]
    if limit:
        part = train[:BOOSTED_FRAMES]
        found.append(("all earlier outputs, boosted trees", boosted_bits(part, test, levels), "no device model"))
    return [
        Row(case, name, bits / n, "bits/entry", sent, note=f"{100 * (1 - bits / n / sent):.1f} % less; {note}")
        for name, bits, note in found
    ]


def main() -> int:
    """Measure every bundle; 2 on wrong input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    parser.add_argument("--train-frames", type=int, default=400_000)
    parser.add_argument("--limit", action="store_true", help="also the boosted trees: minutes per bundle")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    options = parser.parse_args()
    try:
        table = [row for path in options.bundles for row in rows(path, options.train_frames, options.limit)]
    except QcsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return report("index_entropy", "Ideal code length of the indices (reference: bits sent)", table, options.json)


if __name__ == "__main__":
    sys.exit(main())
