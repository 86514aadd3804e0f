"""What this family proposes when codecs are compared: a code of fixed length for the samples themselves."""

from collections.abc import Sequence

from qcskit.export.compare import Candidate, Settings

_CODEC = "ce-sq-omp"
_TRAIN_FRAMES = 4000
_MOST_BITS = 8
_QUICK = {"classical": {"test_frames": 100}}


def candidates(sizes: Sequence[int], rates: Sequence[float], front: Settings) -> list[Candidate]:
    """Return one Lloyd quantizer per sample at the rates of whole bits; below 1 bit some samples are left out.

    The device samples them itself, whatever `front` is configured.
    """
    del front
    n = sizes[0]
    designs: dict[float | None, Settings] = {rate: settings for rate in rates if (settings := _settings(n, rate))}
    return [Candidate(_CODEC, _CODEC, designs, _QUICK)] if designs else []


def _settings(n: int, rate: float) -> Settings | None:
    """Return the settings that send rate · n bits of a window; None if no whole bits do."""
    sent = n if rate >= 1 else round(rate * n)
    bits = rate * n / max(sent, 1)
    if bits != round(bits) or not 1 <= bits <= _MOST_BITS:
        return None
    # The decoder takes so many DCT coefficients for the signal: more with finer samples.
    kept = max(1, sent // 4 if bits == 1 else sent // 2)
    signal = {"n": n, "m": sent, "s": kept, "basis": "dct", "matrix": "identity" if sent == n else "uniform"}
    return {"signal": signal, "classical": {"levels": 1 << round(bits), "train_frames": _TRAIN_FRAMES}}
