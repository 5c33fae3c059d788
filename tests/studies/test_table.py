import csv
import io
import json
import statistics

import pytest
from PIL import Image
from rich.console import Console

from weakseg.studies.columns import COLUMNS
from weakseg.studies.plot import draw, number_axes
from weakseg.studies.study import Row, Study
from weakseg.studies.summary import Cell, Result, Summary, short_source
from weakseg.studies.table import comma_separated, markdown, records, terminal

ABOUT = {
    "machine": "a processor",
    "threads": 2,
    "weakseg": "1.2.3",
    "date": "2026-01-02",
    "list": "train_240",
    "images": 240,
    "scored": None,
    "chosen_with_masks": "nothing",
}
GIVEN = {"data": "voc:/somewhere/animals", "overlays": ["small"], "overrides": ["data.train=train_240"]}
STUDY = Study(
    name="beta",
    recipe="affinitynet",
    columns=["refined", "best", "memory"],
    vary={"refine.walk.beta": [4, 8, 16]},
    published={"refined": [None, 61.0, None]},
)


def result(row, seed, refined, *, best=None, **about):
    figures = {"refined": refined, "best": best, "memory": 700.4, "maps": 40.0}
    return Result(row, seed, f"out/{row.folder}/seed{seed}", figures=figures, about=ABOUT | about)


@pytest.fixture
def summary():
    """beta=4 with two seeds, beta=8 with one that failed, beta=16 failed."""
    low, middle, high = STUDY.all_rows()
    results = [
        result(low, 0, 50.0),
        result(middle, 0, 60.04),
        Result(high, 0, "out/x", "the loss | is nan"),
        result(low, 1, 52.0, date="2026-01-04"),
        Result(middle, 1, "out/y", "killed"),
        Result(high, 1, "out/z", "the loss is nan"),
    ]
    return Summary(STUDY, results, GIVEN)


def test_a_cell_is_the_mean_and_the_sample_standard_deviation():
    cell = Cell.of([50.0, 52.0, 57.0])
    assert cell.mean == pytest.approx(53)
    assert cell.spread == pytest.approx(statistics.stdev([50, 52, 57]))
    assert cell.text(1) == "53.0 ± 3.6"
    assert Cell.of([50.0]).text(2) == "50.00"
    assert Cell.of([]) is None


def test_the_table_has_measured_and_published_columns(summary):
    lines = markdown(summary).splitlines()
    assert lines[:5] == [
        "| variant | pseudo masks | published | peak RAM MiB |",
        "| --- | ---: | ---: | ---: |",
        "| beta=4 | 51.0 ± 1.4 |  | 700 ± 0 |",
        "| beta=8 (1 of 2 seeds) | 60.0 | 61 | 700 |",
        "| beta=16 | failed |  | failed |",
    ]


def test_the_notes_name_a_list_that_is_scored_by_itself():
    given = GIVEN | {"overrides": ["data.train=train_aug", "data.score=train"]}
    results = [result(STUDY.all_rows()[0], 0, 50.0, list="train_aug", images=900, scored="train")]
    text = " ".join(Summary(STUDY, results, given).notes())
    assert "on voc:animals, train_aug (900 photos), scored on train; seed 0." in text
    assert "maps and pseudo masks on the scored list" in text


def test_the_notes_say_what_was_run_on_what(summary):
    text = " ".join(summary.notes())
    assert "`beta` with small, data.train=train_240 on voc:animals, train_240 (240 photos);" in text
    assert "/somewhere" not in text
    assert "mean ± sample standard deviation over seeds 0, 1." in text
    assert "published: by the papers" in text
    assert "a processor, 2 threads; weakseg 1.2.3; 2026-01-02 to 2026-01-04." in text
    assert "Failed: beta=8, seed 1: killed." in text
    assert "Chosen with masks" not in text


def test_what_masks_have_chosen_is_said():
    row = STUDY.all_rows()[0]
    chosen = Summary(STUDY, [result(row, 0, 50.0, best=55.0, chosen_with_masks="learning rates")], GIVEN)
    text = " ".join(chosen.notes())
    assert "Chosen with masks: learning rates." in text
    assert "best: with the background that scores best, which is chosen with the masks" in text
    assert "best maps (uses masks)" in chosen.header()
    assert "; seed 0." in text


def test_a_column_that_nothing_is_known_of_is_left_out(summary):
    assert summary.columns() == ("refined", "memory")
    everything = Summary(STUDY.model_copy(update={"columns": ()}), summary.results, GIVEN)
    assert everything.columns() == ("maps", "refined", "memory")


def test_a_study_of_which_nothing_is_done_is_still_a_table():
    empty = Summary(STUDY, [], GIVEN)
    assert "| beta=8 |  | 61 |" in markdown(empty)
    assert "no finished run" in markdown(empty)


def test_bars_in_texts_break_no_table():
    row = Row(label="a|b", recipe="cam")
    found = Summary(Study(name="x", rows=[row]), [result(row, 0, 50.0)], GIVEN)
    assert "| a\\|b |" in markdown(found)


def test_commas_separate_unrounded_figures(summary):
    rows = list(csv.DictReader(io.StringIO(comma_separated(summary))))
    assert [row["variant"] for row in rows] == ["beta=4", "beta=8", "beta=16"]
    assert rows[0]["set"] == "refine.walk.beta=4"
    assert (rows[0]["seeds"], rows[0]["failed"]) == ("2", "0")
    assert float(rows[0]["refined_sd"]) == pytest.approx(2**0.5, abs=1e-5)
    assert (rows[1]["refined"], rows[1]["refined_sd"], rows[1]["refined_published"]) == ("60.04", "", "61")
    assert (rows[2]["refined"], rows[2]["failed"]) == ("", "2")


def test_the_records_hold_every_run(summary):
    found = json.loads(json.dumps(records(summary)))
    assert found["study"] == "beta"
    assert found["overlays"] == ["small"]
    assert [(run["row"], run["seed"], bool(run["error"])) for run in found["runs"]][:2] == [
        ("beta=4", 0, False),
        ("beta=8", 0, False),
    ]
    assert found["runs"][0]["figures"]["refined"] == 50.0
    assert found["runs"][0]["about"]["machine"] == "a processor"


def printed(summary, width=80):
    text = io.StringIO()
    console = Console(file=text, width=width, markup=False)
    for part in terminal(summary, width):
        console.print(part, highlight=False)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text.getvalue()
    return lines


def test_the_terminal_shows_the_same_rows(summary):
    (table,) = terminal(summary, 80)
    assert table.row_count == 3
    assert any("61.0" in line or " 61 " in line for line in printed(summary))


def many(keys, columns, values=(0.05, 0.3)):
    """A study of two rows with long labels; every column differs but for "memory"."""
    study = Study(name="long", recipe="irnet", columns=columns, vary={key: list(values) for key in keys})
    results = [
        Result(row, seed, "x", figures={name: 41.3 + seed + i * (name != "memory") for name in columns}, about=ABOUT)
        for i, row in enumerate(study.all_rows())
        for seed in (0, 1)
    ]
    return Summary(study, results, GIVEN)


def first_column(lines):
    """The labels, put together again from the lines that they were folded to."""
    return "".join(line.split("│")[1].strip() for line in lines if line.startswith("│"))


@pytest.mark.parametrize("width", [60, 80, 160])
def test_nothing_is_cut_at_any_width(width):
    found = many(["relate.irnet.foreground.threshold", "relate.irnet.background.threshold"], list(COLUMNS))
    lines = printed(found, width)
    text = "\n".join(lines)
    for row in found.study.all_rows():
        assert row.label.replace(" ", "") in first_column(lines).replace(" ", "")
        for name in COLUMNS:
            assert found.cell(row, name).text(COLUMNS[name].decimals) in text
    for word in {word for name in COLUMNS for word in COLUMNS[name].title.split()}:
        assert word in text


def test_a_label_longer_than_the_line_is_folded():
    found = many(["a.key.path"], ["refined"], ["x" * 100, "x" * 99 + "y"])
    assert "x" * 99 + "y" in first_column(printed(found))


def test_what_is_the_same_in_every_row_is_said_once():
    lines = printed(many(["beta"], ["maps", "memory"]))
    assert lines[0] == "the same in every row: peak RAM MiB 42 ± 1"
    assert sum("RAM" in line for line in lines) == 1
    alone = printed(many(["beta"], ["memory"]))
    assert not any("the same" in line for line in alone)
    assert sum("42 ± 1" in line for line in alone) == 2


@pytest.mark.parametrize(
    ("spec", "short"),
    [("voc:/a/b/animals", "voc:animals"), ("csv:x/list.csv", "csv:list.csv"), ("scenes:4,seed=1", "scenes:4,seed=1")],
)
def test_sources_are_named_without_their_folders(spec, short):
    assert short_source(spec) == short


def test_the_plot_has_a_panel_per_number(summary):
    with Image.open(io.BytesIO(draw(summary))) as picture:
        one = picture.size
    axes = Study(name="x", recipe="affinitynet", columns=["maps"], vary=[{"a.b": [1, 2]}, {"c": [1, 100]}])
    found = Summary(axes, [result(row, 0, 50.0) for row in axes.all_rows()], GIVEN)
    with Image.open(io.BytesIO(draw(found))) as picture:
        assert picture.size[0] == 2 * one[0]
        assert picture.size[1] == one[1]


@pytest.mark.parametrize(
    "vary",
    [{"a": [1, 2], "b": [1, 2]}, {"a": ["x", "y"]}, {"a": [[1.0], [2.0]]}, {"a": [1]}, {"a": [1, None]}],
)
def test_nothing_else_is_plotted(vary):
    study = Study(name="x", recipe="cam", vary=vary)
    assert number_axes(study.all_rows()) == {}
    assert draw(Summary(study, [result(row, 0, 50.0) for row in study.all_rows()], GIVEN)) is None


def test_rows_of_several_recipes_are_not_plotted_as_one():
    rows = [Row(label=str(number), recipe=name, set=[f"a={number}"]) for number, name in ((1, "cam"), (2, "irnet"))]
    assert number_axes(tuple(rows)) == {}
