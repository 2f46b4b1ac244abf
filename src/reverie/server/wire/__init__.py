"""The shapes of the wire: the only place that knows what clients call things."""

__all__: list[str] = []
