"""The base of every record model: what a file on disk claims."""

from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen record: unknown fields, NaN and infinity are errors. Files use the aliases (`schema`)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        serialize_by_alias=True,
    )

    @classmethod
    def schema_name(cls) -> str:
        """Name and version of the schema, `genelab/<kind>/<version>`; empty for what is only a part of a record."""
        field = cls.model_fields.get("schema_")
        return get_args(field.annotation)[0] if field else ""

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed, validated again."""
        fields = type(self).model_fields
        values = {field.alias or name: getattr(self, name) for name, field in fields.items()}
        return type(self).model_validate(values | changes)
