"""Teams: who may be called, and what of a plan is to be done next. Decides, and does nothing."""
