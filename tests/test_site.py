"""The documentation builds as a site: every page is in the navigation, no link is dead, nothing is fetched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from guides import DOCS

ROOT = DOCS.parent
LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("source", "src"), ("iframe", "src")}


class Page(HTMLParser):
    """The links, the loaded files and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors = {"", "__skip"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            if (tag, name) in LOADED:
                self.loaded.append(value or "")
            elif name == "href" and tag == "a":
                self.links.append(value or "")


def pages(nav: object) -> Iterator[str]:
    """The files that a navigation names."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for below in nav.values():
            yield from pages(below)
    elif isinstance(nav, list):
        for below in nav:
            yield from pages(below)


def navigation() -> list[str]:
    return list(pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))


def test_the_navigation_has_every_page_once():
    assert sorted(navigation()) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_every_picture_is_shown_and_all_are_small():
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    pictures = list((DOCS / "images").iterdir())
    assert [picture.name for picture in pictures if f"(images/{picture.name})" not in text] == []
    assert sum(picture.stat().st_size for picture in pictures) < 1_500_000


@pytest.mark.slow
def test_the_site_builds_and_no_link_is_dead(tmp_path: Path):
    ended = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    site = tmp_path / "site"
    found = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html") if path.name != "404.html"}
    assert {path.relative_to(site).with_suffix(".md").as_posix() for path in found} == set(navigation())
    for path, page in found.items():
        assert not [address for address in page.loaded if urlsplit(address).netloc], path
        for address in (*page.links, *page.loaded):
            to = urlsplit(address)
            if to.netloc or to.scheme:
                continue
            target = (path.parent / unquote(to.path)).resolve() if to.path else path
            assert target.is_file(), f"{path.name}: {address}"
            if target in found:
                assert unquote(to.fragment) in found[target].anchors, f"{path.name}: {address}"
    assert "weakseg.ops.random_walk.random_walk" in found[site / "reference" / "ops.html"].anchors
