"""Only what is finished without a gap is ever committed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.runtime.watermark import Watermark


def begun(*offsets: int) -> Watermark:
    mark = Watermark()
    for offset in offsets:
        mark.begin(offset)
    return mark


def test_nothing_is_committed_before_the_head_is_finished() -> None:
    mark = begun(10, 11, 12)
    mark.finish([11, 12])
    assert mark.position is None
    assert mark.open == 3


def test_the_position_jumps_over_what_was_finished_before() -> None:
    mark = begun(10, 11, 12, 13)
    mark.finish([11, 12])
    mark.finish([10])
    assert mark.position == 13
    assert mark.open == 1


def test_offsets_that_do_not_exist_are_no_gap() -> None:
    mark = begun(3, 7)
    mark.finish([3])
    assert mark.position == 4
    mark.finish([7])
    assert mark.position == 8


def test_a_record_that_comes_twice_is_refused() -> None:
    mark = begun(3)
    with pytest.raises(ValueError, match="after"):
        mark.begin(3)


@given(st.data())
def test_in_any_order_the_position_never_passes_an_unfinished_record(data: st.DataObject) -> None:
    offsets = sorted(data.draw(st.sets(st.integers(0, 200), min_size=1, max_size=40)))
    order = data.draw(st.permutations(offsets))
    mark = begun(*offsets)
    unfinished = set(offsets)
    for offset in order:
        mark.finish([offset])
        unfinished.discard(offset)
        position = -1 if mark.position is None else mark.position
        assert all(position <= other for other in unfinished)
        finished_head = [o for o in offsets if o < min(unfinished, default=10_000)]
        assert position == (finished_head[-1] + 1 if finished_head else -1)
    assert mark.open == 0
