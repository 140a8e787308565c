"""Write the JSON Schemas of the records. Run it after a change of a model; a test compares."""

from pathlib import Path

from genelab.records.schema import json_schemas

FOLDER = Path(__file__).parents[1] / "genelab" / "records" / "schemas"


def main() -> None:
    """Write every schema."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in json_schemas().items():
        (FOLDER / name).write_text(text)
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
