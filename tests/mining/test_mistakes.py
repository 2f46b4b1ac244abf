from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

from tests.mining.worlds import START, Book, corpus, mined, quotes

from reverie.domain.findings import Finding
from reverie.mining.mistakes import RecurringMistakes

UNREAD = "<tool_use_error>File has not been read yet. Read it first before writing to it.</tool_use_error>"


def edits(
    n: int, failing: int, *, users: tuple[str | None, ...] = ("ana", "bo"), error: str = UNREAD
) -> list[Book]:
    books = []
    for i in range(n):
        book = Book(user=users[i % len(users)], start=START + timedelta(days=i))
        book.user_says("change it")
        if i < failing:
            book.call("Edit", error, is_error=True, file_path=f"/x/{i}.go", old_string="a", new_string="b")
            book.call("Read", "text", file_path=f"/x/{i}.go")
        book.call("Edit", "updated", file_path=f"/x/{i}.go", old_string="a", new_string="b")
        books.append(book)
    return books


def one(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, [f.claim for f in findings]
    return findings[0]


def test_a_mistake_is_counted_by_sessions_and_people() -> None:
    books = edits(8, 5)
    books[0].call("Edit", UNREAD, is_error=True, file_path="/x/again.go", old_string="a", new_string="b")
    finding = one(mined(RecurringMistakes(), books))
    assert (finding.counts.sessions, finding.counts.of_sessions) == (5, 8)
    assert (finding.counts.occurrences, finding.counts.users, finding.counts.days) == (6, 2, 5)
    assert finding.nature == "behaviour"
    assert "5 of 8 sessions that call `Edit`, by 2 users, on 5 days" in finding.claim
    assert "Read a file" in finding.statement["advice"]
    assert not any(c.isdigit() for c in finding.statement["advice"])
    assert finding.first_seen is not None and finding.last_seen is not None
    assert (finding.last_seen - finding.first_seen).days == 4


def test_evidence_is_verbatim_and_counter_evidence_went_well() -> None:
    books = edits(9, 6)
    finding = one(mined(RecurringMistakes(), books))
    assert len(finding.evidence) == 5
    assert {*quotes(books, finding.evidence)} == {
        "File has not been read yet. Read it first before writing to it."
    }
    assert len({c.session_id for c in finding.evidence}) == 5
    assert len(finding.counter_evidence) == 3
    assert not {c.session_id for c in finding.counter_evidence} & {*finding.sessions}


def test_two_sessions_of_one_person_are_not_enough_and_of_two_people_are() -> None:
    assert mined(RecurringMistakes(), edits(8, 2, users=("ana",))) == []
    assert len(mined(RecurringMistakes(), edits(8, 2, users=("ana", "bo")))) == 1
    assert len(mined(RecurringMistakes(), edits(8, 3, users=("ana",)))) == 1
    assert mined(RecurringMistakes(), edits(8, 2, users=(None,))) == []


def test_a_copied_session_is_no_further_evidence() -> None:
    books = edits(3, 2, users=("ana",))
    copy = Book(user="ana", start=START + timedelta(days=9))
    for event in books[0].events:
        copy.add(event.type, event.payload, event.at)
    assert mined(RecurringMistakes(), [*books, copy]) == []


def test_different_wordings_and_tools_of_one_mistake_are_one_finding() -> None:
    books = [
        *edits(
            3, 3, error="<tool_use_error>String to replace not found in file.\nString: a</tool_use_error>"
        ),
        *edits(6, 6, error="old_string was not found in the file")[3:],
    ]
    finding = one(mined(RecurringMistakes(), books))
    assert finding.counts.sessions == 6


def test_a_linters_rules_are_mistakes_of_their_own_whatever_the_names() -> None:
    books = []
    for i in range(4):
        book = Book(user=("ana", "bo")[i % 2], start=START + timedelta(days=i))
        issues = f"a{i}.go:3:{i + 1}: Error return value of `f{i}` is not checked (errcheck)\nb.go:1:1: exec.Run must not be called. use exec.RunContext (noctx)\n2 issues:\n"
        book.bash("make lint", "Exit code 1\n" + issues, is_error=True)
        book.bash("make lint", "ok")
        books.append(book)
    found = {f.key.removeprefix("recurring-mistakes:"): f for f in mined(RecurringMistakes(), books)}
    assert {*found} == {"lint:errcheck", "lint:noctx"}
    assert found["lint:noctx"].statement["advice"].startswith("Use `exec.RunContext`, not `exec.Run`")


def test_red_and_green_is_no_lesson() -> None:
    books = []
    for i in range(12):
        book = Book(user=("ana", "bo", "cy")[i % 3], start=START + timedelta(days=i))
        book.bash("go test ./...", f"Exit code 1\n--- FAIL: TestCase{i} (0.1s)\nFAIL\n", is_error=True)
        book.bash("go build", f"Exit code 1\na.go:1:{i + 1}: undefined: thing{i}\n", is_error=True)
        book.bash("go test ./...", "ok")
        book.bash(
            "git merge main", "Exit code 1\nCONFLICT (content): Merge conflict in a.go\n", is_error=True
        )
        books.append(book)
    assert mined(RecurringMistakes(), books) == []


def test_the_same_broken_test_in_unrelated_sessions_is_a_warning() -> None:
    books = []
    for i in range(4):
        book = Book(user=("ana", "bo")[i % 2], start=START + timedelta(days=i))
        book.bash("go test ./...", "Exit code 1\n--- FAIL: TestFlaky (0.1s)\nFAIL\n", is_error=True)
        books.append(book)
    finding = one(mined(RecurringMistakes(), books))
    assert finding.nature == "situation"
    assert "warning" in finding.statement


def test_weather_is_a_situation() -> None:
    books = []
    for i in range(4):
        book = Book(user=("ana", "bo")[i % 2], start=START + timedelta(days=i), format="api")
        book.call("upload", "503 Service busy, try again later", is_error=True, n=i)
        books.append(book)
    finding = one(mined(RecurringMistakes(), books))
    assert finding.nature == "situation"
    assert "advice" not in finding.statement
    assert "busy" in finding.statement["warning"]


def test_the_words_come_from_the_error_where_nothing_is_known() -> None:
    books = []
    for i in range(4):
        book = Book(user=("ana", "bo")[i % 2], start=START + timedelta(days=i), format="api")
        book.call(
            "book", f"Error: payment amount does not add up, total price is {300 + i}, but paid {i}", n=i
        )
        book.call("change", "Error: certificate cannot be used to update reservation", n=i)
        books.append(book)
    advice = {f.statement["advice"] for f in mined(RecurringMistakes(), books)}
    assert "Before `book`, make sure that the payment amount adds up to the total price." in advice
    assert "Do not use a certificate to update a reservation." in advice


def test_a_missing_step_is_named_from_the_data() -> None:
    books = []
    for i in range(30):
        book = Book(user=("ana", "bo", "cy")[i % 3], start=START + timedelta(days=i), format="api")
        book.call("open_document", "opened", n=i)
        if i % 2:
            book.call("check_in", "receipt", register="civil")
            book.call("upload", "accepted", n=i)
        else:
            book.call("upload", "409 Conflict: not possible in this state", is_error=True, n=i)
            book.call("check_in", "receipt", register="civil")
            book.call("upload", "accepted", n=i)
        books.append(book)
    finding = one(mined(RecurringMistakes(), books))
    assert finding.statement["advice"].startswith("Call `check_in` before `upload`")
    step = finding.statement["missing_step"]
    assert (step["refused_after"], step["refused_without"]) == ([0, 15], [15, 15])
    assert step["p_adjusted"] < 0.001


def test_outcomes_are_compared_raw_and_within_tasks() -> None:
    """A hard task has the error and fails, an easy one has neither: difficulty, not effect."""
    books = []
    for i in range(80):
        hard = i % 2 == 0
        task = f"{'hard' if hard else 'easy'}{i % 8}"
        book = Book(task=task, start=None, format="api")
        erring = hard if i >= 16 else not hard
        book.call("pay", "Error: ledger page missing" if erring else "paid", n=i)
        book.outcome_label = "failure" if hard else "success"
        books.append(book)
    findings = mined(RecurringMistakes(), books)
    any_error = next(f for f in findings if f.nature == "explained")
    assert any_error.effect.raw is not None and any_error.effect.within is not None
    assert any_error.effect.raw.high < 0
    assert any_error.effect.within.difference == 0
    assert any_error.effect.stratified_by == "task"
    assert "advice" not in any_error.statement and "warning" not in any_error.statement


def test_a_task_repeated_is_one_place() -> None:
    books = edits(6, 6)
    for book in books:
        book.task = "the same"
    assert mined(RecurringMistakes(), books) == []


def test_blind_repetition_is_a_habit() -> None:
    books = []
    for i in range(5):
        book = Book(user=("ana", "bo")[i % 2], start=START + timedelta(days=i), format="api")
        for _ in range(2):
            book.call("ship", f"Error: crate {i} lacks a label of kind{'xyzvw'[i] * 4}", n=i)
        books.append(book)
    habit = next(f for f in mined(RecurringMistakes(), books) if "habit" in f.key)
    assert "5 of 5 such repetitions failed again" in habit.claim


def test_hidden_failures_of_checks_are_a_habit() -> None:
    books = []
    for i in range(4):
        book = Book(user=("ana", "bo")[i % 2], start=START + timedelta(days=i))
        book.bash("go test ./... | tail -20", f"--- FAIL: Test{i} (0.1s)\nFAIL\n")
        books.append(book)
    books[0].bash("go test ./...", "Exit code 1\n--- FAIL: TestOpen (0.1s)\nFAIL\n", is_error=True)
    finding = one(mined(RecurringMistakes(), books))
    assert "4 of 5 failing checks had exit status 0" in finding.claim
    assert {*quotes(books, finding.counter_evidence)} == {"TestOpen"}


def test_keys_name_the_idea_and_ids_the_numbers() -> None:
    small, large = edits(4, 3), edits(9, 7)
    before, after = one(mined(RecurringMistakes(), small)), one(mined(RecurringMistakes(), large))
    assert before.key == after.key
    assert before.id != after.id


def test_the_order_of_the_corpus_does_not_matter() -> None:
    books = [
        *edits(6, 4),
        *edits(5, 3, error="Found 2 matches of the string to replace, but replace_all is false."),
    ]
    whole = corpus(books)
    dice = random.Random(1)
    first = list(RecurringMistakes().mine(whole))
    for _ in range(3):
        observations = dice.sample(whole.observations, len(whole.observations))
        assert list(RecurringMistakes().mine(type(whole)(observations))) == first
    assert [f.weight for f in first] == sorted((f.weight for f in first), reverse=True)


def test_a_name_stays_when_another_wording_becomes_more_frequent() -> None:
    def refused(i: int, text: str) -> Book:
        book = Book(user=("ana", "bo")[i % 2], start=START + timedelta(days=i), format="api")
        book.call("pay", text, is_error=True, n=i)
        return book

    early = [refused(i, "means of payment was declined") for i in range(3)]
    late = [refused(i, f"means of payment card_{i} was declined") for i in range(3, 11)]
    before, after = one(mined(RecurringMistakes(), early)), one(mined(RecurringMistakes(), early + late))
    assert after.counts.sessions == 11
    assert before.key == after.key


def test_a_step_that_fits_by_chance_among_many_is_no_precondition() -> None:
    books = []
    for i in range(10):
        book = Book(user="ana", start=START + timedelta(days=i), format="api")
        for step in range(25):  # one of many harmless steps happens to part the sessions
            if (step == 0 and i < 5) or (step > 0 and (i + step) % 2):
                book.call(f"step_{step:02d}", "ok", n=step)
        book.call(
            "upload", *(("accepted",) if i < 5 else ("Error: the vault is shut",)), is_error=i >= 5, n=i
        )
        books.append(book)
    finding = one(mined(RecurringMistakes(), books))
    assert "missing_step" not in finding.statement


def test_a_difference_within_chance_needs_no_explanation() -> None:
    books = []
    for i in range(40):
        book = Book(task=f"t{i % 10}", start=None, format="api")
        erring = i < 10
        book.call("pay", "Error: ledger page missing" if erring else "paid", n=i)
        book.outcome_label = "success" if i % (5 if erring else 2) == 0 else "failure"
        books.append(book)
    findings = mined(RecurringMistakes(), books)
    raw = findings[0].effect.raw
    assert raw is not None and raw.difference < 0 < raw.high
    assert all(f.nature != "explained" for f in findings)
    assert "explained" not in (findings[0].effect.note or "")


def refusals(rate: list[float], *, users: int = 4) -> list[Book]:
    """One session a day that submits a form; on day i it is refused with the chance ``rate[i]``."""
    dice = random.Random(3)
    books: list[Book] = []
    for day, chance in enumerate(rate):
        book = Book(user=f"user-{day % users}", start=START + timedelta(days=day), format="api")
        refused = dice.random() < chance
        answer = "Error: the form is not signed" if refused else "filed"
        book.call("submit", answer, is_error=refused, form=day)
        books.append(book)
    return books


def test_a_mistake_that_fades_says_so_and_weighs_less() -> None:
    (fading,) = mined(RecurringMistakes(), refusals([0.7] * 30 + [0.05] * 30))
    (steady,) = mined(RecurringMistakes(), refusals([0.4] * 60))
    (rising,) = mined(RecurringMistakes(), refusals([0.05] * 30 + [0.7] * 30))
    assert fading.statement["trend"]["direction"] == "falling"
    assert (
        f"less often lately ({fading.statement['trend']['after'][0]} of 30 sessions since 2026-04-01"
        in fading.claim
    )
    assert rising.statement["trend"]["direction"] == "rising"
    assert "more often lately" in rising.claim
    assert steady.statement["trend"]["direction"] == "steady"
    assert "lately" not in steady.claim
    assert fading.weight < rising.weight
    first, last = START + timedelta(days=0), START + timedelta(days=60)
    assert fading.first_seen is not None and first <= fading.first_seen < last


def test_a_new_crowd_is_no_trend() -> None:
    """Those who sign came later; nobody changed."""
    books = refusals([0.7] * 30 + [0.05] * 30)
    for day, book in enumerate(books):
        book.user = f"{'early' if day < 30 else 'late'}-{day % 4}"
    (finding,) = mined(RecurringMistakes(), books)
    assert finding.statement["trend"]["direction"] == "steady"


def test_where_nobody_made_a_note_of_the_time_there_is_no_trend() -> None:
    books = refusals([0.5] * 20)
    for book in books:
        book.start = None
        book.events = [replace(e, at=None) for e in book.events]
    (finding,) = mined(RecurringMistakes(), books)
    assert "trend" not in finding.statement
