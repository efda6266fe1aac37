"""Benchmarks of the program itself, each against a plain baseline written from the definition, in the same run."""
