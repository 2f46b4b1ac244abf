"""Did a memory help? Who sees it, what the outcomes say at any time one looks, and replays before it is adopted.

``assignment`` draws which sessions see a memory on trial. ``strata`` says what would have been expected of a
session anyhow. ``betting`` turns both into evidence that may be looked at after every session; ``verdicts``
turns the evidence of all memories on trial into words. ``design``, ``pairs`` and ``allocation`` decide from
replays of the same tasks, with and without an edit, whether to adopt it. Nothing here reads or writes anything.
"""

from __future__ import annotations
