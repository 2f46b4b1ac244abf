"""Agents in Python: what one is made of, and the sessions it runs. See ``reverie.Agent``."""
