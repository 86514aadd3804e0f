"""Finite fields GF(p^r) as exponent and logarithm tables, up to 2^16 elements.

An element is an integer whose base-p digits, least significant first, are the coefficients of a polynomial in α, a root
of a primitive polynomial of degree r over F_p. Products go through logarithms, sums through Zech's logarithm
Z(i) = log(1 + α^i); for p = 2 a sum is an exclusive or.
"""

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError

MAX_ELEMENTS = 1 << 16


def is_prime(p: int) -> bool:
    """Return whether p is prime (trial division, meant for p < 2^20).

    >>> [p for p in range(20) if is_prime(p)]
    [2, 3, 5, 7, 11, 13, 17, 19]
    """
    return p >= 2 and all(p % d for d in range(2, int(p**0.5) + 1))


@dataclass(frozen=True)
class Field:
    """GF(p^r). Build it with `field(p, r)`, which checks the arguments and keeps one per (p, r).

    polynomial: r + 1 coefficients of the primitive polynomial, constant first, monic.
    exp: int32 (4(q−1) + 1,), exp[i] = α^i for i < 2(q−1), so that a sum of two logarithms needs no reduction, then 0.
    log: int32 (q,), log[0] = 2(q−1), so that a product with 0 needs no test. zech: int32 (q−1,), log(1 + α^i).
    """

    p: int
    r: int
    polynomial: tuple[int, ...]
    exp: NDArray[np.int32]
    log: NDArray[np.int32]
    zech: NDArray[np.int32]

    @property
    def q(self) -> int:
        """Number of elements."""
        return int(self.p**self.r)

    @property
    def order(self) -> int:
        """q − 1, order of α."""
        return self.q - 1

    def digits(self, elements: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return base-p digits, shape (..., r), of elements (...): their image over F_p."""
        return np.asarray(elements, np.int64)[..., None] // self.p ** np.arange(self.r) % self.p

    def power(self, exponent: NDArray[np.integer[Any]] | int) -> NDArray[np.int64]:
        """Return α^exponent for integers of any sign and size."""
        return self.exp[np.asarray(exponent, np.int64) % self.order].astype(np.int64)


@lru_cache(maxsize=16)
def field(p: int, r: int) -> Field:
    """Return GF(p^r) on its lexicographically first primitive polynomial.

    Raises QcsError if p is not prime, r < 1 or p^r > 65536.
    >>> field(2, 9).q, field(2, 4).polynomial
    (512, (1, 1, 0, 0, 1))
    """
    _check_prime(p)
    if r < 1 or p**r > MAX_ELEMENTS:
        raise QcsError(f"GF({p}^{r}) is not supported: r must be at least 1 and p^r at most {MAX_ELEMENTS}")
    polynomial = _primitive_polynomial(p, r)
    powers, step = np.eye(1, r, dtype=np.int64), _companion(p, polynomial)  # each step doubles how many there are
    while len(powers) < p**r - 1:
        powers, step = np.concatenate([powers, powers @ step % p]), step @ step % p
    once = (powers[: p**r - 1] @ p ** np.arange(r)).astype(np.int32)
    log = np.full(p**r, 2 * len(once), np.int32)
    log[once] = np.arange(len(once))
    plus_one = once - once % p + (once % p + 1) % p
    exp = np.concatenate([once, once, np.zeros(2 * len(once) + 1, np.int32)])
    return Field(p, r, polynomial, exp, log, log[plus_one])


def smallest_r(p: int, n: int) -> int:
    """Return the smallest r with n <= p^r − 1.

    Raises QcsError if p is not prime or no field of at most 65536 elements is large enough.
    >>> smallest_r(2, 511), smallest_r(3, 700)
    (9, 6)
    """
    _check_prime(p)
    r = next(r for r in itertools.count(1) if p**r > n)
    if p**r > MAX_ELEMENTS:
        largest = max(p**e for e in range(1, 17) if e == 1 or p**e <= MAX_ELEMENTS) - 1
        raise QcsError(f"n = {n} needs GF({p}^{r}), more than {MAX_ELEMENTS} elements; take n <= {largest}")
    return r


def _check_prime(p: int) -> None:
    if not is_prime(p):
        raise QcsError(f"p = {p} is not prime; take 2, 3, 5, 7 …")


def _companion(p: int, polynomial: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the matrix over F_p that multiplies r coefficients, constant first, by the polynomial's root α."""
    matrix = np.eye(len(polynomial) - 1, k=1, dtype=np.int64)
    matrix[-1] = np.negative(polynomial[:-1]) % p
    return matrix


def _is_one(matrix: NDArray[np.int64], exponent: int, p: int) -> bool:
    """Return whether matrix^exponent is one over F_p; by squaring."""
    one = result = np.eye(len(matrix), dtype=np.int64)
    for bit in f"{exponent:b}":
        result = result @ result % p
        if bit == "1":
            result = result @ matrix % p
    return np.array_equal(result, one)


def _primitive_polynomial(p: int, r: int) -> tuple[int, ...]:
    """Return the first monic polynomial of degree r whose root has order p^r − 1."""
    order = p**r - 1
    cofactors = [order // f for f in range(2, order + 1) if order % f == 0 and is_prime(f)]
    for upper in itertools.product(range(p), repeat=r):
        polynomial = (*reversed(upper), 1)
        alpha = _companion(p, polynomial)
        if polynomial[0] and _is_one(alpha, order, p) and not any(_is_one(alpha, e, p) for e in cofactors):
            return polynomial
    raise AssertionError("every finite field has a primitive element")
