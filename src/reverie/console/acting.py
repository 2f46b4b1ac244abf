"""What a person does about a session from its page: say something, interrupt, answer what it waits for."""

from __future__ import annotations

from typing import Any, Final

from reverie.console.rendering import link
from reverie.console.visits import Answer, Moved, Page, Visit
from reverie.domain.errors import Invalid

__all__ = ["PAGES"]


def _send(visit: Visit) -> Answer:
    session_id = visit.path["session_id"]
    visit.house.sessions.send(session_id, [_event(visit)])
    return Moved(link(f"/sessions/{session_id}", visit.asked("thread"), end="1"))


def _event(visit: Visit) -> dict[str, Any]:
    """What is sent, as a client of the API would say it.

    Raises:
        Invalid: nothing is said, or it is none of these.
    """
    form = visit.form
    call, text = form.get("call", ""), form.get("text", "").strip()
    match form.get("what"):
        case "message" if text:
            return {"type": "user.message", "content": [{"type": "text", "text": text}]}
        case "message":
            raise Invalid("text", "a message that says something")
        case "interrupt":
            return {"type": "user.interrupt"}
        case "allow":
            return {"type": "user.tool_confirmation", "tool_use_id": call, "result": "allow"}
        case "deny":
            said = {"deny_message": text} if text else {}
            return {"type": "user.tool_confirmation", "tool_use_id": call, "result": "deny", **said}
        case "result":
            content = [{"type": "text", "text": text}] if text else []
            return {"type": "user.custom_tool_result", "custom_tool_use_id": call, "content": content}
        case other:
            raise Invalid("what", "message, interrupt, allow, deny or result", other)


PAGES: Final = (Page("POST", "/sessions/{session_id}/send", _send, "sessions:write"),)
