"""Models that are files: plain MJCF with the options of suite DMC."""

from pathlib import Path
from xml.etree import ElementTree

from genelab_control.domain import Suite

MODELS = Path(__file__).parent / "models"


def read(name: str, suite: Suite, **playground: float) -> ElementTree.Element:
    """Read a model.

    Args:
        name: the file's, without its ending.
        suite: whose options the model gets.
        playground: options of suite Playground; it damps explicitly as well.
    """
    root = ElementTree.parse(MODELS / f"{name}.xml").getroot()
    if suite == "Playground":
        option = find(root, "option")
        option.attrib |= {key: str(value) for key, value in playground.items()}
        flag = option.find("flag")
        flag = ElementTree.SubElement(option, "flag") if flag is None else flag
        flag.set("eulerdamp", "disable")
    return root


def find(root: ElementTree.Element, path: str) -> ElementTree.Element:
    """The first element at a path.

    Raises:
        LookupError: if there is none.
    """
    element = root.find(path)
    if element is None:
        raise LookupError(path)
    return element


def text(root: ElementTree.Element) -> str:
    """The model as text."""
    return ElementTree.tostring(root, encoding="unicode")
