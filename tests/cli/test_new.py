"""`qcskit new`: everything in a project runs as its README says; every format's firmware compiles with its library."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from support.arduino import HARDWARE, build_sketch
from support.need import need_tool
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.common import model_of
from qcskit.cli.new import example_recording, model_name, project_files
from qcskit.codec.bundle import read_bundle
from qcskit.codec.config import load_table
from qcskit.codec.errors import QcsError
from qcskit.export.packages import KINDS, package_files, write_package
from qcskit.firmware import sources

LONG = ("qcskit simulate", "qcskit report")
"""Lines of the README that take seconds; their own tests run them."""


def written(path: Path, made: dict[str, bytes]) -> Path:
    for name, content in made.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def commands(project: Path) -> list[str]:
    """The lines of the README's shell blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (project / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("new") / "my-sensor"
    done = CliRunner().invoke(build_app(), ["new", str(path)])
    assert "next: cd" in done.stdout
    return path


def run_in(project: Path, lines: list[str], source_env: dict[str, str]) -> str:
    """Run command lines as a user types them, with this Python's qcskit and pytest."""
    tools = project.parent / "tools"
    tools.mkdir(exist_ok=True)
    for tool in ("qcskit", "pytest"):
        module = "qcskit.cli" if tool == "qcskit" else "pytest"
        (tools / tool).write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        (tools / tool).chmod(0o755)
    environment = source_env | {
        "PATH": f"{tools}{os.pathsep}{source_env['PATH']}",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    told = ""
    for line in lines:
        done = subprocess.run(
            line, shell=True, cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        told += done.stdout
    return told


@pytest.fixture(scope="module")
def run_project(project: Path, source_env: dict[str, str]) -> str:
    """What a project says whose README was followed, but for what takes long."""
    need_tool("gcc", "gcc")
    need_tool("cmake", "cmake")
    return run_in(project, [line for line in commands(project) if not line.startswith(LONG)], source_env)


def test_the_readme_s_commands_run_as_they_stand(run_project: str) -> None:
    assert "7 passed, 1 skipped" in run_project
    assert "qcs_my_sensor 0.1.0: self-test passed\n" in run_project


@pytest.mark.slow
def test_the_commands_that_take_long_run_too(project: Path, run_project: str, source_env: dict[str, str]) -> None:
    run_in(project, [line for line in commands(project) if line.startswith(LONG)], source_env)
    assert (project / "runs" / "report.html").is_file()


def test_the_ci_file_runs_what_the_readme_says(project: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    job = yaml.safe_load((project / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["codec"]
    steps = [step["run"] for step in job["steps"] if "run" in step]
    assert steps[2:] == [line for line in commands(project) if line.startswith(("qcskit", "pytest"))]


@pytest.mark.parametrize("fault", ["clipped", "short", "still", "units"])
def test_the_data_check_finds_a_recording_that_does_not_serve(
    project: Path, fault: str, source_env: dict[str, str], tmp_path: Path
) -> None:
    copy = shutil.copytree(project, tmp_path / "copy", ignore=shutil.ignore_patterns("runs", "libraries"))
    rows = (copy / "data" / "recording.csv").read_text().split()[1:]
    faulty = {
        "clipped": ["4095" if int(row) > 2300 else row for row in rows], "short": rows[:3000],
        "still": [str(1500 + place % 3) for place in range(len(rows))], "units": [f"{row}.5" for row in rows],
    }[fault]  # fmt: skip
    (copy / "data" / "recording.csv").write_text("\n".join(["counts", *faulty, ""]))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_data.py"]
    done = subprocess.run(command, cwd=copy, env=source_env, capture_output=True, text=True, check=False)
    assert "1 failed, 3 passed" in done.stdout


def uncommented(text: str) -> str:
    """A qcs.toml whose every proposal is taken; of two for one key the last."""
    return re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("codec", [None, "ce-usq-mmse"])
def test_the_configuration_is_valid_as_it_is_and_with_every_proposal(codec: str | None, tmp_path: Path) -> None:
    text = project_files("my-sensor", codec, "plain", "native")["qcs.toml"].decode()
    for number, content in enumerate((text, uncommented(text))):
        file = tmp_path / f"{number}.toml"
        file.write_text(content)
        for table in tomllib.loads(content):
            load_table(model_of(table), table, file)
    assert len(tomllib.loads(uncommented(text))["package"]) == 4
    assert (codec is None) == ("[transform]" in text)


@pytest.mark.parametrize("kind", KINDS)
def test_the_firmware_of_every_format_uses_the_library(
    run_project: str, project: Path, kind: str, tmp_path: Path
) -> None:
    root = written(tmp_path / "p", project_files("my-sensor", None, kind, "native"))
    (place,) = re.findall(r"-o (firmware/libraries/\S+)", (root / "README.md").read_text())
    assert place == "firmware/libraries/qcs_my_sensor"
    write_package(root / place, package_files([read_bundle(project / "runs" / "bundle")], kind, sources()))
    if kind == "arduino":
        if not HARDWARE.is_dir():
            pytest.skip("needs the Debian package arduino-core-avr")
        library = root / place
        (library / "examples" / "firmware").mkdir()
        shutil.copy(root / "firmware" / "firmware.ino", library / "examples" / "firmware" / "firmware.ino")
        build_sketch(library, "firmware", tmp_path / "elf")
        return
    texts = {file.name: file.read_text() for file in (root / "firmware").rglob("*") if "libraries" not in file.parts
             and file.is_file()}  # fmt: skip
    needed = {"plain": "add_subdirectory(libraries/qcs_my_sensor)", "zephyr": "libraries/qcs_my_sensor)",
              "platformio": "lib_extra_dirs = libraries", "esp-idf": "REQUIRES qcs_my_sensor"}  # fmt: skip
    assert needed.get(kind, "") in "".join(texts.values())
    if kind == "zephyr":
        assert (
            f"config {texts['prj.conf'].strip().removeprefix('CONFIG_').removesuffix('=y')}\n"
            in (root / place / "zephyr" / "Kconfig").read_text()
        )
    need_tool("gcc", "gcc")
    (main,) = (file for file in (root / "firmware").rglob("main.c") if "libraries" not in file.parts)
    include = project / "firmware" / "libraries" / "qcs_my_sensor" / "include"
    subprocess.run(["gcc", "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only", f"-I{include}",
                    str(main)], check=True)  # fmt: skip


def test_a_board_is_that_of_tests_and_ci(tmp_path: Path) -> None:
    made = project_files("x", None, "plain", "cortex-m4")
    assert b"--qcs-board cortex-m4" in made["pytest.ini"]
    assert b"gcc-arm-none-eabi qemu-system-arm" in made[".github/workflows/ci.yml"]
    assert b"qcskit hil --port emu:cortex-m4" in made["README.md"]


def test_nothing_that_stands_there_is_touched(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "notes").write_text("mine")
    done = CliRunner().invoke(build_app(), ["new", str(tmp_path / "p")])
    assert "exists already" in str(done.exception)
    assert [file.name for file in (tmp_path / "p").iterdir()] == ["notes"]
    (tmp_path / "file").write_text("")
    assert CliRunner().invoke(build_app(), ["new", str(tmp_path / "file")]).exit_code != 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("1-sensor", None, "plain", "native"), "gives no name"),
        (("a: b", None, "plain", "native"), "gives no name"),
        (("x", "transfrom", "plain", "native"), "did you mean 'transform'"),
        (("x", "coded", "plain", "native"), "not made of a recording"),
        (("x", None, "arduinno", "native"), "did you mean 'arduino'"),
        (("x", None, "plain", "nativ"), "native"),
    ],
)
def test_a_project_that_cannot_be_is_refused_in_words(arguments: tuple[str, str | None, str, str], told: str) -> None:
    with pytest.raises(QcsError, match=told):
        project_files(*arguments)


def test_names_and_recording() -> None:
    assert [model_name(title) for title in ("ECG", "my sensor.2", "a--b")] == ["ecg", "my_sensor_2", "a_b"]
    assert example_recording() == example_recording()
    assert len(example_recording().split()) == 6001


def test_the_example_recording_is_a_minute_of_a_pulse_in_12_bit_counts() -> None:
    counts = np.array(example_recording().split()[1:], np.int64)
    assert 0 <= counts.min() < counts.max() < 4096
    power = np.abs(np.fft.rfft(counts - counts.mean())) ** 2
    pulse_hz = np.argmax(power[30:]) + 30  # above breathing
    assert 55 < pulse_hz < 80  # a minute holds so many beats
    assert 800 < np.quantile(counts, 0.995) - np.quantile(counts, 0.005) < 1200
    drawn = [1497, 1968, 1500, 1589, 1524, 2397, 1503, 2322, 1686, 1941, 1668, 1429]  # documents show its figures
    assert np.abs(counts[::500] - drawn).sum() <= 2  # a rounding of another machine


def test_a_board_that_nothing_emulates_is_refused() -> None:
    with pytest.raises(
        QcsError, match=r"^--board 'nucleo-g071rb' is not emulated; .*your board with pytest --qcs-port$"
    ):
        project_files("mine", None, "plain", "nucleo-g071rb")
