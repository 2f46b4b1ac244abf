"""The HTTP API: requests in, answers out. No rule of the house and no SQL lives here."""

__all__: list[str] = []
