"""Keras side of the kit: the SHQ layer, EncNet/DecNet, schedules and the training loop. Needs the extra `train`.

A model of one's own, trained by `fit`:
>>> import keras, numpy as np
>>> from qcskit.training import SHQ, AnnealSHQ
>>> layers = [keras.layers.Dense(8, "tanh"), keras.layers.Dense(4, "tanh"), SHQ(4), keras.layers.Dense(6)]
>>> model = keras.Sequential([keras.Input((6,)), *layers])
>>> model.compile("adam", "mse")
>>> x = np.random.default_rng(0).standard_normal((256, 6))
>>> fit = model.fit(x, x, epochs=2, verbose=0, validation_split=0.25, callbacks=[AnnealSHQ()])
>>> [round(h) for h in fit.history["steepness"]], len(fit.history["val_hard_nmse_db"])
([50, 105], 2)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcskit.training.anneal import AnnealSHQ, Ramp
    from qcskit.training.shq import SHQ
else:
    from qcskit.codec.lazy import lazy

    __getattr__, __dir__ = lazy(__name__, {
        "SHQ": "qcskit.training.shq:SHQ",
        "AnnealSHQ": "qcskit.training.anneal:AnnealSHQ",
        "Ramp": "qcskit.training.anneal:Ramp",
    })  # fmt: skip

__all__ = ["SHQ", "AnnealSHQ", "Ramp"]
