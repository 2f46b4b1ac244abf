"""Hundreds of builds at once: what went wrong in them, grouped by cause, with its lines."""
