"""Reading what an agent delivers: what a reader sees of a file, and what is hidden from one."""
