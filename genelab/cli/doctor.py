"""`genelab doctor`."""

import json
from typing import Any

import click

from genelab.errors import RunError


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all that a record would say, and the problems.")
def command(as_json: bool) -> None:
    """Show what genelab finds here, and what is wrong with it.

    Versions, processor, GPUs, folders, renderer and the flags in force: what the records of a training here would say.
    Genesis is not started. Exit code 1 if something is wrong.
    """
    from genelab.jobs.doctor import examine

    facts, problems = examine()
    if as_json:
        click.echo(json.dumps({**facts, "problems": problems}, indent=2))
    else:
        for name, text in _rows(facts):
            click.echo(f"{name:<12}{text}")
        for problem in problems:
            click.echo(f"problem: {problem}")
    if problems:
        raise RunError(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    machine, cpu, torch = facts["hardware"], facts["hardware"]["cpu"], facts["backend"]["torch"]
    cores = f"{cpu['usable_cores']} of {cpu['logical_cores']} core(s) usable"
    return [
        ("genelab", f"{facts['packages']['genelab']}, {facts['tasks']} tasks"),
        ("python", f"{facts['packages']['python']}, {facts['executable']}"),
        *_listed("packages", [f"{k} {v}" for k, v in facts["packages"].items() if k not in ("genelab", "python")]),
        *_listed("source", [_source(code) for code in facts["code"]]),
        ("system", ", ".join(filter(None, (machine["os"], machine["kernel"], machine["libc"], machine["container"])))),
        ("cpu", f"{cpu['model']}, {cores}, {torch['instruction_set']}"),
        ("memory", _size(machine["ram_bytes"])),
        *_listed(
            "gpu", [f"{gpu['name']}, {_size(gpu['memory_bytes'])}, driver {gpu['driver']}" for gpu in facts["gpus"]]
        ),
        ("renderer", f"MUJOCO_GL={facts['renderer']['MUJOCO_GL']}: {facts['renderer']['failure'] or 'draws'}"),
        *_listed("folders", [_folder(name, folder) for name, folder in facts["folders"].items()]),
        *_listed("flags", [f"{name}={value}" for name, value in facts["backend"]["env"].items()]),
    ]


def _listed(name: str, texts: list[str]) -> list[tuple[str, str]]:
    return [(name if k == 0 else "", text) for k, text in enumerate(texts or ["none"])]


def _source(code: dict[str, Any]) -> str:
    changed = {True: ", with changes", False: ", unchanged", None: ""}[code["dirty"]]
    return (
        f"{code['name']} {code['version']}, "
        + (f"commit {code['commit'][:12]}" if code["commit"] else "no checkout")
        + changed
    )


def _folder(name: str, folder: dict[str, Any]) -> str:
    free = f", {_size(folder['free_bytes'])} free" if folder["free_bytes"] is not None else ""
    return f"{name}: {folder['path']}{'' if folder['exists'] else ' (not there yet)'}{free}"


def _size(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 2**30:.1f} GiB"
