import pytest

from manyhot import datasets
from manyhot.datasets import DATASETS, load
from manyhot.errors import OptionError


@pytest.mark.parametrize("name", ["movies16", "sparse1000", "toy"])
def test_options_and_seed_reach_the_maker(name):
    assert load(name, rows=800, seed=5).targets == DATASETS[name](rows=800, seed=5).targets


def test_unknown_names_are_listed():
    with pytest.raises(
        OptionError, match=r"data set must be one of glyphs, imports, .*did you mean movies16"
    ):
        load("movies")


def test_openml_names_go_to_openml(monkeypatch):
    monkeypatch.setattr(datasets, "openml", lambda name, **options: (name, options))
    assert load("openml:yeast", version=4) == ("yeast", {"version": 4})


def test_limit_draws_rows():
    table, again, other = (load("toy", rows=400, limit=100, seed=seed) for seed in (0, 0, 1))
    assert len(table) == 100
    assert table.row_ids.tolist() == again.row_ids.tolist()
    assert table.row_ids.tolist() != other.row_ids.tolist()


def test_limit_keeps_groups_whole():
    pytest.importorskip("matplotlib")
    whole = load("glyphs", size=16)
    part = load("glyphs", size=16, limit=500)
    assert 450 < len(part) <= 500
    for group in set(part.group):
        assert (part.group == group).sum() == (whole.group == group).sum()
    assert part.space == whole.space


def test_a_limit_without_room_for_a_group_is_an_error():
    with pytest.raises(OptionError, match="limit must be >= 1, got 0"):
        load("toy", limit=0)


@pytest.mark.parametrize("name", DATASETS)
def test_a_seed_outside_its_range_is_an_error(name):
    with pytest.raises(OptionError, match=r"seed must be in \[0, 9223372036854775807\], got -1"):
        load(name, seed=-1)


def test_a_maker_looks_at_its_seed_too():
    with pytest.raises(OptionError, match="seed must be in"):
        DATASETS["toy"](rows=50, seed=2**63)
