"""The command `visavis`, which is `python -m visavis` as well: the list of commands, and the way to each."""

import sys
from difflib import get_close_matches
from typing import NoReturn

from visavis import __version__
from visavis.commands import COMMANDS, launch


def main() -> NoReturn:
    """Run the command that the first argument names. Exit status 2 where there is none of that name."""
    prog = "visavis" if __spec__ is None or not sys.argv[0].endswith("__main__.py") else "python -m visavis"
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in COMMANDS:
        del sys.argv[1]
        launch(name, f"{prog} {name}")
    if name in ("-h", "--help", "help"):
        print(_usage(prog))
        sys.exit(0)
    if name == "--version":
        print(f"visavis {__version__}")
        sys.exit(0)
    like = get_close_matches(name, COMMANDS, 1)
    hint = f"did you mean {like[0]}?" if like else f"there are {', '.join(COMMANDS)}"
    print(f"{prog}: unknown command {name!r}; {hint}" if name else _usage(prog), file=sys.stderr)
    sys.exit(2)


def _usage(prog: str) -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {line}" for name, (_, line) in COMMANDS.items()]
    return "\n".join(
        [f"usage: {prog} COMMAND ...", "", "Find the faces in photos and videos.", "", *lines, ""]
        + [f"`{prog} COMMAND --help` lists a command's options; `{prog} --version` prints the version."]
    )


if __name__ == "__main__":
    main()
