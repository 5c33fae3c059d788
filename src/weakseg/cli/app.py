"""The command line: parse, call, print."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from weakseg import __version__
from weakseg.errors import WeaksegError

app = typer.Typer(
    help="From image-level tags to pixel masks and a trained segmentation network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130  # what typer makes of Ctrl-C

SOURCES = (
    "A folder, table or JSON of photos with tags: voc:, csv:, folders: or coco:PATH, or the path alone; or scenes[:N]"
)
DataOption = Annotated[str, typer.Option("--data", help=f"{SOURCES}.")]
OutOption = Annotated[Path, typer.Option("--out", help="Directory to write to.")]
PredictionsOption = Annotated[
    Path, typer.Option("--out", help="Masks go to OUT/masks, or to OUT itself where it is called masks.")
]


def _print_version(value: bool) -> None:
    if value:
        print(f"weakseg {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options of every command."""


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a YAML file.")],
    data: DataOption,
    out: OutOption,
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value ...")] = None,
    overlays: Annotated[list[str] | None, typer.Option("--with", help="Overlay by name or file; repeatable.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start afresh, whatever run --out holds.")] = False,
) -> None:
    """Run a recipe from tags to masks. The same command goes on after an interruption."""
    from weakseg.recipes.loading import load_recipe
    from weakseg.report.run import run_and_draw

    finished = run_and_draw(load_recipe(recipe, overlays or [], overrides or []), data, out, overwrite=overwrite)
    _print_run(finished.folder)


@app.command()
def ablate(
    study: Annotated[str, typer.Argument(metavar="RECIPE|STUDY", help="Name of a recipe or study, or a YAML file.")],
    data: DataOption,
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value ..., for every run")] = None,
    vary: Annotated[list[str] | None, typer.Option(help="key.path=a,b,c; repeatable: every combination.")] = None,
    row: Annotated[list[str] | None, typer.Option(help="Run only the row of this label; repeatable.")] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 3,
    overlays: Annotated[list[str] | None, typer.Option("--with", help="Overlay by name or file; repeatable.")] = None,
    out: Annotated[Path | None, typer.Option(help="Directory to write to; by default runs/NAME.")] = None,
    until: Annotated[str | None, typer.Option(help="Last stage to run; the scoring is always done.")] = None,
    into: Annotated[
        Path | None, typer.Option(help="Put the table between <!-- table:NAME --> and <!-- end -->.")
    ] = None,
) -> None:
    """Run a recipe with every combination of settings and every seed, or a study by its name, and write a table.

    As `weakseg ablate affinitynet --with small --data voc:PATH --vary refine.walk.beta=4,8,16`. The same command goes
    on after an interruption and costs nothing where all is done; stages that runs have in common are done once.
    """
    from weakseg.studies.ablate import ablate as run_all
    from weakseg.studies.ablate import show
    from weakseg.studies.find import find_study
    from weakseg.studies.plan import Request

    found = find_study(study, vary or [])
    folder = out or Path("runs") / found.name
    request = Request(
        found,
        data,
        folder,
        rows=row or [],
        seeds=seeds,
        overlays=overlays or [],
        overrides=overrides or [],
        until=until,
        into=into,
    )
    summary = run_all(request)
    show(summary, folder)


@app.command()
def demo(
    out: OutOption = Path("runs/demo"),
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value ...")] = None,
) -> None:
    """Make the built-in pictures, run the whole pipeline on them and show what came out.

    The same as `weakseg run affinitynet --with small --with demo --data scenes:160`.
    """
    from weakseg.recipes.loading import load_recipe
    from weakseg.report.run import run_and_draw

    finished = run_and_draw(load_recipe("affinitynet", ["small", "demo"], overrides or []), "scenes:160", out)
    _print_run(finished.folder)


@app.command()
def data(
    source: Annotated[str, typer.Argument(help=f"{SOURCES}.")],
) -> None:
    """List a data source: images, tags, splits, and files that are missing or broken."""
    from weakseg.report.datalist import list_source

    list_source(source)


@app.command()
def recipes(name: Annotated[str | None, typer.Argument(help="Print this recipe or overlay.")] = None) -> None:
    """List the recipes, overlays and studies, or print one."""
    from weakseg.report.listing import list_recipes, print_recipe
    from weakseg.studies.find import list_studies, print_study, study_files

    if name is None:
        list_recipes()
        list_studies()
    elif name in study_files():
        print_study(name)
    else:
        print_recipe(name)


@app.command()
def evaluate(
    masks: Annotated[Path, typer.Argument(help="Folder of masks called ID.png, as OUT/masks of predict.")],
    data: DataOption,
    split: Annotated[str, typer.Option(help="Which split of the data.")] = "val",
) -> None:
    """Score a folder of masks against the ground truth."""
    from weakseg.report.listing import evaluate_folder

    evaluate_folder(masks, data, split)


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="Directory of a finished run.")],
    out: PredictionsOption,
    images: Annotated[list[Path] | None, typer.Argument(help="Images, or folders of images.")] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="Instead of images: a data source, whose ids the masks get.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="With --data: this split alone; by default all.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace masks of an earlier call.")] = False,
) -> None:
    """Write masks and overlays for new, untagged photos, and a list of them.

    The mask of FOLDER/a/1.jpg is OUT/masks/a/1.png. OUT/masks.csv names each photo with its mask and the classes
    found in it, or why it was left out; OUT/classes.txt what the values in the masks mean.
    """
    from weakseg.data.paths import unread_line
    from weakseg.pipeline.newphotos.apply import predict_photos, told
    from weakseg.pipeline.newphotos.photos import given_photos, source_photos

    if (data is None) == (not images):
        raise WeaksegError("predict: give images or folders of images, or a source with --data; one of the two")
    if split is not None and data is None:
        raise WeaksegError("predict: --split is of a source that --data names; leave it away with images")
    unread = [line for path in images or [] if path.is_dir() and (line := unread_line(path))]
    photos, missing = (given_photos(images or []), unread) if data is None else source_photos(data, split)
    written = predict_photos(run, photos, out, overwrite=overwrite)
    for line in (*missing, *written.left_out.values()):
        print(f"left out: {line}", file=sys.stderr)
    print("\n".join(told(written, run)))


@app.command()
def words(
    run: Annotated[Path, typer.Argument(help="Directory of a run of VWE or VWL.")],
    out: Annotated[Path | None, typer.Option("--out", help="Directory to write to; by default RUN/words.")] = None,
    per_class: Annotated[int, typer.Option(help="Words to draw of each class, those of the most pixels.")] = 8,
    patches: Annotated[int, typer.Option(help="Patches to show of each word.")] = 8,
    photos: Annotated[int, typer.Option(help="Training photos to look at, spread over the list.")] = 500,
    agreement: Annotated[float, typer.Option(help="Words whose patches agree less than this are marked.")] = 0.75,
) -> None:
    """Draw the visual words of a run: the patches nearest to each, by class, with a mark where they do not agree."""
    from weakseg.report.words import draw_words

    draw_words(run, out, words=per_class, patches=patches, photos=photos, agreement=agreement)


def _print_run(folder: Path) -> None:
    from weakseg.report.listing import print_run

    print_run(folder)


def main() -> None:
    """Entry point: an input error is one line on standard error and exit code 2."""
    # Waiting threads soon sleep instead of spinning: on busy cores spinning makes two threads far slower than one.
    # OpenMP reads this once, when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]  # wherever it stands
    try:
        app(args=arguments)
    except (WeaksegError, OSError) as error:
        if len(arguments) < len(sys.argv) - 1:
            raise
        # An error in a loading process comes with that process's traceback; what it says is the last line.
        line = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        print(f"weakseg: {line.removeprefix('weakseg.errors.WeaksegError: ')}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            way = "starts anew" if "predict" in arguments[:1] else "goes on from here"
            print(f"weakseg: interrupted; the same command {way}", file=sys.stderr)
        raise
