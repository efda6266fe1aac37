"""The CompLeak attacks: NR (one model), SR (original and one compressed), MR (several compressed)."""
