"""Workflows through the front door: what is found, what is not, and what is said."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from benchmarks.workflows import NULLS, null_world, planted_world, ungraded_world
from tests.mining_workflows.sessions import FIRST_DAY, call, session

from reverie.domain.findings import Finding
from reverie.domain.memories import Memory
from reverie.domain.observations import Observation
from reverie.mining.workflows import ConvergingWorkflows
from reverie.plugins import Corpus, Miner

FLOW = ("open_form", "check_in", "upload")


def mine(observations: Sequence[Observation], memories: Sequence[Memory] = ()) -> list[Finding]:
    return list(ConvergingWorkflows().mine(Corpus(observations, memories)))


def steps(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    return [tuple(f.statement["steps"]) for f in findings]


def desk(
    count: int = 400, seed: int = 1, rates: tuple[float, float] = (0.85, 0.45), **changes: Any
) -> list[Observation]:
    """Half of the sessions take the workflow and succeed at the first of ``rates``, the others at the second;
    noise in between."""
    rng = random.Random(seed)
    made: list[Observation] = []
    for i in range(count):
        follows = rng.random() < 0.5
        acts = [rng.choice(("ls", "cat", "grep", "think", "note")) for _ in range(8)]
        wanted = FLOW if follows else rng.sample(FLOW, rng.choice((1, 2)))
        for shift, at in enumerate(sorted(rng.choices(range(len(acts) + 1), k=len(wanted)))):
            acts.insert(at + shift, wanted[shift])
        success = rng.random() < rates[not follows]
        values: dict[str, Any] = {"success": success, "user": f"u{i % 6}", "task": f"t{i % 4}"} | changes
        made.append(session(i, acts, **values))
    return made


# ---------------------------------------------------------------------- found


def test_it_is_a_miner() -> None:
    assert isinstance(ConvergingWorkflows(), Miner)


def test_planted_workflows_are_found_exactly_and_decoys_are_not() -> None:
    world = planted_world(2_500, seed=2)
    found = steps(mine(world.observations))
    assert sorted(found) == sorted(world.planted)


def test_one_workflow_is_one_finding_with_its_figures() -> None:
    [finding] = mine(desk())
    assert tuple(finding.statement["steps"]) == FLOW
    assert finding.kind == "workflow" and finding.nature == "behaviour"
    assert finding.p_value is not None and finding.p_adjusted is not None
    assert finding.p_value <= finding.p_adjusted <= 0.05
    raw, within = finding.effect.raw, finding.effect.within
    assert raw is not None and within is not None
    assert finding.effect.stratified_by == "task" and within.strata == 4
    assert 0.2 < within.low < within.difference < 0.6
    assert raw.with_.total + raw.without.total == 400


def test_the_counts_are_those_of_the_sessions_named() -> None:
    observations = desk()
    [finding] = mine(observations)
    by_id = {o.session_id: o for o in observations}
    named = [by_id[s] for s in finding.sessions]
    assert finding.counts.sessions == len(named) == len(set(finding.sessions))
    assert finding.counts.users == len({o.user for o in named})
    assert finding.counts.agents == 1
    assert finding.effect.raw is not None
    assert finding.effect.raw.with_.successes == sum(o.outcome == "success" for o in named)
    for o in named:
        rest = iter([c.action for c in o.calls])
        assert all(step in rest for step in FLOW), "every session named takes the steps in this order"


def test_evidence_is_every_step_of_three_sessions_that_went_well_and_counter_evidence_of_three_that_failed() -> (
    None
):
    observations = desk(rates=(0.5, 0.1))
    [finding] = mine(observations)
    by_id = {o.session_id: o for o in observations}
    for citations, outcome in ((finding.evidence, "success"), (finding.counter_evidence, "failure")):
        assert len(citations) == 9 and len({c.session_id for c in citations}) == 3
        assert len({by_id[c.session_id].user for c in citations}) == 3, "users in turn"
        for c in citations:
            assert by_id[c.session_id].outcome == outcome
            used = next(call for call in by_id[c.session_id].calls if call.event_id == c.span.event_id)
            assert used.action in FLOW and used.use == c.span


def test_where_it_never_failed_those_who_did_without_speak_against_it() -> None:
    observations = [o for o in desk() if not (o.outcome == "failure" and _takes(o, FLOW))]
    [finding] = mine(observations)
    by_id = {o.session_id: o for o in observations}
    assert finding.counter_evidence
    for c in finding.counter_evidence:
        assert by_id[c.session_id].outcome == "success" and not _takes(by_id[c.session_id], FLOW)


def _takes(o: Observation, flow: Sequence[str]) -> bool:
    rest = iter([c.action for c in o.calls])
    return all(step in rest for step in flow)


def test_the_advice_says_what_to_do_in_words() -> None:
    [finding] = mine(desk())
    assert finding.statement["title"] == "Call `open_form`, then `check_in`, then `upload`"
    assert finding.statement["advice"] == "Before you call `upload`, call `open_form`, then `check_in`."
    assert finding.statement["when"] == "before you call `upload`"
    assert finding.origins == ("agent",)


def test_the_words_of_the_requests_say_when() -> None:
    observations = [
        replace(o, remarks=session(0, [], request="Please file the lease with the court portal").remarks)
        if _takes(o, FLOW)
        else replace(o, remarks=session(0, [], request="Summarise what changed").remarks)
        for o in desk()
    ]
    [finding] = mine(observations)
    assert finding.statement["advice"].startswith(
        "When a request speaks of “court”, “file” and “lease”, call `open_form`"
    )
    assert finding.origins == ("agent", "user")


def test_shell_commands_and_files_are_named_as_one_says_them() -> None:
    as_said = {"open_form": "Bash: mise run fmt", "check_in": "Edit: .go", "upload": "Bash: mise run lint"}
    observations = [
        replace(o, calls=tuple(replace(c, action=as_said[c.action], tool=as_said[c.action].partition(":")[0]) if c.action in FLOW else c for c in o.calls))
        for o in desk()
    ]  # fmt: skip
    [finding] = mine(observations)
    assert (
        finding.statement["title"] == "Run `mise run fmt`, then edit a `.go` file, then run `mise run lint`"
    )


def test_the_same_corpus_in_any_order_says_the_same() -> None:
    observations = desk()
    shuffled = random.Random(5).sample(observations, len(observations))
    assert mine(observations) == mine(shuffled)


def test_the_key_stays_while_the_corpus_grows_and_the_id_follows_the_numbers() -> None:
    [few], [many] = mine(desk(400)), mine(desk(500))
    assert few.key == many.key and few.id != many.id


def test_the_order_of_steps_is_found_where_another_order_is_as_common_and_does_not_help() -> None:
    rng = random.Random(11)
    made: list[Observation] = []
    for i in range(900):
        acts = [rng.choice(("ls", "cat", "grep", "think", "note")) for _ in range(8)]
        kind = rng.choice(("forward", "backward", "none"))
        flow = {"forward": FLOW, "backward": FLOW[::-1], "none": ()}[kind]
        for shift, at in enumerate(sorted(rng.choices(range(9), k=len(flow)))):
            acts.insert(at + shift, flow[shift])
        made.append(
            session(i, acts, success=rng.random() < (0.9 if kind == "forward" else 0.4), user=f"u{i % 6}")
        )
    assert steps(mine(made)) == [FLOW]


# ---------------------------------------------------------------------- not found


@pytest.mark.parametrize("kind", NULLS)
def test_nothing_is_claimed_where_there_is_nothing(kind: str) -> None:
    claims = [seed for seed in range(2) if mine(null_world(kind, 600, seed).observations)]
    assert claims == []


@pytest.mark.parametrize("seed", [0, 3])
def test_what_sessions_given_up_early_never_came_to_is_no_lesson(seed: int) -> None:
    assert mine(null_world("failures given up early", 1_000, seed).observations) == []


def test_what_helps_a_single_user_of_many_is_no_convergence() -> None:
    rng = random.Random(7)
    made: list[Observation] = []
    for i in range(600):
        user = f"u{i % 6}"
        acts = [rng.choice(("ls", "cat", "grep", "think", "note")) for _ in range(6)]
        follows = user == "u0" and rng.random() < 0.5
        success = rng.random() < (0.95 if follows else 0.3)
        made.append(session(i, [*FLOW, *acts] if follows else acts, success=success, user=user))
    assert mine(made) == []
    assert steps(mine([replace(o, user=None) for o in made])) == [FLOW], (
        "where nobody is named nothing can be told apart"
    )


def test_a_habit_of_a_lucky_user_is_no_lesson() -> None:
    rng = random.Random(3)
    made: list[Observation] = []
    for i in range(600):
        lucky = i % 6 < 2
        acts = [rng.choice(("ls", "cat", "grep")) for _ in range(6)]
        made.append(
            session(
                i,
                [*FLOW, *acts] if lucky else acts,
                success=rng.random() < (0.9 if lucky else 0.4),
                user=f"u{i % 6}",
            )
        )
    assert mine(made) == []


def test_an_easy_task_is_no_lesson() -> None:
    rng = random.Random(4)
    made: list[Observation] = []
    for i in range(600):
        easy = i % 2 == 0
        acts = [rng.choice(("ls", "cat", "grep")) for _ in range(6)]
        follows = rng.random() < (0.9 if easy else 0.1)
        made.append(
            session(
                i,
                [*FLOW, *acts] if follows else acts,
                success=rng.random() < (0.9 if easy else 0.3),
                user=f"u{i % 5}",
                task=f"t{i % 2}",
            )
        )
    assert mine(made) == []


def test_a_step_that_everybody_takes_earns_no_place() -> None:
    observations = [
        replace(o, calls=(call(f"{o.session_id}-first", 1, "hello", o.started_at), *o.calls)) for o in desk()
    ]
    assert steps(mine(observations)) == [FLOW]


def test_a_step_that_only_says_how_it_ended_is_left_out() -> None:
    observations = [
        replace(o, calls=(*o.calls, call(f"{o.session_id}-last", 99, "send_receipt", o.started_at)))
        if o.outcome == "success"
        else o
        for o in desk()
    ]
    [finding] = mine(observations)
    assert tuple(finding.statement["steps"]) == FLOW
    assert finding.parameters["left_out_as_restating_the_outcome"] == ["send_receipt"]


# ---------------------------------------------------------------------- without outcomes


def test_an_order_that_users_came_to_on_their_own_is_told_as_that_and_no_more() -> None:
    world = ungraded_world(600, seed=3)
    [finding] = mine(world.observations)
    assert tuple(finding.statement["steps"]) == world.planted[0], "and not the one that is a single user's"
    assert finding.statement["sources"] == "user" and finding.statement["agreeing"] >= 12
    assert finding.effect.raw is None and finding.effect.within is None
    assert "not known" in finding.claim and "not known" in (finding.effect.note or "")
    assert finding.evidence and finding.counter_evidence


def test_it_weighs_less_than_one_that_goes_with_success() -> None:
    [graded] = mine(desk())
    [ungraded] = mine(ungraded_world(600, seed=3).observations)
    assert ungraded.weight < graded.weight / 2


def test_an_order_that_most_users_do_not_take_is_no_convergence() -> None:
    rng = random.Random(8)
    orders = [FLOW] * 9 + [
        o
        for o in (
            ("open_form", "upload", "check_in"),
            FLOW[::-1],
            ("upload", "open_form", "check_in"),
            ("check_in", "upload", "open_form"),
            ("check_in", "open_form", "upload"),
        )
        for _ in range(3)
    ]
    made = [session(i, orders[i % 24], user=f"u{i % 24}") for i in rng.sample(range(480), 480)]
    assert mine(made) == []


def test_two_users_are_not_enough_to_converge() -> None:
    observations = [
        replace(o, user=f"u{i % 2}", agent="one")
        for i, o in enumerate(ungraded_world(600, seed=3).observations)
    ]
    assert mine(observations) == []


def test_what_any_agent_does_unasked_is_not_told() -> None:
    everyday = ("Grep", "Read: .py", "Edit: .py", "Bash: git commit")
    observations = [session(i, everyday if i % 3 else everyday[::-1], user=f"u{i % 8}") for i in range(200)]
    assert mine(observations) == []


def test_sessions_after_it_stood_in_memory_are_no_independent_witnesses() -> None:
    world = ungraded_world(600, seed=3)
    [finding] = mine(world.observations)
    text = f"---\nkind: playbook\nidea: {finding.statement['topic']}\n---\n\n# A workflow\n"

    def remembered(at: datetime) -> list[Memory]:
        return [Memory("mem_1", "memstore_1", "/playbooks/a.md", text, "sha", "memver_1", 1, at)]

    assert mine(world.observations, remembered(datetime(2020, 1, 1, tzinfo=UTC))) == []
    assert len(mine(world.observations, remembered(datetime(2030, 1, 1, tzinfo=UTC)))) == 1


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "observations",
    [
        [],
        [session(0, [])],
        [session(0, ["a", "b", "c"], success=True)],
        [session(i, ["a", "b"], success=True) for i in range(50)],
        [session(i, ["a", "b"], success=False) for i in range(50)],
        [session(i, ["a"] * 50, success=i % 2 == 0) for i in range(50)],
        [session(i, [f"only {i}"], success=i % 2 == 0) for i in range(50)],
        [session(i, ["a", "b", "c"] * 300, success=i % 2 == 0, dated=False) for i in range(20)],
        [session(i, ["a", "b", "c"], success=None if i % 9 else True) for i in range(80)],
        [replace(session(i, ["a", "b", "c"], success=i % 2 == 0), started_at=datetime.max.replace(tzinfo=UTC)) for i in range(40)],
    ],
    ids=["nothing", "no calls", "one session", "all succeed", "all fail", "one action", "all different", "loops without time", "few outcomes", "end of time"],
)  # fmt: skip
def test_poor_corpora_say_nothing(observations: list[Observation]) -> None:
    assert mine(observations) == []


def test_sessions_without_an_outcome_are_counted_and_do_not_vote() -> None:
    plain = desk()
    more = [replace(o, session_id=f"more_{i}", outcome="unknown") for i, o in enumerate(desk(200, seed=9))]
    [alone], [together] = mine(plain), mine([*plain, *more])
    assert alone.effect == together.effect
    assert together.counts.sessions > alone.counts.sessions


def test_tasks_that_nobody_repeats_make_no_strata() -> None:
    [finding] = mine([replace(o, task=f"only {i}") for i, o in enumerate(desk())])
    assert finding.effect.raw is not None and finding.effect.within is None
    assert "difficulty" in (finding.effect.note or "")


def test_a_copied_history_counts_once() -> None:
    """A resumed session carries the events of the one before it."""
    plain = [
        replace(o, calls=tuple(replace(c, at=FIRST_DAY + timedelta(hours=i, seconds=c.seq, microseconds=7)) for c in o.calls))
        for i, o in enumerate(desk())
    ]  # fmt: skip
    copies = [replace(o, session_id=f"zz_{o.session_id}") for o in plain]
    [once], [twice] = mine(plain), mine([*plain, *copies])
    assert once.counts.sessions == twice.counts.sessions and once.sessions == twice.sessions


# ---------------------------------------------------------------------- kinds of files


def test_the_same_steps_on_files_of_other_kinds_are_told_once() -> None:
    rng = random.Random(4)
    made: list[Observation] = []
    for i in range(600):
        kind, follows = rng.choice(("docx", "odt")), rng.random() < 0.5
        acts = [f"sign: .{kind}", f"stamp: .{kind}"] if follows else [f"stamp: .{kind}", f"sign: .{kind}"]
        success = rng.random() < (0.9 if follows else 0.2)
        made.append(session(i, ["look", *acts], success=success, user=f"u{i % 6}", task=f"t{i % 4}"))
    (told,) = steps(mine(made))
    assert [step.partition(":")[0] for step in told] == ["sign", "stamp"]
