"""Where random numbers begin: every stage draws from the user's seed plus an offset of its own.

So no stage sees another one's frames, and stages that must see the same ones (a training's test and the export's) do.
"""

VALIDATION = 1_000_003
"""Live hard NMSE of a training."""
TEST = 2_000_003
"""Final NMSE: of a training, a fit, an export; equal seed and number, the same frames."""
FINETUNE = 3_000_017
"""Decoder fine-tuning at export; one block of frames per call."""
CALIBRATION = 4_000_037
"""Ranges of the integer grids."""
GOLDEN = 5_000_011
"""vectors.npz."""
LLOYD = 6_000_011
"""Lloyd quantizers of a training without EncNet."""
TRAINING_SET = 8_000_009
"""Fixed frames that a training draws its batches from."""
HIL = 7_000_003
"""Fresh packets of a run on a board."""
HIL_RUN = 1_000_003
"""From one seed of `[hil]` to the next: blocks of packets are numbered below this."""
