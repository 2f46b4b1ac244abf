"""Converging workflows: steps in an order that sessions come to independently, and that goes with success."""

from reverie.mining.workflows.miner import ConvergingWorkflows

__all__ = ["ConvergingWorkflows"]
