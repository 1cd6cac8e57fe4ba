"""Numbers of things as they are said."""

import pytest

from neds.words import counted, in_short


@pytest.mark.parametrize(
    ("number", "thing", "said"),
    [(1, "trial", "1 trial"), (0, "trial", "0 trials"), (2, "stretch", "2 stretches"), (3, "class", "3 classes")],
)
def test_one_thing_is_singular(number, thing, said):
    assert counted(number, thing) == said


@pytest.mark.parametrize(
    ("number", "said"), [(640, "640"), (4_211, "4.2 k"), (81_600, "82 k"), (999_600, "1.0 M"), (12_340_000, "12.3 M")]
)
def test_small_and_large_numbers_keep_two_digits_or_more(number, said):
    assert in_short(number) == said
