"""The options that analysers take, for every command that runs some. An analyser is given those that its function in
`visavis.analysers.ANALYSERS` has parameters for; to add one is to add a field here. Each is None by default: the
analyser has its own default, and an option that was given and that no analyser of a run takes is refused."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class AnalyserOptions:
    """What analysers need to know."""

    people: Path | None = None
    """With --analyse identity: a folder that has a folder for each person, named after them, with a few photos."""
