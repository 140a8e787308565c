"""Publishes folders in one commit each time: all files or none, whatever the network does, and whoever else writes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from genelab.config.commands import HubCfg
from genelab.errors import InputError, RunError
from genelab.hub import card
from genelab.hub.client import Hub, RemoteFile, Tree
from genelab.hub.entries import Known, Listed, listed, local_entry, record_artifact
from genelab.records import names
from genelab.records.check import CheckedEntry, WeightsHash

Files = Mapping[str, bytes]
"""Contents by path."""


def push_entries(
    hub: Hub, store: Path, entries: Sequence[str], cfg: HubCfg, weights_hash: WeightsHash, *, private: bool
) -> str:
    """Publish entries `TASK/ENTRY` of a store in one commit, with the repository's card, and record where they lie.

    Pushing what is there already changes nothing.

    Returns:
        A commit that holds them.

    Raises:
        InputError: if an entry is none of the store, the repository holds another one of its name, or a card of
            somebody else; or if the token may not write.
        RunError: if the check of an entry has findings, or the Hub fails for too long.
    """
    checked = {name: local_entry(store, name, weights_hash) for name in dict.fromkeys(entries)}
    folders = {name: contents(entry) for name, entry in checked.items()}
    ours = [Listed(name, entry.record, "") for name, entry in checked.items()]
    known: Known = {}

    def render(head: str, tree: Tree) -> Files:
        others = [found for found in listed(hub, head, tree, known) if found.name not in checked]
        return {
            card.FILE: card.of_entries(
                hub, sorted([*others, *ours], key=lambda entry: entry.name), cfg.license
            ).encode()
        }

    hub.patiently(lambda: hub.create(private=private))
    revision = publish(hub, folders, render, f"Add {', '.join(folders)}")
    for entry in checked.values():
        record_artifact(store, entry, hub, revision)
    return revision


def contents(entry: CheckedEntry) -> Files:
    """Every file of an entry, which is checked."""
    return {name: (entry.path / name).read_bytes() for name in (names.ENTRY, *(f.path for f in entry.record.files))}


def publish(hub: Hub, folders: Mapping[str, Files], render: Callable[[str, Tree], Files], message: str) -> str:
    """Commit the folders that are not there yet, with what is rendered for the commit. Nothing is overwritten but that.

    Whatever a request answered, or did not, the tree decides what is there.

    Args:
        hub: the repository.
        folders: by folder, its files by their path in it.
        render: the files to put beside them, given head and its tree; files of these names are replaced if they are
            genelab's.
        message: title of the commit.

    Returns:
        A commit that holds them all.

    Raises:
        InputError: if a folder of one of the names holds something else, or a card is somebody else's.
        RunError: if the Hub fails for too long, or keeps less than it was given.
    """

    def attempt() -> str:
        head = hub.head()
        tree = hub.tree(head)
        missing = [folder for folder, files in folders.items() if not _is_there(hub, tree, folder, files)]
        if not missing:
            return head
        _require_own_card(hub, head, tree)
        files = {f"{folder}/{name}": data for folder in missing for name, data in folders[folder].items()}
        made = hub.commit({**files, **render(head, tree)}, head, message)
        # It may be another writer's commit, or less than was sent.
        after = hub.tree(made)
        lost = [path for path, data in files.items() if path not in after or not after[path].holds(data)]
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise RunError(f"{hub}: commit {made} lacks '{lost[0]}'{more}; does a .gitignore there leave it out?")
        return made

    return hub.patiently(attempt)


def _is_there(hub: Hub, tree: Tree, folder: str, files: Files) -> bool:
    """Whether a folder holds exactly these files; False if there is none. Raises InputError if it holds others."""
    there = {path.removeprefix(f"{folder}/"): file for path, file in tree.items() if path.startswith(f"{folder}/")}
    if not there:
        return False
    for name in sorted(files.keys() | there.keys()):
        if (why := _difference(there.get(name), files.get(name))) is not None:
            raise InputError(f"{hub} holds another '{folder}': '{name}' {why}; what is there is never changed")
    return True


def _difference(there: RemoteFile | None, ours: bytes | None) -> str | None:
    if there is None:
        return "is not in it"
    if ours is None:
        return "is in it alone"
    return None if there.holds(ours) else "has other bytes"


def _require_own_card(hub: Hub, head: str, tree: Tree) -> None:
    """Refuse a repository whose card is not genelab's."""
    if card.FILE in tree and card.MARK not in hub.read(head, card.FILE, tree[card.FILE]).decode(errors="replace"):
        raise InputError(f"{hub} has a {card.FILE} that genelab did not write: name another one, or remove it there")
