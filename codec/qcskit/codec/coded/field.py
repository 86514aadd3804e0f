"""Finite fields GF(p^r) as exponent and logarithm tables, up to 2^16 elements.

An element is an integer whose base-p digits, least significant first, are the coefficients of a polynomial in α, a root
of a primitive polynomial of degree r over F_p. Products go through logarithms, sums through Zech's logarithm
Z(i) = log(1 + α^i); for p = 2 a sum is an exclusive or.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
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
    exp: int32 (2(q−1),), exp[i] = α^i, stored twice so that a sum of two logarithms needs no reduction.
    log: int32 (q,), log[0] = −1. zech: int32 (q−1,), log(1 + α^i), −1 where 1 + α^i = 0.
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

    @cached_property
    def _powers(self) -> NDArray[np.int64]:
        return np.array([self.p**d for d in range(self.r)], np.int64)

    def digits(self, elements: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return base-p digits, shape (..., r), of elements (...): their image over F_p."""
        result: NDArray[np.int64] = np.asarray(elements, np.int64)[..., None] // self._powers % self.p
        return result

    def element(self, digits: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return elements (...) of base-p digits (..., r), each 0 … p−1."""
        result: NDArray[np.int64] = np.asarray(digits, np.int64) @ self._powers
        return result

    def add(self, a: NDArray[np.integer[Any]], b: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return a + b, element by element."""
        return self.element((self.digits(a) + self.digits(b)) % self.p)

    def multiply(self, a: NDArray[np.integer[Any]], b: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return a · b, element by element."""
        a, b = np.asarray(a), np.asarray(b)
        product = self.exp[self.log[a] + self.log[b]].astype(np.int64)
        result: NDArray[np.int64] = np.where((a == 0) | (b == 0), 0, product)
        return result

    def power(self, exponent: NDArray[np.integer[Any]] | int) -> NDArray[np.int64]:
        """Return α^exponent for integers of any sign and size."""
        result: NDArray[np.int64] = self.exp[np.asarray(exponent, np.int64) % self.order].astype(np.int64)
        return result


@lru_cache(maxsize=16)
def field(p: int, r: int) -> Field:
    """Return GF(p^r) on its lexicographically first primitive polynomial.

    Raises QcsError if p is not prime, r < 1 or p^r > 65536.
    >>> field(2, 9).q, field(2, 4).polynomial
    (512, (1, 1, 0, 0, 1))
    """
    if not is_prime(p):
        raise QcsError(f"p = {p} is not prime; take 2, 3, 5, 7 …")
    if r < 1 or p**r > MAX_ELEMENTS:
        raise QcsError(f"GF({p}^{r}) is not supported: r must be at least 1 and p^r at most {MAX_ELEMENTS}")
    polynomial = _primitive_polynomial(p, r)
    order = p**r - 1
    once = np.array(_alpha_powers(p, r, polynomial), np.int32)
    log = np.full(p**r, -1, np.int32)
    log[once] = np.arange(order, dtype=np.int32)
    plus_one = once - once % p + (once % p + 1) % p
    return Field(p, r, polynomial, np.concatenate([once, once]), log, log[plus_one])


def smallest_r(p: int, n: int) -> int:
    """Return the smallest r with n <= p^r − 1.

    Raises QcsError if p is not prime or no field of at most 65536 elements is large enough.
    >>> smallest_r(2, 511), smallest_r(3, 700)
    (9, 6)
    """
    if not is_prime(p):
        raise QcsError(f"p = {p} is not prime; take 2, 3, 5, 7 …")
    r = 1
    while p**r - 1 < n:
        r += 1
    if p**r > MAX_ELEMENTS:
        raise QcsError(f"n = {n} needs GF({p}^{r}), more than {MAX_ELEMENTS} elements; take n <= {_largest_n(p)}")
    return r


def _largest_n(p: int) -> int:
    r = 1
    while p ** (r + 1) <= MAX_ELEMENTS:
        r += 1
    return int(p**r - 1)


def _alpha_powers(p: int, r: int, polynomial: tuple[int, ...]) -> list[int]:
    """Return α^0 … α^(q−2) as integers: multiply by α, subtract the polynomial where degree r appears."""
    top = p ** (r - 1)
    reduction = [(-c) % p for c in polynomial[:-1]]
    values, value = [], 1
    for _ in range(p**r - 1):
        values.append(value)
        lead, shifted = value // top, value % top * p
        if lead:
            shifted = sum((shifted // p**d % p + lead * reduction[d]) % p * p**d for d in range(r))
        value = shifted
    return values


def _primitive_polynomial(p: int, r: int) -> tuple[int, ...]:
    """Return the first monic polynomial of degree r whose root has order p^r − 1."""
    order = p**r - 1
    cofactors = [order // f for f in _prime_factors(order)]
    for upper in product(range(p), repeat=r):
        polynomial = (*reversed(upper), 1)
        if polynomial[0] == 0:
            continue
        if _x_power(order, p, polynomial) == _one(r) and all(_x_power(e, p, polynomial) != _one(r) for e in cofactors):
            return polynomial
    raise AssertionError("every finite field has a primitive element")


def _one(r: int) -> list[int]:
    return [1] + [0] * (r - 1)


def _prime_factors(number: int) -> list[int]:
    factors, d = [], 2
    while number > 1:
        if number % d == 0:
            factors.append(d)
            while number % d == 0:
                number //= d
        d += 1
    return factors


def _x_power(exponent: int, p: int, polynomial: tuple[int, ...]) -> list[int]:
    """Return x^exponent modulo `polynomial`, as r coefficients, by squaring."""
    r = len(polynomial) - 1
    result, base = _one(r), _reduce([0, 1], p, polynomial)
    while exponent:
        if exponent & 1:
            result = _reduce(_convolve(result, base), p, polynomial)
        base = _reduce(_convolve(base, base), p, polynomial)
        exponent >>= 1
    return result


def _convolve(a: list[int], b: list[int]) -> list[int]:
    out = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] += x * y
    return out


def _reduce(coefficients: list[int], p: int, polynomial: tuple[int, ...]) -> list[int]:
    r = len(polynomial) - 1
    c = [x % p for x in coefficients] + [0] * max(0, r - len(coefficients))
    for degree in range(len(c) - 1, r - 1, -1):
        lead = c[degree]
        if lead:
            for d in range(r + 1):
                c[degree - r + d] = (c[degree - r + d] - lead * polynomial[d]) % p
    return c[:r]
