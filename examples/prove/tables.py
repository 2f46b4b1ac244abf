"""The tables of the proof, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from examples.prove.loop import Adopted, Course, Stage
from examples.prove.score import failing, gained, share
from examples.prove.world import Played

__all__ = ["course_lines", "false_lessons", "found"]


def course_lines(course: Course) -> Iterator[str]:
    """All tables of one world."""
    yield f"## {course.world}"
    yield ""
    yield from _curve(course)
    yield from _planted(course)
    yield from _dreams(course)
    yield from _adopted(course)
    yield from _trials(course)
    yield from _phases(course)
    yield from _summary(course)


def found(course: Course) -> list[str]:
    """The planted things that memory teaches to avoid in the end."""
    taught = {name for each in course.adopted for name in each.lesson.teaches}
    return [name for name in course.planted if name in taught]


def false_lessons(course: Course) -> list[str]:
    """What was adopted and is not so."""
    return [told for each in course.adopted for told in each.lesson.false]


# ------------------------------------------------------------------ tables


def _curve(course: Course) -> Iterator[str]:
    before = course.stages[0].results
    yield f"| held-out tasks ({len(before)}) | success (95 %) | points more than before (95 %) | memories | characters |"
    yield "|---|---|---|---|---|"
    for stage in [*course.stages, *course.controls]:
        more = "" if stage.results is before else str(gained(stage.results, before))
        yield f"| {_named(course, stage)} | {share(stage.results)} | {more} | {stage.memories} | {stage.chars:,} |"
    yield ""


def _named(course: Course, stage: Stage) -> str:
    return f"control: {stage.name}" if stage in course.controls else stage.name


def _planted(course: Course) -> Iterator[str]:
    if not course.planted:
        return
    warned = {name for each in course.adopted for name in each.lesson.warns}
    yield (
        f"| what fails, of {len(course.stages[0].results)} held-out tasks | "
        + " | ".join(stage.name for stage in course.stages)
        + " | in memory |"
    )
    yield "|---|" + "---|" * (len(course.stages) + 1)
    counts = [failing(stage.results) for stage in course.stages]
    others = sorted({name for each in counts for name in each} - set(course.planted))
    for name in [*course.planted, *others]:
        known = (
            f"from dream {course.learned[name]}"
            if name in course.learned
            else "a warning only"
            if name in warned
            else "–"
        )
        yield f"| {name} | " + " | ".join(str(each[name]) for each in counts) + f" | {known} |"
    yield ""


def _dreams(course: Course) -> Iterator[str]:
    yield (
        "| dream | sessions seen | of the newest practice succeeded | findings | proposals | by the policy "
        "| by the reviewer's rule | left |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for each, practised in zip(course.dreams, course.practised, strict=True):
        yield (
            f"| {each.number} | {each.sessions} | {share(practised)} | {each.findings} | {each.proposals} "
            f"| {each.by_policy} | {each.by_rule} | {each.left} |"
        )
    yield ""


def _adopted(course: Course) -> Iterator[str]:
    if not course.adopted:
        yield "Nothing was adopted."
        yield ""
        return
    last = course.stages[-1].results
    yield "| adopted | by | teaches | warns of | false | points lost without it (95 %) |"
    yield "|---|---|---|---|---|---|"
    for each in course.adopted:
        lesson = each.lesson
        told = " | ".join(", ".join(names) or "–" for names in (lesson.teaches, lesson.warns, lesson.false))
        yield f"| {_short(each)} | dream {each.dream}, {each.decided} | {told} | {_worth(last, each)} |"
    yield ""


def _trials(course: Course) -> Iterator[str]:
    found = [(each, each.tried) for each in course.adopted if each.tried is not None]
    if not found:
        return
    soon, later = found[0][1]
    yield (
        f"| what {soon.trials} trials would have said | points by it | within {soon.sessions:,} sessions "
        f"| within {later.sessions:,} | sessions until half of them say so |"
    )
    yield "|---|---|---|---|---|"
    last = course.stages[-1].results
    for each, (soon, later) in found:
        needed = "–" if later.needed is None else f"{later.needed:,}"
        yield f"| {_short(each)} | {_worth(last, each)} | {soon.word} | {later.word} | {needed} |"
    yield ""


def _worth(last: Sequence[Played], adopted: Adopted) -> str:
    return str(gained(last, adopted.without)) if adopted.without else "no longer there"


def _short(adopted: Adopted) -> str:
    title = adopted.title.replace("|", "¦")
    return title if len(title) <= 110 else f"{title[:109]}…"


def _phases(course: Course) -> Iterator[str]:
    yield (
        "| "
        + " | ".join(f"{at}: {stage.name}" for at, stage in zip("ABAB", course.phases, strict=True))
        + " |"
    )
    yield "|" + "---|" * len(course.phases)
    yield "| " + " | ".join(str(share(stage.results)) for stage in course.phases) + " |"
    yield ""


def _summary(course: Course) -> Iterator[str]:
    first, last = share(course.stages[0].results), share(course.stages[-1].results)
    if course.planted:
        known = found(course)
        yield f"- found: {len(known)} of {len(course.planted)} planted ({', '.join(known) or 'none'})"
        if first.hits:
            yield f"- success after the last dream is {last.value / first.value:.2f} times that before"
    wrong = sum(bool(each.lesson.false) for each in course.adopted)
    yield f"- false: {wrong} of {len(course.adopted)} adopted ({len(false_lessons(course))} claims)"
    yield f"- {course.agreed} of {course.compared} held-out tasks end through the engine as they do in the small driver"
    tasks = [each for part in course.practised for each in part]
    tokens = [sum(each.tokens for each in part) / max(1, len(part)) for part in course.practised]
    yield (
        f"- practice: {len(tasks)} sessions through the engine; tokens a task before each dream: "
        + ", ".join(f"{each:,.0f}" for each in tokens)
    )
    yield ""
