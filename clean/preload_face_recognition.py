"""Makes the finder `face_recognition` on import: its 132 MB of models are read once, by the process that clean's
workers are forked from, not by each of them.
"""

from contextlib import suppress

from clean import finders
from visavis.command import InputError

with suppress(InputError):  # the worker that is asked for it will say so
    _ = finders.load("face_recognition").detector
