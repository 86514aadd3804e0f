"""Every legal name of a model gives text that compiles and that nothing else of ours collides with."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.bundles import learned_bundle

from qcskit.codec.bundle import Bundle
from qcskit.export.config import ExportConfig
from qcskit.export.packages import KINDS, package_files
from qcskit.firmware import sources
from qcskit.firmware.build import model_flags
from qcskit.training.config import TrainConfig

NASTY = ("int", "encode", "model", "plain", "null", "eof", "a_", "a__b", "x" * 31)
"""Keywords; words of the core and of its build; macros of the C library, in capitals; marks and length."""
PLACEHOLDER = "zzz"


def named(name: str, path: Path) -> Bundle:
    """A small bundle of a model of this name."""
    return learned_bundle(path / name, name=name, widths=(3, 4, 2), levels=2).bundle


def compiles(*command: str | Path) -> None:
    done = subprocess.run([*map(str, command), "-fsyntax-only"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not shutil.which("g++"), reason="needs the Debian package g++")
def test_nasty_names_compile_in_c_and_in_cxx(tmp_path: Path) -> None:
    """Together in one package, as the firmware of the agent, and from C++."""
    root = sources()
    bundles = [named(name, tmp_path / "bundles") for name in NASTY]
    package = package_files(bundles, "plain", root, agent=True)
    for name, content in package.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    include = [f"-I{tmp_path / 'include'}", "-Wall", "-Wextra", "-Werror"]
    headers = "".join(f'#include "qcs_{name}.h"\n' for name in NASTY)
    agents = "".join(f"QCS_AGENT_DEFINE(memory_{name}, {name.upper()}, 1024);\n" for name in NASTY)
    used = f"int use(void);\nint use(void) {{ return {' + '.join(f'memory_{name}.rx_bytes' for name in NASTY)}; }}\n"
    (tmp_path / "all.c").write_text(f'#include <stdio.h>\n{headers}#include "qcs_{NASTY[0]}_agent.h"\n{agents}{used}')
    (tmp_path / "all.cc").write_text(f"#include <cstdio>\n{headers}")
    models = sorted((tmp_path / "src").rglob("qcs_model_*.c"))
    assert len(models) == len(NASTY)
    compiles("gcc", "-std=c11", *include, *models, tmp_path / "all.c", tmp_path / "example" / "main.c")
    compiles("g++", "-std=c++14", *include, tmp_path / "all.cc")
    for name in NASTY:
        ours = [f"-I{place}" for place in (tmp_path / "src" / "core", root / "ports", root / "app")]
        compiles("gcc", "-std=c11", *include, *ours, "-include", "stdio.h", *model_flags(name),
                 root / "app" / "qcs_main.c")  # fmt: skip


def words(text: str) -> set[str]:
    """Identifiers of C text outside comments and names of files."""
    return set(re.findall(r"\w+", re.sub(r"/\*.*?\*/|//[^\n]*|#include[^\n]*", "", text, flags=re.DOTALL)))


def test_no_identifier_of_the_core_has_a_form_that_a_model_s_have(tmp_path: Path) -> None:
    package = package_files([named(PLACEHOLDER, tmp_path)], "plain", sources(), agent=True)
    made = words("\n".join(content.decode() for name, content in package.items() if PLACEHOLDER in name))
    forms = [re.compile(word.replace(PLACEHOLDER, "[a-z][a-z0-9_]{0,30}").replace("ZZZ", "[A-Z][A-Z0-9_]{0,30}"))
             for word in made if PLACEHOLDER in word.lower()]  # fmt: skip
    assert len(forms) > 10
    core = [file for file in sources().rglob("*.[chS]") if file.parent.name != "kernel_check"]  # models of its own
    of_core = words("\n".join(file.read_text() for file in core))
    assert "qcs_codec_t" in of_core
    assert [word for word in of_core if any(form.fullmatch(word) for form in forms)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_target_of_a_package_is_called_as_another(kind: str, tmp_path: Path) -> None:
    """CMake: a library and a program of one name are refused."""
    for file, content in package_files([named("example", tmp_path)], kind, sources()).items():
        if file.endswith("CMakeLists.txt"):
            targets = re.findall(r"add_(?:library|executable)\(\s*(\S+)", content.decode())
            assert len(set(targets)) == len(targets), file


@pytest.mark.parametrize("name", ["", "1a", "A", "a-b", "a b", "ä", "a\n", "a;b", "../a", "x" * 32])
def test_other_names_are_refused_where_they_are_given(name: str) -> None:
    with pytest.raises(ValidationError):
        TrainConfig(name=name)
    if name:
        with pytest.raises(ValidationError):
            ExportConfig(name=name)
