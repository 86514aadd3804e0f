"""Memory per core: what the compiler lays out, against the header's own numbers; the check against a device."""

import json
import re
from pathlib import Path

import pytest
from support.need import need_tool
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.memory import bars, check_fit, core_table, footprints, parse_bytes, write_picture
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.firmware import CORES, Core, MissingToolError

ROW = {"core": "Cortex-M4", "code_bytes": 1000, "table_bytes": 500, "ram_bytes": 4, "scratch_bytes": 64, "io_bytes": 24,
       "stack_bytes": 128, "agent_ram_bytes": 700, "flash_needed_bytes": 1500, "ram_needed_bytes": 220}  # fmt: skip
AVR = ROW | {"core": "AVR", "stack_bytes": None, "ram_needed_bytes": 92}
MISSING = {"core": "RV32IMC", "missing": "gcc-riscv64-unknown-elf"}


@pytest.mark.parametrize("core", ["Cortex-M0+", "Cortex-M4", "Cortex-M55", "RV32IMC", "AVR"])
def test_scratch_is_what_the_header_asks_for_on_each_core(core: str, bundle_path: Path) -> None:
    """The agent keeps ring, body, work and itself: more than scratch and packet together."""
    need_tool(CORES[core].compiler, CORES[core].package)
    (row,) = footprints(open_codec(bundle_path), [core])
    header = (bundle_path / "c" / "qcs_model_small.h").read_text()
    own = re.search(rf"QCS_LAYOUT == {CORES[core].layout}\n#define QCS_SMALL_SCRATCH_BYTES (\d+)", header)
    scratch = int((own or re.search(r"#else\n#define QCS_SMALL_SCRATCH_BYTES (\d+)", header))[1])
    assert row["scratch_bytes"] == 4 * -(-scratch // 4)
    assert row["io_bytes"] == 10 * 2 + 4
    assert row["ram_needed_bytes"] == row["ram_bytes"] + row["scratch_bytes"] + 24 + (row["stack_bytes"] or 0)
    assert row["flash_needed_bytes"] == row["code_bytes"] + row["table_bytes"]
    frame = 2 * 10 + 10 + 3
    least = 2 * frame + row["scratch_bytes"] + 6 + 4 + 264
    assert least < row["agent_ram_bytes"] < least + 200


def test_what_is_over_is_named_with_its_core() -> None:
    check_fit([ROW, AVR, MISSING], 1500, 220)
    check_fit([ROW, MISSING], None, None)
    check_fit([MISSING], None, None)
    with pytest.raises(CheckFailedError, match=r"fit: Cortex-M4: 1,500 of 1,499 bytes of flash; AVR: 1,500 of"):
        check_fit([ROW, AVR], 1499, None)
    with pytest.raises(CheckFailedError, match=r"fit: Cortex-M4: 220 of 219 bytes of RAM$"):
        check_fit([ROW, AVR], None, 219)
    with pytest.raises(QcsError, match="gcc-riscv64-unknown-elf"):
        check_fit([MISSING], 0, None)


@pytest.mark.parametrize("text", ["", "k", "-1", "1g", "1e3", "0x10", "1 2"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(QcsError, match="--ram"):
        parse_bytes("--ram", text)


def test_a_stack_that_nobody_measured_is_no_number() -> None:
    table = core_table([ROW, AVR, MISSING])
    columns = {str(column.header): list(column.cells) for column in table.columns}
    assert columns["worst stack"][:2] == ["128", "not measured"]
    assert columns["RAM in all"][:2] == ["220", "92 + stack"]
    assert columns["code"][2] == "–"
    assert table.caption == "not measured: RV32IMC needs the Debian package gcc-riscv64-unknown-elf"
    assert core_table([ROW]).caption is None


def test_the_command_ends_with_1_if_it_does_not_fit_and_2_for_another_core(bundle_path: Path, tmp_path: Path) -> None:
    need_tool("avr-gcc", "gcc-avr avr-libc")
    out = tmp_path / "bars.svg"

    def inspect(*options: str) -> int:
        done = CliRunner().invoke(build_app(), ["inspect", str(bundle_path), "--core", "AVR", "--json", *options])
        if done.exception is None:
            return [row["core"] for row in json.loads(done.stdout)["cores"]] != ["AVR"]
        assert isinstance(done.exception, QcsError)
        return done.exception.exit_code

    assert inspect("--flash", "8k", "--ram", "1k", "--picture", str(out)) == 0
    assert inspect("--flash", "1k") == 1
    assert inspect("--ram", "100") == 1
    assert inspect("--core", "avr") == 2
    assert "AVR" in out.read_text()


def test_the_picture_shows_parts_and_the_device(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'report'")
    write_picture([ROW, AVR, MISSING], tmp_path / "bars.svg", "small", 2048, None)
    text = (tmp_path / "bars.svg").read_text()
    for word in ("Cortex-M4", "AVR", "code", "tables", "scratch", "stack", "bytes of flash"):
        assert f">{word}<" in text
    assert text.count("the device") == 1
    assert "RV32IMC" not in text
    with pytest.raises(QcsError, match="a picture is"):
        write_picture([ROW], tmp_path / "bars.pdf", "small", None, None)
    with pytest.raises(QcsError, match="nothing to draw"):
        write_picture([MISSING], tmp_path / "none.svg", "small", None, None)


def test_a_core_whose_compiler_is_missing_is_a_row_that_names_it(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(core: Core, *asked: object) -> None:
        raise MissingToolError(core.compiler, core.package, "cost")

    monkeypatch.setattr("qcskit.firmware.footprint.footprint", missing)
    rows = footprints(open_codec(bundle_path), ["AVR", "RV32IMC"])
    assert {row["core"]: row["missing"] for row in rows} == {name: CORES[name].package for name in ("AVR", "RV32IMC")}


def test_bars_are_the_parts_behind_each_other_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'report'")
    from matplotlib.axes import Axes

    drawn: list[tuple[list[str], list[int], list[int], str]] = []
    lines: list[int] = []
    monkeypatch.setattr(
        Axes, "barh", lambda axes, names, widths, left, label, **looks: drawn.append((names, widths, left, label))
    )
    monkeypatch.setattr(Axes, "axvline", lambda axes, place, **looks: lines.append(place))
    monkeypatch.setattr(Axes, "legend", lambda axes, **looks: None)
    assert bars([ROW, AVR], "t", {"flash": None, "RAM": 300}, ".png").startswith(b"\x89PNG")
    cores = ["Cortex-M4", "AVR"]
    assert drawn == [
        (cores, [1000, 1000], [0, 0], "code"),
        (cores, [500, 500], [1000, 1000], "tables"),
        (cores, [4, 4], [0, 0], "static"),
        (cores, [64, 64], [4, 4], "scratch"),
        (cores, [24, 24], [68, 68], "counts and packet"),
        (cores, [128, 0], [92, 92], "stack"),
    ]
    assert lines == [300]
