"""A Hub on loopback that speaks as much of the real protocol as huggingface_hub 2.4 uses, and fails as it is told."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LFS = (".onnx", ".pt", ".png", ".safetensors", ".zip")
"""Suffixes of what the fake takes as large files."""
PAGE = 1000
"""Files of a page of a tree."""


@dataclass
class Fault:
    """What goes wrong with the next requests that fit."""

    method: str
    """HTTP method."""
    path: str
    """Regular expression that the path, decoded, matches somewhere."""
    action: str
    """`status` before it is carried out, `status_after`; `drop`, `drop_after`: the connection; `hang`; `flip` a bit of
    the body, `half` of it, `html` in place of it, `stale`: as of the commit before."""
    count: int = 1
    """How many requests."""
    status: int = 503
    """The status."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of that answer."""


@dataclass
class Commit:
    """A commit, with the path, kind and content of every file."""

    sha: str
    parent: str | None
    message: str
    files: dict[str, tuple[bool, bytes]]


class ReplyError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, error: str, code: str = "", **more: Any) -> None:
        super().__init__(error)
        self.status, self.body = status, {"error": error, **more}
        self.headers = {"X-Error-Code": code, "X-Error-Message": error} if code else {}


class FakeHub:
    """The state: repositories by kind and name, large files, faults, and what was asked."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], list[Commit]] = {}
        self.large: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, str | None]] = []
        """Method, path, token."""
        self.ignored = ""
        """Suffix of files that a .gitignore in the repository leaves out."""
        self.readers = {"hf_reader"}
        """Tokens that may not write."""
        self.longest_sleep_s = 0.05
        """How long its clients sleep at most, where a test sees to it."""
        self.closed = threading.Event()
        self.url = ""
        self.storage = ""
        """Where large files lie: to a client another host."""
        self._lock = threading.Lock()

    def commits(self, name: str, kind: str = "datasets") -> list[Commit]:
        """The commits of a repository, the oldest first."""
        return self.repos[kind, name]

    def files(self, name: str, kind: str = "datasets") -> dict[str, bytes]:
        """The files at head."""
        return {path: data for path, (_, data) in self.repos[kind, name][-1].files.items()}

    def put(self, name: str, files: dict[str, bytes | None], kind: str = "datasets") -> None:
        """Commit behind the client's back. None removes a file."""
        with self._lock:
            self.repos.setdefault((kind, name), [])
            self._commit(kind, name, {p: None if d is None else (p.endswith(LFS), d) for p, d in files.items()}, "put")

    def fail(self, *fault: Any, **more: Any) -> None:
        """Add a fault."""
        self.faults.append(Fault(*fault, **more))

    def take_fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.count and fault.method == method and re.search(fault.path, path):
                    fault.count -= 1
                    return fault
        return None

    def repo(self, kind: str, name: str) -> list[Commit]:
        if (kind, name) not in self.repos:
            raise ReplyError(404, "Repository not found", "RepoNotFound")
        return self.repos[kind, name]

    def at(self, kind: str, name: str, revision: str) -> Commit:
        commits = self.repo(kind, name)
        if revision == "main":
            return commits[-1]
        found = [commit for commit in commits if commit.sha == revision]
        if not found:
            raise ReplyError(404, "Invalid rev id", "RevisionNotFound")
        return found[0]

    def create(self, kind: str, name: str) -> dict[str, Any]:
        with self._lock:
            url = f"{self.url}/{'datasets/' if kind == 'datasets' else ''}{name}"
            if (kind, name) in self.repos:
                raise ReplyError(409, "You already created this repo", url=url)
            self.repos[kind, name] = []
            self._commit(kind, name, {".gitattributes": (False, b"*.onnx filter=lfs\n")}, "initial commit")
            return {"url": url}

    def apply(self, kind: str, name: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
        with self._lock:
            head = self.repo(kind, name)[-1]
            header = lines[0]["value"]
            if header.get("parentCommit", head.sha) != head.sha:
                raise ReplyError(412, "A commit has happened since. Please refresh and try again.")
            changes: dict[str, tuple[bool, bytes] | None] = {}
            for line in lines[1:]:
                value = line["value"]
                if line["key"] == "file":
                    changes[value["path"]] = (False, base64.b64decode(value["content"]))
                elif value["oid"] in self.large:
                    changes[value["path"]] = (True, self.large[value["oid"]])
                else:
                    raise ReplyError(422, f"LFS pointer to nothing: {value['path']}")
            made = self._commit(kind, name, changes, header["summary"])
            return {"commitUrl": f"{self.url}/{name}/commit/{made.sha}", "commitOid": made.sha}

    def _commit(self, kind: str, name: str, changes: dict[str, tuple[bool, bytes] | None], message: str) -> Commit:
        commits = self.repos[kind, name]
        files, parent = (dict(commits[-1].files), commits[-1].sha) if commits else ({}, None)
        for path, change in changes.items():
            if change is None:
                del files[path]
            else:
                files[path] = change
        sha = hashlib.sha1(f"{parent} {len(commits)} {message} {kind} {name}".encode()).hexdigest()
        commits.append(Commit(sha, parent, message, files))
        return commits[-1]


def blob(data: bytes) -> str:
    """The name that git gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def handle_one(self) -> None:
        split = urlsplit(self.path)
        path, query = unquote(split.path), parse_qs(split.query)
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ") or None
        body = self.rfile.read(int(self.headers.get("content-length") or 0)) if not self._chunked() else self._chunks()
        self.hub.requests.append((self.command, path, token))
        fault = self.hub.take_fault(self.command, path)
        action = fault.action if fault else ""
        if action == "hang":
            self.hub.closed.wait(30)
            action = "drop"
        if action == "drop":
            self.close_connection = True
            return
        if fault and action == "status":
            self._send(fault.status, b'{"error": "told to fail"}', fault.headers)
            return
        try:
            status, data, headers = self._answer(path, query, body, token, stale=action == "stale")
        except ReplyError as reply:
            status, data, headers = reply.status, json.dumps(reply.body).encode(), reply.headers
        if action == "drop_after":
            self.close_connection = True
        elif fault and action == "status_after":
            self._send(fault.status, b'{"error": "told to fail"}', fault.headers)
        elif action == "html":
            self._send(200, b"<html>Log in to the hotel's network</html>", {"Content-Type": "text/html"})
        else:
            data = bytes([data[0] ^ 1]) + data[1:] if action == "flip" else data
            self._send(status, data, headers, half=action == "half")

    do_GET = do_POST = do_PUT = do_HEAD = handle_one  # noqa: N815

    def _chunked(self) -> bool:
        return self.headers.get("transfer-encoding") == "chunked"

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, status: int, data: bytes, headers: dict[str, str], *, half: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if half else data)
        if half:
            self.close_connection = True

    def _answer(
        self, path: str, query: dict[str, list[str]], body: bytes, token: str | None, *, stale: bool
    ) -> tuple[int, bytes, dict[str, str]]:
        hub = self.hub
        if self.command == "PUT" and path.startswith("/large/"):
            # The storage is another company's: it gets an address with a signature, and no token.
            assert token is None
            assert hashlib.sha256(body).hexdigest() == path.removeprefix("/large/")
            hub.large[path.removeprefix("/large/")] = body
            return 200, b"", {}
        if path.startswith("/large/"):
            assert token is None
            return 200, hub.large[path.removeprefix("/large/")], {}
        if self.command == "POST" and path == "/api/validate-yaml":
            return _json({"errors": [], "warnings": []})
        if self.command == "POST" and token in (None, *hub.readers):
            raise ReplyError(403 if token else 401, "You don't have the rights")
        if path == "/api/repos/create":
            asked = json.loads(body)
            return _json(hub.create(f"{asked['type']}s", f"{asked['organization']}/{asked['name']}"))
        if found := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/(batch|verify)", path):
            return _json(self._lfs(json.loads(body), found[1] or "", found[2], verify=found[3] == "verify"))
        if found := re.fullmatch(r"/api/(datasets|models)/([^/]+/[^/]+)(?:/(\w+)/([^/]+))?", path):
            kind, name, what, revision = found.groups()
            if what in (None, "revision"):
                sha = hub.at(kind, name, revision or "main").sha
                commits = hub.repo(kind, name)
                return _json({"id": name, "sha": commits[-2].sha if stale and len(commits) > 1 else sha})
            if what == "tree":
                return self._tree(hub.at(kind, name, revision), int(query.get("cursor", ["0"])[0]))
            if what == "preupload":
                return _json(self._preupload(hub.at(kind, name, revision), json.loads(body)))
            if what == "commit":
                return _json(hub.apply(kind, name, [json.loads(line) for line in body.splitlines()]))
        if found := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/(\w+)/(.+)", path):
            commit = hub.at("datasets" if found[1] else "models", found[2], found[3])
            if found[4] not in commit.files:
                raise ReplyError(404, "Entry not found", "EntryNotFound")
            large, data = commit.files[found[4]]
            if large:
                oid = hashlib.sha256(data).hexdigest()
                hub.large[oid] = data
                return 302, b"", {"Location": f"{hub.storage}/large/{oid}", "X-Repo-Commit": commit.sha}
            return 200, data, {"X-Repo-Commit": commit.sha, "Content-Type": "text/plain"}
        raise ReplyError(404, f"the fake knows no {self.command} {path}")

    def _tree(self, commit: Commit, first: int) -> tuple[int, bytes, dict[str, str]]:
        folders = {"/".join(p.split("/")[:k]) for p in commit.files for k in range(1, p.count("/") + 1)}
        items: list[dict[str, Any]] = [{"type": "directory", "path": p, "oid": "0" * 40, "size": 0} for p in folders]
        for path, (large, data) in commit.files.items():
            item = {"type": "file", "path": path, "size": len(data), "oid": blob(data)}
            if large:
                item["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            items.append(item)
        items.sort(key=lambda item: item["path"])
        headers = {}
        if first + PAGE < len(items):
            plain = re.sub(r"&cursor=\d+", "", self.path)
            headers["Link"] = f'<{self.hub.url}{plain}&cursor={first + PAGE}>; rel="next"'
        return 200, json.dumps(items[first : first + PAGE]).encode(), headers

    def _preupload(self, head: Commit, asked: dict[str, Any]) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        for file in asked["files"]:
            path, ignored = file["path"], self.hub.ignored
            told: dict[str, Any] = {"path": path, "uploadMode": "lfs" if path.endswith(LFS) else "regular"}
            told["shouldIgnore"] = bool(ignored) and path.endswith(ignored)
            if path in head.files:
                large, data = head.files[path]
                told["oid"] = hashlib.sha256(data).hexdigest() if large else blob(data)
            found.append(told)
        return {"files": found}

    def _lfs(self, asked: dict[str, Any], prefix: str, name: str, *, verify: bool) -> dict[str, Any]:
        if verify:
            assert asked["oid"] in self.hub.large
            return {}
        objects: list[dict[str, Any]] = []
        for wanted in asked["objects"]:
            made: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.hub.large:
                verify_url = f"{self.hub.url}/{prefix}{name}.git/info/lfs/objects/verify"
                upload = {"href": f"{self.hub.storage}/large/{wanted['oid']}?signature=secret"}
                made["actions"] = {"upload": upload, "verify": {"href": verify_url}}
            objects.append(made)
        return {"transfer": "basic", "objects": objects}


def _json(value: Any) -> tuple[int, bytes, dict[str, str]]:
    return 200, json.dumps(value).encode(), {}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def serve(change: Callable[[FakeHub], None] = lambda _: None) -> Generator[FakeHub]:
    """Run a fake Hub on a free port of loopback."""
    hub = FakeHub()
    change(hub)
    server = _Server(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    hub.storage = f"http://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        hub.closed.set()
        server.shutdown()
        thread.join()
        server.server_close()
