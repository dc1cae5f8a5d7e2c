"""Index lifecycle management before a search engine that has none: the calls that are documented, and their refusals.

Calls of ILM are answered here, and so is `index.lifecycle` of an index's settings; all else is the engine's.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Answer = tuple[int, Any]

DAY_MS = 86_400_000
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}
_PHASES = ("hot", "warm", "cold", "frozen", "delete")
#: Those that the tests have use for.
_ACTIONS = {
    "hot": {"set_priority", "rollover", "readonly"},
    "warm": {"set_priority", "allocate", "migrate", "readonly"},
    "cold": {"set_priority", "allocate", "migrate", "readonly"},
    "delete": {"delete", "wait_for_snapshot"},
}
#: What the server adds to an action that leaves it out.
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "delete": {"delete_searchable_snapshot": True},
    "allocate": {"include": {}, "exclude": {}, "require": {}},
}


def error(status: int, kind: str, reason: str, **more: str) -> Answer:
    """Return a refusal as Elasticsearch words it."""
    return status, {"error": {"type": kind, "reason": reason, **more}, "status": status}


def no_handler(path: str) -> Answer:
    """Return what a build without ILM answers."""
    return 400, {"error": f"no handler found for uri [{path}] and method [PUT]"}


SERVERLESS = error(
    410,
    "api_not_available_exception",
    "Request for uri [/_ilm/policy] is not available when running in serverless mode",
)
LICENCE = error(
    403,
    "security_exception",
    "current license is non-compliant for [ilm]",
    **{"license.expired.feature": "ilm"},
)
UNPRIVILEGED = error(
    403,
    "security_exception",
    "action [cluster:admin/ilm/put] is unauthorized for user [syncer] with effective roles [syncer], "
    "this action is granted by the cluster privileges [manage_ilm,manage,all]",
)


class IlmServer:
    """An HTTP server; what it knows can be read while it runs."""

    def __init__(self, engine: str) -> None:
        self._engine = urlsplit(engine)
        #: By name, as they were put.
        self.policies: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, int] = {}
        #: By index, `index.lifecycle` of its settings.
        self.settings: dict[str, dict[str, str]] = {}
        #: Indices that ILM was told to let go of.
        self.removed: list[str] = []
        self.mode = "RUNNING"
        #: By pattern of method and path.
        self.refusals: dict[str, Answer] = {}
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"ilm": self}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        self._http.shutdown()
        self._http.server_close()

    def attached(self, index: str) -> str | None:
        """Return the policy of an index."""
        return self.settings.get(index, {}).get("name")

    def phase(self, index: str, now_ms: int) -> str | None:
        """Return the phase that an index has come to at a time; None: nobody manages it."""
        policy = self.policies.get(self.attached(index) or "")
        if policy is None:
            return None
        created = self.forward("GET", f"/{index}/_settings", b"")[1][index]["settings"]["index"]["creation_date"]
        age = now_ms - int(self.settings[index].get("origination_date", created))
        entered = [name for name in _PHASES if name in policy["phases"] and _min_age(policy["phases"][name]) <= age]
        return entered[-1] if entered else "new"

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Return status and body for a request."""
        for pattern, refusal in self.refusals.items():
            if re.match(pattern, f"{method} {path}"):
                return refusal
        match path.strip("/").split("/"):
            case ["_ilm", "status"]:
                return 200, {"operation_mode": self.mode}
            case ["_ilm", "policy", name]:
                return self._policy(method, name, json.loads(body or b"{}"))
            case [index, "_ilm", "remove"]:
                self.settings.get(index, {}).pop("name", None)
                self.removed.append(index)
                return 200, {"has_failures": False, "failed_indexes": []}
            case [index, "_settings"] if method == "PUT":
                return self._set(path, index, json.loads(body))
            case [index, "_settings"]:
                status, found = self.forward(method, path, body)
                if status == 200 and index in self.settings:
                    found[index]["settings"]["index"]["lifecycle"] = self.settings[index]
                return status, found
        return self.forward(method, path, body)

    def forward(self, method: str, path: str, body: bytes) -> Answer:
        """Return what the engine answers."""
        with closing(http.client.HTTPConnection(str(self._engine.hostname), self._engine.port, timeout=30)) as engine:
            # A bulk's lines are JSON too, for what is asked here.
            engine.request(method, path, body, {"Content-Type": "application/json"})
            answer = engine.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None

    def _policy(self, method: str, name: str, body: dict[str, Any]) -> Answer:
        if method == "PUT":
            for phase, wanted in body["policy"]["phases"].items():
                for action in wanted["actions"]:
                    if action not in _ACTIONS.get(phase, ()):
                        reason = f"invalid action [{action}] defined in phase [{phase}]"
                        return error(400, "illegal_argument_exception", reason)
            self.policies[name] = body["policy"]
            self.versions[name] = self.versions.get(name, 0) + 1
            return 200, {"acknowledged": True}
        if name not in self.policies:
            return error(404, "resource_not_found_exception", f"Lifecycle policy not found: {name}")
        if method == "DELETE":
            users = [index for index in self.settings if self.attached(index) == name]
            if users:
                reason = f"Cannot delete policy [{name}]. It is in use by one or more indices: {users}"
                return error(400, "illegal_argument_exception", reason)
            del self.policies[name]
            return 200, {"acknowledged": True}
        return 200, {name: {"version": self.versions[name], "policy": _completed(self.policies[name])}}

    def _set(self, path: str, index: str, settings: dict[str, Any]) -> Answer:
        ours = {name: settings.pop(name) for name in list(settings) if name.startswith("lifecycle.")}
        status, said = self.forward("PUT", path, json.dumps(settings).encode()) if settings else (200, {})
        if status != 200 or not ours:
            return status, said
        there = self.settings.setdefault(index, {})
        for name, value in ours.items():
            there.pop(name.removeprefix("lifecycle."), None)
            if value is not None:
                there[name.removeprefix("lifecycle.")] = str(value)
        return 200, {"acknowledged": True}


def _completed(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy as the server gives it back."""
    phases = {
        name: {
            "min_age": phase.get("min_age", "0ms"),
            "actions": {action: {**_DEFAULTS.get(action, {}), **body} for action, body in phase["actions"].items()},
        }
        for name, phase in policy["phases"].items()
    }
    return {**policy, "phases": phases}


def _min_age(phase: Mapping[str, Any]) -> int:
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", phase.get("min_age", "0ms"))
    assert found, phase
    return int(found[1]) * _UNIT_MS[found[2]]


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    ilm: IlmServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        status, answer = self.ilm.answer(self.command, self.path, body)
        text = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def log_message(self, *args: Any) -> None:
        """Say nothing."""
