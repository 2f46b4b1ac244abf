"""The world of builds: logs read and compared, failures found and grouped, and the team that does it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from examples.builds import __main__ as program
from examples.builds import measure, team, worlds
from examples.builds.anomalies import Span, find, spans
from examples.builds.folder import Builds
from examples.builds.grouping import Broken, Group, group
from examples.builds.logs import Log, Rarity, changes, clean, template
from examples.builds.report import as_text, groups
from examples.builds.signs import sign
from examples.builds.tools import Reports, lead_tools, specialist_tools, stretches
from hypothesis import given, settings
from hypothesis import strategies as st

import reverie

COUNT = 96
SEED = 101  # not one of those that the rules were written with


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("builds")
    worlds.write(worlds.make(COUNT, SEED), folder)
    return folder


@pytest.fixture(scope="module")
def builds(made: Path) -> Builds:
    return Builds(made / "logs")


def tools(builds: Builds, reports: Reports) -> dict[str, object]:
    return {
        tool.__name__: tool for tool in [*specialist_tools(builds, reports), *lead_tools(builds, reports)]
    }


# ------------------------------------------------------------------ logs


def test_lines_end_at_cr_lf_and_crlf() -> None:
    assert [line.raw for line in Log("x", "a\rb\r\nc\n\nd").lines] == ["a", "b", "c", "", "d"]


@pytest.mark.parametrize(
    "raw",
    [
        "\x1b[1;31mBUILD FAILURE\x1b[m",
        "2022-05-30T09:10:43.2242737Z BUILD FAILURE",
        "build\tRun tests\t2021-12-01T13:00:40.1119507Z BUILD FAILURE",
        "2026-03-14T18:45:04.707000Z 00O BUILD FAILURE",
        "[2026-03-14T18:45:04.707Z] BUILD FAILURE",
        "12:03:09 BUILD FAILURE",
        "\x08\x08BUILD FAILURE",
    ],
)
def test_colours_and_clocks_are_taken_off(raw: str) -> None:
    assert clean(raw) == "BUILD FAILURE"


def test_what_is_volatile_is_masked_and_words_are_not() -> None:
    first = (
        "Downloaded from central: https://a.example/x-1.2.jar (14 kB at 243 kB/s) in 3.1 s, sha 0373f75f70f4"
    )
    second = (
        "Downloaded from central: https://b.example/y-3.4.jar (9 kB at 8 kB/s) in 12.5 s, sha c47235dadebb"
    )
    assert template(first) == template(second)
    assert template("cannot find symbol") != template("cannot find package")


def test_a_count_of_failures_is_nought_or_not() -> None:
    assert template("Tests run: 8, Failures: 0") == template("Tests run: 9, Failures: 0")
    assert template("Tests run: 8, Failures: 0") != template("Tests run: 8, Failures: 2")
    assert template("exit code 0") != template("exit code 1")


_LINES = st.lists(st.sampled_from(["compile", "link", "test", "ERROR", "pack"]), max_size=40)


@given(_LINES, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_reordered_lines_are_never_new(words: list[str], dice: object) -> None:
    shuffled = list(words)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    found = changes(Log("a", "\n".join(shuffled)), Log("b", "\n".join(words)))
    assert not {"new", "more"} & set(found)


@given(_LINES, _LINES)
@settings(max_examples=60)
def test_a_line_is_new_just_where_the_passing_log_lacks_it(words: list[str], passing: list[str]) -> None:
    found = changes(Log("a", "\n".join(words)), Log("b", "\n".join(passing)))
    assert [change == "new" for change in found] == [word not in passing for word in words]
    for word in set(words) & set(passing):
        extra = sum(change == "more" for change, said in zip(found, words, strict=True) if said == word)
        assert extra == max(0, words.count(word) - passing.count(word))


def test_rarity_is_nought_for_what_all_have_and_one_for_what_none_has() -> None:
    rarity = Rarity([Log("a", "x\ny"), Log("b", "x")])
    assert rarity.of("x") == 0
    assert 0 < rarity.of("y") < rarity.of("z") == 1


@given(st.sets(st.integers(1, 60)))
def test_stretches_hold_the_lines_they_are_made_of(numbers: set[int]) -> None:
    made = spans(numbers)
    assert {n for span in made for n in range(span.first, span.last + 1)} == numbers
    assert all(a.last + 1 < b.first for a, b in pairwise(made))


# ------------------------------------------------------------------ signs and what is wrong


@pytest.mark.parametrize(
    ("said", "role", "cause"),
    [
        ("Tests run: 5, Failures: 0, Errors: 0", "noise", "failure"),
        ("[ERROR] Tests run: 40, Failures: 1, Errors: 0", "root", "test"),
        ("java.io.IOException: No space left on device", "root", "disk"),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 503", "root", "checkout"),
        ("error[E0308]: mismatched types", "root", "compile"),
        ("npm error code ECONNRESET", "effect", "network"),
        ("[INFO] BUILD FAILURE", "summary", "failure"),
        ("ERROR: Job failed: command terminated with exit code 137", "root", "memory"),
        ("* Try:", "advice", "failure"),
        ("[WARNING] Could not transfer metadata: Connection reset. Retrying (1/3)", "noise", "failure"),
        ("Compiling 12 source files", "none", "failure"),
    ],
)
def test_signs(said: str, role: str, cause: str) -> None:
    assert (sign(said).role, sign(said).cause) == (role, cause)


def test_the_cause_comes_first_and_a_trace_is_one_stretch() -> None:
    passing = Log("pass", "start\nERROR the test wants this\ncompile\ntest\nBUILD SUCCESS")
    failing = Log(
        "fail",
        "start\nERROR the test wants this\ncompile\njava.io.IOException: No space left on device\n"
        "\tat a.B.c(B.java:1)\n\tat a.D.e(D.java:2)\nCaused by: x.Y: z\n\t... 3 more\nnoise at work\n[INFO] ----\n"
        "[ERROR] Failed to execute goal x:y\n[ERROR] \n[ERROR] -> [Help 1]\n[INFO] BUILD FAILURE",
    )
    first, second = find(failing, passing, Rarity([passing]))
    assert (first.part, first.cause, first.spans[0].first) == ("cause", "disk", 4)
    assert first.spans[0].last >= 8
    assert (second.part, second.spans) == ("effect", [Span(11, 13)])


def test_interleaved_streams_are_taken_apart() -> None:
    passing = Log("pass", "#7 1.0 npm ci\n#9 1.0 pip install\n#7 2.0 done\n#9 2.0 done")
    failing = Log(
        "fail",
        "#7 1.0 npm ci\n#9 1.0 pip install\n#7 2.0 npm error code ENOSPC\n#9 2.0 done\n#7 2.1 npm error syscall write",
    )
    (only,) = find(failing, passing, Rarity([passing]))
    assert (only.cause, only.spans) == ("disk", [Span(3, 3), Span(5, 5)])


def test_without_a_passing_log_only_what_says_so_is_wrong() -> None:
    failing = Log("fail", "hello\nfatal: not a git repository\nsomething else\nbye")
    (only,) = find(failing, None, Rarity([]))
    assert only.spans == [Span(2, 2)]


def test_a_failure_told_at_the_end_counts_though_the_passing_log_tells_it_within() -> None:
    """As of a build whose tests are builds that fail."""
    told = ["[ERROR] Failed to execute goal x:compile", "[ERROR] -> [Help 1]"]
    passing = Log("pass", "\n".join([*told, *told, *(["work"] * 80), "BUILD SUCCESS"]))
    failing = Log("fail", "\n".join([*told, *(["work"] * 80), *told]))
    (only,) = find(failing, passing, Rarity([passing]))
    assert only.spans == [Span(83, 84)]


def test_a_build_is_compared_with_the_last_that_passed_before_it(tmp_path: Path) -> None:
    for name, file in [("a_1", "pass"), ("a_9", "pass"), ("a_10", "fail"), ("a_11", "pass"), ("b_2", "fail")]:
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{file}.log").write_text(name)
    builds = Builds(tmp_path)
    assert builds.names == ["a_1", "a_9", "a_10", "a_11", "b_2"]
    found = builds.last_passing("a_10")
    assert found is not None and found.lines[0].raw == "a_9"
    assert builds.last_passing("b_2") is None
    (tmp_path / "a_10" / "pass.log").write_text("beside")
    found = Builds(tmp_path).last_passing("a_10")
    assert found is not None and found.lines[0].raw == "beside"


# ------------------------------------------------------------------ made builds


def test_a_world_is_the_same_for_its_seed() -> None:
    assert worlds.make(40, 5) == worlds.make(40, 5)
    assert worlds.make(40, 5) != worlds.make(40, 6)


def test_marked_lines_are_in_the_logs_and_passing_builds_have_none(made: Path, builds: Builds) -> None:
    truth = worlds.truths(made)
    assert list(truth) and set(truth) == set(builds.failed)
    for name, true in truth.items():
        assert true.lines and max(true.lines) <= len(builds.log(name))
        assert builds.last_passing(name) is not None


def test_planted_failures_are_found_better_than_by_the_peers(made: Path, builds: Builds) -> None:
    truth = worlds.truths(made)

    def scored(find: object) -> measure.Score:
        return measure.score((frozenset(truth[n].lines), find(builds, n)) for n in builds.failed)  # type: ignore[operator]

    ours, plain, templates = (scored(way) for way in (measure.returned, measure.plain, measure.templates))
    assert ours.macro_recall > 0.9 and ours.macro_precision > 0.9
    assert ours.macro_precision > templates.macro_precision > plain.macro_precision


def test_causes_are_told_and_grouped(made: Path, builds: Builds) -> None:
    recall, precision, right = measure.grouped(builds, worlds.truths(made))
    assert recall > 0.8 and precision > 0.8 and right > 0.9


def test_scores_are_what_they_say() -> None:
    pairs = [(frozenset({1, 2}), frozenset({1})), (frozenset({1}), frozenset({1, 2, 3, 4}))]
    got = measure.score(pairs)
    assert (got.macro_recall, got.macro_precision) == (0.75, 0.625)
    assert (got.micro_recall, got.micro_precision) == (2 / 3, 0.4)


def test_one_host_is_one_group_whatever_the_tools_and_two_hosts_are_two(tmp_path: Path) -> None:
    for name, host, said in [
        (
            "a_2",
            "one.example.net",
            "npm error network request to https://{}/x failed, reason: read ECONNRESET",
        ),
        (
            "b_2",
            "one.example.net",
            "error: failed to download from `https://{}/api`: Connection reset by peer",
        ),
        (
            "c_2",
            "two.example.net",
            "error: failed to download from `https://{}/api`: Connection reset by peer",
        ),
    ]:
        place = tmp_path / name
        place.mkdir()
        (place / "fail.log").write_text(f"start\n{said.format(host)}\n")
        (place / "pass.log").write_text("start\nend\n")
    told = [(name, "network", [Span(2, 2)]) for name in ("a_2", "b_2", "c_2")]
    found = group(Builds(tmp_path), told)
    assert [[broken.build for broken in each.builds] for each in found] == [["a_2", "b_2"], ["c_2"]]
    assert "one.example.net" in found[0].title


# ------------------------------------------------------------------ tools


def test_what_is_true_is_out_of_reach(builds: Builds, tmp_path: Path) -> None:
    known = tools(builds, Reports(tmp_path))
    for build in ("..", "../truth.json", "nobody_1"):
        with pytest.raises(LookupError, match="there is no build"):
            known["show"](build, "1")  # type: ignore[operator]


def test_reports_that_cannot_be_are_refused(builds: Builds, tmp_path: Path) -> None:
    reports = Reports(tmp_path)
    report = tools(builds, reports)["report"]
    name = builds.failed[0]
    passed = next(each for each in builds.names if not builds.has_failed(each))
    for build, lines, cause, why in [
        (name, ["1"], "gremlins", "none of the causes"),
        (name, ["0-3"], "test", "has lines 1 to"),
        (name, ["5-4"], "test", "has lines 1 to"),
        (name, ["1-99999"], "test", "has lines 1 to"),
        (name, ["the first"], "test", "not a stretch"),
        (name, [], "test", "needs lines"),
        (passed, ["1"], "test", "passed"),
    ]:
        with pytest.raises(ValueError, match=why):
            report(build, lines, cause)  # type: ignore[operator]
    assert reports.all() == []


def test_a_second_report_replaces_the_first(builds: Builds, tmp_path: Path) -> None:
    reports = Reports(tmp_path)
    report = tools(builds, reports)["report"]
    name = builds.failed[0]
    report(name, ["1"], "test")  # type: ignore[operator]
    report(name, ["2-3"], "lint")  # type: ignore[operator]
    assert stretches(Reports(tmp_path)) == [(name, "lint", [Span(2, 3)])]


def test_lines_are_shown_verbatim(builds: Builds, tmp_path: Path) -> None:
    name = builds.failed[0]
    shown = tools(builds, Reports(tmp_path))["show"](name, "1-2")  # type: ignore[operator]
    raw = [line.raw for line in builds.log(name).lines[:2]]
    assert shown == f"1: {raw[0]}\n2: {raw[1]}"


# ------------------------------------------------------------------ the program


@pytest.fixture(scope="module")
def ran(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, object]]]:
    work = tmp_path_factory.mktemp("work")
    given = program.parser().parse_args(["--logs", str(made / "logs"), "--alone", "--json"])
    yield work, msgspec.json.decode(program.run(given, work))


def test_the_report_has_every_failed_build_once_with_its_lines(
    ran: tuple[Path, dict[str, object]], builds: Builds
) -> None:
    _, told = ran
    assert (told["builds"], told["failed"]) == (COUNT, len(builds.failed))
    listed = [build for cause in told["causes"] for build in cause["builds"]]  # type: ignore[attr-defined]
    unexplained = told["unexplained"]
    assert sorted([each["build"] for each in listed] + unexplained) == sorted(builds.failed)  # type: ignore[operator]
    assert len(unexplained) < len(builds.failed) / 20 + 1  # type: ignore[arg-type]
    for each in listed:
        lines = builds.log(each["build"]).lines
        for stretch in each["lines"]:
            first = int(stretch["at"].split("-")[0])
            assert stretch["text"] == [
                line.raw for line in lines[first - 1 : first - 1 + len(stretch["text"])]
            ]


def test_specialists_report_what_the_tools_find(ran: tuple[Path, dict[str, object]], builds: Builds) -> None:
    work, _ = ran
    reported = {
        build: {n for span in told for n in range(span.first, span.last + 1)}
        for build, _, told in stretches(Reports(work / "reports"))
    }
    for name, lines in reported.items():
        assert lines == measure.returned(builds, name)


def test_the_lead_says_what_is_to_be_done(ran: tuple[Path, dict[str, object]]) -> None:
    _, told = ran
    assert str(told["said"]).startswith("1. ")
    assert len(str(told["said"]).splitlines()) == len(told["causes"])  # type: ignore[arg-type]


def test_a_folder_without_builds_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--logs", str(tmp_path)]) == 2
    assert "has no builds" in capsys.readouterr().err


def test_the_team_reports_the_same(tmp_path: Path) -> None:
    worlds.write(worlds.make(40, SEED), tmp_path)
    builds, reports = Builds(tmp_path / "logs"), Reports(tmp_path / "reports")
    with reverie.open(tmp_path / "team.db") as house:
        said = asyncio.run(team.run(team.crew(builds, reports), builds.names, reverie=house))
    assert [each.build for each in reports.all()] == sorted(builds.failed)
    assert len(said.splitlines()) == len(groups(builds, reports))


@pytest.mark.parametrize("piece", ["a", "1 ", "a.", "\x1b]", "error ", "/a", "'a", "==", "E ", "\t", "at ("])
def test_an_endless_line_is_read_and_reported(piece: str, tmp_path: Path) -> None:
    place = tmp_path / "a_2"
    place.mkdir()
    (place / "pass.log").write_text("start\n")
    (place / "fail.log").write_text(f"start\nERROR: {piece * 100_000}\n")
    builds = Builds(tmp_path)
    (only,) = builds.anomalies("a_2")
    assert only.spans == [Span(2, 2)]
    (one,) = group(builds, [("a_2", only.cause, only.spans)])
    assert len(as_text(builds, [one])) < 2_000


def test_a_log_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    place = tmp_path / "a_2"
    place.mkdir()
    (place / "fail.log").write_text("start\n\x1b]0;owned\x07ERROR: \x1b[31mno\x07 space\n")
    told = [Group("disk", "full", [Broken("a_2", "a_2/fail.log", [Span(2, 2)], "x")])]
    assert "ERROR: no  space" in as_text(Builds(tmp_path), told)
    assert all(c.isprintable() or c == "\n" for c in as_text(Builds(tmp_path), told))


# ------------------------------------------------------------------ real logs


def test_real_failures_are_found_better_than_by_the_peers(data_dir: Path) -> None:
    """The peer that compares templates gets 0.90 of the marked lines and 0.65 of its own are marked."""
    builds = Builds(data_dir / "ci-logs")
    *halves, _ = measure.halves(builds).values()
    for names in halves:
        marks = [
            frozenset[int]().union(*map(measure.marked, (builds.folder / name).glob("groundtruth*")))
            for name in names
        ]
        ours, peer = (
            measure.score(zip(marks, (find(builds, name) for name in names), strict=True))
            for find in (measure.returned, measure.templates)
        )
        assert ours.macro_recall > max(0.90, peer.macro_recall)
        assert ours.macro_precision > max(0.90, peer.macro_precision)
