"""faces.json: a list of all records."""

from pathlib import Path

from visavis.files import replaced
from visavis.prediction.formats.protocol import Records

WRITES = "faces.json"
OF_PICTURES = False


def write(out: Path, records: Records) -> None:
    """See visavis.prediction.formats.protocol.Format."""
    with replaced(out / WRITES) as file:
        file.write("[")
        for number, (_, record) in enumerate(records()):
            file.write((",\n" if number else "\n") + record.as_json())
        file.write("\n]\n")
