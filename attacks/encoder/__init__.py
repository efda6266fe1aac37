"""Attacks on encoders: LpLA, EncoderMI and PartCrop, from what an encoder answers. Arrays in, scores out."""
