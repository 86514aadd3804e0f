"""Flash, RAM and stack of an encoder, against an independent compiler run and sums made by hand."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.bundles import BUNDLES, learned_bundle
from support.need import need_tool

from qcskit.firmware import CORES, FirmwareError, c_directory, sources
from qcskit.firmware.footprint import footprint, pushed_bytes, worst_stack

ARM = pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="needs the Debian package gcc-arm-none-eabi")


@ARM
def test_flash_is_what_size_counts(bundle_path: Path, tmp_path: Path) -> None:
    core = CORES["Cortex-M4"]
    found = footprint(core, bundle_path / "c", "small")
    root = sources()
    start = tmp_path / "start.c"
    arguments = "const qcs_small_counts_t *in, qcs_small_packed_t *out, qcs_small_scratch_t *scratch"
    start.write_text(
        f'#include "qcs_model_small.h"\nvoid start({arguments});\n'
        f"void start({arguments}) {{ (void)qcs_small_encode(in, out, scratch); }}\n"
    )
    free = root / "ports" / "freestanding"
    files = [start, *(root / "src").glob("*.c"), *free.glob("*.c"), bundle_path / "c" / "qcs_model_small.c"]
    include = [f"-I{place}" for place in (root / "include", root / "src", bundle_path / "c", free)]
    command = ["arm-none-eabi-gcc", *core.flags, "-std=c11", "-O2", "-ffreestanding", "-ffunction-sections",
               "-fdata-sections", "-nostartfiles", "-nodefaultlibs", "-Wl,--gc-sections,-e,start", *include,
               *map(str, files), "-o", str(tmp_path / "x.elf"), "-lgcc"]  # fmt: skip
    subprocess.run(command, check=True)
    size = ["arm-none-eabi-size", str(tmp_path / "x.elf")]
    whole = int(subprocess.run(size, capture_output=True, text=True, check=True).stdout.splitlines()[1].split()[0])
    assert 0 <= whole - found.flash_bytes <= 48  # start() itself
    assert found.table_bytes >= 1986  # the tables, and the structs that point to them
    assert found.ram_bytes == 0


def test_worst_stack_follows_the_deepest_path(tmp_path: Path) -> None:
    node = 'node: {{ title: "{0}" label: "{0}\\nf.c:1:1\\n{1} bytes (static)\\n0 dynamic objects" }}\n'
    edge = 'edge: {{ sourcename: "{0}" targetname: "{1}" label: "f.c:1:1" }}\n'
    text = "".join(node.format(*pair) for pair in (("a", 8), ("b", 16), ("c", 100), ("d", 40)))
    text += "".join(edge.format(*pair) for pair in (("a", "b"), ("a", "d"), ("b", "c")))
    (tmp_path / "x.ci").write_text(text)
    assert worst_stack(tmp_path, "a") == 8 + 16 + 100
    with pytest.raises(FirmwareError, match=r"^the compiler wrote no call graph of e$"):
        worst_stack(tmp_path, "e")
    (tmp_path / "y.ci").write_text(edge.format("c", "a"))
    with pytest.raises(FirmwareError, match="calls itself"):
        worst_stack(tmp_path, "a")


@ARM
@pytest.mark.parametrize("core", ["Cortex-M0+", "Cortex-M4", "Cortex-M55"])
def test_what_assembly_pushes_counts_as_stack(core: str, bundle_path: Path) -> None:
    """The registers that each kernel's function pushes, added up by hand."""
    pushes = {"Cortex-M0+": 20 + 16 + 4, "Cortex-M4": 36 + 8 + 12 + 4 + 8 + 4, "Cortex-M55": 40 + 64 + 4}
    found = footprint(CORES[core], bundle_path / "c", "small").stack_bytes
    assert found is not None
    assert pushes[core] + 24 <= found <= pushes[core] + 128
    assert pushed_bytes(bytes.fromhex("f0b5")) == 20
    assert pushed_bytes(bytes.fromhex("2de9f04f00f000b82ded108b")) == 36 + 64  # a branch between


def test_a_call_through_a_pointer_may_reach_every_function_that_stayed(tmp_path: Path) -> None:
    node = 'node: {{ title: "{0}" label: "{0}\\nf.c:1:1\\n{1} bytes (static)" }}\n'
    edge = 'edge: {{ sourcename: "{0}" targetname: "{1}" label: "f.c:1:1" }}\n'
    sizes = {"a": 8, "named": 50, "f.c:through": 40, "below": 60, "thrown_away": 900}
    text = "".join(node.format(*pair) for pair in sizes.items())
    text += "".join(edge.format(*pair) for pair in (("a", "named"), ("a", "__indirect_call"), ("f.c:through", "below")))
    (tmp_path / "x.ci").write_text(text)
    assert worst_stack(tmp_path, "a", linked=frozenset({"a", "named", "through", "below"})) == 8 + 40 + 60


@pytest.mark.parametrize("core", ["Cortex-M0+", "Cortex-M3", "Cortex-M4", "Cortex-M55", "RV32IMC"])
def test_no_family_takes_more_stack_than_its_header_says(core: str, tmp_path: Path) -> None:
    """With 6 levels too, whose packing is the deepest."""
    need_tool(CORES[core].compiler, CORES[core].package)
    made = {
        name: BUNDLES[name](tmp_path / name) for name in ("int8", "int16", "classical", "coded", "transform", "sparse")
    }
    codecs = [*made.items(), ("int8", learned_bundle(tmp_path / "six", levels=6))]
    for name, codec in codecs:
        header = " ".join((sources() / "include" / f"qcs_{name}.h").read_text().replace("\n *", " ").split())
        stated = re.search(r"Stack: at most (\d+) bytes", header)
        assert stated is not None
        assert "Reentrant" in header
        found = footprint(CORES[core], c_directory(codec.c_files()), codec.name)
        assert found.stack_bytes is not None
        assert found.stack_bytes <= int(stated[1]), name
        assert found.ram_bytes == 0, name
