"""The tables of the data folder by the name that the card's folders know: see visavis/data/tables.py."""

from visavis.data.tables import *  # noqa: F403
from visavis.data.tables import __all__ as __all__
