"""python -m download lists | images | merge: the list, its photos, and the results of several machines joined."""

from typing import Annotated, Any

from tyro.conf import subcommand

from download import images, lists, merge
from visavis.commands import commandline

Options: Any = (
    Annotated[lists.Options, subcommand(name="lists")]
    | Annotated[images.Options, subcommand(name="images")]
    | Annotated[merge.Options, subcommand(name="merge")]
)


def run(options: lists.Options | images.Options | merge.Options) -> int:
    """Run the subcommand; return the exit status."""
    if isinstance(options, lists.Options):
        return lists.run(options)
    return merge.run(options) if isinstance(options, merge.Options) else images.run(options)


if __name__ == "__main__":
    commandline.main(run, Options)
