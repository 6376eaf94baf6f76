"""The journal of a run, where it is not what this version wrote."""

from pathlib import Path

import pytest

from visavis.errors import InputError
from visavis.prediction.records import Record
from visavis.prediction.run_journal import RunJournal
from visavis.sources import Input


@pytest.mark.parametrize(
    "old, new",
    [
        (b'{"settings"', b'\0\0\0\0\0\0\0\0\0\0\0'),  # as a power cut may leave it
        (b'"settings"', b'"options"'),
        (b'"a.jpg", "a"', b'"a.jpg", "a", 1, 2, 3, 4'),  # an input with more fields
        (b'"status"', b'"state"'),  # a record with other fields
    ],
)  # fmt: skip
def test_a_journal_of_another_version_is_named_and_may_be_replaced(old: bytes, new: bytes, tmp_path: Path):
    path, inputs = tmp_path / "journal", [Input("a.jpg", "a"), Input("b.jpg", "b")]
    journal = RunJournal.begin(path, {"threshold": 0.5}, inputs)
    journal.add(Record("a.jpg", "ok", "", 10, 20, 0.5, []))
    journal.close()
    resumed = RunJournal(path)
    assert (resumed.done, [one.path for one in resumed.records()]) == (1, ["a.jpg"])
    resumed.close()

    before = path.read_bytes()
    assert old in before
    path.write_bytes(before.replace(old, new))
    with pytest.raises(InputError) as error:
        RunJournal(path)
    assert str(error.value) == (
        f"{path} is damaged, or was written by another version of visavis; give `overwrite` to start again"
    )
    again = RunJournal.begin(path, {}, inputs)
    assert again.done == 0
    again.close()
