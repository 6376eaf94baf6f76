"""`python -m visavis.cascade`: the same as `visavis cascade` (visavis/commands/cascade.py)."""

from visavis.commands import launch

if __name__ == "__main__":
    launch("cascade")
