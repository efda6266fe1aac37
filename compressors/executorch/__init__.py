"""ExecuTorch: .pte files, lowered to XNNPACK. Needs the optional extra ``executorch``."""
