"""report.html in a real browser: it opens from a file, sorts, filters, blends, and can be used without a mouse."""

import json

import numpy as np
import pytest
from PIL import Image

import tiny
from browser import browser, tab

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running():
    with browser() as found:
        yield found


@pytest.fixture
def opened(running, finished_run):
    """Opens the run's report; at the end nothing may have been complained of or asked for."""
    address = (finished_run.folder / "report.html").as_uri()

    def open_it(**options):
        found = tab(running, address, **options)
        tabs.append((found, found.__enter__()))
        return tabs[-1][1].page

    tabs = []
    yield open_it
    for manager, each in tabs:
        assert each.errors == []
        assert each.requests == [address]
        manager.__exit__(None, None, None)


def seen(page, selector, value):
    """A value of every element that can be seen."""
    script = "(elements) => elements.filter(e => e.offsetParent).map(e => VALUE)".replace("VALUE", value)
    return page.locator(selector).evaluate_all(script)


def names(page):
    return seen(page, ".gallery li", "e.querySelector('.name').textContent")


def layers(page):
    """Which layer is seen of every photo that is."""
    return set(seen(page, ".gallery .over", "e.dataset.layer"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_can_be_read(opened, width, dark):
    page = opened(width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground, ink, muted = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,"
        " getComputedStyle(document.querySelector('.hint')).color]"
    )
    assert (brightness(ground) < 0.2) == dark
    assert contrast(ground, ink) > 7
    assert contrast(ground, muted) > 4.5
    small = min(page.locator("svg text").evaluate_all("(all) => all.map(e => e.getBoundingClientRect().height)"))
    assert small >= 9
    broken = page.evaluate("[...document.images].filter(e => !e.complete || !e.naturalWidth).length")
    assert broken == 0


def brightness(colour):
    """Relative luminance, 0 to 1 (WCAG 2)."""
    parts = np.array([float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    dark, light = sorted((brightness(one), brightness(other)))
    return (light + 0.05) / (dark + 0.05)


def test_one_list_and_one_layer_at_a_time(opened):
    page = opened()
    assert names(page) == list(tiny.TRAIN)
    assert layers(page) == {"refine"}
    page.get_by_text("Class map", exact=True).first.click()
    assert layers(page) == {"localize"}
    page.get_by_text("Ground truth", exact=True).first.click()
    assert layers(page) == {"truth"}
    page.locator("input[name=list][value=val] + span").click()
    assert names(page) == list(tiny.VAL)
    assert layers(page) == {"truth"}
    assert not page.get_by_text("Class map", exact=True).first.is_visible()
    page.locator("input[name=list][value=train] + span").click()
    page.get_by_text("Pseudo mask", exact=True).first.click()
    page.locator("input[name=list][value=val] + span").click()
    assert layers(page) == {"predict"}
    page.get_by_text("Nothing", exact=True).click()
    assert layers(page) == set()


def test_one_slider_blends_all_layers(opened):
    page = opened()
    slider = page.get_by_label("Strength").first
    of_all = "[...document.querySelectorAll('.over')].map(e => getComputedStyle(e).opacity)"
    assert set(page.evaluate(of_all)) == {"0.65"}
    slider.focus()
    page.keyboard.press("Home")
    assert set(page.evaluate(of_all)) == {"0"}
    grey = "getComputedStyle(document.querySelector('.gallery .photo')).filter"
    assert page.evaluate(grey) == "none"
    page.keyboard.press("End")
    assert set(page.evaluate(of_all)) == {"1"}
    assert page.evaluate(grey) == "grayscale(1)"
    page.get_by_label("Grey photo").uncheck()
    assert page.evaluate(grey) == "none"


def test_a_full_layer_has_the_data_s_colours_on_the_screen(opened, tmp_path):
    page = opened()
    page.get_by_label("Strength").first.focus()
    page.keyboard.press("End")
    page.get_by_text("Ground truth", exact=True).first.click()
    frame = page.locator(".gallery li:first-child .frame")
    frame.screenshot(path=tmp_path / "frame.png")
    shown = np.asarray(Image.open(tmp_path / "frame.png").convert("RGB")).reshape(-1, 3)
    chip = page.locator(".chip", has_text="cat").locator("i").evaluate("e => getComputedStyle(e).backgroundColor")
    colour = [int(part) for part in chip[4:-1].split(",")]
    assert (np.abs(shown.astype(int) - colour).max(axis=1) <= 3).mean() > 0.05


def test_photos_sort_by_iou_and_doubt(opened):
    page = opened()
    orders = {"doubt-down": ("doubt", -1), "doubt-up": ("doubt", 1), "miou-up": ("miou", 1), "miou-down": ("miou", -1)}
    for choice, (key, sign) in orders.items():
        page.get_by_label("Order").select_option(choice)
        found = [float(value) for value in seen(page, ".gallery li", f"e.dataset.{key}") if value is not None]
        assert len(found) >= 8
        assert found == sorted(found, key=lambda value: sign * value)
    assert names(page) != list(tiny.TRAIN)
    page.get_by_label("Order").select_option("list")
    assert names(page) == list(tiny.TRAIN)


def test_a_class_shows_its_photos_alone(opened):
    page = opened()
    cow = page.get_by_role("button", name="cow", exact=True)
    cow.click()
    assert names(page) == [name for name, tags in tiny.TRAIN.items() if "cow" in tags.split()]
    assert cow.get_attribute("aria-pressed") == "true"
    assert page.locator("#count").text_content() == "4 photos"
    page.locator("input[name=list][value=val] + span").click()
    assert names(page) == ["v1"]
    page.get_by_role("button", name="cat", exact=True).click()
    assert cow.get_attribute("aria-pressed") == "false"
    assert names(page) == ["v0"]
    page.get_by_role("button", name="cat", exact=True).click()
    assert names(page) == list(tiny.VAL)


def test_tables_sort_by_every_column(opened, finished_run):
    page = opened()
    metrics = json.loads((finished_run.folder / "metrics.json").read_text())
    iou = metrics["refine"]["scores"]["iou"]
    heading = page.locator("table.classes thead th", has_text="refine")
    order = "[...document.querySelectorAll('table.classes tbody th')].map(e => e.textContent.trim())"
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert [iou[name] for name in page.evaluate(order)] == sorted(iou.values(), reverse=True)
    heading.locator("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [iou[name] for name in page.evaluate(order)] == sorted(iou.values())
    page.locator("table.classes thead button").first.click()
    assert page.evaluate(order) == sorted(iou)
    assert page.locator("table.classes [aria-sort]").count() == 1


def test_it_can_be_used_without_a_mouse(opened):
    page = opened()
    focused = "document.activeElement.querySelector('.name')?.textContent"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the photos"
    page.get_by_role("button", name="dog", exact=True).focus()
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "p0"
    outline = page.evaluate("(s => s.outlineStyle + s.outlineWidth)(getComputedStyle(document.activeElement))")
    assert outline == "solid3px"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "p1"
    columns = page.locator(".gallery").evaluate("e => getComputedStyle(e).gridTemplateColumns.split(' ').length")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == list(tiny.TRAIN)[1 + columns]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == "p0"
    page.keyboard.press("End")
    assert page.evaluate(focused) == list(tiny.TRAIN)[-1]
    page.keyboard.press("Home")
    page.keyboard.press("Tab")  # the photos are one stop on the way
    assert page.evaluate("document.activeElement.closest('.gallery')") is None


def test_a_photo_is_enlarged_with_all_its_layers(opened):
    page = opened()
    page.locator(".card").nth(4).focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_role("heading").text_content() == "p4"
    assert dialog.locator("figcaption").all_text_contents() == ["Photo", "Class map", "Pseudo mask", "Ground truth"]
    assert "cat" in dialog.locator(".facts").text_content()
    assert "IoU of dog" in dialog.locator(".each").text_content()
    page.keyboard.press("ArrowRight")
    assert dialog.get_by_role("heading").text_content() == "p5"
    dialog.get_by_role("button", name="Photo before").click()
    dialog.get_by_role("button", name="Photo before").click()
    assert dialog.get_by_role("heading").text_content() == "p3"
    assert "no tag" in dialog.locator(".facts").text_content()
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    # The browser tells that a dialog was closed a moment after it is.
    page.wait_for_function("document.activeElement.querySelector('.name')?.textContent === 'p3'", timeout=20000)


def test_on_paper_all_is_open_and_no_tools_are_left(opened, tmp_path):
    page = opened()
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    page.emulate_media(media="print")
    assert not page.locator(".tools").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.locator(".legend").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#scores details:not([open])").count() == 0


def test_without_scripts_everything_is_still_there(running, finished_run):
    context = running.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((finished_run.folder / "report.html").as_uri())
    assert page.locator(".gallery li").count() == len(tiny.TRAIN) + len(tiny.VAL)
    assert page.locator(".gallery li").last.is_visible()
    assert not page.locator(".tools").is_visible()
    context.close()
