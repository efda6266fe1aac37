"""Notes for rows that more than one toolchain gives."""

MEAN_IN_FLOAT = "The mean is taken of the dequantized feature map, in float32: a map and its mean suit no common scale."
COARSE_LOGITS = "All logits of all tokens share one scale of 256 steps: log-likelihoods are as coarse as that."
