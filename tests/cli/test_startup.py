"""The program starts with what its command needs, and says of the others what they say of themselves."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.cli.conftest import Cli
from typer.main import get_command

from reverie.cli.main import COMMANDS, app


def modules_after(*arguments: str) -> set[str]:
    """What is imported when the program has run; it says so itself, in its last line."""
    program = (
        "import sys, atexit; atexit.register(lambda: print(' '.join(sys.modules)));"
        f"sys.argv = ['reverie', *{arguments!r}]; from reverie.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("--version",), ("--help",)])
def test_neither_version_nor_help_loads_a_command(arguments: tuple[str, ...]) -> None:
    loaded = modules_after(*arguments)
    assert not loaded & {"sqlalchemy", "reverie.app", "starlette", "scipy", "pydantic_ai", "anthropic"}
    assert not {name for name in loaded if name.startswith("reverie.cli.")} - {
        "reverie.cli.main",
        "reverie.cli.lazy",
        "reverie.cli.output",
    }


def test_one_command_does_not_load_another() -> None:
    loaded = modules_after("keys", "--help")
    assert "reverie.cli.keys" in loaded
    assert not loaded & {"reverie.cli.demo", "reverie.cli.review", "reverie.server.app"}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_help_says_of_a_command_is_what_it_says_itself(name: str) -> None:
    real = get_command(app).commands[name]  # type: ignore[attr-defined]
    assert COMMANDS[name].help == (real.help or "").split("\n\n")[0].replace("\n", " ")
    panel = getattr(real, "rich_help_panel", None)
    assert COMMANDS[name].panel == (panel if isinstance(panel, str) else None)


def test_a_mistyped_command_is_told_its_neighbours(cli: Cli) -> None:
    assert "'dream'" in cli("drem", code=2).stderr


def test_completion_knows_every_command_and_its_options(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_REVERIE_COMPLETE", "complete_bash")
    for words, found in (
        ("reverie s", "sessions"),
        ("reverie keys c", "create"),
        ("reverie dream --s", "--store"),
    ):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        with pytest.raises(SystemExit):
            app(prog_name="reverie")
        assert found in capsys.readouterr().out.splitlines()
