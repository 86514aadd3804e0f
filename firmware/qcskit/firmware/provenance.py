"""What a compiled file was made of, in words and digests."""

from io import BytesIO
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from qcskit.codec.files import sha256
from qcskit.firmware.compile import find_tool, tool_version
from qcskit.firmware.sources import sources

_PLACES = ("include", "src", "app", "ports")


def build_parts(product: Path, compiler: str) -> dict[str, str]:
    """Return what a file that `build` or `build_host_library` made is made of, and what it is.

    C core: SHA-256 over every file of the C tree. compiler: the first line of its --version. flags: without places of
    this machine. image: `image_digest`, and so of the model's own C as well.
    Raises MissingToolError if the compiler is gone.
    """
    path = find_tool(compiler, compiler, "to say which one it is")
    command = (product.parent / "command.txt").read_text(encoding="utf-8").partition("\n")[0]
    words = command.replace(str(sources()), "{root}").split()[1:]
    flags = [word for word in words if word.startswith("-") and not word.startswith("-I") and word != "-o"]
    return {
        "C core": core_digest(),
        "compiler": tool_version(path),
        "flags": " ".join(flags),
        "image": image_digest(product.read_bytes()),
    }


def image_digest(content: bytes) -> str:
    """Return the SHA-256 of what an ELF file puts into memory: debug text names places, and the build id hashes it.

    Of any other file that of all its bytes.
    """
    try:
        sections = [
            (section.name, section["sh_addr"], sha256(section.data()))
            for section in ELFFile(BytesIO(content)).iter_sections()
            if section["sh_flags"] & SH_FLAGS.SHF_ALLOC and section.name != ".note.gnu.build-id"
        ]
    except ELFError:
        return sha256(content)
    return sha256(repr(sections).encode())


def core_digest() -> str:
    """Return the SHA-256 over names and contents of the C tree."""
    root = sources()
    files = sorted(path for place in _PLACES for path in (root / place).rglob("*") if path.is_file())
    return sha256(repr([(path.relative_to(root).as_posix(), sha256(path.read_bytes())) for path in files]).encode())
