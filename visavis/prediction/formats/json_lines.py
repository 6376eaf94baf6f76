"""faces.jsonl: one record on each line."""

from pathlib import Path

from visavis.files import replaced
from visavis.prediction.formats.protocol import Records

WRITES = "faces.jsonl"
OF_PICTURES = False


def write(out: Path, records: Records) -> None:
    """See visavis.prediction.formats.protocol.Format."""
    with replaced(out / WRITES) as file:
        file.writelines(record.as_json() + "\n" for _, record in records())
