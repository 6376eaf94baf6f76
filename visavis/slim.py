"""`python -m visavis.slim`: the same as `visavis slim` (visavis/commands/slim.py)."""

from visavis.commands import launch

if __name__ == "__main__":
    launch("slim")
