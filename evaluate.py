"""Score detectors on labelled photos: `python evaluate.py --detector shipped dlib_hog`.

The command itself is visavis/commands/evaluate.py; `visavis evaluate` is the same.
"""

from visavis.commands import launch

if __name__ == "__main__":
    launch("evaluate")

from visavis.commands.evaluate import Options, evaluate

__all__ = ["Options", "evaluate"]
