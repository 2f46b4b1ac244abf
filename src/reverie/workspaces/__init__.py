"""What a workspace holds besides sessions and memory: agents, environments, vaults, files, deployments, keys."""

__all__: list[str] = []
