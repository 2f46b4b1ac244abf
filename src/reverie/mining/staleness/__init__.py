"""Stale, contradictory and unfollowed memory: what is written, against what sessions show."""

from reverie.mining.staleness.miner import StaleMemory

__all__ = ["StaleMemory"]
