"""`python -m visavis.export`: the same as `visavis export` (visavis/commands/export.py)."""

from visavis.commands import launch

if __name__ == "__main__":
    launch("export")
