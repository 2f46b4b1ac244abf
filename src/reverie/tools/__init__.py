"""A wing: the built-in tools, the client of MCP servers, and what every tool's call goes through."""
