"""A reader of HTML that takes no nonsense: every element is closed in order, every id is there once."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input"}


@dataclass
class Element:
    """An element of a page.

    Attributes:
        tag: its name.
        attributes: by name; "" for one without a value.
        text: what stands in it and in all below.
        children: the elements in it.
    """

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Elements below of a tag, "" for any, with these attributes; class_ must be among the classes."""
        return [element for element in self._below() if _fits(element, tag, attributes)]

    def one(self, tag: str, **attributes: str) -> Element:
        """The first of them. Fails without one."""
        found = self.all(tag, **attributes)
        assert found, (tag, attributes)
        return found[0]

    def _below(self) -> list[Element]:
        return [below for child in self.children for below in (child, *child._below())]


def _fits(element: Element, tag: str, attributes: dict[str, str]) -> bool:
    for name, value in attributes.items():
        held = element.attributes.get(name.strip("_").replace("_", "-"))
        if held is None or (value not in held.split() if name == "class_" else value != held):
            return False
    return tag in ("", element.tag)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> repeats an attribute: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> ends <{self.open[-1].tag}> at {self.getpos()}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def read_html(text: str) -> Element:
    """Read a page. Fails where an element is not closed, closed twice, or an id is there twice."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert len(reader.open) == 1, [element.tag for element in reader.open]
    ids = [element.attributes["id"] for element in reader.root.all("") if "id" in element.attributes]
    assert len(ids) == len(set(ids)), ids
    return reader.root
