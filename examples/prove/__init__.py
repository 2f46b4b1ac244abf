"""``make prove``: does what is dreamed help? Worlds whose agents know nothing but what is in memory."""
