"""Made-up observations against made-up ceilings: each wall is reached by its own evidence, and nothing is invented."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.observation import Observation, Operator
from bench.record import Ceiling
from reports.bottleneck import attribute, of_record
from reports.wall_words import in_words
from reports.walls import WALLS
from tests import factories

MiB = 2**20


def ceiling(value, unit="B/s", direction=1):
    return Ceiling(value, unit, direction, "made up", 0.95 * value, 1.05 * value, 9, how="made up")


CEILINGS = {
    "matmul_fp32_FLOP_per_s": ceiling(100e9, "FLOP/s"),
    "read_B_per_s": ceiling(10e9),
    "copy_B_per_s": ceiling(9e9),
    "triad_B_per_s": ceiling(8e9),
    "read_L1_B_per_s": ceiling(200e9),
    "read_L2_B_per_s": ceiling(100e9),
    "read_L3_B_per_s": ceiling(40e9),
    "gather_places_per_s": ceiling(50e6, "places/s"),
    "dispatch_small_s": ceiling(1e-6, "s", -1),
    "fresh_page_s": ceiling(2e-6, "s", -1),
    "disk_read_B_per_s": ceiling(1e9),
    "one_row_fp32_B_per_s": ceiling(9.5e9),
}


def product(seconds, **changes):
    """A large product at the peak, unless changed."""
    plain = Operator("mm", "layer", "product", "fp32", 1, seconds, 100e9 * seconds, 1.0, largest_B=64 * MiB)
    return replace(plain, **changes)


def elementwise(seconds, **changes):
    return replace(Operator("add", "", "elementwise", "fp32", 1, seconds, 0.0, 0.0, largest_B=64 * MiB), **changes)


def observed(*operators, seconds=1.0, **changes):
    """An iteration in which both cores are busy all the time."""
    plain = Observation(
        seconds,
        "cpu",
        2,
        2,
        operators,
        host_s=max(seconds - sum(each.seconds for each in operators), 0.0),
        cpu_s=2 * seconds,
        caches_B={"L1": 32 * 1024, "L2": MiB, "L3": 16 * MiB},
    )
    return replace(plain, **changes)


KNOWN = {
    "compute": observed(product(0.95)),
    "memory bandwidth": observed(elementwise(0.95, bytes_moved=7.6e9)),
    "memory latency": observed(
        Operator("take", "", "gather", "fp32", 1, 0.95, 0.0, 4e8, places=45e6, largest_B=64 * MiB)
    ),
    "memory capacity": observed(
        elementwise(0.95, bytes_moved=1e9),
        idle_s=0.7,
        read_s=0.7,
        read_B=7e8,
        major_faults=1e5,
        held_B=98 * MiB,
        limit_B=100 * MiB,
        cpu_s=0.3,
    ),
    "allocation": observed(elementwise(0.95, bytes_moved=1e7), minor_faults=4e5),
    "cache": observed(elementwise(0.95, bytes_moved=36e9, largest_B=4 * MiB, calls=3000)),
    "dispatch": observed(
        *(product(2e-4, flops=1e3, bytes_moved=1e3, largest_B=100, calls=100) for _ in range(1000)), host_s=0.8
    ),
    "kernel": observed(product(0.95, flops=8e7, bytes_moved=2e9, shape=(1, 8192, 8192), largest_B=256 * MiB)),
    "parallelism": observed(product(0.3), cpu_s=1.3),
    "input": observed(product(0.2), Operator("next", "", "input", "", 1, 0.8), idle_s=0.8, cpu_s=0.4),
    "transfer": observed(product(0.2), Operator("to", "", "transfer", "fp32", 1, 0.8, bytes_moved=1e9)),
    "communication": observed(product(0.2), Operator("all_reduce", "", "communication", "fp32", 1, 0.8, 0, 1e8)),
    "power or thermal": observed(product(0.95, flops=30e9), clock_share=0.35),
    "unexplained": observed(product(0.2), idle_s=0.8, cpu_s=0.4),
}


def test_every_wall_has_a_case():
    assert set(KNOWN) == set(WALLS)


@pytest.mark.parametrize("wall", WALLS)
def test_each_wall_is_named_by_its_evidence(wall):
    found = attribute(KNOWN[wall], CEILINGS)
    assert found.verdict == wall
    assert found.shares[0].wall == wall
    assert found.shares[0].low <= found.shares[0].share <= found.shares[0].high
    words = in_words(found, "Decode at batch 1")
    assert words.endswith(".")
    assert "ecode at batch 1" in words
    assert "an unknown share" not in words


def test_reading_a_file_that_is_not_in_memory_is_input():
    read = observed(product(0.2), idle_s=0.7, read_s=0.65, read_B=6e8, cpu_s=0.6)
    assert attribute(read, CEILINGS).verdict == "input"


def test_waiting_for_another_thread_is_parallelism_and_waiting_for_nobody_is_not():
    waiting = observed(product(0.3), idle_s=0.65, switches=2000, cpu_s=1.0)
    assert attribute(waiting, CEILINGS).verdict == "parallelism"
    assert attribute(replace(waiting, cpu_s=0.35), CEILINGS).verdict == "unexplained"


def test_a_product_of_one_row_on_one_core_is_the_kernels_fault_and_no_idle_core():
    one_core = replace(KNOWN["kernel"], cpu_s=1.0)
    assert attribute(one_core, CEILINGS).verdict == "kernel"
    assert attribute(one_core, CEILINGS).rungs[-1].kernel == 9.5e9


def test_weights_that_other_layers_push_out_of_the_cache_come_from_memory():
    layer = product(0.5, flops=1e7, bytes_moved=4.9e9, largest_B=8 * MiB)
    many = observed(layer, layer, working_set_B=100 * MiB)
    assert attribute(many, CEILINGS).verdict == "memory bandwidth"
    fits = replace(many, working_set_B=8 * MiB, operators=(replace(layer, bytes_moved=19e9),) * 2)
    assert attribute(fits, CEILINGS).verdict == "cache"


def test_the_sentence_says_how_much_of_the_bandwidth_was_reached():
    found = attribute(observed(product(0.9, flops=1e7, bytes_moved=6.1e9)), CEILINGS)
    assert in_words(found, "Decode at batch 1") == (
        "Decode at batch 1 waits for memory: it reaches 61 % of this machine's read bandwidth."
    )


def test_more_work_than_the_machine_can_do_is_told_and_not_clipped():
    found = attribute(observed(product(0.9, flops=300e9)), CEILINGS)
    assert found.rungs[0].of_machine == pytest.approx(3.0)
    assert any("Error in counting" in each for each in found.errors)
    assert not attribute(KNOWN["compute"], CEILINGS).errors


def test_profiled_operators_that_exceed_the_iteration_make_no_verdict():
    found = attribute(observed(product(1.5, flops=1e9), host_s=0.0), CEILINGS)
    assert found.excess_s == pytest.approx(0.5)
    assert found.verdict == "unexplained"
    assert sum(share.seconds for share in found.shares) == pytest.approx(1.0)


def test_a_small_residual_leaves_the_verdict_to_the_largest_named_share():
    found = attribute(observed(product(0.9), host_s=0.0), CEILINGS)
    assert found.share("unexplained") == pytest.approx(0.1)
    assert found.verdict == "compute"


def test_the_second_wall_is_named_where_it_matters():
    both = observed(product(0.6), elementwise(0.4, bytes_moved=3.2e9))
    assert (attribute(both, CEILINGS).verdict, attribute(both, CEILINGS).secondary) == ("compute", "memory bandwidth")
    assert attribute(KNOWN["compute"], CEILINGS).secondary is None


def test_the_datasheet_stands_beside_the_machine():
    rung = attribute(KNOWN["compute"], CEILINGS, {"matmul_fp32_FLOP_per_s": 200e9}).rungs[0]
    assert rung.of_datasheet == pytest.approx(0.5 * rung.of_machine)


def test_ten_operators_are_shown_the_longest_first():
    many = observed(*(product(0.01 * n) for n in range(1, 13)))
    shown = attribute(many, CEILINGS).operators
    assert [round(100 * part.operator.seconds) for part in shown] == list(range(12, 2, -1))
    assert shown[0].intensity == pytest.approx(100e9 * 0.12)


def test_what_is_missing_is_told_with_a_remedy():
    with pytest.raises(UserError) as none:
        attribute(KNOWN["compute"], {})
    assert "pinchpoint ceilings" in none.value.remedy
    record = factories.record()
    with pytest.raises(UserError, match="what its iterations consist of"):
        of_record(record)
    with pytest.raises(UserError, match="no costs"):
        of_record(replace(record, observation=KNOWN["compute"], costs={}))
    assert of_record(replace(record, observation=KNOWN["compute"], ceilings=CEILINGS)).verdict == "compute"


def test_no_wall_is_named_by_ceilings_that_the_point_exceeds():
    peak = CEILINGS["matmul_fp32_FLOP_per_s"]
    assert peak.value is not None
    busy = CEILINGS | {"matmul_fp32_FLOP_per_s": replace(peak, value=peak.value / 10, low=None, high=None)}
    with pytest.raises(UserError, match="busy when its ceilings were measured") as told:
        of_record(replace(factories.record(), observation=KNOWN["compute"], ceilings=busy))
    assert "--refresh" in told.value.remedy


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ("matmul_fp32_FLOP_per_s", "No peak of fp32"),
        ("gather_places_per_s", "scattered reads"),
        ("dispatch_small_s", "cost of a call"),
        ("read_B_per_s", "read bandwidth"),
        ("fresh_page_s", "fresh page"),
    ],
)
def test_a_missing_ceiling_is_told(without, told):
    operators = (product(0.3), *KNOWN["memory latency"].operators)
    rest = {name: each for name, each in CEILINGS.items() if name != without}
    seen = observed(*operators, seconds=1.3, minor_faults=10)
    assert any(told in each for each in attribute(seen, rest).cautions)
    assert not any(told in each for each in attribute(seen, CEILINGS).cautions)


def test_fresh_pages_take_from_operators_and_what_is_left_from_between_them():
    seen = observed(elementwise(0.3, bytes_moved=1e7), host_s=0.6, minor_faults=2e5)
    assert attribute(seen, CEILINGS).share("allocation") == pytest.approx(0.4, abs=0.01)
    assert attribute(replace(seen, minor_faults=0.0), CEILINGS).share("allocation") == 0
    assert attribute(replace(seen, device="cuda"), CEILINGS).share("allocation") == 0


kinds = st.sampled_from(
    ["product", "attention", "elementwise", "gather", "input", "transfer", "communication", "other"]
)
amounts = st.floats(0, 1e11)
operators = st.builds(
    Operator,
    st.just("op"),
    st.just(""),
    kinds,
    st.sampled_from(["fp32", "bf16"]),
    st.floats(1, 1e4),
    st.floats(0, 0.5),
    st.none() | amounts,
    st.none() | amounts,
    st.floats(0, 1e7),
    st.integers(0, 2**30),
)
observations = st.builds(
    Observation,
    st.floats(0.01, 1),
    st.sampled_from(["cpu", "cuda"]),
    st.integers(1, 4),
    st.just(4),
    st.lists(operators, max_size=5).map(tuple),
    *(st.floats(0, 2) for _ in range(4)),
    switches=st.floats(0, 1e4),
    major_faults=st.floats(0, 1e4),
    minor_faults=st.floats(0, 1e6),
    read_B=st.floats(0, 1e9),
    held_B=st.integers(0, 2**30),
    limit_B=st.none() | st.integers(1, 2**30),
    stalled_s=st.floats(0, 1),
    working_set_B=st.integers(0, 2**30),
    clock_share=st.none() | st.floats(0.1, 1.1),
    caches_B=st.sampled_from([{}, {"L1": 32 * 1024, "L2": MiB, "L3": 16 * MiB}]),
)


@given(observations)
def test_the_shares_add_up_to_the_measured_time(o):
    found = attribute(o, CEILINGS)
    assert math.fsum(share.seconds for share in found.shares) == pytest.approx(o.iteration_s, rel=1e-9)
    assert all(share.seconds >= 0 and share.low <= share.share <= share.high for share in found.shares)
    assert found.verdict in WALLS


@given(observations, st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_a_machine_that_is_twice_as_slow_in_everything_has_the_same_walls(o, factor):
    def slower(each):
        by = factor if each.unit == "s" else 1 / factor
        return replace(each, value=each.value * by, low=each.low * by, high=each.high * by)

    times = ("iteration_s", "host_s", "cpu_s", "idle_s", "read_s", "stalled_s")
    scaled = replace(
        o,
        operators=tuple(replace(each, seconds=each.seconds * factor) for each in o.operators),
        **{name: getattr(o, name) * factor for name in times},
    )
    before = attribute(o, CEILINGS)
    after = attribute(scaled, {name: slower(each) for name, each in CEILINGS.items()})
    assert after.verdict == before.verdict
    for wall in WALLS:
        assert after.share(wall) == pytest.approx(before.share(wall), abs=1e-9)
