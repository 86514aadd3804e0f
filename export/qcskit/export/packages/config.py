"""Table `[package]`: what a library says of itself."""

import re

from pydantic import Field, field_validator

from qcskit.codec.config import MODEL_NAME, Table

PUBLIC_URL = "https://example.com/qcskit"
"""Stands in the metadata that must name a home page, unless the user gives one."""

_NUMBER, _WORD = r"(?:0|[1-9]\d{0,4})", r"[0-9A-Za-z-]+"
_VERSION = re.compile(
    rf"(?P<core>{_NUMBER}\.{_NUMBER}\.{_NUMBER})(?P<early>-(?!0\d+(?:[.+]|$)){_WORD}(?:\.(?!0\d+(?:[.+]|$)){_WORD})*)?"
    rf"(?:\+{_WORD}(?:\.{_WORD})*)?"
)
"""Semantic Versioning 2.0.0; numbers that fit the formats' own."""
_LICENSE = r"[A-Za-z0-9][A-Za-z0-9.-]*\+?"
_URL = r"https?://[!#-;=?-\[\]-~]+"
"""Printable ASCII without space, quote, <, > and backslash."""
_AUTHOR = r"([^\s<>\"\\:;][^<>\"\\:;]*?)(?: <([^<>\"\\\s,@]+@[^<>\"\\\s,@]+\.[^<>\"\\\s,@]+)>)?"
"""A name, and an address in angle brackets; none of the signs that end a string or a value somewhere."""


class PackageConfig(Table):
    """Table `[package]`: name, version and owner of a library.

    >>> from qcskit.export.packages import PackageConfig
    >>> PackageConfig(version="1.2.0", license="MIT", author="Ada <ada@example.org>").author_name
    'Ada'
    """

    version: str = Field(
        default="", max_length=50, description="semantic version of the model's library, raised by you with every "
        "model that you ship; empty: 0.1.0+<model id>",
    )  # fmt: skip
    license: str = Field(default="Apache-2.0", max_length=60, description="SPDX identifier for your model's tables, or "
                         "LicenseRef-<your own>; the C around them is Apache-2.0")  # fmt: skip
    author: str = Field(default="qcskit", max_length=80, description="Name <address> of who publishes the library")
    url: str = Field(default=PUBLIC_URL, max_length=250, description="home page of the library")
    lib_name: str = Field(default="", description="name of the library; empty: qcs_<model>")

    @field_validator("version")
    @classmethod
    def _semantic(cls, value: str) -> str:
        if value and not _VERSION.fullmatch(value):
            raise ValueError("no semantic version: three numbers, 1.2.0, or with more behind, 1.2.0-rc.1+5")
        return value

    @field_validator("license")
    @classmethod
    def _spdx(cls, value: str) -> str:
        if not re.fullmatch(_LICENSE, value):
            raise ValueError("no SPDX identifier: one such as MIT, or LicenseRef-Acme for a licence of your own")
        return value

    @field_validator("author")
    @classmethod
    def _person(cls, value: str) -> str:
        if not value.isprintable() or not re.fullmatch(_AUTHOR, value):
            raise ValueError("no author: Name, or Name <address>, without quotes, backslash, colon and semicolon")
        return value

    @field_validator("url")
    @classmethod
    def _page(cls, value: str) -> str:
        if not re.fullmatch(_URL, value):
            raise ValueError("no address of a page: http:// or https://, without spaces, quotes, < and >")
        return value

    @field_validator("lib_name")
    @classmethod
    def _identifier(cls, value: str) -> str:
        if value and not re.fullmatch(MODEL_NAME, value):
            raise ValueError("a name is part of C identifiers: a-z first, then a-z, 0-9 and _, at most 31")
        return value

    @property
    def author_name(self) -> str:
        """The author without address."""
        return self._author[0]

    @property
    def author_address(self) -> str:
        """The author's address, "" if none was given."""
        return self._author[1]

    @property
    def _author(self) -> tuple[str, str]:
        name, address = re.fullmatch(_AUTHOR, self.author).groups(default="")  # type: ignore[union-attr]
        return name, address

    @property
    def license_expression(self) -> str:
        """What holds for the whole library: the C is ours, the tables are theirs."""
        return "Apache-2.0" if self.license == "Apache-2.0" else f"Apache-2.0 AND {self.license}"


def numbers_of(version: str) -> str:
    """Return the three numbers of a semantic version.

    >>> numbers_of("1.2.0-rc.1+5")
    '1.2.0'
    """
    return re.split("[-+]", version, maxsplit=1)[0]
