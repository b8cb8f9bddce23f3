"""Each wall has a sentence for somebody who knows no roofline, and something to try."""

import string

import pytest

from bench.axes import BY_NAME
from reports.walls import DESCRIPTIONS, WALLS, sentence


def test_there_are_fourteen_walls_and_each_is_described():
    assert len(WALLS) == 14
    assert set(DESCRIPTIONS) == set(WALLS)


@pytest.mark.parametrize("wall", WALLS)
def test_a_wall_has_a_plain_sentence_with_figures_and_remedies(wall):
    description = DESCRIPTIONS[wall]
    fields = {name for _, name, _, _ in string.Formatter().parse(description.template) if name}
    assert len(fields) >= 2, "a subject and a figure"
    assert not {"roofline", "FLOP", "MBU", "arithmetic intensity"} & set(description.template.split())
    assert description.meaning.endswith(".")
    assert description.remedies


@pytest.mark.parametrize("wall", WALLS)
def test_a_remedy_names_an_axis_that_exists(wall):
    assert all(remedy.axis is None or remedy.axis in BY_NAME for remedy in DESCRIPTIONS[wall].remedies)


def test_a_subject_inside_a_sentence_loses_its_capital_unless_it_is_a_name():
    assert "What decode waits" in sentence("unexplained", {"subject": "Decode", "share": "20 %"})
    assert "What GPT waits" in sentence("unexplained", {"subject": "GPT", "share": "20 %"})


def test_a_missing_figure_is_an_error():
    with pytest.raises(KeyError):
        sentence("compute", {"subject": "Decode"})
