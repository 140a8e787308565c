"""Pins genelab, `dev`, `play` and `ray`, as installed: `python scripts/pin_constraints.py > constraints.txt`."""

from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HEADER = "# The versions that genelab is tested with. Written by scripts/pin_constraints.py."


def collect(requirement: Requirement, pins: dict[str, str], seen: set[tuple[str, str]]) -> None:
    """Add a requirement and everything that it needs on this machine."""
    dist = distribution(requirement.name)
    # Without the local part: 2.13.0 admits the builds for every kind of device.
    pins[canonicalize_name(requirement.name)] = Version(dist.version).public
    for extra in ("", *sorted(requirement.extras)):
        if (dist.name, extra) in seen:
            continue
        seen.add((dist.name, extra))
        for text in dist.requires or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                collect(needed, pins, seen)


def main() -> None:
    """Print the constraints file."""
    pins: dict[str, str] = {}
    collect(Requirement("genelab[dev,play,ray]"), pins, set())
    del pins["genelab"]
    print("\n".join([HEADER, *(f"{name}=={pins[name]}" for name in sorted(pins))]))


if __name__ == "__main__":
    main()
