"""What Claude Code writes beside the conversation: system records and attachments."""

from __future__ import annotations

from typing import Final

from reverie.domain.events import Json
from reverie.domain.imports import Skipped
from reverie.importers.claude_blocks import EventBody
from reverie.importers.values import blocks, integer, mapping, sequence, string, text_block

__all__ = ["attachment_note", "system_note"]

_TICKS: Final = frozenset({"turn_duration", "bridge_status", "session_start", "api_metrics", "thinking"})
_BOUNDARIES: Final = frozenset({"compact_boundary", "microcompact_boundary"})
_SYSTEM_KINDS: Final = {"local_command": "command", "away_summary": "summary"}
_HOOKS: Final = {
    "hook_additional_context": "content",
    "hook_system_message": "content",
    "hook_success": "content",
    "hook_non_blocking_error": "stderr",
    "hook_stopped_continuation": "message",
    "hook_error_during_execution": "content",
}
_CONTEXT: Final = frozenset(
    {
        "agent_listing_delta",
        "agent_mention",
        "auto_mode",
        "auto_mode_exit",
        "batching_reminder_sent",
        "budget_usd",
        "command_permissions",
        "compact_file_reference",
        "critical_system_reminder",
        "date_change",
        "deferred_tools_delta",
        "diagnostics",
        "directory",
        "dynamic_skill",
        "edited_image_file",
        "file",
        "hook_cancelled",
        "hook_permission_decision",
        "invoked_skills",
        "mcp_instructions_delta",
        "opened_file_in_ide",
        "output_style",
        "plan_file_reference",
        "plan_mode",
        "plan_mode_exit",
        "plan_mode_reentry",
        "read_truncation_notice",
        "selected_lines_in_ide",
        "silent_turn_reminder",
        "skill_listing",
        "task_reminder",
        "task_status",
        "todo",
        "todo_reminder",
        "token_usage",
        "total_tokens_reminder",
        "ultra_effort_enter",
        "ultra_effort_exit",
        "verify_plan_reminder",
    }
)


def system_note(record: dict[str, Json]) -> EventBody | Skipped | None:
    """A ``system`` record: an event, a reason to leave it out, or None where nobody knows it."""
    subtype, text = string(record.get("subtype")), string(record.get("content"))
    if subtype in _BOUNDARIES:
        return _compacted(record)
    if subtype == "stop_hook_summary":
        errors = "\n".join(e for e in map(string, sequence(record.get("hookErrors"))) if e)
        return _note("hook", errors) if errors else Skipped("a hook had nothing to say")
    if subtype in _TICKS:
        return Skipped("bookkeeping of the tool")
    if text is None or subtype is None:
        return None
    return _note(_SYSTEM_KINDS.get(subtype, "injected"), text)


def attachment_note(attachment: dict[str, Json]) -> EventBody | Skipped | None:
    """An ``attachment`` record (but for queued prompts), in the same three ways."""
    kind = attachment.get("type")
    if not isinstance(kind, str):
        return None
    if kind in _HOOKS:
        text = _text(attachment.get(_HOOKS[kind]))
        return _note("hook", text) if text else Skipped("a hook had nothing to say")
    if kind == "hook_blocking_error":
        return _note("hook", _text(mapping(attachment.get("blockingError")).get("blockingError")))
    if kind == "nested_memory":
        return _note("instructions", _text(mapping(attachment.get("content")).get("content")))
    if kind == "edited_text_file":
        name, snippet = string(attachment.get("filename")), string(attachment.get("snippet"))
        return _note("injected", "\n".join(part for part in (name, snippet) if part))
    return Skipped("context the tool adds by itself") if kind in _CONTEXT else None


def _compacted(record: dict[str, Json]) -> EventBody:
    data = mapping(record.get("compactMetadata")) or mapping(record.get("microcompactMetadata"))
    payload: dict[str, Json] = {}
    if trigger := string(data.get("trigger")):
        payload["trigger"] = trigger
    if (tokens := integer(data.get("preTokens"))) is not None:
        payload["pre_tokens"] = tokens
    return "agent.thread_context_compacted", payload


def _note(kind: str, text: str) -> EventBody | None:
    return ("system.message", {"content": [text_block(text)], "kind": kind}) if text.strip() else None


def _text(content: Json) -> str:
    return "\n".join(t for t in (string(block.get("text")) for block in blocks(content)) if t)
