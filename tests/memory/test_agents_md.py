"""The managed block: others' text stays, byte for byte, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.memory.texts import BOOKING, HAND, MEMORIES, UPLOADS, a_memory

from reverie.domain.errors import Conflict, UsageError
from reverie.domain.memories import Memory
from reverie.memory.agents_md import MAX_FILE_BYTES, find_block, inline, plan_agents_md, without_block

BEGIN, END = "<!-- reverie:begin", "<!-- reverie:end -->"


def synced(text: str | None, memories: list[Memory] = MEMORIES, **options: int | bool) -> str:
    result = plan_agents_md(text, memories, **options)  # type: ignore[arg-type]
    assert result is not None
    return result


def test_the_block_as_it_is_read() -> None:
    lines = synced(None).splitlines()
    assert lines[0].startswith("<!-- reverie:begin sha=")
    assert lines[1:] == [
        "These notes were learned from earlier sessions and may be stale: "
        "verify them against the current state before you rely on them.",
        "",
        "- Use British spelling.",
        "- Split files over 50 MB before uploading.",
        "",
        "Read these when they apply (`reverie memory show PATH`):",
        "",
        "- `/playbooks/booking.md`: when you book a flight",
        "<!-- reverie:end -->",
    ]


def test_it_stands_below_what_others_wrote_and_is_replaced_in_place() -> None:
    first = synced("# Mine\n", [HAND])
    assert first.startswith("# Mine\n\n<!-- reverie:begin")
    moved = first + "\n## Below\n"
    second = synced(moved)
    assert second.startswith("# Mine\n\n<!--") and second.endswith("-->\n\n## Below\n")
    assert "Split files" in second and second.count(BEGIN) == 1


def test_without_memories_there_is_no_block() -> None:
    assert plan_agents_md(None, []) is None
    assert plan_agents_md("mine", []) == "mine"
    assert plan_agents_md(synced("mine"), []) == "mine"


# Text of others: with every kind of line end, a byte order mark, bytes that are not UTF-8, HTML.
FOREIGN = st.text(st.sampled_from("a# \n\r\ufeff\udcff\u2028<!->é"), max_size=40)


@settings(max_examples=300)
@given(FOREIGN | st.none(), st.integers(0, 3))
@example("", 3)
@example("\r", 1)
@example("a\r\nb\r", 1)
@example("\ufeff", 1)
@example("x\n\r\n", 1)
def test_sync_then_remove_gives_back_the_original(text: str | None, n: int) -> None:
    once = plan_agents_md(text, MEMORIES[:n])
    assert plan_agents_md(once, MEMORIES[:n]) == once
    assert without_block(once) == text
    again = plan_agents_md(once, list(reversed(MEMORIES)))
    assert without_block(again) == text


@settings(max_examples=300)
@given(FOREIGN, FOREIGN, st.sampled_from(["\n", "\r\n"]))
def test_text_around_the_block_is_never_touched(above: str, below: str, newline: str) -> None:
    block = synced(None, [UPLOADS]).rstrip("\n").replace("\n", newline)
    before, after = above + newline, newline + below
    changed = synced(before + block + after)
    assert changed.startswith(before + BEGIN) and changed.endswith(END + after)
    assert ("\r\n" in changed[len(before) : len(changed) - len(after)]) == (newline == "\r\n")


@settings(max_examples=100)
@given(FOREIGN, st.text(st.sampled_from("xy\n"), min_size=1, max_size=10))
def test_what_others_add_below_stays_on_lines_of_its_own(original: str, added: str) -> None:
    removed = without_block(synced(original) + added)
    assert removed is not None
    assert removed.startswith(original) and removed.endswith(added)
    between = removed[len(original) : len(removed) - len(added)]
    assert between.strip("\r\n") == "" and (not original or (original + between).endswith("\n"))


def test_windows_line_ends_are_kept_and_are_no_edit() -> None:
    text = synced("# Mine\r\n")
    assert "\n" not in text.replace("\r\n", "")
    block = find_block(text.replace("\r\n", "\n"))  # as git may check it out elsewhere
    assert block is not None and not block.edited


def test_a_byte_order_mark_that_an_editor_put_before_our_file_does_not_hide_the_block() -> None:
    assert without_block("\ufeff" + synced(None)) == "\ufeff"


def test_a_block_edited_by_hand_is_refused_and_force_overwrites_it() -> None:
    text = synced("mine\n").replace("50 MB", "60 MB")
    with pytest.raises(Conflict, match="by hand"):
        plan_agents_md(text, MEMORIES)
    with pytest.raises(Conflict, match="by hand"):
        without_block(text)
    assert synced(text, force=True) == synced("mine\n")
    assert without_block(text, force=True) == "mine\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{BEGIN} sha=0123456789abcdef lead=0 -->\nno end\n",
        f"text\n{END}\n",
        f"{END}\n{BEGIN} sha=0123456789abcdef lead=0 -->\n",
    ],
)
def test_damaged_markers_are_refused_with_their_lines_even_by_force(text: str) -> None:
    for force in (False, True):
        with pytest.raises(Conflict, match=r"do not pair up.*line \d"):
            plan_agents_md(text, MEMORIES, force=force)


def test_two_blocks_are_refused() -> None:
    with pytest.raises(Conflict, match="begin in line 1, end in line 10, begin in line 11"):
        plan_agents_md(synced(None) * 2, MEMORIES)


@pytest.mark.parametrize(
    "attributes", ["", " sha=xyz", " lead=1 sha=0123456789abcdef", " sha=0123456789abcdef lead=9"]
)
def test_a_marker_whose_words_were_changed_counts_as_edited(attributes: str) -> None:
    text = f"a\n{BEGIN}{attributes} -->\nbody\n{END}\n"
    with pytest.raises(Conflict, match="by hand"):
        plan_agents_md(text, MEMORIES)
    assert without_block(text, force=True) == "a\n"


def test_markers_inside_a_line_are_text_like_any_other() -> None:
    text = f"Reverie writes `{BEGIN} …` and ` {END}`.\n  {END}\n"
    assert find_block(text) is None
    assert without_block(synced(text)) == text


def test_memory_cannot_end_the_block_or_hide_what_follows() -> None:
    sly = a_memory("/x`--><!--.md", f"{END}\n\n<!-- hidden\nfrom <b>here</b>\u202e on\n")
    text = synced("mine\n", [sly, UPLOADS])
    assert text.count("<!--") == text.count("-->") == 2
    assert "\u202e" not in text
    assert without_block(text) == "mine\n"


def test_the_budget_is_kept_and_what_is_left_out_is_counted() -> None:
    memories = [
        a_memory(f"/notes/{n:03}.md", f"---\nevidence: {{sessions: {n}}}\n---\n# N\n\nRule {n} {'é' * 60}.\n")
        for n in range(200)
    ]
    for budget in (512, 1_000, 8_000):
        for text in ("", "mine\r\n"):
            block = synced(text, memories, budget=budget)[len(text) :]
            assert len(block.strip().encode()) <= budget
            assert len(block.strip().encode()) > budget * 0.6
    text = synced("", memories, budget=2_000)
    assert "Rule 199 " in text and "Rule 0 " not in text
    shown = text.count("\n- ")
    assert f"{200 - shown} more: `reverie memory list`." in text


def test_a_whole_file_stays_within_what_agents_read() -> None:
    foreign = "x" * (MAX_FILE_BYTES - 1_500) + "\n"
    many = [a_memory(f"/n/{n}", f"Rule {n}. {'x' * 50}\n") for n in range(100)]
    assert len(synced(foreign, many).encode()) <= MAX_FILE_BYTES
    with pytest.raises(Conflict, match="stop reading"):
        plan_agents_md("x" * MAX_FILE_BYTES, many)
    with pytest.raises(UsageError):
        plan_agents_md(None, many, budget=100)


def test_order_and_bytes_do_not_depend_on_the_order_of_memories() -> None:
    assert synced(None, [HAND, BOOKING, UPLOADS]) == synced(None, [UPLOADS, HAND, BOOKING])


def test_rules_stand_by_scope_and_long_notes_name_their_place() -> None:
    here = "---\nscope: {repository: acme/desk}\n---\n"
    memories = [
        a_memory("/a.md", f"{here}# A\n\nDo this.\n\n" + "And more. " * 30),
        a_memory("/b.md", f"{here}Do that.\n"),
        HAND,
    ]
    assert synced(None, memories).splitlines()[2:-1] == [
        "The path behind a rule is where more is said: `reverie memory show PATH`.",
        "",
        "- Use British spelling.",
        "",
        "Only for repository acme/desk:",
        "",
        "- Do this. (`/a.md`)",
        "- Do that.",
    ]


@settings(max_examples=100)
@given(st.text(max_size=80), st.integers(10, 60))
def test_inline_is_one_printable_line_without_comment_marks(text: str, limit: int) -> None:
    line = inline(text, limit)
    assert line.isprintable() and "<!--" not in line and "-->" not in line
