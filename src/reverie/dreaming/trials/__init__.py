"""Did a memory help? Who sees it, what the outcomes say at any time one looks, and replays before it is adopted.

``assignment`` draws which sessions see a memory on trial. ``strata`` says what would have been expected of a
session anyhow. ``betting`` turns both into evidence that may be looked at after every session; ``verdicts``
turns the evidence of all memories on trial into words. ``plans``, ``design``, ``pairs`` and ``allocation`` decide from
replays of the same tasks, with and without an edit, whether to adopt it. None of these reads or writes anything.

``service`` is what people use: ``beginning`` puts a memory on trial, ``exposure`` says who sees it and writes that
down, ``settling`` takes in how sessions ended (by the ``marks`` of what the memory is about), ``figures`` and
``judging`` say what it shows, and do what follows: ``proposing`` asks a person.
"""

from __future__ import annotations
