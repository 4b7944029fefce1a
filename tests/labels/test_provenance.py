"""Decided sets keep what their rule wrote on them, through cutting, hardening and joining."""

import numpy as np

from manyhot.labels import Provenance, RowMarks, Targets, TunedRows

MARKS = RowMarks(np.arange(4, dtype=np.uint64))
ORIGIN = Provenance(("a", "b", "c"), TunedRows.of(MARKS), MARKS)
DECIDED = Targets.from_dense(np.eye(4, 3)).decided_by(ORIGIN)


def test_parts_keep_what_is_theirs():
    part = DECIDED.rows([3, 1]).columns([2, 0]).harden().assume_negative()
    assert part.provenance.names == ("c", "a")
    assert part.provenance.marks.scores.tolist() == [3, 1]
    assert part.provenance.tuned_on == ORIGIN.tuned_on


def test_batches_join_and_strangers_do_not():
    joined = Targets.concat([DECIDED.rows(slice(0, 1)), DECIDED.rows(slice(1, 4))])
    np.testing.assert_array_equal(joined.provenance.marks.scores, MARKS.scores)
    assert Targets.concat([DECIDED, Targets.negative(1, 3)]).provenance is None
    other = DECIDED.decided_by(Provenance(("a", "b", "d")))
    assert Targets.concat([DECIDED, other]).provenance is None


def test_it_is_no_part_of_the_value():
    assert Targets.from_dense(np.eye(4, 3)) == DECIDED
    assert DECIDED.widen(5).provenance is None
    assert Targets.negative(1, 2).provenance is None
