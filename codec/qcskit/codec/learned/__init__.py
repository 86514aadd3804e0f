"""Learned codecs: EncNet in int8 or int16, its quantizer folded into thresholds; a decoder network at the gateway."""
