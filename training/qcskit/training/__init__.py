"""Keras side of the kit: the SHQ layer, EncNet/DecNet, schedules and the training loop. Needs the extra `train`."""
