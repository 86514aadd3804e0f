"""What a library says of itself is checked where it is given, and stands in every format's metadata as it was said."""

import pytest
from pydantic import ValidationError

from qcskit.codec.config import load_table
from qcskit.codec.errors import QcsError
from qcskit.export.packages import PackageConfig
from qcskit.export.packages.config import numbers_of

WRONG = {
    "version": ["1", "1.2", "01.2.3", "1.2.3.4", "v1.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "1.2.3 ", "1.2.3\n",
                "1.2.100000", "1.2.3+" + "x" * 50],
    "license": ["MIT OR GPL-2.0", "a/b", "", "MIT\n", '"'],
    "author": ["", " ", 'A "B"', "A\\B", "A\nB", "A <b>", "A <b@c>", "A <b@c.d> e", "<b@c.d>", "A\u202eB", "A;B",
               "x" * 81],
    "url": ["example.org", "ftp://example.org", "https://a b", 'https://a"b', "https://", "https://<a>"],
    "lib_name": ["1a", "A", "a-b", "a b", "ä", "a\n", "../a", "x" * 32],
}  # fmt: skip
RIGHT = {
    "version": ["", "0.1.0", "1.2.3-rc.1", "1.2.3-rc.1+build.5", "10.20.30+0af"],
    "license": ["MIT", "GPL-3.0+", "LicenseRef-Acme"],
    "author": ["Ada", "Ada Löve & Söhne (Wien)", "Ada <ada@example.org>", "O'Neill <o@x.co>"],
    "url": ["http://a", "https://example.org/x?y=1&z"],
    "lib_name": ["", "acme_ecg", "x" * 31],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_in_words(key: str, value: str) -> None:
    with pytest.raises(ValidationError):
        PackageConfig(**{key: value})
    with pytest.raises(QcsError, match=rf"\[package\] {key}: "):
        load_table(PackageConfig, "package", None, {key: value})


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in RIGHT.items() for value in values])
def test_a_right_value_is_taken(key: str, value: str) -> None:
    assert vars(PackageConfig(**{key: value}))[key] == value


def test_the_author_is_taken_apart() -> None:
    both, bare = PackageConfig(author="Ada L. <ada@example.org>"), PackageConfig(author="Ada L.")
    assert (both.author_name, both.author_address) == ("Ada L.", "ada@example.org")
    assert (bare.author_name, bare.author_address) == ("Ada L.", "")


def test_the_core_s_licence_stays_beside_the_model_s() -> None:
    assert PackageConfig().license_expression == "Apache-2.0"
    assert PackageConfig(license="MIT").license_expression == "Apache-2.0 AND MIT"


def test_a_version_has_three_numbers() -> None:
    assert [numbers_of(version) for version in ("1.2.3", "1.2.3-a+b", "1.2.3+b-a")] == ["1.2.3"] * 3
