"""``aim-gpu completion``: what a shell needs to complete verbs, options and names.

Shells ask for it as they start, and a person waits for them: it takes its arguments with argparse, as ``size`` does.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from controller.cli.at_once_parser import AtOnceParser
from controller.cli.completer_shells import FILES, Shell

_BASH: Final = r"""# Load it now: source <(aim-gpu completion bash); for good: put that line into ~/.bashrc.
_aim_gpu() {
  local lines
  mapfile -t lines < <(aim-gpu __complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
  COMPREPLY=("${lines[@]:1}")
  [[ ${lines[0]} == @FILES@ ]] && compopt -o default
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]] && compopt -o nospace
  return 0
}
complete -F _aim_gpu aim-gpu
complete -F _aim_gpu kubectl-aim
"""
_ZSH: Final = r"""#compdef aim-gpu kubectl-aim
# Load it now: source <(aim-gpu completion zsh); for good: write it to a file _aim-gpu in a folder of $fpath.
_aim_gpu() {
  local -a lines
  lines=("${(@f)$(aim-gpu __complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [[ $lines[1] == @FILES@ ]] && _files
  shift lines
  if (( $#lines == 1 )) && [[ $lines[1] == *[/=] ]]; then
    compadd -S '' -- "$lines[1]"
  elif (( $#lines )); then
    _describe -t values 'aim-gpu' lines
  fi
}
(( $+functions[compdef] )) && compdef _aim_gpu aim-gpu kubectl-aim
"""
_FISH: Final = r"""# Load it now: aim-gpu completion fish | source
# For good: write it to ~/.config/fish/completions/aim-gpu.fish.
function __aim_gpu_complete
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  set -l lines (aim-gpu __complete fish $before[2..-1] "$current" 2>/dev/null)
  if test "$lines[1]" = "@FILES@"
    __fish_complete_path "$current"
  end
  printf '%s\n' $lines[2..-1]
end
complete -c aim-gpu -f -a '(__aim_gpu_complete)'
complete -c kubectl-aim -f -a '(__aim_gpu_complete)'
"""

SCRIPTS: Final[Mapping[Shell, str]] = {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}


def run(arguments: Sequence[str]) -> int:
    """Answer the command with these arguments; its exit code. argparse exits by itself for what it cannot parse."""
    shell = Shell(parser().parse_args(arguments).shell)
    sys.stdout.write(SCRIPTS[shell].replace("@FILES@", FILES))
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    found = AtOnceParser(
        "completion",
        "Print the completion of a shell: it completes verbs, options, values, and names of the cluster's "
        "objects. `kubectl aim` is completed by kubectl's own completion, once kubectl_complete-aim is on the PATH as "
        "well. A cluster is asked for 1.5 seconds at most.",
    )
    found.add_argument("shell", choices=[each.value for each in Shell], help="the shell that is to complete")
    return found
