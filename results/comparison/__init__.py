"""Settings side by side, and runs: what each leaks, costs and is worth, and which to ship."""
