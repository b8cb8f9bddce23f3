import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import record
from bench.errors import UserError
from bench.record import Block, Metric, Record, Warn

floats = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(max_size=12)
values = st.integers(-(2**53), 2**53) | floats | words
metrics = st.builds(Metric, floats | st.none(), words, st.sampled_from([-1, 0, 1]), words, floats | st.none())
blocks = st.builds(
    Block,
    st.sampled_from(["timed", "observed"]),
    st.integers(0, 9),
    st.integers(-9, 99),
    floats,
    st.lists(st.integers(0, 2**62), max_size=5),
    floats | st.none(),
    st.dictionaries(words, floats, max_size=3),
)
records = st.builds(
    Record,
    schema=st.just(record.SCHEMA),
    run=words,
    point=words,
    axes=st.dictionaries(words, values, max_size=4),
    status=st.sampled_from(["ok", "oom", "crashed"]),
    reason=words | st.none(),
    started_at=words,
    finished_at=words,
    metrics=st.dictionaries(words, metrics, max_size=3),
    costs=st.dictionaries(words, st.integers(0, 2**62), max_size=3),
    facts=st.dictionaries(words, values, max_size=3),
    host=st.dictionaries(words, values | st.none(), max_size=3),
    warnings=st.lists(st.builds(Warn, words, words, words), max_size=2),
    unavailable=st.dictionaries(words, words, max_size=2),
    blocks=st.lists(blocks, max_size=3),
)


@given(records)
def test_a_record_survives_the_way_through_json(made):
    line = record.to_json(made)
    assert "\n" not in line
    assert record.from_json(line) == made
    assert json.loads(line)["status"] == made.status


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", "{}", '{"schema": "1"}', '{"schema": 1, "status": "odd"}']
)
def test_what_is_no_record_is_one_clear_error(text):
    with pytest.raises(UserError, match="not a record"):
        record.from_json(text)


def test_a_record_of_a_newer_version_asks_for_an_upgrade():
    with pytest.raises(UserError, match="Upgrade it"):
        record.from_json(json.dumps({"schema": record.SCHEMA + 1}))


@given(st.text(max_size=60))
def test_any_text_is_a_record_or_one_clear_error(text):
    with pytest.raises(UserError):
        record.from_json(text)
