"""vipmgr completion bash|zsh|fish: a script made from the command line's own parser, so it cannot be out of date."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

EPILOG: Final = """\
bash: vipmgr completion bash > /etc/bash_completion.d/vipmgr
zsh:  vipmgr completion zsh > "${fpath[1]}/_vipmgr"
fish: vipmgr completion fish > ~/.config/fish/completions/vipmgr.fish"""


_FISH: Final = r"\'"
_FILES: Final = ("FILE", "FOLDER", "PATH")


@dataclass(frozen=True, slots=True)
class Option:
    """`values`: None when it takes none, empty when any. `path`: its value is a file or a folder."""

    flags: tuple[str, ...]
    summary: str
    values: tuple[str, ...] | None = None
    path: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """What may come after some commands, written as a path: "" at first, "/lab/fault" after `lab fault`.

    `files`: whether files or folders may."""

    path: str
    words: dict[str, str] = field(default_factory=dict)
    options: tuple[Option, ...] = ()
    files: bool = False


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("shell", choices=sorted(SHELLS))


def run(args: argparse.Namespace) -> int:
    from vipmgr.cli.main import build_parser  # noqa: PLC0415 - main imports this module by name

    print(SHELLS[args.shell](list(levels(build_parser()))), end="")
    return 0


def levels(parser: argparse.ArgumentParser, path: str = "") -> Iterator[Level]:
    """The parser and its subcommands, outer ones first."""
    words: dict[str, str] = {}
    options: list[Option] = []
    inner: dict[str, argparse.ArgumentParser] = {}
    files = False
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to list them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            inner |= action.choices
            helps = {choice.dest: choice.help for choice in action._choices_actions}  # noqa: SLF001
            words |= {name: _line(helps.get(name)) for name in action.choices}
        elif action.option_strings:
            options.append(_option(action))
        elif action.choices:
            words |= {str(choice): "" for choice in action.choices}
        else:
            files = files or action.type is Path or str(action.metavar) in _FILES
    yield Level(path, words, tuple(options), files)
    for name, one in inner.items():
        yield from levels(one, f"{path}/{name}")


def _option(action: argparse.Action) -> Option:
    values = None if action.nargs == 0 else tuple(str(choice) for choice in action.choices or ())
    path = action.type is Path or "--kubeconfig" in action.option_strings
    return Option(tuple(action.option_strings), _line(action.help), values, path)


def _line(text: str | None) -> str:
    """The first sentence's words, without what argparse would fill in."""
    if not text or text == argparse.SUPPRESS:
        return ""
    return " ".join(text.split("[%(")[0].split("(default")[0].replace("%%", "%").split()).rstrip(",;:")


def _paths(found: list[Level]) -> str:
    return "|".join(level.path for level in found if level.path)


def _valued(found: list[Level]) -> Iterator[tuple[str, Option]]:
    return ((level.path, option) for level in found for option in level.options if option.values is not None)


def bash(found: list[Level]) -> str:
    values = [
        f"        {_any(path, option)}) words='{' '.join(option.values or ())}' files={'yes' if option.path else ''} ;;"
        for path, option in _valued(found)
    ]
    words = [
        f"        '{level.path}') words='{' '.join(level.words)}' flags='{' '.join(_flags(level))}'"
        f" files={'yes' if level.files else ''} ;;"
        for level in found
    ]
    return "\n".join([
        "# bash completion for vipmgr",
        "_vipmgr() {",
        "    local path='' words='' flags='' files='' at",
        '    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
        "    for ((at = 1; at < COMP_CWORD; at++)); do",
        '        case "$path/${COMP_WORDS[at]}" in',
        f'            {_paths(found)}) path="$path/${{COMP_WORDS[at]}}" ;;',
        "        esac",
        "    done",
        '    case "$path $previous" in',
        *values,
        '    *) case "$path" in',
        *words,
        "        esac",
        '        [[ $current == -* ]] && words=$flags && files=',
        '        [[ -n $words ]] && files= ;;',
        "    esac",
        '    COMPREPLY=()',
        '    while IFS= read -r at; do COMPREPLY+=("$at"); done < <(',
        '        compgen -W "$words" -- "$current"',
        '        [[ -z $files ]] || compgen -f -- "$current"',
        "    )",
        "}",
        "complete -o filenames -F _vipmgr vipmgr",
        "",
    ])  # fmt: skip


def _any(path: str, option: Option) -> str:
    return "|".join(f"'{path} {flag}'" for flag in option.flags)


def _flags(level: Level) -> list[str]:
    return [flag for option in level.options for flag in option.flags]


def zsh(found: list[Level]) -> str:
    values = [f"        {_any(path, option)}) {_offer(option)}; return ;;" for path, option in _valued(found)]
    words: list[str] = []
    for level in found:
        pairs = [*level.words.items(), *((flag, option.summary) for option in level.options for flag in option.flags)]
        listed = " ".join(_quote(f"{word}:{summary}", r"'\''") for word, summary in pairs)
        words.append(f"        '{level.path}') found=({listed}) files={'yes' if level.files else ''} ;;")
    return "\n".join([
        "#compdef vipmgr",
        "_vipmgr() {",
        "    local path_='' files='' at",
        "    local -a found",
        "    for ((at = 2; at < CURRENT; at++)); do",
        '        case "$path_/${words[at]}" in',
        f'            {_paths(found)}) path_="$path_/${{words[at]}}" ;;',
        "        esac",
        "    done",
        '    case "$path_ ${words[CURRENT-1]}" in',
        *values,
        "    esac",
        '    case "$path_" in',
        *words,
        "    esac",
        "    (( ${#found} )) && _describe vipmgr found",
        "    [[ -z $files ]] || _files",
        "}",
        'if [ "$funcstack[1]" = _vipmgr ]; then _vipmgr "$@"; else compdef _vipmgr vipmgr; fi',
        "",
    ])  # fmt: skip


def _offer(option: Option) -> str:
    if option.values:
        return f"compadd {' '.join(option.values)}"
    return "_files" if option.path else "_message value"


def fish(found: list[Level]) -> str:
    lines = [
        "# fish completion for vipmgr",
        "function __vipmgr_at",
        "    set -l path ''",
        "    for word in (commandline -opc)[2..]",
        f"        if contains -- $path/$word {' '.join(level.path for level in found if level.path)}",
        "            set path $path/$word",
        "        end",
        "    end",
        "    test \"$path\" = \"$argv[1]\"",
        "end",
        "complete -c vipmgr -f",
    ]  # fmt: skip
    for level in found:
        start = f"complete -c vipmgr -n \"__vipmgr_at '{level.path}'\""
        lines += [f"{start} -a {word} -d {_quote(summary, _FISH)}" for word, summary in level.words.items()]
        lines += [f"{start} {_fish_option(option)} -d {_quote(option.summary, _FISH)}" for option in level.options]
        if level.files:
            lines.append(f"{start} -F")
    return "\n".join([*lines, ""])


def _fish_option(option: Option) -> str:
    parts = [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags]
    if option.values is not None:
        parts.append(
            ("-rF" if option.path else "-x")
            + (f" -a {_quote(' '.join(option.values), _FISH)}" if option.values else "")
        )
    return " ".join(parts)


def _quote(text: str, apostrophe: str) -> str:
    return "'" + text.replace("'", apostrophe) + "'"


SHELLS: Final[dict[str, Callable[[list[Level]], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}
