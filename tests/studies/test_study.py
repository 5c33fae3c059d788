import pytest

from weakseg.errors import WeaksegError
from weakseg.studies.find import find_study, parse_study, split_values
from weakseg.studies.study import Row, Study, short_names


def test_values_are_split_at_commas_outside_brackets_and_quotes():
    assert split_values("4, 8") == ["4", "8"]
    assert split_values("[1.0],[0.5,1.0]") == ["[1.0]", "[0.5,1.0]"]
    assert split_values("{a: [1,2], b: 3},null") == ["{a: [1,2], b: 3}", "null"]
    assert split_values("'a,b',\"]\"") == ["'a,b'", '"]"']


@pytest.mark.parametrize("text", ["", "1,,2", "1,", "[1,2", "1],[2", "'a", "a]"])
def test_values_that_cannot_be_split_are_an_error(text):
    with pytest.raises(WeaksegError, match=r"value is empty|not closed"):
        split_values(text)


def test_every_combination_is_a_row():
    study = find_study("cam", ["localize.stride=4,8", "localize.scales=[1.0],[0.5,1.0]"])
    assert study.name == "cam-stride-scales"
    rows = study.all_rows()
    assert [row.label for row in rows] == [
        "stride=4, scales=[1.0]",
        "stride=4, scales=[0.5,1.0]",
        "stride=8, scales=[1.0]",
        "stride=8, scales=[0.5,1.0]",
    ]
    assert rows[1].set == ("localize.stride=4", "localize.scales=[0.5,1.0]")
    assert [row.folder for row in rows][:2] == ["stride=4_scales=1.0", "stride=4_scales=0.5_1.0"]
    assert {row.recipe for row in rows} == {"cam"}
    assert study.keys() == ("localize.stride", "localize.scales")


def test_keys_are_shortened_as_far_as_they_stay_different():
    keys = ["refine.background.alpha", "refine.walk.beta", "localize.background.alpha", "alpha"]
    assert short_names(keys) == {
        "refine.background.alpha": "refine.background.alpha",
        "refine.walk.beta": "beta",
        "localize.background.alpha": "localize.background.alpha",
        "alpha": "alpha",
    }


def test_several_grids_follow_each_other_and_published_figures_their_rows():
    study = Study(
        name="x",
        recipe="vwe",
        vary=[{"classify.options.k": [64, 128]}, {"classify.options.gamma": [0]}],
        published={"maps": [50.5, None, 52.9]},
    )
    rows = study.all_rows()
    assert [row.label for row in rows] == ["k=64", "k=128", "gamma=0"]
    assert [row.published for row in rows] == [{"maps": 50.5}, {}, {"maps": 52.9}]


def test_values_keep_their_yaml_meaning():
    study = Study(name="x", recipe="cam", vary={"a.b": [None, True, [1.0, 2], "word", 1e-4]})
    assert [row.set[0] for row in study.all_rows()] == [
        "a.b=null",
        "a.b=true",
        "a.b=[1.0, 2]",
        "a.b=word",
        "a.b=0.0001",
    ]


def test_rows_have_the_recipe_of_the_study_unless_they_name_one():
    study = Study(name="x", recipe="cam", rows=[Row(label="a"), Row(label="b", recipe="irnet")])
    assert [row.recipe for row in study.all_rows()] == ["cam", "irnet"]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"recipe": "cam"}, "either rows or vary"),
        ({"recipe": "cam", "rows": [{"label": "a"}], "vary": {"k": [1]}}, "either rows or vary"),
        ({"rows": [{"label": "a"}]}, "recipe is missing"),
        ({"recipe": "cam", "rows": [{"label": "a*"}, {"label": "a"}]}, "2 rows are called a"),
        ({"recipe": "cam", "vary": {"k": [1, 1]}}, "2 rows are called k=1"),
        ({"recipe": "cam", "vary": {"k": []}}, "vary.0.k: .*at least 1"),
        ({"recipe": "cam", "vary": {"k": [1, 2]}, "published": {"maps": [1]}}, "1 figures for 2 rows"),
        ({"recipe": "cam", "rows": [{"label": "a"}], "published": {"maps": [1]}}, "rows have their own"),
        ({"recipe": "cam", "vary": {"k": [1]}, "columns": ["mious"]}, "unknown column 'mious'; available: maps"),
        ({"recipe": "cam", "vary": {"k": [1]}, "stages": ["train"]}, "stages.0"),
        ({"recipe": "cam", "vary": {"k": [1]}, "colums": []}, "colums: unknown key; available there: name"),
        ({"recipe": "cam", "rows": [{"name": "a"}]}, "rows.0.label"),
        ({"name": "a/b", "recipe": "cam", "vary": {"k": [1]}}, "name"),
    ],
)
def test_a_wrong_study_is_named_with_the_key(tree, message):
    with pytest.raises(WeaksegError, match=f"mine.yaml: .*{message}") as raised:
        parse_study({"name": "x", **tree}, "mine.yaml")
    assert "\n" not in str(raised.value)


def test_some_rows_of_a_study_keep_their_order_and_published_figures():
    tree = {"name": "t", "recipe": "cam", "vary": {"seed_of": [1, 2, 3]}, "published": {"maps": [4, None, 6]}}
    study = parse_study(tree, "t")
    assert study.only([]) is study
    some = study.only(["seed_of=3", "seed_of=1"])
    assert [(row.label, row.published) for row in some.all_rows()] == [
        ("seed_of=1", {"maps": 4}),
        ("seed_of=3", {"maps": 6}),
    ]
    assert [row.set for row in some.all_rows()] == [("seed_of=1",), ("seed_of=3",)]
    with pytest.raises(WeaksegError, match="unknown row of t 'four'; available: 'seed_of=1', 'seed_of=2'"):
        study.only(["seed_of=1", "four"])


def test_a_study_may_be_a_file(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\nrecipe: cam\nvary: {localize.stride: [4, 8]}\n")
    assert len(find_study(str(tmp_path / "mine.yaml"), []).all_rows()) == 2
    (tmp_path / "recipe.yaml").write_text("name: mine\nstages: [classify]\n")
    assert find_study(str(tmp_path / "recipe.yaml"), ["seed.x=1"]).name == "recipe-x"


@pytest.mark.parametrize(
    ("name", "vary", "message"),
    [
        ("cma", [], "unknown recipe or study 'cma'; available: .*cam.*vwe-table1"),
        ("cam", [], "cam: nothing to vary; .*--vary .*vwe-table1"),
        ("vwe-table1", ["a=1"], "is a study.*leave --vary out"),
        ("cam", ["localize.stride"], "must be key.path=a,b,c"),
        ("cam", ["=4"], "must be key.path=a,b,c"),
        ("cam", ["seed=1,2"], "--seeds says how many"),
        ("cam", ["a=1", "a=2"], "given twice"),
        ("none.yaml", [], "none.yaml: not a readable YAML file"),
    ],
)
def test_a_wrong_request_is_one_line(name, vary, message):
    with pytest.raises(WeaksegError, match=message):
        find_study(name, vary)


@pytest.mark.parametrize("text", ["a: [1,\n", "- a\n", "\0"])
def test_a_broken_study_file_is_named(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(WeaksegError, match=r"mine\.yaml: "):
        find_study(str(tmp_path / "mine.yaml"), [])
