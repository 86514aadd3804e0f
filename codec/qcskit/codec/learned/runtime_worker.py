"""The other side of `apart.Apart`: a runtime in a process of its own, for a damaged flatbuffer can crash it.

Messages on both pipes: length as uint64, a letter, then content. The first two say what to run: runtime and options as
JSON, the flatbuffer. The answer describes its ends as JSON. From then on frames in, frames out, as bare numbers of
these types. An answer with the letter E is an error in words.
"""

import json
import os
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

LITERT = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")
"""The runtime's two names: up to Python 3.11 on Linux, and everywhere else."""
_LENGTH = struct.Struct("<Qc")
_MOST_ADDRESS_BYTES = 8 << 30

Run = Callable[[NDArray[Any]], NDArray[Any]]
Model = tuple[dict[str, Any], Run]
"""Ends as JSON, and what computes outputs (frames, …) of inputs (frames, …)."""


def send(pipe: BinaryIO, letter: bytes, content: bytes) -> None:
    """Write one message."""
    pipe.write(_LENGTH.pack(len(content), letter))
    pipe.write(content)
    pipe.flush()


def receive(pipe: BinaryIO) -> tuple[bytes, bytes]:
    """Return letter and content of the next message. Raises EOFError if the other side is gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    length, letter = _LENGTH.unpack(head)
    content = pipe.read(length)
    if len(content) < length:
        raise EOFError
    return letter, content


def litert(content: bytes, reference: bool, threads: int) -> Model:
    """Return a model in the LiteRT interpreter; reference: in its plain C++ kernels."""
    module = import_module(next(name for name in LITERT if find_spec(name.partition(".")[0])))
    options: dict[str, Any] = {"num_threads": threads}
    if reference:
        options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_REF
    interpreter = module.Interpreter(model_content=content, **options)
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    batch = 0

    def run(x: NDArray[Any]) -> NDArray[Any]:
        nonlocal batch
        if len(x) != batch:
            interpreter.resize_tensor_input(source["index"], x.shape)
            interpreter.allocate_tensors()
            batch = len(x)
        interpreter.set_tensor(source["index"], x)
        interpreter.invoke()
        output: NDArray[Any] = interpreter.get_tensor(result["index"])
        return output

    scale, zero_point = result["quantization"]
    ends = _ends(source["dtype"], source["shape"], result["dtype"], result["shape"], (float(scale), int(zero_point)))
    return ends, run


def tflm(content: bytes, dtype: str) -> Model:
    """Return an encoder in the TFLite Micro interpreter; dtype: of its ends."""
    from qcskit.codec.learned.tflm import TflmRuntime

    runtime = TflmRuntime(content, np.dtype(dtype).type)
    shapes = (1, runtime.inputs), (1, runtime.outputs)
    return _ends(dtype, shapes[0], dtype, shapes[1], runtime.output_grid), runtime.run


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer messages until the other side is gone."""
    options = json.loads(receive(source)[1])
    content = receive(source)[1]
    try:
        runtimes: dict[str, Callable[..., Model]] = {"litert": litert, "tflm": tflm}
        ends, run = runtimes[options.pop("runtime")](content, **options)
    except Exception as error:  # whatever a runtime raises is an answer
        send(sink, b"E", _words(error))
        return
    send(sink, b"A", json.dumps(ends).encode())
    while True:
        frames = receive(source)[1]
        try:
            x = np.frombuffer(frames, ends["input"]).reshape(-1, *ends["input_shape"][1:])
            answer = b"A", run(x).tobytes()
        except Exception as error:  # as above
            answer = b"E", _words(error)
        send(sink, *answer)


def _ends(input_type: Any, input_shape: Any, output_type: Any, output_shape: Any, grid: Any) -> dict[str, Any]:
    return {
        "input": np.dtype(input_type).str, "input_shape": [int(size) for size in input_shape],
        "output": np.dtype(output_type).str, "output_shape": [int(size) for size in output_shape], "grid": grid,
    }  # fmt: skip


def _words(error: Exception) -> bytes:
    return " ".join(str(error).split())[:300].encode()


def main() -> None:
    """Serve on the standard pipes; what native code prints goes nowhere."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    with suppress(ImportError, ValueError, OSError):
        import resource

        # A damaged shape that asks for more is refused by the system instead of filling the memory.
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_ADDRESS_BYTES, _MOST_ADDRESS_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(EOFError, BrokenPipeError):
        serve(sys.stdin.buffer, sink)


if __name__ == "__main__":
    main()
