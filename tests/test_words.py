"""Numbers of things as they are said."""

import pytest

from neds.words import counted


@pytest.mark.parametrize(
    ("number", "thing", "said"),
    [(1, "trial", "1 trial"), (0, "trial", "0 trials"), (2, "stretch", "2 stretches"), (3, "class", "3 classes")],
)
def test_one_thing_is_singular(number, thing, said):
    assert counted(number, thing) == said
