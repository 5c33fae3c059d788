"""Draw the picture that the README opens with, from a finished run on tagged photos such as `weakseg demo`.

python benchmarks/opening.py runs/demo --out docs/images/opening.webp

Photos with their tags above, the masks that were made of them below, the run's report beside them. The photos are not
chosen by how well they came out: in the order by expected IoU, which needs no ground truth, they stand in the middle of
as many equal parts.
"""

from __future__ import annotations

import argparse
from html import escape
from pathlib import Path

from PIL import Image, ImageOps

import document
from shots import embedded, keep, png
from weakseg.data.images import read_mask
from weakseg.data.sample import Array, Sample
from weakseg.data.source import open_source
from weakseg.evaluation.expected import by_photo
from weakseg.pipeline.masklist import read_mask_list
from weakseg.pipeline.rundir.run import Run
from weakseg.report.tints import masked

PHOTOS = 4
SIDE = 190
"""Of a photo, in pixels."""
KILOBYTES = 300
PAGE = """<!doctype html><meta charset="utf-8"><style>
* {{ box-sizing: border-box; margin: 0 }}
body {{ width: 1240px; padding: 18px; background: #fff; color: #1b1c1d; font: 17px/1.3 system-ui, sans-serif;
  display: grid; grid-template-columns: auto 1fr; gap: 26px }}
h2 {{ font-size: 17px; margin-bottom: 8px }} .row {{ display: flex; gap: 12px; margin-bottom: 10px }}
figure {{ width: {side}px }} img {{ display: block; width: 100%; border-radius: 6px }}
figcaption {{ margin-top: 4px; display: flex; gap: 6px; flex-wrap: wrap }}
.tag {{ border-radius: 9px; padding: 0 9px; color: #fff }}
.report {{ border: 1px solid #c9c9c4; border-radius: 8px; overflow: hidden; height: 100%; position: relative }}
.report img {{ position: absolute; width: 100%; border-radius: 0 }} aside {{ display: flex; flex-direction: column }}
</style><main><h2>You give photos and their tags</h2><div class="row">{photos}</div>
<h2>weakseg makes masks of all of them, and a network for new photos</h2><div class="row">{masks}</div></main>
<aside><h2>and a report</h2><div class="report"><img src="{report}"></div></aside>"""


def spread_by_expectation(run: Run, samples: dict[str, Sample], count: int) -> list[str]:
    """The ids of photos that stand for all between the worst and the best mask."""
    expected = by_photo(read_mask_list(run.folder / run.read_recipe().mask_stages[-1]))
    order = sorted((name for name in expected if name in samples), key=lambda name: (-expected[name], name))
    return [order[(2 * part + 1) * len(order) // (2 * count)] for part in range(count)]


def figure(pixels: Array, caption: str = "") -> str:
    """A square cut out of the middle, with what stands below it."""
    cut = ImageOps.fit(Image.fromarray(pixels), (2 * SIDE, 2 * SIDE))
    return f'<figure><img src="{embedded(png(cut))}"><figcaption>{caption}</figcaption></figure>'


def drawn(run: Run, report: bytes) -> str:
    """The page."""
    manifest, stage = run.read_manifest(), run.read_recipe().mask_stages[-1]
    source = open_source(manifest["data"])
    palette, classes = source.classes.palette, source.classes
    samples = {sample.id: sample for sample in source.splits["train"]}
    photos, masks = [], []
    for name in spread_by_expectation(run, samples, PHOTOS):
        photo, mask = samples[name].read_image(), read_mask(run.folder / stage / "masks" / f"{name}.png")
        colours = {tag: palette[classes.values[classes.index(tag)]] for tag in samples[name].tags}
        chips = [
            f'<span class="tag" style="background: rgb{colour}">{escape(tag)}</span>' for tag, colour in colours.items()
        ]
        photos.append(figure(photo, "".join(chips)))
        masks.append(figure(masked(photo, mask, palette)))
    return PAGE.format(side=SIDE, photos="".join(photos), masks="".join(masks), report=embedded(report))


def main() -> None:
    """Draw and write it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path, help="finished run")
    options.add_argument("--out", type=Path, required=True, help="WebP or PNG file")
    given = options.parse_args()
    from browser import browser, tab  # of the tests, see shots

    run = Run(given.run)
    with browser() as running:
        with tab(running, (given.run / "report.html").absolute().as_uri(), width=620, height=1100) as opened:
            opened.page.locator("#photos").evaluate("section => section.scrollIntoView({behavior: 'instant'})")
            report = opened.page.screenshot()
        with tab(running, "about:blank", width=1240) as opened:
            opened.page.set_content(drawn(run, report))
            opened.page.wait_for_function("[...document.images].every(image => image.complete)")
            picture = opened.page.locator("body").screenshot()
    keep(picture, given.out, KILOBYTES)


if __name__ == "__main__":
    document.command(main)
