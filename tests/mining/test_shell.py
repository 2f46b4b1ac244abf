from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.mining.shell import parse


@pytest.mark.parametrize(
    ("command", "main", "programs"),
    [
        ("go test ./...", "go test", ("go test",)),
        ("cd /x/y && GOFLAGS=-v go test ./... 2>&1 | tail -20", "go test", ("go test",)),
        ("mise run fmt && mise run lint 2>&1 | head -50", "mise run lint", ("mise run fmt", "mise run lint")),
        ("git -C /some/repo log --oneline -3", "git log", ("git log",)),
        ("sudo -u root timeout 60 pytest -x tests", "pytest", ("pytest",)),
        ("bash -lc 'cd a && npm run build'", "npm run build", ("npm run build",)),
        ("python3 -m pytest -q", "python3 -m pytest", ("python3 -m pytest",)),
        ("gh pr view 12 --json title", "gh pr view", ("gh pr view",)),
        ("make -j4 test", "make test", ("make test",)),
        ("cat <<'EOF' > x.py\nimport os; print('a | b')\nEOF\npython x.py", "python", ("cat", "python")),
        ("git commit -m \"$(cat <<'EOF'\nfix: a && b | c\nEOF\n)\"", "git commit", ("git commit",)),
        ("./scripts/deploy.sh --now", "deploy.sh", ("deploy.sh",)),
        ("echo one; echo two", "echo", ()),
        ("", "", ()),
    ],
)
def test_the_program_a_person_would_name(command: str, main: str, programs: tuple[str, ...]) -> None:
    assert parse(command).main == main
    assert parse(command).programs == programs


@pytest.mark.parametrize(
    ("command", "masked"),
    [
        ("go test ./...", False),
        ("cd a && go test ./... > out.txt 2>&1", False),
        ("go test ./... | tail -5", True),
        ("go test ./... || true", True),
        ("go test ./...; echo done", True),
        ("set -o pipefail; go test | tail", True),  # the list still hides it
        ("set -o pipefail && go test | tail", False),
        ("echo 'a | b' && grep \"x;y\" f", False),
    ],
)
def test_whether_another_status_may_hide_the_one_that_matters(command: str, masked: bool) -> None:
    assert parse(command).status_is_masked is masked


@given(st.text(alphabet=st.sampled_from("ab '\"|&;()$<>\\\n-=`{}#*"), max_size=80))
@settings(max_examples=200, deadline=None)
def test_no_command_line_is_too_strange(text: str) -> None:
    command = parse(text)
    assert all(step.words for step in command.steps)
    assert set(command.programs) <= {step.program for step in command.steps}
