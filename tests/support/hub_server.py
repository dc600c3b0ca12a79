"""A hub on localhost: the few addresses that its client asks, over repositories kept in memory."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".gz")  # these are in Git LFS


def git_blob(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class HubServer:
    """`commit` puts files on a repository's main branch; `requests` lists what clients asked."""

    def __init__(self):
        self.commits = {}  # (models|datasets, id, commit or branch) -> (commit, {path: bytes})
        self.gated = set()
        self.requests = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self):
                hub.answer(self)

            do_GET = do_HEAD

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self):
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def commit(self, kind, repo, files):
        """Put files on main; returns the commit."""
        commit = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        for revision in (commit, "main"):
            self.commits[f"{kind}s", repo, revision] = commit, files
        return commit

    def answer(self, request):
        path = unquote(urlsplit(request.path).path)
        self.requests.append((request.command, path))
        parts = path.strip("/").split("/")
        if len(parts) < 5:
            return _send(request, 404, {})
        if parts[0] == "api":  # /api/models/owner/name/{revision,tree}/<revision>
            kind, repo, what, revision, rest = parts[1], "/".join(parts[2:4]), *parts[4:6], ""
        else:  # /[datasets/]owner/name/resolve/<revision>/<path>
            kind = parts.pop(0) if parts[0] == "datasets" else "models"
            repo, what, revision, rest = "/".join(parts[:2]), *parts[2:4], "/".join(parts[4:])
        if not any(known[:2] == (kind, repo) for known in self.commits):
            return _send(request, 404, {"X-Error-Code": "RepoNotFound"})
        if (kind, repo, revision) not in self.commits:
            return _send(request, 404, {"X-Error-Code": "RevisionNotFound"})
        if what == "resolve" and repo in self.gated:
            return _send(request, 403, {"X-Error-Code": "GatedRepo"})
        commit, files = self.commits[kind, repo, revision]
        if what == "revision":
            siblings = [{"rfilename": p, **_facts(p, c, "blobId")} for p, c in files.items()]
            return _send(request, 200, {}, {"id": repo, "sha": commit, "siblings": siblings})
        if what == "tree":
            tree = [{"type": "file", "path": p, **_facts(p, c, "oid")} for p, c in files.items()]
            return _send(request, 200, {}, tree)
        content = files[rest]
        etag = sha256(content) if rest.endswith(LARGE) else git_blob(content)
        return _send(request, 200, {"ETag": f'"{etag}"', "X-Repo-Commit": commit}, content)


def _facts(path, content, blob):
    lfs = {"sha256": sha256(content), "oid": sha256(content), "size": len(content)}
    lfs["pointerSize"] = 130
    facts = {"size": len(content), blob: git_blob(content)}
    return facts | ({"lfs": lfs} if path.endswith(LARGE) else {})


def _send(request, status, headers, body=b""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(data))}.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(data)
