"""Sphinx builds the site from these pages and the docstrings: `make docs`, then open build/docs/index.html."""

import ast
import importlib
import inspect
import json
from typing import Any

from pydantic import BaseModel

import genelab
from genelab.config.base import meaning_of

project = "genelab"
author = "genelab authors"
version = release = genelab.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["data"]
html_theme = "furo"
html_title = f"genelab {release}"

# Links to headings as GitHub makes them.
myst_heading_anchors = 4

# A single backtick in a docstring is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88

CONFIG = ("task", "stage", "env", "scene", "actions", "terms", "terrain", "agent", "run")


def _fields(model: type[BaseModel]) -> list[str]:
    """A section on a config model: autodoc would write the rules of a type out, with patterns that are no markup."""
    written = {
        node.target.id: ast.unparse(node.annotation)
        for node in ast.parse(inspect.getsource(model)).body[0].body  # pyright: ignore
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    lines = [f"## {model.__name__}", "", inspect.cleandoc(model.__doc__ or ""), ""]
    lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
    for name, kind in written.items():
        default = model.model_fields[name].get_default(call_default_factory=True)
        # The fields of a model of its own stand in its section.
        silent = model.model_fields[name].is_required() or isinstance(default, BaseModel)
        known = "" if silent else f"`{json.dumps(default, default=str)}`"
        cells = (f"`{name}`", f"`{kind}`", known, " ".join(meaning_of(model, name).split()))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return [*lines, ""] if written else []


def _add_config(_: Any, page: str, source: list[str]) -> None:
    """The fields of every config model, behind the text of the page on them."""
    if page != "reference/config":
        return
    for module in (importlib.import_module(f"genelab.config.{name}") for name in CONFIG):
        for model in vars(module).values():
            if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == module.__name__:
                source[0] += "\n".join(["", *_fields(model)])


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _add_config)
