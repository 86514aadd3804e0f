"""What leaves the house: licences in its files, locks of what it is made with."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from qcskit.codec import codecs
from qcskit.codec.optional import LIBRARY_OF
from qcskit.codec.text import LICENCE, same_text

ROOT = Path(__file__).resolve().parent.parent
LICENSED = "SPDX-License-Identifier: Apache-2.0"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CLASSIFIERS = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", text) for text in PROJECT["classifiers"]]
PYTHONS = [match[1] for match in CLASSIFIERS if match]


# ---- licences ----


def test_every_c_file_that_leaves_the_house_names_its_licence_first() -> None:
    places = ("firmware/include", "firmware/src", "firmware/app", "firmware/ports", "export/qcskit", "cli/qcskit")
    files = [path for place in places for path in sorted((ROOT / place).rglob("*")) if path.is_file()]
    kinds = re.compile(r"\.(c|cc|h|S|ld|ino)(\.in)?$")
    texts = {path: path.read_text(encoding="utf-8") for path in files if kinds.search(path.name)}
    assert {".h", ".S", ".ld"} < {path.suffix for path in texts}
    without = [
        path for path, text in texts.items() if not text.startswith("%%") and LICENSED not in text.split("\n")[0]
    ]
    assert not without


def test_generated_c_names_its_licence_and_text_of_earlier_kits_is_still_the_same() -> None:
    for manifest in sorted((ROOT / "tests" / "data" / "golden").glob("*/manifest.json")):
        for file, text in codecs.open_codec(manifest.parent).c_files().items():
            assert text.startswith(LICENCE), file
            assert text.count(LICENSED) == 1
            assert same_text(text.encode(), text)
            assert same_text(text.removeprefix(LICENCE).encode(), text)
            assert not same_text(text.replace("of this text", "of the text", 1).encode(), text)
            assert not same_text((text + "\n").encode(), text)


def test_a_citation_names_this_version_and_licence() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    for key in ("version", "license"):
        assert f"\n{key}: {PROJECT[key]}\n" in citation


# ---- locks ----


def locked(python: str) -> dict[str, str]:
    """Return name → version of a lock; every line has the one form that pip checks by hash, and no other."""
    lines = (ROOT / "requirements" / f"py{python.replace('.', '')}.txt").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"([\w.-]+)==([\w.!+]+) --hash=sha256:[0-9a-f]{64}", line) for line in lines[1:]]
    assert lines[0].startswith("# Made by `make lock`")
    assert all(found), [line for line, match in zip(lines[1:], found, strict=True) if not match]
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def asked_for(extra: str, environment: dict[str, str]) -> list[Requirement]:
    """Return what pyproject.toml asks for with an extra, those that it names itself included."""
    found: list[Requirement] = []
    for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]):
        requirement = Requirement(text)
        if requirement.name == "qcskit":
            found += [each for inner in sorted(requirement.extras) for each in asked_for(inner, environment)]
        elif requirement.marker is None or requirement.marker.evaluate(environment):
            found.append(requirement)
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_a_lock_holds_all_that_pyproject_asks_for_within_its_ranges(python) -> None:
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0",
                   "sys_platform": "linux", "platform_machine": "x86_64"}  # fmt: skip
    lock = locked(python)
    wrong = {
        str(each): lock.get(canonicalize_name(each.name))
        for each in asked_for("dev", environment)
        if lock.get(canonicalize_name(each.name), "0") not in each.specifier
    }
    assert not wrong, f"run: make lock PYTHON=python{python}"


def test_the_extras_that_doctor_knows_are_those_of_pyproject() -> None:
    extras = PROJECT["optional-dependencies"]
    assert LIBRARY_OF.keys() == extras.keys() - {"all", "dev", "docs", "examples", "mutation", "test"}
    for extra, library in LIBRARY_OF.items():
        assert any(library.replace("_", "-") in text for text in extras[extra]), extra


def test_pythons_that_are_named_are_those_that_install_have_a_lock_and_are_tested() -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}" for minor in range(99) if f"3.{minor}.99" in allowed] == PYTHONS
    locks = {path.name for path in (ROOT / "requirements").glob("py*.txt")}
    assert locks == {f"py{python.replace('.', '')}.txt" for python in PYTHONS}
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in PYTHONS


def make(*words: str, wrong: bool = False) -> str:
    """Return what `make` of this tree prints, told nothing by one that runs this; it fails exactly if `wrong`."""
    env = {name: value for name, value in os.environ.items() if not re.match("MAKE|MFLAGS|PYTHONS?$", name)}
    done = subprocess.run(["make", *words], cwd=ROOT, env=env, check=False, stdout=subprocess.PIPE, text=True)
    assert (done.returncode != 0) == wrong, done.stdout
    return done.stdout


@pytest.mark.skipif(not shutil.which("make"), reason="needs the Debian package make")
def test_a_python_that_is_named_is_tested_in_an_environment_of_its_own() -> None:
    here, version = sys.executable, f"{sys.version_info.major}.{sys.version_info.minor}"
    assert " ".join(f"python{python}" for python in PYTHONS) in make("help")
    assert "\n.venv/bin/python -m pytest " in make("-n", "test")
    own = f"\n.venv-{version}/bin/python -m pytest "
    assert own in make("-n", "test", f"PYTHON={here}")
    each = make("-n", "test-pythons", f"PYTHONS=no-python {here}")
    assert "\nno-python is not here: not tested\n" in each
    assert own in each
    assert f"failed: {here}\n" in make("test-pythons", f"PYTHONS={here}", "MAKE=false", wrong=True)


class Install:
    """The script in a project of its own; a call runs it without a network and returns what it would start."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch, self.root = monkeypatch, root
        for name in ("requirements/install.py", "pyproject.toml"):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes((ROOT / name).read_bytes())
        self.project = root / "pyproject.toml"
        self.lock = root / "requirements" / f"py{sys.version_info.major}{sys.version_info.minor}.txt"
        self.lock.write_text("numpy==1\n")
        (root / "venv").mkdir()

    def main(self) -> None:
        runpy.run_path(str(self.root / "requirements" / "install.py"))["main"](self.root / "venv")

    def __call__(self) -> list[str]:
        ran: list[str] = []
        with self._patch.context() as patch:
            patch.setattr(subprocess, "run", lambda words, check: ran.append(" ".join(map(str, words))))
            self.main()
        return ran


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.platform", "linux")
    return Install(tmp_path, monkeypatch)


def test_nothing_is_installed_again_until_what_is_asked_for_changes(install) -> None:
    made, locked, itself = install()
    assert made.endswith("-m venv " + str(install.root / "venv"))
    assert f"--require-hashes --only-binary :all: -r {install.lock}" in locked
    assert f"--no-deps --no-build-isolation --editable {install.root}" in itself
    assert install() == []
    text = install.project.read_text()
    install.project.write_text(text.replace("line-length = 120", "line-length = 121"))
    assert install() == []
    install.project.write_text(text.replace('"rich>=13,', '"rich>=14,'))
    assert len(install()) == 3
    install.lock.write_text("numpy==2\n")
    assert len(install()) == 3
    assert install() == []


def test_a_python_without_a_lock_takes_the_ranges_and_says_so(install, capsys) -> None:
    install.lock.unlink()
    assert install()[1].endswith(f"--editable {install.root}[dev]")
    assert capsys.readouterr().out.startswith("install: no lock for Python 3.")
    assert install() == []


def test_an_installation_that_broke_off_is_done_again(install, monkeypatch) -> None:
    install()
    install.lock.write_text("numpy==2\n")
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", broken)
        with pytest.raises(subprocess.CalledProcessError):
            install.main()
    install.lock.write_text("numpy==1\n")
    assert len(install()) == 3


def broken(words: list[str], check: bool) -> None:
    raise subprocess.CalledProcessError(1, words)


# ---- wheel and sdist ----


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the sdist, and the wheel made from it."""
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return out


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return bin/ of an environment that has the wheel and, of this one, the libraries alone: no editable kit."""
    root = tmp_path_factory.mktemp("installed")
    venv.create(root, with_pip=False, symlinks=True)
    (site,) = root.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")  # its own .pth files are not followed
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(root / "bin" / "python"), "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-index", str(wheel)], check=True)
    return root / "bin"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs git's list of files")
def test_sdist_and_wheel_hold_what_git_knows_and_nothing_else(built: Path) -> None:
    (sdist,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                            stdout=subprocess.PIPE, text=True).stdout.splitlines()  # fmt: skip
    known = {name for name in listed if (ROOT / name).exists()}
    with tarfile.open(sdist) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    assert shipped - known == {"PKG-INFO"}
    assert known - shipped == set()
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    own = {re.sub(r"^\w+/(?=qcskit/)", "", name) for name in known if re.match(r"\w+/qcskit/", name)}
    core = {re.sub("^firmware/", "qcskit/firmware/c/", name) for name in known
            if re.match("firmware/(include|src|app|ports)/", name)}  # fmt: skip
    assert packed == own | core


def test_the_wheel_designs_simulates_and_measures(installed: Path, tmp_path: Path) -> None:
    env = {
        "PATH": f"{installed}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def run(*words: str) -> str:
        return subprocess.run(words, cwd=tmp_path, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout

    places = run("python", "-c", "import qcskit; print(*qcskit.__path__)").split()
    assert places[0] == str(*installed.parent.glob("lib/python*/site-packages/qcskit"))
    assert all("site-packages" in place for place in places), "the kit's own tree would help out"
    version = run("qcskit", "--version")
    assert version == run("python", "-m", "qcskit", "--version")
    run("qcskit", "design", "1-bit-biht", "-s", "signal.n=16", "-s", "signal.m=8", "-s", "signal.s=1", "-o", "bundle")
    run("qcskit", "simulate", "bundle", "-n", "200", "-o", "verdict.json")
    assert '"passed": true' in (tmp_path / "verdict.json").read_text()
