"""Several instructions about one topic: one text, and nothing that memory says is lost for want of news."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from reverie.domain.dreams import Withheld
from reverie.domain.findings import Condition, Counts, Effect, Finding
from reverie.domain.memories import Memory
from reverie.dreaming.desk import Desk, Draft, desks
from reverie.dreaming.write import TemplateWriter

CUT = "When `surface` is dusty, call `land` with `cut_m` below 0.8, say 0.4: otherwise it mostly fails with “hard”."
BLIND = (
    "When `surface` is dusty, call `land` with `blind_m` of 9 or more: otherwise it mostly fails with “hard”."
)
DUST = (Condition("surface", "==", "dusty"),)


def pattern(name: str, nature: str, said: dict[str, str], weight: float) -> Finding:
    return Finding(
        id=f"find_{name}", key=f"conditional-patterns:{name}", kind="conditional_pattern", nature=nature,  # type: ignore[arg-type]
        claim=name, statement={"topic": "mistake:hard", "title": name, "when": "before landing"} | said,
        miner="conditional-patterns", miner_version="1", parameters={}, counts=Counts(9, 20, 9, 3, 1, 5),
        effect=Effect(), p_value=None, p_adjusted=0.01, first_seen=datetime(2026, 1, 1, tzinfo=UTC),
        last_seen=datetime(2026, 1, 9, tzinfo=UTC), evidence=(), counter_evidence=(), origins=("agent", "tool"),
        conditions=DUST, weight=weight,
    )  # fmt: skip


def written(*findings: Finding, memory: Memory | None = None) -> Draft | None:
    memories = [] if memory is None else [memory]
    (said,) = TemplateWriter().write(Desk("drm_1", findings, memories, frozenset()))
    return said if isinstance(said, Draft) else None


def kept(draft: Draft) -> Memory:
    return Memory(
        "mem_1", "ms_1", draft.path, draft.content, "0" * 64, "mv_1", 1, datetime(2026, 1, 10, tzinfo=UTC)
    )


CHOICES = (
    pattern("cut late", "behaviour", {"advice": CUT}, 7),
    pattern("fly blind", "behaviour", {"advice": BLIND}, 6),
)
WARNING = pattern(
    "hard", "situation", {"warning": "When `surface` is dusty, expect `land` to mostly fail."}, 9
)


def test_all_instructions_of_a_topic_stand_in_one_text_and_make_its_warning_needless() -> None:
    draft = written(WARNING, *CHOICES)
    assert draft is not None
    assert draft.path.startswith("/notes/")
    assert [part for part in draft.content.split("\n\n") if "`land`" in part] == [CUT, BLIND + "\n"]


def test_a_warning_of_other_circumstances_stays() -> None:
    other = replace(WARNING, conditions=(Condition("far_m", ">=", 190),))
    draft = written(other, *CHOICES)
    assert draft is not None
    assert "expect `land` to mostly fail" in draft.content


def test_an_instruction_that_nothing_new_is_said_of_stays() -> None:
    before = written(*CHOICES)
    assert before is not None
    memory = kept(before)
    assert written(CHOICES[0], memory=memory) is None
    sharper = replace(CHOICES[0], statement={**CHOICES[0].statement, "advice": CUT.replace("0.8", "0.7")})
    draft = written(sharper, memory=memory)
    assert draft is not None
    assert draft.kind == "update"
    assert "below 0.7" in draft.content
    assert "below 0.8" not in draft.content
    assert BLIND in draft.content


def test_a_warning_that_nobody_knows_a_remedy_for_says_so_and_what_it_looks_like() -> None:
    alone = replace(WARNING, statement={**WARNING.statement, "example": "hard landing"})
    draft = written(alone)
    assert draft is not None
    assert draft.path.startswith("/warnings/")
    assert "Nothing is known yet that helps." in draft.content
    assert "> hard landing" in draft.content
    told = replace(alone, statement={**alone.statement, "instead": "use `lidar`"})
    draft = written(told)
    assert draft is not None
    assert "Instead: use `lidar`" in draft.content
    assert "Nothing is known" not in draft.content


def test_what_is_no_longer_so_is_proposed_for_retiring_and_nothing_else_is() -> None:
    memory = kept(next(draft for draft in [written(*CHOICES)] if draft is not None))
    bystander = replace(memory, path="/notes/other.md", content="Other.\n", id="mem_other")
    told = {
        "topic": f"memory:{memory.path}",
        "memories": [memory.path],
        "title": "It is out of date",
        "change": "retire",
    }
    gone = replace(WARNING, kind="stale_memory", statement=told)
    (laid,) = desks("topic", "drm_1", [gone], [bystander, memory], {memory.path})
    assert list(laid.memories) == [memory] and laid.tainted == {memory.path}
    (draft,) = TemplateWriter().write(laid)
    assert isinstance(draft, Draft)
    assert (draft.kind, draft.path, draft.content, draft.findings) == ("retire", memory.path, "", (gone.id,))
    (elsewhere,) = TemplateWriter().write(Desk("drm_1", [gone], [bystander], frozenset()))
    assert isinstance(elsewhere, Withheld), "a memory that is not there cannot be taken out"


def test_no_note_is_written_about_a_note() -> None:
    doubt = replace(
        WARNING, kind="stale_memory", statement={"topic": "memory:/notes/a.md", "memories": ["/notes/a.md"], "warning": "It is not followed."}
    )  # fmt: skip
    (said,) = TemplateWriter().write(Desk("drm_1", [doubt], [], frozenset()))
    assert isinstance(said, Withheld)
    assert said.why.startswith("it speaks of /notes/a.md, not of the work")
