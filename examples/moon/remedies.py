"""What experienced crews know: each remedy in the words that memory may carry, and the sites it is for.

The measure tells a crew all of them, or one. Nothing else in the example reads this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["EVERYTHING", "REMEDIES"]

REMEDIES: Final[Mapping[str, str]] = {
    "hover over dust": "Hover at 8 m for 18 s before touching down where there is dust.",
    "inertial in dust": "Believe the inertial sensors below 10 m where there is dust.",
    "cut late": "Cut the engine at 0.5 m.",
    "zoom": "Zoom on each candidate where there are slopes. Zoom on each candidate where there are boulders.",
    "divert": "Divert 1.5 m clear of rocks where there are boulders. Divert 1.5 m clear of rocks in the dark.",
    "lidar": "Survey with lidar in the dark.",
    "descend fast": "Descend at 8 m/s where the target is far.",
    "keep fuel": "Keep 0.6 kg of fuel.",
}

EVERYTHING: Final = "\n".join(REMEDIES.values())
