"""What a shell offers after TAB."""

from __future__ import annotations

import subprocess

import pytest

from vipmgr.cli.completion import SHELLS, levels
from vipmgr.cli.main import COMMANDS, build_parser, main


def offered(*words: str, current: str = "") -> list[str]:
    """What bash offers for `vipmgr WORDS CURRENT<TAB>`."""
    script = SHELLS["bash"](list(levels(build_parser())))
    line = ["vipmgr", *words, current]
    ask = f'COMP_WORDS=("$@"); COMP_CWORD={len(line) - 1}; _vipmgr; printf "%s\\n" "${{COMPREPLY[@]}}"'
    told = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\n{ask}", "bash", *line], check=True, capture_output=True, text=True
    )
    return [word for word in told.stdout.splitlines() if word]


def test_the_first_word_is_a_command():
    assert offered() == list(COMMANDS)
    assert offered(current="dr") == ["drain"]


def test_a_command_offers_its_own_options_only_after_a_dash():
    assert {"--kubeconfig", "--output"} <= set(offered("status", current="--"))
    assert "--audit-files" not in offered("status", current="--")
    assert offered("lab", "up", current="--seg") == ["--segments"]


def test_subcommands_and_choices_are_offered_where_they_belong():
    assert {"up", "down", "demo", "fault"} <= set(offered("lab"))
    assert {"kill", "heal"} <= set(offered("lab", "fault"))
    assert offered("completion") == ["bash", "fish", "zsh"]


def test_an_option_offers_the_values_it_takes():
    assert offered("agent", "--log-level") == ["debug", "info", "warning", "error"]
    assert offered("status", "-o", current="j") == ["json"]
    assert offered("agent", "--audit-files") == []


def test_files_are_offered_for_files(tmp_path, monkeypatch):
    (tmp_path / "my config").touch()
    monkeypatch.chdir(tmp_path)
    assert offered("status", "--kubeconfig") == ["my config"]
    assert offered("audit") == ["my config"]


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_every_command_and_option_is_in_the_script_of_every_shell(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for level in levels(build_parser()):
        for word in level.words:
            assert word in script
        for option in level.options:
            assert all((flag if shell != "fish" else flag.lstrip("-")) in script for flag in option.flags)


def test_an_unknown_shell_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["completion", "tcsh"])
    assert ended.value.code == 2
    assert "tcsh" in capsys.readouterr().err
