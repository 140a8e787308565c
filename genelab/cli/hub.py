"""`genelab hub`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from genelab.cli.options import EXECUTION, STORE, field_option
from genelab.config.commands import HubCfg
from genelab.config.run import ExecutionCfg
from genelab.errors import RunError

if TYPE_CHECKING:
    from genelab.hub.client import Hub, Kind

F = TypeVar("F", bound=Callable[..., object])

REPO = click.option("--repo", required=True, metavar="OWNER/NAME", help="Repository on the Hub.")
PRIVATE = click.option("--private", is_flag=True, help="If the repository is made now, make it a private one.")
LICENSE = field_option("--license", HubCfg, "license", metavar="NAME")
ENTRIES = click.argument("entries", nargs=-1, required=True, metavar="TASK/ENTRY...")


@click.group()
def command() -> None:
    """Publish, copy and verify entries on the Hugging Face Hub.

    The token is that of `hf auth login` or HF_TOKEN; HF_ENDPOINT names another Hub, HF_HUB_OFFLINE=1 asks none. An
    entry lies in a dataset repository as TASK/ENTRY, the folder that it has in the store.
    """


@command.command()
@ENTRIES
@REPO
@STORE
@LICENSE
@PRIVATE
def push(entries: tuple[str, ...], repo: str, store: Path, license: str, private: bool) -> None:  # noqa: A002
    """Publish checked entries of the store in one commit, with the repository's card.

    Pushing again what is there changes nothing; another entry of the same name is refused. <store>/artifacts.jsonl
    records where the entries lie.
    """
    from genelab.hub.push import push_entries
    from genelab.learn.checkpoint import weights_sha256_of_file

    cfg = HubCfg(license=license)
    hub = _hub("dataset", repo, cfg)
    revision = push_entries(hub, store, entries, cfg, weights_sha256_of_file, private=private)
    for entry in dict.fromkeys(entries):
        click.echo(f"{entry} is at {hub.url(revision, entry)}")


@command.command()
@ENTRIES
@REPO
@STORE
def pull(entries: tuple[str, ...], repo: str, store: Path) -> None:
    """Copy entries into the store, with every digest compared.

    An entry that is not as it claims leaves nothing behind. The store is append-only: another entry of the same name is
    refused, the same one is left as it is.
    """
    from genelab.hub.pull import pull_entry
    from genelab.learn.checkpoint import weights_sha256_of_file

    hub = _hub("dataset", repo, HubCfg())
    for entry in entries:
        path, copied = pull_entry(hub, entry, store, weights_sha256_of_file)
        click.echo(f"{path} {'holds a copy' if copied else 'was there already'}")


@command.command(name="list")
@REPO
def list_entries(repo: str) -> None:
    """List the entries of a repository, as their entry.json tells."""
    from genelab.hub.entries import Known, listed

    hub, known = _hub("dataset", repo, HubCfg()), Known()

    def look() -> list[str]:
        head = hub.head()
        lines: list[str] = []
        for name, record, problem in listed(hub, head, hub.tree(head), known):
            if record is None:
                lines.append(f"{name}  not read by this version of genelab: {problem}")
                continue
            seeds = f"{len(record.seeds.finished)}/{len(record.seeds.planned)} seeds"
            mean = "no mean" if record.aggregate is None else f"mean {record.aggregate.mean:.3f}"
            lines.append(f"{name}  {record.created_at:%Y-%m-%d}  {record.status}  {seeds}  {mean}")
        return lines

    for line in hub.patiently(look):
        click.echo(line)


@command.command()
@ENTRIES
@REPO
def verify(entries: tuple[str, ...], repo: str) -> None:
    """Evaluate the policies of hosted entries again and compare episode by episode.

    Every digest is compared first. On the same kind of machine each episode must be equal to the last bit. Elsewhere
    returns are compared in pairs: Student's whole 95 % interval of the mean difference must be within 5 % of the mean,
    or it is undecided. Exit code 1 unless every policy is shown to earn what its entry claims.
    """
    from genelab.hub.verify import verify_entry
    from genelab.learn.checkpoint import weights_sha256_of_file

    hub = _hub("dataset", repo, HubCfg())
    failed: list[str] = []
    for entry in dict.fromkeys(entries):
        for seed, verdict in verify_entry(hub, entry, weights_sha256_of_file, click.echo):
            click.echo(f"{verdict.word}: {entry} seed {seed}: {verdict.told}")
            failed += [] if verdict.word == "ok" else [f"{entry} seed {seed} ({verdict.word})"]
    if failed:
        raise RunError(f"not shown to be as claimed: {', '.join(failed)}")


@command.command()
@click.argument("entry", metavar="TASK/ENTRY")
@click.option("--seed", required=True, type=int, help="Seed whose policy is published.")
@REPO
@STORE
@LICENSE
@PRIVATE
@click.option("--no-film", is_flag=True, help="Without a film strip, where no scene can be drawn.")
@EXECUTION
def push_policy(
    entry: str,
    seed: int,
    repo: str,
    store: Path,
    license: str,  # noqa: A002
    private: bool,
    no_film: bool,
    execution: ExecutionCfg,
) -> None:
    """Publish the exported policy of one seed as a model repository of its own.

    It holds policy/ (as `genelab export --bundle` writes it), learning curves, a film strip in MuJoCo, and a card whose
    metadata give the results to the Hub.
    """
    from genelab.hub.policy import push_policy

    cfg = HubCfg(license=license)
    hub = _hub("model", repo, cfg)
    revision = push_policy(hub, store, entry, seed, cfg, execution, film=not no_film, private=private)
    click.echo(f"the policy is at {hub.url(revision, 'policy')}")


def _hub(kind: "Kind", repo: str, cfg: HubCfg) -> "Hub":
    from genelab.hub.client import Hub

    return Hub(kind, repo, cfg, lambda line: click.echo(line, err=True))
