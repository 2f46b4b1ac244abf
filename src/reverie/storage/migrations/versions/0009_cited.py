"""How many of its findings a proposal cites; the others lay before its writer."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0009"
down_revision: Final = "0008"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    op.add_column("proposals", sa.Column("cites", sa.Integer))
