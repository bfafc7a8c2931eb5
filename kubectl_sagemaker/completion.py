"""What happens at TAB: kubectl or a shell asks with the words so far, and is answered in lines that it understands.

kubectl, from 1.26 on, runs `kubectl_complete-NAME WORD…`, the last word possibly empty, and reads lines
`value<TAB>help` and a last line `:4`, or `:0` where files are wanted (measured). Our scripts read the same.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from kubectl_sagemaker import cli

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

VARIABLE: Final = cli.COMPLETE
FILES: Final = ":0"
NO_FILES: Final = ":4"

BASH: Final = """\
_kubectl_sagemaker() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :0) compopt -o default || while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$2") ;;
            :*) ;;
            *) COMPREPLY+=("${line%%$'\\t'*}") ;;
        esac
    done < <(VARIABLE=bash "${1##*/}" "${COMP_LINE:0:COMP_POINT}" "$2")
} 2>/dev/null
complete -F _kubectl_sagemaker kubectl-smlogs kubectl-sagemaker
"""
ZSH: Final = """\
#compdef kubectl-smlogs kubectl-sagemaker

_kubectl_sagemaker() {
    local line value
    local -a offers
    for line in "${(@f)$(VARIABLE=zsh $service "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
        case $line in
            (:0) compset -P '*='; _files; return ;;
            (:*|) ;;
            (*)
                value=${${line%%$'\\t'*}//:/\\\\:}
                [[ $line == *$'\\t'* ]] && value+=:${line#*$'\\t'}
                offers+=("$value") ;;
        esac
    done
    _describe $service offers
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _kubectl_sagemaker "$@"
else
    compdef _kubectl_sagemaker kubectl-smlogs kubectl-sagemaker
fi
"""
FISH: Final = """\
function __kubectl_sagemaker
    set -l typed (commandline -opc)
    set -l word (commandline -ct)
    set -l flag (string match -r -- '^-[^=]*=' $word)
    for line in (env VARIABLE=fish $argv[1] $typed[2..-1] "$word" 2>/dev/null)
        switch $line
            case ':0'
                for path in (__fish_complete_path (string replace -- "$flag" '' $word))
                    echo -- "$flag$path"
                end
            case ':*'
            case '*'
                echo -- $line
        end
    end
end

for program in kubectl-smlogs kubectl-sagemaker
    complete --no-files --command $program --arguments "(__kubectl_sagemaker $program)"
end
"""
SCRIPTS: Final = {
    shell: text.replace("VARIABLE", VARIABLE) for shell, text in (("bash", BASH), ("zsh", ZSH), ("fish", FISH))
}
"""Each sourced, or loaded by the shell's own mechanism from a file; one for both programs."""


def smlogs() -> NoReturn:
    """Answer kubectl for `kubectl smlogs`."""
    answer(cli.smlogs_command, "kubectl", sys.argv[1:])


def sagemaker() -> NoReturn:
    """Answer kubectl for `kubectl sagemaker`."""
    answer(cli.sagemaker_command, "kubectl", sys.argv[1:])


def answer(load: Callable[[], click.Command], asker: str, words: Sequence[str]) -> NoReturn:
    """Write what the last word can become, and exit. Nothing else is written anywhere, whatever happens.

    `asker` is kubectl, zsh or fish, which give the words after the program's, or bash, which gives the line up to the
    cursor, and the end of it that it takes for the word: it breaks words at `=` and `:`.
    """
    # 17 ms of 154, and gc.freeze() below 18 at the end (measured).
    gc.disable()
    _be_silent()
    end = NO_FILES
    lines: list[str] = []
    try:
        *before, word = _words(words[0]) if asker == "bash" else words or [""]
        for item in offers(load(), before, word):
            if item.type == "file":
                end = FILES
                continue
            value = item.value
            if asker != "kubectl" and word.startswith("-") and "=" in word:
                # kubectl's scripts put the flag before the value; ours are given both.
                value = f"{word.partition('=')[0]}={value}"
            if asker == "bash":
                value = value[len(word) - len(words[1]) :]
            lines.append(f"{value}\t{' '.join(item.help.split())}" if item.help else value)
    except Exception:  # noqa: BLE001  # whatever it is, a TAB is no place to say it
        lines.clear()
    _write("\n".join([*lines, end]))
    # Most of the interpreter's end is a last search for garbage (measured).
    gc.freeze()
    sys.exit(0)


def offers(command: click.Command, before: Sequence[str], word: str) -> list[CompletionItem[str]]:
    """What `word` can become after the words `before` it, by click's own reading of both."""
    from click.shell_completion import ShellComplete

    return ShellComplete(command, {}, "kubectl", VARIABLE).get_completions(list(before), word)


def _words(line: str) -> list[str]:
    """The words of a shell's line after the program's name, the one at the cursor last."""
    from click.shell_completion import split_arg_string

    words = split_arg_string(line)[1:]
    return words if words and not line[-1:].isspace() else [*words, ""]


def _be_silent() -> None:
    """Read nothing and say nothing: an exec plugin would talk to the person, in the middle of the command line."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 2):
        os.dup2(nothing, descriptor)


def _write(text: str) -> None:
    """To stdout, in UTF-8, with line feeds alone on Windows too; if nobody reads it, nobody does."""
    with contextlib.suppress(OSError):
        os.write(1, f"{text}\n".encode(errors="replace"))
