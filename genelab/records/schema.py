"""JSON Schemas of the records, as published in `genelab/records/schemas/`."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from genelab.config.base import Cfg, meaning_of
from genelab.records.artifact import ArtifactRecord
from genelab.records.base import Record
from genelab.records.campaign import CampaignRecord, EventRecord, ItemRecord
from genelab.records.compare import CompareRecord
from genelab.records.entry import EntryRecord
from genelab.records.eval import EvalRecord
from genelab.records.export import ExportRecord
from genelab.records.guard import GuardRecord
from genelab.records.probe import ProbeRecord
from genelab.records.run import RunRecord
from genelab.records.sim2sim import Sim2SimRecord
from genelab.records.sweep import SweepRecord

MODELS: dict[str, type[Record]] = {
    "eval": EvalRecord,
    "run": RunRecord,
    "sweep": SweepRecord,
    "entry": EntryRecord,
    "artifact": ArtifactRecord,
    "export": ExportRecord,
    "guard": GuardRecord,
    "probe": ProbeRecord,
    "sim2sim": Sim2SimRecord,
    "compare": CompareRecord,
    "campaign": CampaignRecord,
    "campaign_item": ItemRecord,
    "campaign_event": EventRecord,
}
"""Record models by file stem."""


class _AllRequired(GenerateJsonSchema):
    """A field that has a default in the model is required in a file, since every file states it."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        return True

    def model_schema(self, schema: Any) -> dict[str, Any]:
        body, model = super().model_schema(schema), schema["cls"]
        if issubclass(model, Cfg):
            for name, field in body["properties"].items():
                field["description"] = meaning_of(model, name)
        return body


def json_schemas() -> dict[str, str]:
    """Text of every schema by file name."""
    return {f"{stem}.schema.json": json.dumps(_schema(stem), indent=2) + "\n" for stem in MODELS}


def _schema(stem: str) -> dict[str, Any]:
    body = MODELS[stem].model_json_schema(mode="serialization", schema_generator=_AllRequired)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": MODELS[stem].schema_name()}
    return head | body
