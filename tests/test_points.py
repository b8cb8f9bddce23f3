import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import axes, points, profiles
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


def test_a_profile_sets_the_lengths_and_the_batch_size_that_are_not_given():
    chat = points.point({"profile": "chat", "batch_size": "4"}).axes
    assert (chat["sequence_length"], chat["generated_length"], chat["batch_size"]) == (161, 338, 4)


def test_a_given_value_wins_over_the_profile_even_where_it_is_the_axis_default():
    assert points.point({"profile": "chat", "batch_size": 1}).axes["batch_size"] == 1


@given(st.fixed_dictionaries(VALUES | {"profile": st.sampled_from(["none", *profiles.PROFILES])}))
def test_a_point_is_found_again_from_the_axes_that_its_record_holds(given_):
    made = points.point(given_)
    assert points.point(made.axes) == made


def test_a_point_without_a_profile_keeps_the_id_that_it_had_before_there_were_profiles():
    assert points.point({"profile": "none"}).id == points.point({}).id == "4f53cda18c2b"
    assert points.point({"sequence_length": 161, "generated_length": 338, "batch_size": 30}).id != (
        points.point({"profile": "chat"}).id
    )


def test_the_name_of_a_profile_stands_for_the_lengths_that_follow_from_it():
    rows = [points.point({"profile": name}).axes for name in ("chat", "code")]
    assert points.varying(rows) == ["profile"]


def test_a_batch_size_that_does_not_follow_from_the_profile_is_named():
    rows = [points.point({"profile": name, "batch_size": n}).axes for name in ("chat", "code") for n in (1, 8)]
    assert points.varying(rows) == ["profile", "batch_size"]


def test_lengths_that_vary_within_one_profile_are_named():
    rows = [points.point({"profile": "chat", "batch_size": n}).axes for n in (1, 8)]
    assert points.varying(rows) == ["batch_size"]


def test_a_point_with_a_profile_is_described_by_the_numbers_that_it_really_has():
    made = [points.point({"profile": name, "batch_size": 2}) for name in ("chat", "none")]
    assert [points.describe(point, made) for point in made] == [
        "nano, train, chat (161 + 338 tokens, 2 at once)",
        "nano, train, no profile (64 + 16 tokens, 2 at once)",
    ]
    assert points.describe(made[0], made[:1]) == "nano, train, chat (161 + 338 tokens, 2 at once)"


def test_a_value_that_does_not_name_itself_stands_with_its_axis():
    every = [
        points.point(v | {"architecture": "transformer"})
        for v in ({}, {"compile": "compiled"}, {"checkpointing": "on"}, {"accumulation": 4}, {"norm": "layer"})
    ]
    plain, compiled, checkpointed, accumulated, layered = (points.describe(each, every) for each in every)
    assert plain == "nano, train"
    assert compiled == f"{plain}, compiled"
    assert checkpointed == f"{plain}, checkpointing on"
    assert accumulated == f"{plain}, accumulation 4"
    assert layered == "nano, train, norm layer"


def test_a_switch_is_a_truth_value_in_the_config():
    values = {"architecture": "transformer", "tied": "off", "bias": "on", "positions": "learned", "context": 64}
    config = points.config(points.point(values).axes)
    assert (config.tied, config.bias, config.positions, config.context) == (False, True, "learned", 64)


def test_a_training_batch_in_parts_is_the_same_work_from_less_memory():
    whole, parts = (points.costs(points.point({"batch_size": 8, "accumulation": n}).axes) for n in (1, 4))
    assert parts.flops == whole.flops
    assert parts.activations_B < whole.activations_B / 3


@pytest.mark.parametrize(
    ("variant", "missing"),
    [
        ({}, set()),
        ({"accumulation": 2, "batch_size": 2}, set()),
        ({"quantize": "int8-weight"}, {"weights_B", "bytes_moved", "memory_B"}),
        ({"compile": "compiled"}, {"activations_B", "bytes_moved", "memory_B"}),
        ({"checkpointing": "on"}, {"activations_B", "bytes_moved", "memory_B"}),
        ({"optimizer": "adamw-8bit"}, {"optimizer_B", "bytes_moved", "memory_B"}),
        ({"optimizer": "adamw-8bit", "workload": "decode"}, set()),
    ],
)
def test_counts_that_do_not_hold_are_named_with_the_reason(variant, missing):
    found = points.uncounted(points.point(variant).axes)
    assert set(found) == missing
    assert all(found.values())
