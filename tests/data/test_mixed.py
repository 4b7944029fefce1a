"""Tables in which a text stands beside other columns."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import manyhot as mh
from manyhot.data import examine, read_inputs
from manyhot.data.inputs import Mixed, Texts
from manyhot.errors import InputError
from manyhot.runs.table_files import write_table

ROWS = 60


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A CSV with a text, a title of its own in each row, a number, a category, a line number, a constant."""
    rng = np.random.default_rng(0)
    kinds = rng.choice(["dress", "jeans"], ROWS)
    brands = rng.choice(["north", "south"], ROWS)
    frame = pl.DataFrame(
        {
            "line": np.arange(ROWS),
            "headline": [f"offer number {row} of the whole week" for row in range(ROWS)],
            "description": [
                f"a fine {kind} to wear on day {row} of it all" for row, kind in enumerate(kinds)
            ],
            "price": rng.normal(50, 10, ROWS).round(2),
            "brand": brands,
            "shop": ["here"] * ROWS,
            "tags": [f"{kind}|{brand}" for kind, brand in zip(kinds, brands, strict=True)],
        }
    )
    path = tmp_path_factory.mktemp("mixed") / "offers.csv"
    frame.write_csv(path)
    return path


def test_a_text_that_is_found_takes_numbers_and_categories_along(path):
    table = mh.read(path)
    assert isinstance(table.inputs, Mixed)
    assert table.schema.text == ("description",)
    assert table.schema.features == (("price", "number"), ("brand", "category"))
    assert "text in 'description' and 2 columns ('price', 'brand')" in table.notes.sentence
    assert "not used: 'line', 'headline', 'shop'" in table.notes.sentence
    assert table.take([3, 1]).inputs.texts.values[1].startswith("a fine")


def test_a_text_that_is_named_is_the_input_alone_unless_features_are_named_too(path):
    alone = mh.read(path, text="description")
    assert isinstance(alone.inputs, Texts)
    both = mh.read(path, text=["headline", "description"], features=["brand"])
    assert (both.schema.text, both.schema.features) == (("headline", "description"), (("brand", "category"),))
    assert both.inputs.texts.values[0].split("\n")[0] == "offer number 0 of the whole week"


def test_new_rows_are_read_the_same_way(path, tmp_path):
    table = mh.read(path)
    inputs, ids = read_inputs(path, table.schema)
    assert inputs.frame.equals(table.inputs.frame)
    assert len(ids) == ROWS
    lines = tmp_path / "new.jsonl"
    lines.write_text('{"description": "a dress", "price": null, "brand": "east"}\n')
    assert read_inputs(lines, table.schema)[0].frame.row(0) == ("a dress", None, "east")
    lines.write_text('{"description": "a dress", "price": 3}\n')
    with pytest.raises(InputError, match="lacks 'brand', which the model reads"):
        read_inputs(lines, table.schema)


def test_the_doctor_looks_at_both_parts(path):
    diagnosis = examine(mh.read(path))
    assert diagnosis.features.columns == 2
    assert diagnosis.repeats.rows == 0


def test_it_comes_back_from_a_file_of_our_own(path, tmp_path):
    table = mh.read(path)
    for name in ("offers.jsonl", "offers.parquet"):
        (written,) = write_table(table, tmp_path / name)
        again = mh.read(written, text="description", features=["price", "brand"])
        assert again.inputs.frame.equals(table.inputs.frame)
        assert again.space == table.space


def test_columns_in_memory_that_hold_texts_are_found(path):
    frame = pl.read_csv(path).select("description", "price", "brand")
    labels = [cell.split("|") for cell in pl.read_csv(path)["tags"]]
    for rows in (frame, pd.DataFrame(frame.to_dict(as_series=False)), frame.to_dicts()):
        run = mh.fit(rows, labels)
        assert run.predictor.kind == "mixed"
        assert run.made.test.schema.text == ("description",)
        assert run.metrics["exact"] > run.metrics.baseline["exact"] + 0.5


def test_a_text_column_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="no text column 'body'; the frame has title, price"):
        Mixed(pl.DataFrame({"title": ["some words"], "price": [1.0]}), ("title", "body"))


def test_a_run_on_texts_and_columns_learns_from_both(path, tmp_path):
    run = mh.fit(path, out=tmp_path / "run")
    assert (
        run.metrics["exact"] > run.metrics.baseline["exact"] + 0.5
    )  # the kind is in the text, the brand beside
    loaded = mh.load(tmp_path / "run")
    new = [{"description": "a dress", "price": 50.0, "brand": "south"}]
    assert loaded.predict(new)[0] == run.predict(new)[0]
    assert set(loaded.predict(new)[0]) == {"dress", "south"}
    assert np.array_equal(loaded.predict(path).scores, run.predict(path).scores)
