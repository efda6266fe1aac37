"""Self-supervised training of encoders, by six methods, and what their embeddings are worth."""
