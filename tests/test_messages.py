"""What is said at the terminal."""

import pytest

from visavis.commands.commandline import fail
from visavis.messages import counted, say


@pytest.mark.parametrize(
    "name, written",
    [
        ("\x1b[2J\x07.jpg", r"\x1b[2J\x07.jpg"),  # a terminal would be cleared, and ring
        ("a\tb\r\x9b31m.jpg", r"a\tb\r\x9b31m.jpg"),
        ("\u202egpj.exe", r"\u202egpj.exe"),  # it would read exe.jpg
        ("Zoë 四 👩\u200d👧.jpg", "Zoë 四 👩\u200d👧.jpg"),
    ],
)
def test_a_terminal_is_not_told_what_names_of_files_say(name: str, written: str, capsys: pytest.CaptureFixture[str]):
    say(f"{name} cannot be used")
    assert capsys.readouterr().err == f"{written} cannot be used\n"


def test_the_line_of_an_error_is_harmless_too(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        fail("visavis predict", "\x1b[31mred.jpg is not\nthere")
    assert capsys.readouterr().err == "visavis predict: \\x1b[31mred.jpg is not there\n"


def test_counts_agree_with_what_follows():
    assert [counted(number, "photo") for number in (0, 1, 2, 2000)] == [
        "0 photos",
        "1 photo",
        "2 photos",
        "2,000 photos",
    ]
    assert [counted(number, "photo has", "photos have") for number in (1, 2)] == ["1 photo has", "2 photos have"]
