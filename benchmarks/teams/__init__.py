"""What a team costs, here and elsewhere."""
