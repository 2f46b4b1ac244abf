"""What a step of an agent costs, here and elsewhere."""
