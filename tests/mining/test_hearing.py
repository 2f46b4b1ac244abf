"""Whose idea an argument was."""

from __future__ import annotations

from reverie.mining.hearing import WINDOW, Hearing, tells


def test_what_was_read_is_given_and_what_was_not_is_ones_own() -> None:
    hearing = Hearing()
    hearing.hear("", "File lease.docx (62 MB) with the court of Kehl")
    given = {"file": "lease.docx", "size_mb": 62, "court": "Kehl", "scheme": "letters", "speed": 7.5}
    assert hearing.own("", given) == ("scheme", "speed")


def test_ones_own_words_stay_ones_own_when_they_are_echoed() -> None:
    hearing = Hearing()
    assert hearing.own("", {"method": "camera"}) == ("method",)
    hearing.hear("", '{"method": "camera", "fines": "dusty"}')
    assert hearing.own("", {"survey": "camera", "surface": "dusty"}) == ("survey",)


def test_a_number_within_a_number_was_not_heard() -> None:
    hearing = Hearing()
    hearing.hear("", "version 162.5, 1.62 of 620")
    assert hearing.own("", {"size_mb": 62}) == ("size_mb",)


def test_a_short_decimal_number_stands_anywhere_and_is_heard_with_its_name() -> None:
    hearing = Hearing()
    hearing.hear("", '{"height_m": 1.2, "reserve_kg": 0.6}')
    assert hearing.own("", {"engine_cut_m": 1.2, "reserve_kg": 0.6}) == ("engine_cut_m",)


def test_threads_hear_for_themselves() -> None:
    hearing = Hearing()
    hearing.hear("scout", "the ground is rocky")
    assert hearing.own("scout", {"ground": "rocky"}) == ()
    assert hearing.own("pilot", {"ground": "rocky"}) == ("ground",)


def test_what_would_stand_anywhere_tells_nothing() -> None:
    assert not any(tells(value) for value in (None, True, 0, 4.0, "x"))
    assert Hearing().own("", {"a": 0, "b": True, "c": None}) == ()


def test_the_beginning_is_remembered_and_the_middle_of_a_long_session_is_not() -> None:
    hearing = Hearing()
    hearing.hear("", "the court of Kehl")
    hearing.hear("", "the registry of Soltau")
    for _ in range(4):
        hearing.hear("", "." * (WINDOW // 2))
    assert hearing.own("", {"court": "Kehl", "registry": "Soltau"}) == ("registry",)
