"""Whole programs that use Reverie as anybody can: ``python -m examples.moon`` from a clone."""
