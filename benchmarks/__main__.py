"""``make bench``: every number the documents quote, beside its limit."""

from __future__ import annotations

from benchmarks import appends, dreams, imports

imports.main()
dreams.main()
appends.main()
