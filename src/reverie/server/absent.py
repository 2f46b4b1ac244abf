"""What the vendor's API has and this one does not: a plain 501 with the reason, for every method and path
below these. The SDK raises ``HTTPNotImplementedError`` for it and does not try again."""

from __future__ import annotations

from typing import Final

from reverie.domain.errors import Unsupported

__all__ = ["ABSENT", "refuse_absent"]

ABSENT: Final[dict[str, str]] = {
    "/v1/messages": "Reverie is no model provider: ask the model's own API for messages and batches",
    "/v1/complete": "Reverie is no model provider: ask the model's own API",
    "/v1/skills": "there are no skills here; what an agent should know belongs into a memory store",
    "/v1/user_profiles": "there are no user profiles here",
    "/v1/tunnels": "there are no tunnels here; a self-hosted server reaches its own network",
    "/v1/organizations": "there is no organization here, only workspaces and keys: `reverie workspaces`, "
    "`reverie keys`; of the organization's resources only webhooks are served",
}
_SERVED: Final = "/v1/organizations/webhooks/"


def refuse_absent(path: str) -> None:
    """Say that ``path`` is known and not offered; nothing when it is not one of these.

    Raises:
        Unsupported
    """
    if path.startswith(_SERVED):
        return
    for prefix, reason in ABSENT.items():
        if path == prefix or path.startswith(prefix + "/"):
            raise Unsupported(reason, where=prefix)
