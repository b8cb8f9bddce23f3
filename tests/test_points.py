import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import axes, points
from bench.errors import Unsupported, UserError
from bench.inputs import Inputs

VALUES = {
    "size": st.sampled_from(["nano", "tiny", "small"]),
    "batch_size": st.integers(1, 64),
    "precision": st.sampled_from(["fp32", "bf16"]),
    "prune": st.sampled_from([0, 0.0, 0.5]),
}


@given(st.fixed_dictionaries({}, optional=VALUES), st.randoms())
def test_the_id_depends_on_the_values_and_not_on_their_order_or_on_spelt_out_defaults(given_, random):
    made = points.point(given_)
    shuffled = list((axes.DEFAULTS | given_).items())
    random.shuffle(shuffled)
    assert points.point(dict(shuffled)).id == made.id
    assert made.axes.keys() == axes.DEFAULTS.keys()


def test_an_axis_that_is_added_later_changes_no_id():
    # the id hashes what differs from the defaults, so a new axis at its default is not in it
    assert points.point({}).id == "4f53cda18c2b"
    assert points.point({"batch_size": 4, "size": "tiny"}).id == points.point({"size": "tiny", "batch_size": 4}).id


def test_variants_of_the_same_work_are_one_family_with_a_plain_reference():
    plain, pruned, other = (points.point(v) for v in ({"batch_size": 4}, {"batch_size": 4, "prune": 0.5}, {}))
    assert plain.family == pruned.family != other.family
    assert plain.is_reference
    assert not pruned.is_reference


def test_only_axes_that_vary_are_named():
    rows = [points.point(v).axes for v in ({"size": "nano"}, {"size": "tiny", "batch_size": 1})]
    assert points.varying(rows) == ["size"]


def test_a_dimension_replaces_the_presets():
    config = points.config(points.point({"hidden": 64}).axes)
    assert (config.hidden, config.embedding) == (64, 160)


@pytest.mark.parametrize(
    ("architecture", "workload", "said"),
    [
        ("lstm", "classify", "'lstm' continues texts; it labels none"),
        ("classifier", "decode", "labels texts; it continues none, so it has no decode"),
        ("classifier", "prefill", "labels texts; it continues none, so it has no prefill"),
    ],
)
def test_work_that_an_architecture_cannot_do_has_a_reason(architecture, workload, said):
    values = points.point({"architecture": architecture, "workload": workload}).axes
    for ask in (points.work, points.tokens, points.costs):
        with pytest.raises(Unsupported, match=said):
            ask(values)


def test_labelling_costs_one_pass_over_the_texts():
    values = points.point({"architecture": "classifier", "workload": "classify", "batch_size": 3}).axes
    assert points.costs(values).tokens == points.tokens(values) == 3 * 64
    more = points.costs(values, Inputs("labels.tsv", classes=10)).parameters - points.costs(values).parameters
    assert more == 6 * (128 + 1)  # rows of the head, above the four of the preset


def test_a_model_of_transformers_takes_no_dimension_and_no_preset_is_its_own_size():
    with pytest.raises(UserError, match="has its own hidden"):
        points.check(points.point({"architecture": "hf", "hidden": 64}).axes)
    with pytest.raises(UserError, match="has its own dropout"):
        points.check(points.point({"architecture": "hf", "dropout": 0.1}).axes)
    with pytest.raises(UserError, match="no preset 'own'"):
        points.check(points.point({"size": "own"}).axes)


def test_a_preset_that_an_architecture_lacks_is_named():
    with pytest.raises(UserError, match="size"):
        points.point({"size": "huge"})
