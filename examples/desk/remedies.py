"""What clerks of long standing know: each remedy in the words that memory may carry.

The measure tells a clerk all of them, or one. Nothing else in the example reads this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["EVERYTHING", "REMEDIES"]

REMEDIES: Final[Mapping[str, str]] = {
    "evening-upload": "After 17:00 convert a .docx over 50 MB to PDF before uploading it.",
    "lost-tables": "Set keep_tables=true when you convert a document.",
    "stale-index": "Refresh the index before searching for precedents.",
    "sign-first": "Sign a document before you stamp it.",
    "lindau-dates": "Write the date as DD.MM.YYYY in the form of the court of Lindau.",
    "cite-paragraphs": "Cite paragraphs, not pages.",
    "harbour-mornings": "Before noon the Harbour portal is closed: serve notice by courier.",
    "held-record": "When a record is in use, open it under another name.",
    "past-z": "Label more than 26 exhibits with numbers.",
}

EVERYTHING: Final = "\n".join(REMEDIES.values())
"""All of them."""
