"""Models are written as nested calls, which read like MJCF and compute their numbers."""

from xml.etree import ElementTree

Value = str | bool | float | tuple[float, ...]

FLOOR, BODY, TIP, STATIC, TARGET = ".2 .3 .4 1", ".7 .5 .3 1", ".8 .3 .2 1", ".4 .5 .6 1", ".2 .7 .3 .6"
"""Colours."""


def node(tag: str, *children: ElementTree.Element, **attributes: Value) -> ElementTree.Element:
    """An element of MJCF. A trailing underscore of an attribute's name is dropped, for `class_`."""
    element = ElementTree.Element(tag, {name.rstrip("_"): _text(value) for name, value in attributes.items()})
    element.extend(children)
    return element


def light(height: float) -> ElementTree.Element:
    """A light above the scene, for pictures."""
    return node("light", pos=(0, 0, height))


def floor(size: tuple[float, ...], pos: tuple[float, ...] = (0, 0, 0), name: str = "floor") -> ElementTree.Element:
    """A plane of the world."""
    return node("geom", name=name, type="plane", size=size, pos=pos, rgba=FLOOR)


def write(name: str, *sections: ElementTree.Element) -> str:
    """The whole model as text."""
    root = node("mujoco", *sections, model=name)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(_text(part) for part in value)
    return value if isinstance(value, str) else repr(value)
