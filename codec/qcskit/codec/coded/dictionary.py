"""The dictionary: a parity-check matrix of a p^r-ary Reed–Solomon code, written over F_p.

Syndromes S_j = Σ_i x_i α^(ij), j = 1 … 2k, determine every x in F_p^n with at most k non-zero entries. Each S_j is r
symbols of F_p. Because x has entries in F_p, S_(pj) = S_j^p: many of the 2k·r rows depend on the others and need not be
measured (for p = 2 the rest are the rows of a BCH code: 45 instead of 90 for n = 511, k = 5).

A guard adds S_0 = Σ x_i, one symbol: the minimum distance grows to 2k + 2, so k + 1 non-zero entries are always
noticed.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.coded import linalg
from qcskit.codec.coded.field import Field, field, smallest_r
from qcskit.codec.errors import QcsError

Rows = Literal["independent", "all"]


@dataclass(frozen=True)
class Dictionary:
    """Parity checks over F_p: `rows` (K, n), entries 0 … p−1; symbols u = rows · x mod p.

    `expand` (2k·r [+ 1], K) gives all symbols of S_1 … S_2k, r per syndrome, and last S_0 if guarded, as
    expand · u mod p. Build it with `dictionary(...)`.
    """

    gf: Field
    n: int
    k: int
    guard: bool
    rows: NDArray[np.uint8]
    expand: NDArray[np.uint8]

    @property
    def p(self) -> int:
        """Alphabet of x and of the symbols."""
        return self.gf.p

    @property
    def symbols(self) -> int:
        """K, symbols per vector: rows of the dictionary."""
        return int(self.rows.shape[0])


def dictionary(
    p: int, n: int, k: int, r: int | None = None, rows: Rows = "independent", guard: bool = False
) -> Dictionary:
    """Return the dictionary for x in F_p^n with at most k non-zero entries.

    r: field exponent, default the smallest with n <= p^r − 1. rows: "independent", or "all" 2k·r as in the paper.
    Raises QcsError if p is not prime, n does not fit the field, or k is out of range.
    >>> dictionary(2, 511, 5).symbols, dictionary(2, 511, 5, rows="all").symbols
    (45, 90)
    """
    gf = field(p, smallest_r(p, n) if r is None else r)
    if not 1 <= n <= gf.order:
        raise QcsError(f"n = {n} does not fit GF({p}^{gf.r}): n must be 1 … p^r - 1 = {gf.order}; raise r or lower n")
    if not 1 <= k <= n // 2:
        raise QcsError(f"k = {k}: the dictionary needs 1 <= k <= n / 2 = {n // 2}")
    image = gf.digits(gf.power(np.outer(np.arange(1, 2 * k + 1), np.arange(n))))  # of α^(ij), over F_p
    full = np.moveaxis(image, 2, 1).reshape(2 * k * gf.r, n).astype(np.uint8)
    if guard:
        full = np.vstack([full, np.ones((1, n), np.uint8)])
    if rows == "all":
        return Dictionary(gf, n, k, guard, full, np.eye(full.shape[0], dtype=np.uint8))
    basis = full[linalg.independent_rows(full, p)]
    columns = linalg.row_reduce(basis, p)[1]
    expand = full[:, columns].astype(np.int64) @ linalg.inverse(basis[:, columns], p) % p
    return Dictionary(gf, n, k, guard, basis, expand.astype(np.uint8))
