"""Documents: a report and a deck, drafted from a brief and mended until a rubric is met."""
