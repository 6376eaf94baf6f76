"""JSON files as labelling tools write them."""

import json
from pathlib import Path
from typing import Any

from visavis.errors import InputError
from visavis.texts import read_text


def parsed(path: Path, wanted: str) -> Any:
    """A file's content. wanted: what to give if there is no such file. Raises InputError."""
    try:
        return json.loads(read_text(path))
    except FileNotFoundError:
        raise InputError(f"{path} is not there; give {wanted}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not valid JSON: {error}") from None
