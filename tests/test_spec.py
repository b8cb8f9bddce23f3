import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import spec
from bench.errors import UserError


def read(text, overrides=None, settings=None):
    return spec.parse(text, "mine", overrides or {}, settings or {})


@pytest.mark.parametrize("name", spec.shipped())
def test_every_shipped_sweep_can_be_read(name):
    assert spec.read(name, {}, {}).points


def test_quick_has_at_least_24_points_over_every_kind_of_work_and_variant():
    points = [point.axes for point in spec.read("quick", {}, {}).points]
    assert len(points) >= 24
    assert {p["workload"] for p in points} == {"train", "prefill", "decode"}
    for axis in ("size", "batch_size", "precision", "prune", "quantize"):
        assert len({p[axis] for p in points}) > 1


def test_grids_are_products_on_top_of_the_base_without_doubles():
    made = read('[base]\nsize="tiny"\n[[grid]]\nbatch_size=[1,2]\nprune=[0,0.5]\n[[grid]]\nbatch_size=[2,4]\n')
    assert [(p.axes["size"], p.axes["batch_size"], p.axes["prune"]) for p in made.points] == [
        ("tiny", 1, 0.0),
        ("tiny", 1, 0.5),
        ("tiny", 2, 0.0),
        ("tiny", 2, 0.5),
        ("tiny", 4, 0.0),
    ]


def test_a_flag_replaces_its_axis_in_every_grid():
    made = read(
        "[[grid]]\nbatch_size=[1,2]\n[[grid]]\nbatch_size=8\nprune=0.5\n", {"batch_size": "3,5"}, {"rounds": "7"}
    )
    assert {p.axes["batch_size"] for p in made.points} == {3, 5}
    assert made.settings["rounds"] == 7


def mixes(made):
    names = ("profile", "batch_size", "sequence_length", "generated_length")
    return [tuple(point.axes[name] for name in names) for point in made.points]


def test_a_grid_of_profiles_has_the_lengths_of_each():
    assert mixes(read('[[grid]]\nprofile = ["chat", "code"]\n')) == [("chat", 30, 161, 338), ("code", 1, 1500, 13)]


def test_a_batch_size_given_beside_or_above_a_profile_wins():
    beside = read('[[grid]]\nprofile = "chat"\nbatch_size = [1, 4]\n')
    above = read('[base]\nprofile = "chat"\n[[grid]]\nbatch_size = [1, 4]\n')
    assert mixes(beside) == mixes(above) == [("chat", 1, 161, 338), ("chat", 4, 161, 338)]


def test_a_profile_from_a_flag_replaces_the_lengths_of_the_spec_and_none_keeps_them():
    text = "[base]\nsequence_length = 99\n[[grid]]\nbatch_size = [2, 4]\n"
    assert mixes(read(text, {"profile": "chat,none"})) == [
        ("chat", 30, 161, 338),
        ("none", 2, 99, 16),
        ("none", 4, 99, 16),
    ]


def test_lengths_from_flags_win_over_a_profile_of_the_spec():
    made = read('[base]\nprofile = "chat"\n', {"sequence_length": "7"})
    assert mixes(made) == [("chat", 30, 7, 338)]


def test_an_unknown_profile_suggests_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'summarize'"):
        read('[base]\nprofile = "summarise"\n')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size = ", "line 1, column"),
        ("[[grid]]\nmodel = 'gpt2@00000000'", "model cannot be chosen in a spec"),
        ("[[grid]]\nbatchsize = 1", "Did you mean 'batch_size'"),
        ("[[grid]]\nbatch_size = 0", "batch_size = 0 is out of range"),
        ("[[grid]]\nbatch_size = []", "batch_size has no value"),
        ("[[grid]]\nbatch_size = [[1]]", "neither a word nor a number"),
        ("[[grid]]\nbatch_size = 1979-05-27", "neither a word nor a number"),
        ("[setings]\nrounds = 1", "Did you mean 'settings'"),
        ("[settings]\nround = 1", "Did you mean 'rounds'"),
        ("[settings]\nrounds = 0", "out of range"),
        ("[settings]\nrounds = true", "no number"),
        ("seed = " + "9" * 5000, "is not TOML"),
        ("a = " + "[" * 5000, "is not TOML"),
        ("grid = 3", "no list of tables"),
        ("grid = []", "no list of tables"),
        ("grid = [3]", "no table"),
        ("base = 3", "no table"),
        ("[[grid]]\nbatch_size='1-200'\nsequence_length='1-200'", "over 10000 points"),
    ],
)
def test_a_bad_spec_is_one_sentence_that_names_what_is_wrong(text, said):
    with pytest.raises(UserError, match="(?s).*") as caught:
        read(text)
    assert said in caught.value.message
    assert caught.value.remedy


def test_an_unknown_sweep_suggests_the_nearest_that_ships():
    with pytest.raises(UserError, match="Did you mean 'quick'"):
        spec.read("quikc", {}, {})


def test_a_spec_that_is_not_text_is_an_error(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        spec.read(str(path), {}, {})


@given(st.text(max_size=200))
def test_any_text_is_a_spec_or_one_clear_error(text):
    try:
        assert read(text).points
    except UserError as error:
        assert error.message
        assert error.remedy


TOML = st.recursive(
    st.integers(-10, 10**6) | st.floats(allow_nan=True) | st.booleans() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["size", "profile", "batch_size", "prune", "device", "x"]), TOML, max_size=3))
def test_any_values_give_points_or_one_clear_error(grid):
    try:
        made = read("", grid)
    except UserError as error:
        assert error.message
    else:
        assert all(p.axes.keys() for p in made.points)
