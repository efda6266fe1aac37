"""The plan's stages, one module each: a config and parent directories in, files out."""
