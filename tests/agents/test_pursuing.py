"""``reverie.pursue`` and ``reverie.grade``: work that is judged, mended, and judged again."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import reverie
from reverie.agents.pursuing import Pursuit, start
from reverie.agents.trying import compared, probed
from reverie.domain.errors import ConfigError, Invalid, NotFound, ReverieError, UsageError
from reverie.domain.outcomes import GRADER, GraderSettings
from reverie.outcomes.agreement import read_labels
from reverie.outcomes.rubrics import read_rubric

RUBRIC = "- Says that the `valve` is tight\n- Names `Ruiz`, who tested it\n"
CHECKED = "- There is a report\n\n  ```check\n  file = 'report.md'\n  ```\n"
WORK = "The valve is tight, as far as anybody can tell.\n"
DONE = WORK + "Ruiz tested it in March.\n"


@pytest.fixture
def judging() -> Callable[[str], str]:
    """The name of one of the models in ``judging.py``."""
    return lambda name: f"scripted:{Path(__file__).with_name('judging.py')}:{name}"


@pytest.fixture
def drafter(judging: Callable[[str], str]) -> reverie.Agent:
    return reverie.Agent(name="drafter", model=judging("drafter"), tools=["write"])


@pytest.fixture
def graded(house: reverie.Reverie, judging: Callable[[str], str]) -> Callable[..., Any]:
    """Judges by the honest grader."""

    def grade(output: Any, rubric: Any = RUBRIC, **more: Any) -> Any:
        return reverie.grade(output, rubric, **{"grader": judging("honest"), "reverie": house, **more})

    return grade


# ---------------------------------------------------------------------- pursue


def pursued(house: reverie.Reverie, agent: Any, grader: Any, **more: Any) -> Pursuit:
    wanted = {"rubric": RUBRIC, "grader": grader, "reverie": house, **more}
    return asyncio.run(reverie.pursue("Write a report on the valve.", agent=agent, **wanted))


def test_work_is_mended_until_it_is_right(
    house: reverie.Reverie, drafter: reverie.Agent, judging: Callable[[str], str]
) -> None:
    seen: list[str] = []
    done = pursued(house, drafter, judging("honest"), on_event=lambda event: seen.append(event.type))
    assert done.satisfied and done.result == "satisfied"
    assert [verdict.result for verdict in done.verdicts] == ["needs_revision", "satisfied"]
    first, last = done.verdicts
    assert first.score == 0.5 and "Ruiz" in first.feedback and last.feedback == ""
    assert [each.met for each in first.criteria] == [True, False]
    assert done.deliverables()["report.md"].decode().endswith("It is noted here: Ruiz.")
    assert done.text == "The report is in the outputs folder."
    assert seen.count("span.outcome_evaluation_end") == 2
    assert done.session.outcome.label == "success"


def test_work_that_is_never_right_ends_at_the_last_iteration(
    house: reverie.Reverie, judging: Callable[[str], str]
) -> None:
    stubborn = reverie.Agent(name="stubborn", model=judging("stubborn"))
    done = pursued(house, stubborn, judging("honest"), max_iterations=2)
    assert not done.satisfied and done.result == "max_iterations_reached"
    assert len(done.verdicts) == 2 and done.session.outcome.label == "failure"


def test_without_a_judgement_it_failed_and_says_why(
    house: reverie.Reverie, drafter: reverie.Agent, judging: Callable[[str], str]
) -> None:
    done = pursued(house, drafter, judging("silent"))
    assert done.result == "failed" and "never called" in done.verdicts[-1].explanation
    fooled = pursued(house, drafter, judging("obeying"))
    assert fooled.result == "failed" and "planted" in fooled.verdicts[-1].explanation


def test_a_team_pursues_too(
    house: reverie.Reverie, drafter: reverie.Agent, judging: Callable[[str], str]
) -> None:
    team = reverie.Team(lead=drafter, specialists={"idler": reverie.Agent(model=judging("stubborn"))})
    assert pursued(house, team, judging("honest")).satisfied


def test_the_rubric_may_be_a_file_and_the_grader_have_settings(
    house: reverie.Reverie, drafter: reverie.Agent, judging: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "rubric.md").write_text(RUBRIC)
    settings = GraderSettings(model=judging("honest"), votes=3)
    done = pursued(house, drafter, settings, rubric=tmp_path / "rubric.md")
    assert done.satisfied
    graders = [e for e in done.session.events if e.type == "session.thread_created"]
    assert {event.payload["agent_name"] for event in graders} == {GRADER} and len(graders) == 6


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"rubric": "  "}, Invalid, "is empty"),
        ({"rubric": "- a {#x}\n- b {#x}\n"}, Invalid, "line 2"),
        ({"rubric": Path("nowhere.md")}, NotFound, "no such rubric"),
        ({"rubric": Path(__file__).parent}, UsageError, "cannot be read"),
        ({"rubric": str(Path(__file__))}, UsageError, "say Path("),
        ({"max_iterations": 0}, UsageError, "from 1 to 20"),
        ({"max_iterations": 21}, UsageError, "from 1 to 20"),
        ({"grader": GraderSettings(votes=2)}, UsageError, "one of 1, 3, 5, 7"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(
    house: reverie.Reverie, drafter: reverie.Agent, wrong: dict[str, Any], error: Any, words: str
) -> None:
    wrong = dict(wrong)
    with pytest.raises(error, match=words.replace("(", r"\(")):
        pursued(house, drafter, wrong.pop("grader", "none:none"), **wrong)
    assert house.log.sessions() == []


def test_a_pursuit_that_was_begun_is_watched_and_taken_up_again(
    house: reverie.Reverie, drafter: reverie.Agent, judging: Callable[[str], str]
) -> None:
    async def both() -> Pursuit:
        begun = await start("Write.", agent=drafter, rubric=RUBRIC, grader=judging("honest"), reverie=house)
        assert begun.result is None
        again = await reverie.resume(begun.session.id, reverie=house)
        return Pursuit(await again.wait())

    assert asyncio.run(both()).satisfied


KILLED = """
    import asyncio, os, signal, sys
    from pathlib import Path
    import reverie

    def stop(event):
        if event.type == "span.outcome_evaluation_ongoing":
            print(event.session_id, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    judging = "scripted:" + sys.argv[2] + ":"
    agent = reverie.Agent(name="drafter", model=judging + "drafter", tools=["write"])
    asyncio.run(reverie.pursue("Write.", agent=agent, rubric=Path(sys.argv[3]).read_text(),
                               grader=judging + "honest", db=sys.argv[1], on_event=stop))
"""


def test_it_goes_on_after_the_program_was_killed_while_it_was_judged(
    tmp_path: Path, judging: Callable[[str], str]
) -> None:
    db, rubric = tmp_path / "r.db", tmp_path / "rubric.md"
    rubric.write_text(RUBRIC)
    models = Path(__file__).with_name("judging.py")
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(db), str(models), str(rubric)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with reverie.open(db) as house:
        for name in ("drafter", "honest"):
            house.models.allow(judging(name))

        async def resumed() -> Pursuit:
            return Pursuit(await (await reverie.resume(done.stdout.strip(), reverie=house)).wait())

        pursuit = asyncio.run(resumed())
        assert pursuit.satisfied
        assert [verdict.iteration for verdict in pursuit.verdicts] == [0, 1]


# ---------------------------------------------------------------------- grade


def test_text_files_folders_and_mappings_are_judged(graded: Callable[..., Any], tmp_path: Path) -> None:
    assert graded(DONE).result == "satisfied"
    assert graded(WORK).result == "needs_revision"
    (tmp_path / "work" / "deep").mkdir(parents=True)
    report = tmp_path / "work" / "report.md"
    report.write_text(WORK)
    more = tmp_path / "work" / "deep" / "more.md"
    more.write_text("Ruiz tested it in March.\n")
    assert graded(report).result == "needs_revision"
    for output in (tmp_path / "work", [report, more], {"a.md": WORK, "b/c.md": more.read_bytes()}):
        assert graded(output).result == "satisfied"
    found = graded(tmp_path / "work").criteria[1]
    assert (found.proof.file, found.proof.quote) == ("deep/more.md", "Ruiz tested it in March.")
    assert found.by == "grader" and found.confidence == 0.9


def test_what_the_maker_said_counts_beside_the_files(graded: Callable[..., Any]) -> None:
    assert graded({"a.md": WORK}, message="Ruiz tested it, on the whole.").result == "satisfied"
    with pytest.raises(UsageError, match="text already"):
        graded(WORK, message="and this")


def test_checks_need_no_model(house: reverie.Reverie) -> None:
    done = reverie.grade({"report.md": WORK}, CHECKED, reverie=house)
    assert done.result == "satisfied" and done.criteria[0].by == "check"
    missed = reverie.grade({"notes.md": WORK}, CHECKED, reverie=house)
    assert missed.result == "needs_revision" and missed.criteria[0].change
    with pytest.raises(
        ConfigError, match="says-that-the-valve-is-tight, names-ruiz-who-tested-it have no check"
    ):
        reverie.grade(WORK, RUBRIC, reverie=house)


def test_without_a_database_nothing_is_kept(judging: Callable[[str], str], tmp_path: Path) -> None:
    from reverie.agents import pursuing

    assert reverie.grade(DONE, RUBRIC, grader=judging("honest")).result == "satisfied"
    assert pursuing._private().log.sessions() == []
    db = tmp_path / "kept.db"
    with reverie.open(db) as house:
        assert reverie.grade(DONE, RUBRIC, grader=judging("honest"), reverie=house).result == "satisfied"
        (session,) = house.log.sessions()
        assert session.info.outcome.label == "success"


def test_no_name_leads_out_and_no_link(graded: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("../out.md", "/etc/out.md", "a/../../out.md", "."):
        with pytest.raises(UsageError, match="leads out"):
            graded({name: "x"})
    with pytest.raises(UsageError, match="cannot be handed over"):
        graded({"a": "x", "a/b": "x"})
    secret = tmp_path / "secret"
    secret.write_text("the key is 1234")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "report.md").symlink_to(secret)
    with pytest.raises(UsageError, match="link that leads out"):
        graded(folder)


def test_files_that_cannot_be_judged_are_named(graded: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nowhere\.md"):
        graded(tmp_path / "nowhere.md")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "report.md").write_text(WORK)
    with pytest.raises(UsageError, match=r"two files would be called 'report\.md'"):
        graded([tmp_path / "a" / "report.md", tmp_path / "b" / "report.md"])
    with pytest.raises(UsageError, match="say Path"):
        graded(str(tmp_path / "a" / "report.md"))


def test_nobody_who_judges_is_told_how_the_work_was_made(
    house: reverie.Reverie, drafter: reverie.Agent, judging: Callable[[str], str]
) -> None:
    done = pursued(house, drafter, judging("honest"))
    threads = {
        e.payload["session_thread_id"] for e in done.session.events if e.type == "session.thread_created"
    }
    told = [e.payload for e in done.session.events if e.thread in threads and "content" in e.payload]
    assert told and not any("evaluated_permission" in str(each) or "Wrote" in str(each) for each in told)


# ---------------------------------------------------------------------- trying a grader out


def run(work: Awaitable[Any]) -> Any:
    async def it() -> Any:
        return await work

    return asyncio.run(it())


def test_negative_controls_are_judged_like_work(
    house: reverie.Reverie, judging: Callable[[str], str]
) -> None:
    names: list[str] = []
    rubric = "- Says in so many words that the `valve number 7 of the north pump` is tight\n"
    tried = run(probed(rubric, grader=judging("honest"), reverie=house, on_done=names.append))
    assert len(tried) == len(names) > 20
    assert all(each.judged and not each.passed for each in tried)


def test_a_rubric_that_asks_for_nothing_passes_what_it_should_not(house: reverie.Reverie) -> None:
    tried = run(probed("- There is an answer\n\n  ```check\n  file = 'answer.md'\n  ```\n", reverie=house))
    assert {each.probe.name for each in tried if not each.passed} >= {"nothing at all"}
    assert any(each.passed for each in tried)


LABELS = "\n".join(
    [
        '{"file": "good.md", "criterion": "names-ruiz-who-tested-it", "status": "met"}',
        '{"file": "good.md", "criterion": "Says that the `valve` is tight", "status": "met"}',
        '{"file": "bad.md", "criterion": "names-ruiz-who-tested-it", "status": "met"}',
        '{"file": "bad.md", "criterion": "says-that-the-valve-is-tight", "status": "met"}',
        '{"file": "worse", "criterion": "says-that-the-valve-is-tight", "status": "not met"}',
    ]
)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    (tmp_path / "good.md").write_text(DONE)
    (tmp_path / "bad.md").write_text(WORK)
    (tmp_path / "worse").mkdir()
    (tmp_path / "worse" / "a.md").write_text("Nothing to see here.\n")
    return tmp_path


def test_agreement_with_people_is_measured(
    house: reverie.Reverie, judging: Callable[[str], str], labelled: Path
) -> None:
    labels = read_labels(LABELS, "labels.jsonl")
    found = run(compared(labels, RUBRIC, labelled, grader=judging("honest"), reverie=house))
    assert found.agreement.count == 5 and found.agreement.accuracy == 0.8
    confusions = found.agreement.confusions["names-ruiz-who-tested-it"]
    assert dict(confusions) == {("satisfied", "satisfied"): 1, ("satisfied", "not_satisfied"): 1}
    assert set(found.verdicts) == {"good.md", "bad.md", "worse"} and found.unjudged == {}
    silent = run(compared(labels, RUBRIC, labelled, grader=judging("silent"), reverie=house))
    assert silent.agreement.count == 0 and set(silent.unjudged) == {"good.md", "bad.md", "worse"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            '{"file": "nowhere.md", "criterion": "names-ruiz-who-tested-it", "status": "met"}',
            "no such work: nowhere",
        ),
        ('{"file": "good.md", "criterion": "telepathy", "status": "met"}', "no criterion 'telepathy'"),
        ('{"file": "good.md", "criterion": "names-ruiz-who-tested-it", "status": "unmet"}', "that differ"),
    ],
)
def test_labels_that_fit_nothing_are_refused(
    house: reverie.Reverie, judging: Callable[[str], str], labelled: Path, line: str, words: str
) -> None:
    labels = read_labels(LABELS + "\n" + line, "labels.jsonl")
    with pytest.raises(ReverieError, match=words):
        run(compared(labels, RUBRIC, labelled, grader=judging("honest"), reverie=house))
    assert house.log.sessions() == []
    assert read_rubric(RUBRIC).criteria[1].id == "names-ruiz-who-tested-it"
