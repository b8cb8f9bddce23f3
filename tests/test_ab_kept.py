"""What `pinchpoint ab` keeps in a store is read back, or what is damaged is told in a sentence."""

from pathlib import Path

import pytest
import sqlalchemy as sql

from bench.commands import _ab
from bench.errors import UserError
from bench.gate import Limit
from bench.opening import open_store

ABOUT = {
    "base": {"label": "main"},
    "new": {"label": "."},
    "labels": {"a": "the first"},
    "limits": {"a": {"latency_s": 0.05}},
    "alone": {},
}
HALF = {"blocks": [[1000, 1001]], "readings": {}, "counts": {}, "failed": None}


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path), create=True) as opened:
        asked = _ab.Asked(("tests",), Path(), "python", "none", 1.0, 1.0, {"latency_s": Limit(0.05)})
        run = _ab.begin(opened, asked).run
        opened.add_child(run, _ab.NAME, 0, {"about": ABOUT, "ended": False, "notes": ["Not collected: b."]})
        opened.add_pair(run, 0, {"benchmark": "a", "base": HALF, "new": HALF})
        yield opened


def test_what_was_measured_before_a_kill_is_read_back(store):
    [found] = _ab.comparisons(store)
    assert [each.benchmark for each in found.findings if each.limit] == ["the first"]
    assert found.notes == ("Not collected: b.", "It was stopped before its end.")


@pytest.mark.parametrize(
    ("table", "body"),
    [
        ("children", "{}"),
        ("children", "nonsense"),
        ("children", '{"about": []}'),
        ("pairs", '{"benchmark":'),
        ("pairs", '{"benchmark": "a", "base": {"later": 1}, "new": {}}'),
        ("runs", "{"),
        ("runs", "[]"),
    ],
)
def test_what_is_damaged_is_told_in_a_sentence(store, table, body):
    with sql.create_engine(f"sqlite:///{store.where}").begin() as connection:
        connection.execute(sql.text(f"UPDATE {table} SET body = :body"), {"body": body})
    with pytest.raises(UserError, match="is damaged, or from another version"):
        _ab.comparisons(store)
