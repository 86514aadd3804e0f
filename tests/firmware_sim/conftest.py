"""Bundles shared by the tests."""

import pytest
from support.bundles import BUNDLES, learned_bundle

from qcskit.codec.interface import Codec


@pytest.fixture(scope="session")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """10-50-10, I = 8: random weights of a trained network's size, exported by the real exporter."""
    return learned_bundle(tmp_path_factory.mktemp("sim") / "bundle", widths=(10, 50, 10))


@pytest.fixture(scope="session", params=BUNDLES)
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """One small bundle of every kind."""
    return BUNDLES[request.param](tmp_path_factory.mktemp("each") / "bundle")
