"""Attacks on language models: what the likelihoods of a text's tokens say about whether it was trained on."""
