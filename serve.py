"""A page in the browser that finds faces live: `python serve.py`.

The command itself is visavis/commands/serve.py; `visavis serve` is the same.
"""

from visavis.commands import launch

if __name__ == "__main__":
    launch("serve")

from visavis.commands.serve import Options, serve

__all__ = ["Options", "serve"]
