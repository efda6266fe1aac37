"""PyTorch networks pruned, clustered and trained on, before a toolchain quantizes and writes them."""
