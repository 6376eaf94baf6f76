"""What a client of the server asks for, and what is refused."""

import pytest

from visavis.errors import InputError
from visavis.live.asking import Ask


def asked(**words: str) -> Ask:
    return Ask.of(words, "shipped", 0.4, ["mask", "age"], filters=True)


def test_texts_are_what_is_asked_for():
    assert asked() == Ask("shipped", 0.4)
    several = asked(threshold="0.5", analyse="age,mask", redact="fill", draw="true", scene="false", name="a.jpg")
    assert several == Ask("shipped", 0.5, analyse=("age", "mask"), redact="fill", draw=True)


@pytest.mark.parametrize(
    "words, said",
    [
        ({"redakt": "blur"}, "no parameter 'redakt'; there are detector, threshold, min_size, analyse, draw, redact"),
        ({"REDACT": "blur"}, "no parameter 'REDACT'"),
        ({"draw": "1"}, "draw must be true or false, not '1'"),
        ({"scene": "True"}, "scene must be true or false, not 'True'"),
        ({"redact": "Blur"}, "no effect 'Blur'; there are blur, pixelate, fill, oval-blur"),
        ({"threshold": "nan"}, "threshold must be a number between 0.1 and 1, not 'nan'"),
        ({"min_size": "-1"}, "min_size must be a number 0 or more, not '-1'"),
        ({"analyse": "mood"}, "no analyser 'mood' is offered by this server; offered: mask, age"),
    ],
)
def test_what_is_misspelt_is_refused_and_not_passed_over(words: dict[str, str], said: str):
    with pytest.raises(InputError) as error:
        asked(**words)
    assert str(error.value).startswith(said)
