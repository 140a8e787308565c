"""What an MJCF file says that a config may name: joints with their ranges, links, sites and geoms.

Listing and checking tasks must stay quick, so the file is read here without MuJoCo, whose import alone takes as long as
a whole `genelab list`. Physics is no business of this reader: masses and passive joint terms are MuJoCo's numbers, and
after the build the simulator is compared with both.
"""

import functools
import hashlib
import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genelab.config.base import resolve_asset
from genelab.errors import InputError

Range = tuple[float, float]
Position = tuple[float, float, float]

_UNREAD = {"include", "frame", "replicate", "attach"}
"""Elements that would change names or places and that are not followed."""
_MAIN = "main"
"""MuJoCo's name of the outermost class of defaults."""


@dataclass(frozen=True)
class ModelFile:
    """A robot as its file names it, in the order of the file, parents first."""

    base: str | None = None
    """Link that floats freely; None for a robot that is fixed to the world."""
    joints: Mapping[str, Range | None] = field(default_factory=dict[str, Range | None])
    """Lower and upper limit of every moving joint, m or rad; None for one that turns without end."""
    links: tuple[str, ...] = ()
    """Links."""
    sites: Mapping[str, tuple[str, Position]] = field(default_factory=dict[str, tuple[str, Position]])
    """Link of every site, and its position in the link's frame, m."""
    geoms: tuple[str, ...] = ()
    """Geoms that have a name."""


def model_path(ref: str, sha256: str) -> Path:
    """The file `package:path`, if it has this digest.

    Raises:
        InputError: if there is no such file, or it has another digest.
    """
    try:
        path = resolve_asset(ref)
    except InputError as error:
        raise InputError(f"model = '{ref}': {error}") from error
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise InputError(f"model = '{ref}': the file has sha256 {found}, model_sha256 is {sha256}")
    return path


@functools.cache
def read_model(ref: str, sha256: str) -> ModelFile:
    """Read the file `package:path` of this digest.

    Raises:
        InputError: if there is no such file, it has another digest, is no MJCF, or says something that is not read
            here; names the element.
    """
    path = model_path(ref, sha256)
    try:
        return _Reader(ET.parse(path).getroot()).model()
    except (ET.ParseError, ValueError) as error:
        raise InputError(f"model = '{ref}': {error}") from error


@functools.cache
def load_model(ref: str, sha256: str) -> Any:
    """The `MjModel` of the file `package:path` of this digest.

    Raises:
        InputError: if there is no such file, or it has another digest.
    """
    import mujoco

    # Its stubs do not name the class.
    return mujoco.MjModel.from_xml_path(str(model_path(ref, sha256)))  # pyright: ignore[reportAttributeAccessIssue]


class _Reader:
    def __init__(self, root: ET.Element) -> None:
        if root.tag != "mujoco":
            raise ValueError(f"the outermost element is <{root.tag}>, not <mujoco>")
        for element in root.iter():
            if element.tag in _UNREAD:
                raise ValueError(f"element <{element.tag}> is not supported; write its content out")
        compiler = {name: value for part in root.findall("compiler") for name, value in part.attrib.items()}
        self._root = root
        self._radian = compiler.get("angle", "degree") == "radian"
        self._autolimits = compiler.get("autolimits", "true") == "true"
        self._defaults: dict[str, dict[str, dict[str, str]]] = {_MAIN: {}}
        for element in root.findall("default"):
            self._read_defaults(element, _MAIN, self._defaults[_MAIN])
        self._base: str | None = None
        self._joints: dict[str, Range | None] = {}
        self._links: list[str] = []
        self._sites: dict[str, tuple[str, Position]] = {}
        self._geoms: list[str] = []

    def model(self) -> ModelFile:
        """Everything in the file."""
        for body in self._root.iterfind("worldbody/body"):
            self._read_body(body, _MAIN)
        if not self._joints:
            raise ValueError("no joint moves")
        return ModelFile(self._base, self._joints, tuple(self._links), self._sites, tuple(self._geoms))

    def _read_defaults(self, element: ET.Element, name: str, inherited: dict[str, dict[str, str]]) -> None:
        own = {tag: dict(attributes) for tag, attributes in inherited.items()}
        for child in element:
            own.setdefault(child.tag, {}).update(child.attrib)
        self._defaults[name] = own
        for child in element.findall("default"):
            if "class" not in child.attrib:
                raise ValueError("a <default> within another has no class")
            self._read_defaults(child, child.attrib["class"], own)

    def _read_body(self, body: ET.Element, inherited: str) -> None:
        link, childclass = _name(body), body.get("childclass", inherited)
        self._links.append(link)
        for element in body:
            chosen = element.get("class", childclass)
            if chosen not in self._defaults:
                raise ValueError(f"class '{chosen}' of element <{element.tag}> is not defined")
            attributes = {**self._defaults[chosen].get(element.tag, {}), **element.attrib}
            if element.tag == "freejoint" or (element.tag == "joint" and attributes.get("type") == "free"):
                self._base = link
            elif element.tag == "joint":
                name = _name(element)
                self._joints[name] = self._range(name, attributes)
            elif element.tag == "site":
                x, y, z = (float(part) for part in attributes.get("pos", "0 0 0").split())
                self._sites[_name(element)] = link, (x, y, z)
            elif element.tag == "geom" and "name" in element.attrib:
                self._geoms.append(element.attrib["name"])
            elif element.tag == "body":
                self._read_body(element, childclass)

    def _range(self, name: str, attributes: dict[str, str]) -> Range | None:
        kind = attributes.get("type", "hinge")
        if kind not in ("hinge", "slide"):
            raise ValueError(f"joint '{name}': type '{kind}' is not supported")
        limited = attributes.get("limited", "auto")
        if limited == "false" or "range" not in attributes or (limited == "auto" and not self._autolimits):
            return None
        low, high = (float(end) for end in attributes["range"].split())
        return (low, high) if self._radian or kind == "slide" else (math.radians(low), math.radians(high))


def _name(element: ET.Element) -> str:
    if "name" not in element.attrib:
        raise ValueError(f"an element <{element.tag}> has no name")
    return element.attrib["name"]
