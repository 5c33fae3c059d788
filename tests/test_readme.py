"""Every command line of the README is run, in order, on photos as small as can be."""

import re
import shlex
from pathlib import Path

import pytest

import tiny

README = Path(__file__).resolve().parents[1] / "README.md"


def blocks() -> list[str]:
    return re.findall(r"^```\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.S | re.M)


def commands() -> list[list[str]]:
    return [shlex.split(line)[1:] for block in blocks() for line in block.splitlines() if line.startswith("weakseg ")]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with what the README's commands name."""
    voc = tiny.write_photos(tmp_path / "voc-animals")
    rows = [f"voc-animals/JPEGImages/{name}.jpg,{tags}" for name, tags in tiny.TRAIN.items()]
    (tmp_path / "photos.csv").write_text("image,tags\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "new-photos").mkdir()
    for name in tiny.VAL:
        (tmp_path / "new-photos" / f"{name}.jpg").write_bytes((voc / "JPEGImages" / f"{name}.jpg").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_first_screen_has_both_commands():
    first_screen = README.read_text(encoding="utf-8").splitlines()[:30]
    assert "pip install . && weakseg demo" in first_screen
    assert "pip install '.[test]' && pytest" in first_screen


def smaller(command: list[str], desk: Path) -> list[str]:
    """What makes a command of the README quick."""
    if command[0] == "run" and command[1].startswith("--"):  # planned
        return [*tiny.overrides(), *tiny.AUTO]
    if command[0] == "plan":
        return tiny.AUTO
    return ["--with", str(tiny.write_overlay(desk))] if command[0] == "run" else []


def test_every_command_works(desk):
    ran = commands()
    assert {command[0] for command in ran} >= {"data", "run", "predict"}
    for command in ran:
        ended = tiny.weakseg(*command, *smaller(command, desk))
        assert ended.code == 0, (command, ended.err)
    assert sorted(path.name for path in (desk / "masks").glob("*.png")) == ["v0.png", "v1.png", "v2.png"]


def test_the_python_lines_work(desk, capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.S | re.M)
    assert len([line for line in code.splitlines() if line.strip()]) == 10
    names = {}
    exec(code.replace('["small"]', f'["small", "{tiny.write_overlay(desk)}"]'), names)
    assert names["mask"].shape == names["found"].labels.shape
    assert 0 <= names["maps"].min() <= names["maps"].max() <= 1
    assert str(tuple(tiny.CLASSES)) in capsys.readouterr().out


@pytest.mark.slow
def test_the_demo_runs(tmp_path):
    short = [f"{stage}.train.epochs=1" for stage in ("classify", "selftrain", "segment")]
    small = [f"{stage}.augment.crop=64" for stage in ("classify", "selftrain", "segment")]
    fewer = ["localize.scales=[0.5]", "predict.scales=[0.5]", "predict.crf=null", "selftrain.views.crf=null"]
    fewer += ["refine.steps=[background]", "hardware.threads=1"]
    ended = tiny.weakseg("demo", "--out", tmp_path / "demo", *short, *small, *fewer)
    assert ended.code == 0, ended.err
    assert "predict" in ended.out
    assert (tmp_path / "demo" / "pictures" / "val.png").is_file()
