from reverie.mining.conditional.table import Column, Table
__all__ = ["Column", "Table"]
