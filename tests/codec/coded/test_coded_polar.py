"""Polar codes: transform, exact density evolution, every decoder against a definition that shares no code with it."""

from functools import reduce
from itertools import product

import numpy as np
import pytest

from qcskit.codec.coded import polar, sc_binary, sc_pary, schedule, scl_binary, scl_pary
from qcskit.codec.coded.sawtooth import effective_noise
from qcskit.codec.errors import QcsError


def kernel_power(m, gamma):
    return reduce(np.kron, [np.array([[1, 0], [gamma, 1]])] * (m.bit_length() - 1))


def code(m, p, count, seed=0):
    """An information set that holds the reliable positions and some odd ones."""
    rng = np.random.default_rng(seed)
    info = np.sort(rng.choice(np.arange(m // 4, m), count, replace=False))
    is_info = np.zeros(m, bool)
    is_info[info] = True
    return info, is_info


@pytest.mark.parametrize(("m", "p", "gamma"), [(8, 2, 1), (64, 2, 1), (16, 3, 1), (32, 5, 2), (16, 7, 2)])
def test_transform_is_the_kronecker_power(m, p, gamma):
    u = np.random.default_rng(1).integers(0, p, (20, m))
    assert np.array_equal(polar.transform(u, p, gamma), u @ kernel_power(m, gamma) % p)


def direct_message(llr, u):
    """Arıkan's recursion for the message of bit len(u) given earlier bits u, min-sum: O(N) calls per bit, O(N²) in all.

    With c = (c' + c'', c''): positions i and i + N/2 pair up, and u' is the first half of u.
    """
    if len(llr) == 1:
        return llr[0]
    half = len(llr) // 2
    if len(u) < half:
        paired = [np.sign(a) * np.sign(b) * min(abs(a), abs(b)) for a, b in zip(llr[:half], llr[half:], strict=True)]
        return direct_message(paired, u)
    first = np.array(u[:half]) @ kernel_power(half, 1) % 2 if half > 1 else np.array(u[:half])
    added = [b + (1 - 2 * c) * a for a, b, c in zip(llr[:half], llr[half:], first, strict=True)]
    return direct_message(added, u[half:])


def direct_sc(q, is_info):
    llr, u = list(1 - 2 * q.astype(int)), []
    for i in range(len(q)):
        u.append(int(direct_message(llr, u) < 0) if is_info[i] else 0)
    return np.array(u)


@pytest.mark.parametrize(("m", "count"), [(8, 4), (16, 5), (32, 20), (64, 25)])
def test_binary_sc_against_direct_recursion(m, count):
    info, is_info = code(m, 2, count)
    q = np.random.default_rng(2).integers(0, 2, (70, m)).astype(np.uint8)
    u, distance = sc_binary.decode(q, schedule.build(is_info, free=False), info)
    expected = np.array([direct_sc(row, is_info) for row in q])
    assert np.array_equal(u[:, :count], expected[:, info])
    assert np.array_equal(distance, (polar.transform(expected, 2, 1) != q).sum(axis=1))
    # Deciding unfrozen subtrees at once differs only in how ties fall.
    _, free_distance = sc_binary.decode(q, schedule.build(is_info, free=True), info)
    assert abs(free_distance.mean() - distance.mean()) < 0.05 * m


def test_binary_sc_block_edges():
    info, is_info = code(32, 2, 12)
    q = np.random.default_rng(3).integers(0, 2, (200, 32)).astype(np.uint8)
    plan = schedule.build(is_info, free=True)
    whole = sc_binary.decode(q, plan, info)[0]
    for count in (1, 63, 64, 65, 130):
        assert np.array_equal(sc_binary.decode(q[:count], plan, info)[0], whole[:count])


@pytest.mark.parametrize(("m", "p", "gamma"), [(8, 2, 1), (4, 3, 1), (4, 5, 2), (8, 3, 2)])
def test_pary_sc_against_full_marginalisation(m, p, gamma):
    """P(u_i | q, u_<i) by summing over every continuation: the definition of successive cancellation."""
    info, is_info = code(m, p, 3)
    noise = effective_noise(p, 4.0)
    every = np.array(list(product(range(p), repeat=m)))
    codewords = every @ kernel_power(m, gamma) % p
    q = np.random.default_rng(4).integers(0, p, (12, m)).astype(np.uint8)
    got = sc_pary.decode(q, schedule.build(is_info, free=False), info, noise, gamma)
    for row, decided in zip(q, got, strict=True):
        likelihood = noise[(row - codewords) % p].prod(axis=1)
        alive = np.ones(len(every), bool)
        for i in range(m):
            scores = [likelihood[alive & (every[:, i] == v)].sum() for v in range(p)]
            chosen = int(np.argmax(scores)) if is_info[i] else 0
            if is_info[i]:
                value = decided[list(info).index(i)]
                assert scores[value] == pytest.approx(max(scores), rel=1e-4)
                chosen = value
            alive &= every[:, i] == chosen


@pytest.mark.parametrize("m", [16, 64])
def test_full_list_is_maximum_likelihood_binary(m):
    info, is_info = code(m, 2, 6)
    q = np.random.default_rng(5).integers(0, 2, (60, m)).astype(np.uint8)
    u, distance = scl_binary.decode(q, schedule.build(is_info, free=False), info, 64)
    messages = np.array(list(product(range(2), repeat=6)), np.uint8)
    full = np.zeros((64, m), np.uint8)
    full[:, info] = messages
    exact = (polar.transform(full, 2, 1)[None] != q[:, None]).sum(axis=2)
    assert np.array_equal(distance, np.sort(exact, axis=1))  # the metric is the Hamming distance, all 64 of them
    best = exact[np.arange(60), (u[:, 0] @ (1 << np.arange(5, -1, -1)))]
    assert np.array_equal(best, exact.min(axis=1))


@pytest.mark.parametrize(("p", "gamma"), [(3, 1), (5, 2)])
def test_full_list_is_maximum_likelihood_pary(p, gamma):
    m, count = 16, 3
    info, is_info = code(m, p, count)
    noise = effective_noise(p, 3.0)
    q = np.random.default_rng(6).integers(0, p, (30, m)).astype(np.uint8)
    _, cost = scl_pary.decode(q, schedule.build(is_info, free=False), info, noise, gamma, p**count)
    full = np.zeros((p**count, m), np.uint8)
    full[:, info] = np.array(list(product(range(p), repeat=count)))
    exact = -np.log(noise)[(q[:, None].astype(int) - polar.transform(full, p, gamma)[None]) % p].sum(axis=2)
    # Posterior and likelihood differ by one constant per frame; compare gaps to the best.
    assert np.allclose(cost - cost[:, :1], np.sort(exact, axis=1) - exact.min(axis=1)[:, None], atol=2e-3)


def test_list_of_one_is_plain_decoding():
    info, is_info = code(64, 2, 20)
    q = np.random.default_rng(7).integers(0, 2, (100, 64)).astype(np.uint8)
    plan = schedule.build(is_info, free=False)
    assert np.array_equal(scl_binary.decode(q, plan, info, 1)[0][:, 0], sc_binary.decode(q, plan, info)[0][:, :20])


@pytest.mark.parametrize("m", [2, 4, 8])
def test_density_evolution_against_every_noise_pattern(m):
    error = 0.11
    rates = np.zeros(m)
    for pattern in product(range(2), repeat=m):
        probability = error ** sum(pattern) * (1 - error) ** (m - sum(pattern))
        llr = [1 - 2 * bit for bit in pattern]
        for i in range(m):
            message = direct_message(llr, [0] * i)
            rates[i] += probability * (0.5 if message == 0 else float(message < 0))
    assert np.allclose(polar.min_sum_error_rates(m, error), rates, atol=1e-12)


def test_genie_rates_against_marginalisation():
    p, m = 3, 4
    noise = effective_noise(p, 5.0)
    every = np.array(list(product(range(p), repeat=m)))
    codewords = every @ kernel_power(m, 1) % p
    rates = np.zeros(m)
    for q in every:  # every noise pattern, with its probability
        likelihood = noise[(q - codewords) % p].prod(axis=1)
        for i in range(m):
            known = (every[:, :i] == 0).all(axis=1)
            scores = np.array([likelihood[known & (every[:, i] == v)].sum() for v in range(p)])
            rates[i] += noise[q].prod() * (1 - scores.max() / scores.sum())
    measured = sc_pary.genie_error_rates(m, p, 1, noise, 20_000)
    assert np.allclose(measured, rates, rtol=0.05, atol=2e-4)


def test_union_bound_predicts_the_failures():
    m, symbols, snr = 128, 45, 6.0
    info = polar.best_positions(polar.reliabilities(m, 2, 1, snr), symbols)
    bound = np.sort(polar.reliabilities(m, 2, 1, snr))[:symbols].sum()
    is_info = np.zeros(m, bool)
    is_info[info] = True
    rng = np.random.default_rng(8)
    u = np.zeros((30_000, m), np.uint8)
    u[:, info] = rng.integers(0, 2, (30_000, symbols))
    q = polar.transform(u, 2, 1) ^ (rng.random(u.shape) < effective_noise(2, snr)[1]).astype(np.uint8)
    got, _ = sc_binary.decode(q, schedule.build(is_info, free=True), info)
    failed = (got[:, :symbols] != u[:, info]).any(axis=1).mean()
    assert 0.7 * bound < failed < 1.1 * bound


def test_design_snr_of_reference_codes():
    measured = [polar.design_snr_db(m, 2, k) for m, k in ((128, 45), (256, 45), (128, 90), (256, 90), (512, 90))]
    assert np.allclose(measured, [6.45, 4.32, 9.3, 6.2, 4.1], atol=0.13)


def test_reliabilities_are_cached(tmp_path, monkeypatch):
    monkeypatch.setattr(polar, "user_cache_path", lambda _name: tmp_path)
    first = polar.reliabilities(8, 3, 1, 6.0, frames=256)
    (stored,) = (tmp_path / "polar").iterdir()
    monkeypatch.setattr(sc_pary, "genie_error_rates", lambda *_: pytest.fail("not taken from the cache"))
    assert np.array_equal(polar.reliabilities(8, 3, 1, 6.0, frames=256), first)
    stored.write_text("damaged")
    monkeypatch.setattr(sc_pary, "genie_error_rates", lambda *_: first)
    assert np.array_equal(polar.reliabilities(8, 3, 1, 6.0, frames=256), first)


def test_bad_sizes():
    for m in (2, 64, 4096):
        polar.check_length(m)
    for m in (0, 1, 3, 100, 8192):
        with pytest.raises(QcsError, match=r"power of two, 2 … 4096$"):
            polar.check_length(m)
    with pytest.raises(QcsError, match="cannot carry 45 symbols"):
        polar.design_snr_db(32, 2, 45)
