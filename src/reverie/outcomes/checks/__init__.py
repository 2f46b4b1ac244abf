"""Deterministic checks: what a rubric can ask of a work without asking a model."""
