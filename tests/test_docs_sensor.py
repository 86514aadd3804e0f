"""docs/sensor.md as it is printed: every block of commands, configuration, C and Python, in order and in one folder."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.bundles import drifting_counts, sampled_bundle
from support.need import need_board, need_tool

from qcskit.codec.codecs import open_codec
from qcskit.codec.interface import Codec
from qcskit.codec.own_data import read_own_data

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "sensor.md").read_text(encoding="utf-8")
BOARDS = ("cortex-m4", "mega")
RADIO = """
#include <stdint.h>
void radio_send(const uint8_t *bytes, uint16_t length);
"""
DRIVER = """
#include <stdint.h>
#include <stdio.h>
void radio_send(const uint8_t *bytes, uint16_t length) { fwrite(bytes, 1, length, stdout); }
void on_sample(int16_t adc_count);
int main(void) {
  int count;
  while (scanf("%d", &count) == 1) on_sample((int16_t)count);
  return 0;
}
"""


def blocks(language: str) -> list[str]:
    """Return the page's fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Road:
    """The folder in which the page was followed, and what its Python printed."""

    folder: Path
    codec: Codec
    printed: str

    @property
    def day(self) -> np.ndarray:
        """The counts that were sent, int16 (packets, N)."""
        return np.loadtxt(self.folder / "day.csv", skiprows=1).astype(np.int16).reshape(-1, self.codec.width)

    @property
    def sent(self) -> bytes:
        """What `qcskit encode` wrote."""
        return (self.folder / "day.bin").read_bytes()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, source_env: dict[str, str]) -> dict[str, str]:
    """The environment in which `python` and `qcskit` are this checkout's."""
    programs = tmp_path_factory.mktemp("bin")
    for name, call in {"python": "", "qcskit": " -m qcskit.cli"}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{call} "$@"\n')
        (programs / name).chmod(0o755)
    return {**source_env, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Road:
    """Follow the page. qcs.toml is its only block of TOML, and stands before the commands that read it."""
    pytest.importorskip("tensorflow", reason="needs the extra 'train': pip install 'qcskit[train]'")
    need_tool("bash", "bash")
    for board in BOARDS:
        need_board(board)
    folder = tmp_path_factory.mktemp("sensor")
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "qcs.toml").write_text("\n".join(blocks("toml")))
    for block in blocks("sh"):
        followed(["bash", "-e", "-c", block], folder, environment)
    printed = [followed([sys.executable, "-c", block], folder, environment) for block in blocks("python")]
    return Road(folder, open_codec(folder / "bundle"), "".join(printed))


def followed(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run a block of the page and return what it printed."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False,
                          timeout=600)  # fmt: skip
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_nothing_on_the_page_is_left_out() -> None:
    """Blocks of four languages, each of which is run or compiled below, and no fence that these miss."""
    fences = re.findall(r"^```(.*)$", PAGE, re.MULTILINE)
    known = ("sh", "toml", "python", "c")
    assert all(blocks(language) for language in known)
    assert len(fences) == 2 * sum(len(blocks(language)) for language in known)


def test_the_host_sends_what_the_definition_says(road: Road) -> None:
    """M = N: the counts are the samples, and TFLite Micro gives the bytes that `encode` wrote."""
    codec, counts = road.codec, road.day
    assert codec.inputs == codec.width
    assert codec.definition(counts).bytes.tobytes() == road.sent
    assert len(set(codec.encode_counts(counts))) > 1


def test_the_implementations_agree(road: Road) -> None:
    verdict = json.loads((road.folder / "verdict.json").read_text())
    ran = {row["name"]: row["mismatches"] for row in verdict["implementations"] if row["role"] != "reported"}
    assert {*BOARDS, "c-host", "tflm"} <= set(ran)
    assert set(ran.values()) == {0}


@pytest.mark.parametrize(("board", "file"), [("cortex-m4", "hil-m4.json"), ("mega", "hil-mega.json")])
def test_the_boards_sent_the_bytes_of_the_host(board: str, file: str, road: Road) -> None:
    (device,) = json.loads((road.folder / file).read_text())["devices"]
    assert board in device["port"]
    assert (device["answered"], device["mismatches"]["count"]) == (len(road.day), 0)
    assert device["packet_bytes"]["mean"] * device["answered"] == len(road.sent)


def test_what_comes_back_is_in_counts(road: Road) -> None:
    """Rows of N about the samples that were sent, at their level: without the offset they would be 12,000 off."""
    x, x_hat = road.day.astype(np.float64), np.loadtxt(road.folder / "day_back.csv", delimiter=",", ndmin=2)
    assert x_hat.shape == x.shape
    trained = road.codec.bundle.manifest.signal.offset
    assert trained > 11_000
    assert ((x - x_hat) ** 2).mean() < 0.1 * ((x - trained) ** 2).mean()
    assert ((x - x_hat) ** 2).mean() < 0.5 * x.var()
    for file in ("hil-m4.json", "hil-mega.json"):
        (device,) = json.loads((road.folder / file).read_text())["devices"]
        measured = 10 * np.log10(((x - x_hat) ** 2).sum() / ((x - trained) ** 2).sum())
        assert device["nmse"]["device_db"] == pytest.approx(measured, abs=1e-3)


def test_python_says_the_same(road: Road) -> None:
    packets, size = len(road.day), road.codec.packed_bytes_max
    assert f"{packets} packets of {size} bytes, 0.0% clipped" in road.printed
    assert packets * size == len(road.sent)


def test_the_c_of_the_page_sends_the_same_bytes(road: Road, environment: dict[str, str], tmp_path: Path) -> None:
    """In a firmware of its own: the library that `package` makes, and a radio that writes to stdout."""
    need_tool("gcc", "gcc")
    followed(
        ["qcskit", "package", "bundle", "--to", "plain", "-o", str(tmp_path / "library")], road.folder, environment
    )
    (tmp_path / "driver.c").write_text(DRIVER)
    (tmp_path / "page.c").write_text(RADIO + "\n".join(blocks("c")))
    sources = [str(file) for file in (tmp_path / "library" / "src").rglob("*.c")]
    build = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", "node", "page.c", "driver.c",
             *sources, "-Ilibrary/include"]  # fmt: skip
    followed(build, tmp_path, environment)
    counts = "\n".join(str(count) for count in road.day.ravel())
    node = subprocess.run([str(tmp_path / "node")], input=counts.encode(), capture_output=True, check=True, timeout=60)
    assert node.stdout == road.sent


def test_the_header_says_what_the_page_lists(road: Road) -> None:
    header = (road.folder / "bundle" / "c" / "qcs_model_logger.h").read_text()
    told = PAGE.partition("The header says what the counts are:")[2].partition("## ")[0]
    names = [name if name.startswith("QCS_") else f"QCS_LOGGER{name}" for name in re.findall(r"`(\w+)`", told)]
    assert len(names) >= 7
    assert [name for name in names if f"#define {name} " not in header] == []


def test_a_bundle_names_neither_the_recording_nor_a_path(road: Road) -> None:
    assert named_in(road.folder / "bundle", "drift.csv", str(road.folder)) == []


def named_in(bundle: Path, *words: str) -> list[str]:
    """Return the files of a bundle in which one of the words stands."""
    files = [file for file in bundle.rglob("*") if file.is_file()]
    return [file.name for file in files for word in words if word.encode() in file.read_bytes()]


# "In the first two x, y and counts are the same numbers".


@pytest.mark.parametrize(
    ("matrix", "m", "places"),
    [("identity", 8, range(8)), ("uniform", 4, range(0, 8, 2)), ("uniform", 3, (0, 2, 5)), ("subsampling", 4, None)],
)
def test_a_device_that_samples_sees_the_recordings_own_counts(
    matrix: str, m: int, places: Sequence[int] | None, tmp_path: Path
) -> None:
    codec = sampled_bundle(tmp_path / "bundle", matrix=matrix, m=m)
    own = drifting_counts(80)
    (tmp_path / "own.csv").write_text("counts\n" + "".join(f"{count}\n" for count in own))
    windows = own.reshape(-1, 8)
    phi = codec.sensor.phi
    chosen = np.flatnonzero(phi.any(axis=0)) if places is None else np.array(places)
    assert phi.shape == (m, 8)
    assert np.array_equal(phi, np.eye(8)[chosen])
    seen = read_own_data(codec, tmp_path / "own.csv")
    np.testing.assert_array_equal(seen.counts, windows[:, chosen])
    np.testing.assert_array_equal(seen.x, windows)
    x, y = codec.draw(20, 1)  # test windows of the recording, which is gone by now
    np.testing.assert_array_equal(codec.counts(y), x[:, chosen])
    np.testing.assert_array_equal(y, x[:, chosen])
    assert codec.bundle.manifest.signal.noise_variance == 0
    assert named_in(tmp_path / "bundle", "/counts.npy") == []
    assert not codec.definition(seen.counts).differ(codec.encode_counts(seen.counts)).any()
    assert abs(codec.decode(codec.encode_counts(seen.counts)).mean() - windows.mean()) < 200
