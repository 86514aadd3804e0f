"""Every codec's C under ASan and UBSan, in buffers of exactly the stated sizes (guarded_encode.c)."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support import toy
from support.bundles import BUNDLES, classical_bundle, coded_bundle, learned_bundle, random_encoder
from support.lossless import SHAPES as LOSSLESS
from support.lossless import lossless_tables
from support.tables import c_text, packed_of
from support.transform import SHAPES as TRANSFORMS
from support.transform import transform_tables

from qcskit.codec.interface import Codec, Packets
from qcskit.codec.learned.bundle import PROFILES
from qcskit.codec.transform import lossless, packet
from qcskit.codec.transform.c_text import c_files as transform_text
from qcskit.codec.transform.lossless_text import c_files as lossless_text
from qcskit.firmware import build, c_directory, sources, start
from qcskit.firmware.compile import Job, compile_cached
from qcskit.firmware.host import WARNINGS, host_compiler
from qcskit.firmware.protocol.wire import encode_packets
from qcskit.firmware_sim.vectors import corners

HERE = Path(__file__).parent
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# The pair kernel's C, as RV32 compiles it; the coded scheme without words of two counts and without long products.
FORMS = {
    "plain": ("-DWANTED_LAYOUT=QCS_LAYOUT_PLAIN",),
    "pair": ("-DWANTED_LAYOUT=QCS_LAYOUT_PAIR", "-D__riscv_mul=1", "-D__riscv_xlen=32", "-DQCS_CODED_PLAIN",
             "-DQCS_NO_LONG_MULTIPLY"),
}  # fmt: skip
# Widths beside every multiple of a kernel's step; the input widest, a hidden layer, the output.
SHAPES = {
    (1, 1): 2, (33, 4, 1): 3, (5, 33, 3): 4, (3, 5, 4, 33): 256, (4, 3): 10, (33, 5): 16, (1, 3, 1, 4, 5): 7,
}  # fmt: skip

WRITERS = {
    **BUNDLES,
    "toy": toy.toy_bundle,
    # Packets that end in a byte, and within one, of every way to pack.
    "eleven": lambda path: coded_bundle(path, name="eleven", n=10, p=11, m=16, k=1),
    "ternary": lambda path: coded_bundle(path, name="ternary", n=26, p=3, m=16, k=1),
    "bits": lambda path: coded_bundle(path, name="bits", n=15, m=8, k=1, period_bits=15),
    "ten": lambda path: classical_bundle(path, name="ten", levels=10),
    "five": lambda path: classical_bundle(path, name="five", levels=5),
    "sixteen": lambda path: classical_bundle(path, name="sixteen", levels=16),
}


@dataclass(frozen=True, eq=False)
class Model:
    """A model's name, its C text and what it must give for input of either type."""

    name: str
    files: Mapping[str, str]
    inputs: int
    packed_bytes_max: int
    takes_inputs: bool
    encode: Callable[[np.ndarray], Packets]


def of_bundle(codec: Codec) -> Model:
    return Model(
        codec.name, codec.c_files(), codec.inputs, codec.packed_bytes_max, codec.takes_inputs, codec.encode_any
    )


def of_widths(profile: str, widths: tuple[int, ...], levels: int) -> Model:
    tables = random_encoder(np.random.default_rng(levels), widths, levels, profile)[0].tables
    name = f"{profile}_{'_'.join(map(str, widths))}"

    def encode(vectors: np.ndarray) -> Packets:
        return Packets.rows(packed_of(tables, vectors))

    return Model(name, c_text(name, tables), tables.inputs, tables.packing.packed_bytes, profile != "tflm16", encode)


def of_transform(shape: str) -> Model:
    tables, name = transform_tables(**TRANSFORMS[shape]), f"transform_{shape}"

    def encode(counts: np.ndarray) -> Packets:
        return packet.encode(tables, counts)

    files = transform_text(name, "0123456789abcdef", tables, "made up.", 4)
    return Model(name, files, tables.inputs, tables.packed_bytes_max, False, encode)


def of_lossless(shape: str) -> Model:
    tables, name = lossless_tables(**LOSSLESS[shape]), f"lossless_{shape}"

    def encode(counts: np.ndarray) -> Packets:
        return lossless.encode(tables, counts)

    files = lossless_text(name, "0123456789abcdef", tables, 1, "made up.", 4)
    return Model(name, files, tables.inputs, tables.packed_bytes_max, False, encode)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Model]]:
    place = tmp_path_factory.mktemp("bundles")
    with toy.registered():
        bundles = [writer(place / name) for name, writer in WRITERS.items()]
        yield [*map(of_bundle, bundles), *(of_widths(p, w, n) for p in PROFILES for w, n in SHAPES.items()),
               *map(of_transform, TRANSFORMS), *map(of_lossless, LOSSLESS)]  # fmt: skip


def models_text(models: list[Model]) -> str:
    lines = ['#include "guarded_models.h"', '#include "qcs_agent.h"']
    lines += [f'#include "qcs_model_{model.name}.h"' for model in models]
    for model in models:
        upper = model.name.upper()
        lines.append(f"QCS_AGENT_DEFINE({model.name}, {upper}, QCS_AGENT_FRAME_BYTES(2 * QCS_{upper}_INPUTS));")
    lines.append("const guarded_model_t guarded_models[] = {")
    for model in models:
        name = model.name
        lines.append(
            f"  {{&qcs_{name}_codec, QCS_{name.upper()}_SCRATCH_BYTES, sizeof {name}_work + 0 * sizeof {name}}},"
        )
    return "\n".join([*lines, "};", ""])


def program(models: list[Model], form: str) -> Path:
    root = sources()
    files = {name: text for model in models for name, text in model.files.items()}
    place = c_directory(files | {"models.c": models_text(models)})
    ports = root / "ports" / "host"
    return compile_cached(Job(
        "guarded_encode", host_compiler(), "gcc", "encoders under sanitizers",
        ("-std=c11", "-O1", *SANITIZERS, *WARNINGS, *FORMS[form]),
        (HERE / "guarded_encode.c", *sorted((root / "src").glob("*.c")), *sorted(ports.glob("*.c")),
         *sorted(place.glob("*.c"))),
        (root / "include", root / "src", root / "app", ports, HERE, place),
    ))  # fmt: skip


def vectors(model: Model, dtype: type) -> np.ndarray:
    """Return extremes, one value throughout, and noise of every size; not a whole number of blocks."""
    rng = np.random.default_rng(1)
    info = np.iinfo(dtype)
    same = np.repeat(np.array([info.min, -1, 0, info.max], dtype)[:, None], model.inputs, axis=1)
    noise = rng.integers(info.min, info.max, (33, model.inputs), dtype, endpoint=True)
    return np.concatenate([same, corners(model.inputs, 20, rng, dtype), noise >> rng.integers(0, 8, (33, 1), dtype)])


@pytest.mark.parametrize("form", FORMS)
def test_no_encoder_touches_what_is_not_its_own(form: str, models: list[Model]) -> None:
    binary = program(models, form)
    for number, model in enumerate(models):
        for dtype in (np.int8, np.int16) if model.takes_inputs else (np.int16,):
            x = vectors(model, dtype)
            done = subprocess.run([binary, str(number), str(x.itemsize)], input=x.tobytes(), capture_output=True,
                                  env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}, check=False)  # fmt: skip
            case = f"{model.name}, {form}, {dtype.__name__}"
            assert done.returncode == 0, f"{case}: {done.stderr.decode(errors='replace')[:3000]}"
            rows = np.frombuffer(done.stdout, np.uint8).reshape(len(x), -1)
            assert not Packets.rows(rows, model.encode(x).lengths).differ(model.encode(x)).any(), case


AGENTS = {
    "coded": coded_bundle,  # no scratch, 4 bytes per packet
    "narrow": lambda path: learned_bundle(path, name="narrow", widths=(5, 3, 8), levels=16),  # scratch no multiple of 4
}


@pytest.mark.parametrize("name", AGENTS)
def test_the_agent_stays_within_its_memory(name: str, tmp_path: Path) -> None:
    """The whole firmware under sanitizers, with the memory of QCS_AGENT_DEFINE."""
    codec = AGENTS[name](tmp_path / name)
    counts = codec.edges(20, np.random.default_rng(1))
    elf = build("native", c_directory(codec.c_files()), codec.name, extra_flags=SANITIZERS)
    with start("native", elf) as emulator:
        try:
            answers = encode_packets(emulator.url, counts, timeout_s=5)
        except OSError:
            pytest.fail(emulator.log[:3000])
    assert not Packets.rows(answers.rows, answers.lengths).differ(codec.encode_counts(counts)).any()
