"""`qcskit firmware build`: the image is the very one that the emulator runs, in the form that the suffix says."""

import json
from pathlib import Path

import pytest
from support.command import Made
from support.need import need_board
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.firmware import built
from qcskit.codec.codecs import open_codec
from qcskit.firmware import find_board
from qcskit.firmware.image import parts_of, to_bin
from qcskit.hil import Device
from qcskit.hil.evidence import image_parts


def test_the_image_is_the_one_that_the_emulator_runs(made: Made, tmp_path: Path) -> None:
    need_board("netduinoplus2")
    bundle, runner, app = str(made("int8")), CliRunner(), build_app()

    def build(board: str, kind: str) -> list[str]:
        return ["firmware", "build", bundle, "-b", board, "-o", str(tmp_path / f"i.{kind}"), "--json"]

    told = [json.loads(runner.invoke(app, build("netduinoplus2", kind)).output) for kind in ("elf", "bin")]
    with Device.open("emu:netduinoplus2", open_codec(bundle)) as device:
        assert {facts["image_sha256"] for facts in told} == {image_parts(device)["image"]}
        assert device.emulator is not None
        assert (tmp_path / "i.elf").read_bytes() == device.emulator.elf.read_bytes()
    assert (tmp_path / "i.bin").read_bytes() == to_bin(parts_of(tmp_path / "i.elf"))
    assert "ends in .elf, .hex, .bin or .uf2" in str(runner.invoke(app, build("netduinoplus2", "img")).exception)
    assert "did you mean 'netduino2'?" in str(runner.invoke(app, build("netduino", "elf")).exception)


@pytest.mark.parametrize(("flag", "told"), [((), True), (("-q",), False)])
def test_the_image_is_told_with_its_model_unless_quiet(
    flag: tuple[str, ...], told: bool, made: Made, tmp_path: Path
) -> None:
    codec, out = open_codec(made("int8")), tmp_path / "i.elf"
    done = CliRunner().invoke(build_app(), ["firmware", "build", str(made("int8")), "-o", str(out), *flag])
    assert out.is_file()
    elf, digest = built(codec, find_board("native"))
    assert out.read_bytes() == elf.read_bytes()
    model = f"{out}: {codec.name}, model {codec.bundle.manifest.model_id}, for {find_board('native').summary}"
    assert done.output.splitlines() == ([model, f"image SHA-256 {digest}"] if told else [])
