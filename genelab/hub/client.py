"""One repository of the Hub: each request once, with a time-out, and what can go wrong with it in one clear line.

`huggingface_hub` is used for its protocol alone. Its uploads of folders may make several commits, and its downloads
compare sizes only, fall back to what lies on the disk and leave files behind; so there is neither here.
"""

import hashlib
import os
import random
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any, Literal, NamedTuple, TypeVar

import huggingface_hub
from httpx2 import Client, HTTPError, InvalidURL, Request, Timeout, UnsupportedProtocol
from huggingface_hub import CommitOperationAdd, HfApi, constants, get_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import disable_progress_bars, logging, validate_repo_id
from huggingface_hub.utils._http import default_client_factory, parse_ratelimit_headers

from genelab.config.commands import HubCfg
from genelab.config.snapshot import one_line
from genelab.errors import GenelabError, InputError, RunError

T = TypeVar("T")
Kind = Literal["dataset", "model"]

MOVED = 412
PASSING = {408, 409, 425, 429}
"""Statuses, beside those from 500 on, after which the same may succeed. What was asked may have been done."""
MAX_LINE = 300


class UnsureError(Exception):
    """The Hub did not say whether a request took effect. What lies there now tells."""

    def __init__(self, told: str, wait_s: float | None = None, *, moved: bool = False) -> None:
        super().__init__(told)
        self.wait_s = wait_s
        """How long the Hub asks to wait, s."""
        self.moved = moved
        """Whether another commit came first."""


class RemoteFile(NamedTuple):
    """A file of a commit."""

    size: int
    """Bytes."""
    digest: str
    """`sha256:...` of its bytes, or `git:...`, the object name that git gives them."""

    def holds(self, data: bytes) -> bool:
        """Whether these are its bytes."""
        if self.digest.startswith("sha256:"):
            return self.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
        blob = b"blob %d\0" % len(data) + data
        return self.digest == f"git:{hashlib.sha1(blob).hexdigest()}"


Tree = dict[str, RemoteFile]
"""Every file of a commit by its path."""


class Hub:
    """A repository, with the requests that genelab makes. Each may raise UnsureError; `patiently` repeats it then."""

    def __init__(self, kind: Kind, name: str, cfg: HubCfg, say: Callable[[str], None]) -> None:
        """Raises InputError if `name` is no `OWNER/NAME`. `say`: told of every wait."""
        try:
            validate_repo_id(name)
        except HFValidationError as error:
            raise InputError(f"--repo: {one_line(str(error), MAX_LINE)}") from error
        if "/" not in name:
            raise InputError(f"--repo '{name}': must be OWNER/NAME")
        self.kind: Kind = kind
        self.name = name
        self._cfg, self._say = cfg, say
        self.api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="genelab")
        _prepare(cfg.timeout_s)

    def __str__(self) -> str:
        return f"{self.kind} repository '{self.name}'"

    def url(self, revision: str, path: str) -> str:
        """Page of a folder on the Hub."""
        return f"{self.api.endpoint}/{'datasets/' if self.kind == 'dataset' else ''}{self.name}/tree/{revision}/{path}"

    def head(self) -> str:
        """The newest commit."""
        with self._answers():
            info = self.api.repo_info(self.name, repo_type=self.kind, timeout=self._cfg.timeout_s)
        return str(info.sha)

    def create(self, *, private: bool) -> None:
        """Make the repository unless it is there. A public one stays public."""
        with self._answers():
            try:
                self.api.repo_info(self.name, repo_type=self.kind, timeout=self._cfg.timeout_s)
            except RepositoryNotFoundError:
                self.api.create_repo(self.name, repo_type=self.kind, private=private or None, exist_ok=True)

    def tree(self, revision: str) -> Tree:
        """Every file of a commit."""
        with self._answers():
            found = self.api.list_repo_tree(self.name, repo_type=self.kind, revision=revision, recursive=True)
            files = [item for item in found if isinstance(item, RepoFile)]
        return {
            file.path: RemoteFile(file.size, f"sha256:{file.lfs.sha256}" if file.lfs else f"git:{file.blob_id}")
            for file in files
        }

    def read(self, revision: str, path: str, expected: RemoteFile) -> bytes:
        """The bytes of a file of a commit; those that are not as the tree says are doubted."""
        url = hf_hub_url(self.name, path, repo_type=self.kind, revision=revision, endpoint=self.api.endpoint)
        with self._answers():
            response = get_session().get(url, headers=huggingface_hub.utils.build_hf_headers(library_name="genelab"))
            hf_raise_for_status(response)
        if not expected.holds(response.content):
            raise UnsureError(f"{self}: '{path}' arrived with other bytes than its digest says")
        return response.content

    def commit(self, files: Mapping[str, bytes], parent: str, message: str) -> str:
        """Commit files on top of `parent`. Returns the commit, which may be another writer's that changed the same."""
        with self._answers():
            # New ones for every attempt: they remember how the last one went.
            operations = [CommitOperationAdd(path, data) for path, data in files.items()]
            done = self.api.create_commit(
                self.name, operations, repo_type=self.kind, parent_commit=parent, commit_message=message
            )
        return done.oid

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Call `attempt` until it returns without a doubt. Raises RunError with the last doubt if it never does."""
        failures = conflicts = 0
        while True:
            try:
                return attempt()
            except UnsureError as doubt:
                conflicts, failures = (conflicts + 1, 0) if doubt.moved else (conflicts, failures + 1)
                if failures >= self._cfg.tries or conflicts >= self._cfg.conflicts:
                    raise RunError(f"{doubt}; gave up after {failures or conflicts} tries") from doubt
                if doubt.moved:
                    # Somebody succeeded: at once again, but not all losers at the same moment.
                    wait_s = random.uniform(0, self._cfg.first_wait_s * min(conflicts, 4))
                else:
                    wait_s = doubt.wait_s or self._cfg.first_wait_s * 2 ** (failures - 1) * random.uniform(0.75, 1.25)
                    wait_s = min(wait_s, self._cfg.longest_wait_s)
                    self._say(f"{doubt}; trying again in {wait_s:.0f} s")
                time.sleep(wait_s)

    @contextmanager
    def _answers(self) -> Generator[None]:
        """Turn what the library raises into a doubt or into an error of one line."""
        try:
            yield
        except OfflineModeIsEnabled as error:
            raise InputError("HF_HUB_OFFLINE is set: nothing was asked of the Hub") from error
        except JSONDecodeError as error:
            raise UnsureError(f"{self.api.endpoint} answered with something else than JSON") from error
        except (HTTPError, InvalidURL) as error:
            raise self._told(error) from error
        except RuntimeError as error:
            # How an upload of a large file fails.
            if not isinstance(error.__cause__, HTTPError):
                raise
            raise self._told(error.__cause__) from error
        except ValueError as error:
            raise RunError(f"{self}: {_line(str(error))}") from error

    def _told(self, error: Exception) -> GenelabError | UnsureError:
        if isinstance(error, (InvalidURL, UnsupportedProtocol)):
            return InputError(f"HF_ENDPOINT '{self.api.endpoint}': {_line(str(error))}")
        if not isinstance(error, HfHubHTTPError):
            kind = "no answer in time" if "Timeout" in type(error).__name__ else _line(str(error))
            return UnsureError(f"{self.api.endpoint}: {kind or type(error).__name__}")
        status, said = error.response.status_code, _line(error.server_message or "")
        told = f"{self}: HTTP {status}{f', {said}' if said else ''}"
        if status == MOVED:
            return UnsureError(f"{self}: another commit came first", moved=True)
        if status in PASSING or status >= 500:
            return UnsureError(told, _asked_wait(error.response.headers))
        if isinstance(error, RepositoryNotFoundError) or status == 401:
            return InputError(f"{told}: there is none of that name, or your token may not read it (`hf auth login`)")
        if status == 403:
            return InputError(f"{told}: your token may not do this (`hf auth login` takes another)")
        return InputError(told) if status == 404 else RunError(told)


def _prepare(timeout_s: float) -> None:
    """Set the library up for this process."""
    limit = Timeout(timeout_s).as_dict()

    def limit_time(request: Request) -> None:
        # Of every request: some calls of the library switch the client's own time-out off.
        request.extensions["timeout"] = limit

    def factory() -> Client:
        client = default_client_factory()
        # Behind the library's own, in which its offline mode lives.
        client.event_hooks = {**client.event_hooks, "request": [*client.event_hooks["request"], limit_time]}
        return client

    huggingface_hub.set_client_factory(factory)
    # Entries are small, and what a second protocol raises is not known as well.
    constants.HF_HUB_DISABLE_XET = True
    disable_progress_bars()
    # Its warnings name addresses that carry signatures.
    logging.set_verbosity_error()


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    asked = headers.get("retry-after", "")
    if asked.isdigit():
        return float(asked)
    limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds + 1) if limit and limit.remaining == 0 else None


def _line(text: Any) -> str:
    """Text of a server or the library, on one line and without the token."""
    token = huggingface_hub.get_token()
    return one_line(str(text).replace(token, "***") if token else str(text), MAX_LINE).rstrip(". ")
