"""Ways of making sandboxes: closed rooms in which an agent's commands run."""
