"""The base of every record model: what a file on disk claims."""

from functools import cache
from typing import Annotated, Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PlainSerializer, WrapValidator

from genelab.config.seeds import join, parse

MOST_LISTED = 100
"""Seeds of a sweep that its runs list one by one. More are written as text with ranges, so that the files of a sweep do
not grow with the square of its seeds."""


def _read(value: Any, listed: Any) -> tuple[int, ...]:
    return parse(value) if isinstance(value, str) else listed(tuple(value) if isinstance(value, list) else value)


def _written(seeds: tuple[int, ...]) -> list[NonNegativeInt] | str:
    return list(seeds) if len(seeds) <= MOST_LISTED else join(seeds)


PlannedSeeds = Annotated[
    tuple[NonNegativeInt, ...],
    Field(min_length=1),
    WrapValidator(_read),
    PlainSerializer(_written, when_used="json"),
]
"""Every seed of a sweep: a list, or text such as `1-10000` for more than 100."""


class Record(BaseModel):
    """A frozen record: unknown fields, NaN and infinity are errors. Files use the aliases (`schema`)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        serialize_by_alias=True,
    )

    again: ClassVar[str] = "make it again"
    """What to do where a file is of an earlier version of the schema."""

    @classmethod
    @cache
    def schema_name(cls) -> str:
        """Name and version of the schema, `genelab/<kind>/<version>`; empty for what is only a part of a record."""
        field = cls.model_fields.get("schema_")
        return get_args(field.annotation)[0] if field else ""

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed, validated again."""
        fields = type(self).model_fields
        values = {field.alias or name: getattr(self, name) for name, field in fields.items()}
        return type(self).model_validate(values | changes)
