"""A runtime in a process of its own: the same numbers as in this one, and a crash is a sentence."""

import gc
import io
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from support.bundles import learned_bundle
from support.hostile import word_mutants

from qcskit.codec.codecs import load_codec, open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.learned import agree, apart, runtime_worker
from qcskit.codec.learned import bundle as bundle_module
from qcskit.codec.learned.apart import Apart
from qcskit.codec.learned.litert import LiteRt
from qcskit.codec.learned.tflm import TflmRuntime


@pytest.fixture(scope="module")
def decoder(bundle_path) -> LiteRt:
    return LiteRt((bundle_path / "decoder.tflite").read_bytes())


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def indices(frames: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 8, (frames, 10)).astype(np.uint8)


def test_numbers_are_those_of_the_runtime_in_this_process(bundle_path, decoder) -> None:
    run = runtime_worker.litert((bundle_path / "decoder.tflite").read_bytes(), False, 1)[1]
    for frames in (300, 1, 40):
        index = indices(frames)
        np.testing.assert_array_equal(decoder.run(index), run(index.astype(np.int32)))
    assert decoder.run(indices(0)).shape == (0, 20)
    assert (decoder.inputs, decoder.outputs, decoder.output_grid) == (10, 20, (0.0, 0))


@pytest.mark.parametrize(("profile", "dtype"), [("tflm", np.int8), ("tflm16", np.int16)])
def test_tflite_micro_too(tmp_path, profile: str, dtype) -> None:
    content = learned_bundle(tmp_path / "b", profile=profile).bundle.read("encoder.tflite")
    here, there = TflmRuntime(content, dtype), Apart("TFLite Micro", content, "tflm", dtype=np.dtype(dtype).str)
    x = np.random.default_rng(2).integers(-128, 128, (50, 10)).astype(dtype)
    np.testing.assert_array_equal(there.run(x), here.run(x))
    assert (there.inputs, there.outputs, there.output_grid) == (here.inputs, here.outputs, here.output_grid)


def test_what_is_no_model_is_refused_in_words() -> None:
    with pytest.raises(QcsError, match=r"^the LiteRT runtime does not accept this model: ") as caught:
        LiteRt(b"no flatbuffer at all")
    assert "\n" not in str(caught.value)
    with pytest.raises(QcsError, match=r"^TFLite Micro (does not accept|crashed on) this model"):
        Apart("TFLite Micro", b"no flatbuffer at all", "tflm", dtype="<i1")


def test_frames_of_another_shape_are_refused(decoder) -> None:
    with pytest.raises(QcsError, match=r"takes frames of shape \(10,\), not \(9,\)"):
        decoder.run(np.zeros((2, 9), np.uint8))


def test_a_crash_is_a_sentence_and_stays_one(bundle_path) -> None:
    runtime = LiteRt((bundle_path / "decoder.tflite").read_bytes())
    os.kill(runtime._worker.pid, signal.SIGSEGV)
    for _ in range(2):
        with pytest.raises(QcsError, match=r"^the LiteRT runtime crashed on this model \(SIGSEGV\): it is damaged$"):
            runtime.run(indices(3))


def test_an_answer_of_another_length_is_refused(decoder, monkeypatch) -> None:
    monkeypatch.setattr(Apart, "_ask", lambda self, *messages: bytes(3 * 20 * 4 - 1))
    with pytest.raises(QcsError, match=r"does not answer 3 frames with as many of shape \(20,\)$"):
        decoder.run(indices(3))


def test_half_a_message_is_none() -> None:
    pipe = io.BytesIO()
    runtime_worker.send(pipe, b"A", b"whole")
    assert runtime_worker.receive(io.BytesIO(pipe.getvalue())) == (b"A", b"whole")
    for size in range(len(pipe.getvalue())):
        with pytest.raises(EOFError):
            runtime_worker.receive(io.BytesIO(pipe.getvalue()[:size]))


def test_a_bundle_s_runtimes_are_never_in_this_process(bundle_path) -> None:
    """This mutant passes every check of its form; LiteRT refuses it or dies of it, as its release may be."""
    codec = open_codec(bundle_path)
    *_, (_, mutant) = word_mutants(codec.bundle.read("decoder.tflite"), 101, 176)
    agree.check_decoder(mutant, 10, 20, codec.facts.quantizer_levels)
    changed = replace(codec.bundle, content={**codec.bundle.content, "decoder.tflite": mutant})
    packets = codec.encode_counts(codec.bundle.vectors["counts"])
    with pytest.raises(QcsError, match=r"decoder\.tflite: the LiteRT runtime (crashed on|does not accept) this model"):
        load_codec(changed).decode(packets)
    for oracle in (bundle_module._tflm(codec.bundle.read("encoder.tflite"), "|i1"), codec._decoder):
        assert isinstance(oracle, Apart)


def test_a_process_ends_with_what_it_was_for(bundle_path) -> None:
    runtime = LiteRt((bundle_path / "decoder.tflite").read_bytes())
    pid = runtime._worker.pid
    assert alive(pid)
    del runtime
    gc.collect()
    assert not alive(pid)


def test_a_process_that_hangs_is_killed(bundle_path, monkeypatch) -> None:
    monkeypatch.setattr(apart, "_STOP_S", 0.01)
    runtimes = [LiteRt((bundle_path / "decoder.tflite").read_bytes()) for _ in range(2)]
    workers = [runtime._worker for runtime in runtimes]
    for worker in workers:
        os.kill(worker.pid, signal.SIGSTOP)  # neither reads, nor leaves when its input ends
    try:
        apart._stop(workers[0], os.getpid() + 1)  # as in a child that was forked off: it is not its own
        assert workers[0].poll() is None
        assert apart._ended(workers[0]) == "no answer"
        assert workers[0].wait(1) == -signal.SIGKILL
        runtimes.clear()
        gc.collect()
        assert workers[1].poll() == -signal.SIGKILL
    finally:
        for worker in workers:
            worker.kill()


def test_threads_get_their_own_answers(decoder) -> None:
    wanted = {frames: decoder.run(indices(frames)) for frames in range(1, 9)}

    def ask(frames: int) -> bool:
        return all(np.array_equal(decoder.run(indices(frames)), wanted[frames]) for _ in range(20))

    with ThreadPoolExecutor(len(wanted)) as pool:
        assert all(pool.map(ask, wanted))


def test_a_forked_process_starts_its_own(decoder) -> None:
    wanted, pid = decoder.run(indices(5)), decoder._worker.pid
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(theirs, decoder.run(indices(5)).tobytes() + (b"shared" if decoder._worker.pid == pid else b""))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(ours, 1 << 16) == wanted.tobytes()
    np.testing.assert_array_equal(decoder.run(indices(5)), wanted)


def test_nan_of_a_decoder_is_one_line(bundle_path, monkeypatch) -> None:
    codec = open_codec(bundle_path)
    packets = codec.encode_counts(codec.bundle.vectors["counts"])
    monkeypatch.setattr(Apart, "run", lambda self, x: np.full((len(x), 20), np.nan, np.float32))
    with pytest.raises(QcsError, match=r"decoder\.tflite gives NaN or infinity; run 'qcskit export' again$"):
        codec.decode(packets)
