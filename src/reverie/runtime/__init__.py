"""Sessions that run: the brain decides, the hands act, the log remembers."""
