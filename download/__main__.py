"""python -m download lists | images: the list, then the photos that it names."""

from typing import Annotated, Any

from tyro.conf import subcommand

from download import images, lists
from visavis import command

Options: Any = Annotated[lists.Options, subcommand(name="lists")] | Annotated[images.Options, subcommand(name="images")]


def run(options: lists.Options | images.Options) -> int:
    """Do what was asked for; return the exit status."""
    return lists.run(options) if isinstance(options, lists.Options) else images.run(options)


if __name__ == "__main__":
    command.main(run, Options)
