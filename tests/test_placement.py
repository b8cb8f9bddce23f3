from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from reports.placement import Anchor, Box, place

FRAME = Box(0, 0, 290, 200)

anchors = st.builds(Anchor, st.floats(10, 280), st.floats(10, 190), st.floats(2, 11), st.floats(10, 140), st.just(12.0))


def test_a_lone_label_stands_level_with_its_disc_on_the_right():
    (box,) = place([Anchor(100, 100, 5, 50, 12)], FRAME)
    assert box is not None
    assert 105 <= box.left <= 112
    assert abs((box.bottom + box.top) / 2 - 100) < 2


def test_at_the_right_edge_a_label_stands_elsewhere():
    (box,) = place([Anchor(285, 100, 5, 50, 12)], FRAME)
    assert box is not None
    assert box.right <= 290


@given(st.lists(anchors, max_size=8))
def test_labels_stand_inside_the_frame_and_on_no_other(crowd):
    placed = [box for box in place(crowd, FRAME) if box]
    assert all(not a.overlaps(b) for a, b in combinations(placed, 2))
    assert all(FRAME.left <= b.left and b.right <= FRAME.right for b in placed)
    assert all(FRAME.bottom <= b.bottom and b.top <= FRAME.top for b in placed)


@given(st.lists(anchors, min_size=1, max_size=3))
def test_a_few_labels_stand_on_no_disc(crowd):
    for box in place(crowd, FRAME):
        assert box is not None
        assert not any(box.overlaps(anchor.box) for anchor in crowd)


def test_a_label_makes_way_for_a_line_where_it_can():
    anchor = Anchor(100, 100, 5, 50, 12)
    line = Box(90, 100, 290, 100)
    (box,) = place([anchor], FRAME, [line])
    assert box is not None
    assert not (box.bottom < 100 < box.top)
    fills = [Box(0, y, 290, y) for y in range(0, 200, 5)]
    assert place([anchor], FRAME, fills) == place([anchor], FRAME)


def test_a_label_wider_than_the_frame_has_no_place():
    assert place([Anchor(100, 100, 5, 400, 12)], FRAME) == [None]


def test_boxes_that_touch_do_not_overlap():
    assert not Box(0, 0, 1, 1).overlaps(Box(1, 0, 2, 1))
    assert Box(0, 0, 1, 1).overlaps(Box(0.9, 0.9, 2, 2))


def test_a_label_keeps_off_faint_lines_only_while_it_stays_near():
    anchor = Anchor(100, 100, 5, 50, 12)
    whisker = Box(60, 100, 150, 100)
    (beside,) = place([anchor], FRAME, faint=[whisker])
    assert beside is not None
    assert not beside.overlaps(Box(60, 99, 150, 101))
    everywhere = [Box(0, y, 290, y) for y in range(60, 140, 5)]
    (on_it,) = place([anchor], FRAME, faint=everywhere)
    assert on_it is not None
    assert anchor.distance(on_it) < 25


def test_a_label_stands_nearer_to_its_own_disc_than_to_another():
    own, other = Anchor(150, 100, 6, 60, 12), Anchor(120, 100, 8, 60, 12)
    box = place([own, other], FRAME)[0]
    assert box is not None
    assert own.distance(box) - own.radius < other.distance(box) - other.radius
