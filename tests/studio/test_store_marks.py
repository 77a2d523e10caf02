from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livestream.studio.experiment import WriterFacts
from livestream.studio.store import marks
from livestream.studio.update import UpdateKey
from livestream.testing.marks import Marks, UpdateHeader

KEYS = st.builds(
    lambda first, length, parts, part: UpdateKey("w", first, first + length, min(part, parts), parts),
    st.integers(1, 12),
    st.integers(0, 4),
    st.integers(1, 3),
    st.integers(1, 3),
)


@given(st.lists(st.tuples(KEYS, st.booleans()), max_size=60))
def test_marks_judge_as_the_reference_does(sent: list[tuple[UpdateKey, bool]]) -> None:
    reference, writer = Marks(), WriterFacts()
    for key, repair in sent:
        header = UpdateHeader(key.writer, key.first, key.last, key.part, key.parts)
        repeat = marks.is_repeat(writer, key, repair=repair)
        assert repeat == reference.is_repeat(header, repair=repair)
        if not repeat:
            marks.take(writer, key, repair=repair)
            reference.take(header, repair=repair)
        assert writer.mark == reference.marks.get("w", 0)
        assert writer.gaps == reference.gaps.get("w", [])
        assert writer.overlaps == reference.overlaps


def test_what_is_remembered_is_bounded() -> None:
    writer = WriterFacts()
    for number in range(1, 5000):
        marks.take(writer, UpdateKey("w", number * 3, number * 3, 1, 1), repair=False)
        marks.take(writer, UpdateKey("w", number * 3, number * 3, 1, 2), repair=False)
        marks.take(writer, UpdateKey("w", number * 3 - 1, number * 3 - 1, 1, 2), repair=True)
    assert len(writer.gaps) == marks.MAX_GAPS
    assert len(writer.open) == marks.MAX_OPEN
    assert len(writer.repaired) == marks.MAX_REPAIRED
    assert writer.gaps[0][0] == 1
    assert writer.gaps[-1] == (4999 * 3 - 2, 4999 * 3 - 1)
