"""All that a run on a board stands on: `qcskit.codec.evidence` with the parts that only a run knows."""

from collections.abc import Mapping

from qcskit.codec.evidence import Evidence, common_parts
from qcskit.codec.interface import Codec
from qcskit.firmware import build_parts
from qcskit.hil.config import HilConfig
from qcskit.hil.device import Device
from qcskit.hil.vectors import VectorSet


def run_evidence(vectors: VectorSet, label: str, image: Mapping[str, str]) -> Evidence:
    """Return the evidence of one board's answers: what must be equal for a run to be resumed."""
    asked, own = f"{vectors.count} of seed {vectors.seed} as {vectors.kind}", {}
    if vectors.data is not None:
        asked, own = f"{vectors.count} of the data as {vectors.kind}", {"data": vectors.data.evidence}
    return Evidence.of({**common_parts(vectors.codec.bundle), "vectors": asked, **own, "board": label, **image})


def results_evidence(codec: Codec, config: HilConfig) -> Evidence:
    """Return the evidence of a results file; each board's own is in its entry."""
    return Evidence.of({**common_parts(codec.bundle), "configuration": config.model_dump_json()})


def image_parts(device: Device) -> dict[str, str]:
    """Return what a board runs: of an emulated one the firmware that was built; else what INFO states, and no more."""
    if device.emulator is not None:
        return build_parts(device.emulator.elf, device.emulator.board.compiler)
    info = device.info
    stated = f"firmware {info.firmware_version}, protocol {info.protocol}, model {info.model_id}"
    return {"image": f"not known; the board states {stated}, INFO {info.to_payload().hex()}"}
