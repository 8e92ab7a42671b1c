"""A server that speaks Unity Catalog's REST interface from memory, and refuses bodies that the interface does not know.

Names and types are facts of the published interface (github.com/unitycatalog/unitycatalog, api/all.yaml).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

BASE = "/api/2.1/unity-catalog"
NAMES = {
    "type_name": "BOOLEAN BYTE SHORT INT LONG FLOAT DOUBLE DATE TIMESTAMP TIMESTAMP_NTZ STRING BINARY DECIMAL INTERVAL "
    "ARRAY STRUCT MAP VARIANT CHAR NULL USER_DEFINED_TYPE TABLE_TYPE",
    "table_type": "MANAGED EXTERNAL STREAMING_TABLE MATERIALIZED_VIEW METRIC_VIEW VIEW",
    "data_source_format": "DELTA ICEBERG CSV JSON AVRO PARQUET ORC TEXT",
}
PRIVILEGES = {"USE CATALOG", "USE SCHEMA", "SELECT", "MODIFY", "EXECUTE", "CREATE SCHEMA", "CREATE TABLE"}
SECURABLES = {"metastore", "catalog", "schema", "table", "function", "volume", "registered_model"}
#: Field to type; those with "!" must be there.
BODIES: dict[str, dict[str, object]] = {
    "catalogs": {"name!": str, "comment": str, "properties": dict, "storage_root": str},
    "schemas": {"name!": str, "catalog_name!": str, "comment": str, "properties": dict, "storage_root": str},
    "tables": {
        "name!": str, "catalog_name!": str, "schema_name!": str, "table_type!": str, "columns!": list,
        "data_source_format": str, "storage_location": str, "comment": str, "properties": dict,
        "view_definition": str, "view_dependencies": dict,
    },
    "column": {
        "name": str, "type_text": str, "type_json": str, "type_name": str, "type_precision": int, "type_scale": int,
        "type_interval_type": str, "position": int, "comment": str, "nullable": bool, "partition_index": int,
    },
    "models": {"name!": str, "catalog_name!": str, "schema_name!": str, "comment": str},
    "versions": {
        "model_name!": str, "catalog_name!": str, "schema_name!": str, "source!": str, "run_id": str, "comment": str,
    },
    "finalize": {"full_name!": str, "version!": int},
    "permissions": {"changes!": list},
    "change": {"principal!": str, "add!": list, "remove!": list},
}  # fmt: skip


class Refused(Exception):
    """An answer that is not 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def check(kind: str, body: Any) -> dict[str, Any]:
    """The body, if the interface knows it."""
    if not isinstance(body, dict):
        raise Refused(400, f"{kind}: not an object")
    fields = {name.rstrip("!"): kind for name, kind in BODIES[kind].items()}
    needed = {name.rstrip("!") for name in BODIES[kind] if name.endswith("!")}
    wrong = [name for name, value in body.items() if name not in fields or type(value) is not fields[name]]
    wrong += [
        f"{name}={body[name]}" for name, known in NAMES.items() if name in body and body[name] not in known.split()
    ]
    if wrong or needed - body.keys():
        raise Refused(400, f"{kind}: wrong {wrong}, missing {sorted(needed - body.keys())}")
    if any(type(value) is not str for value in body.get("properties", {}).values()):
        raise Refused(400, f"{kind}: properties are text")
    return body


@dataclass
class Server:
    """What it has, and what it was asked."""

    url: str = ""
    token: str | None = None
    catalogs: dict[str, dict[str, Any]] = field(default_factory=dict)
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    permissions: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    broken: str = ""
    redirect: str = ""
    page: int = 2

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> dict[str, Any]:
        if method != "GET":
            self.changes.append(f"{method} {'/'.join(path)}")
        if self.broken and self.broken in "/".join(path):
            raise Refused(500, "out of order")
        if path[0] == "permissions":
            return self.permission(method, path[1], path[2], body)
        if path[:2] == ["models", "versions"]:
            return self.new_version(check("versions", body))
        if path[0] == "models" and len(path) > 2:
            return self.of_model(method, path[1], path[3:], query, body)
        things: dict[str, dict[str, Any]] = getattr(self, path[0])
        if len(path) == 1:
            return self.create(path[0], body) if method == "POST" else self.listed(path[0], query)
        if path[1] not in things:
            raise Refused(404, f"{path[1]} does not exist")
        return things.pop(path[1]) and {} if method == "DELETE" else things[path[1]]

    def create(self, kind: str, body: Any) -> dict[str, Any]:
        check(kind, body)
        for column in body.get("columns", ()):
            check("column", column)
            assert json.loads(column["type_json"])["name"] == column["name"]
        parents = [body[key] for key in ("catalog_name", "schema_name") if key in body]
        if parents and ".".join(parents) not in (self.catalogs if len(parents) == 1 else self.schemas):
            raise Refused(404, f"{'.'.join(parents)} does not exist")
        name, things = ".".join([*parents, body["name"]]), getattr(self, kind)
        if name in things:
            raise Refused(409, f"{name} exists")
        things[name] = body
        return body

    def listed(self, kind: str, query: dict[str, str]) -> dict[str, Any]:
        parent = ".".join(query[key] for key in ("catalog_name", "schema_name") if key in query)
        names = [name for name in sorted(getattr(self, kind)) if name.rpartition(".")[0] == parent]
        return self.paged(kind, [getattr(self, kind)[name] for name in names], query)

    def paged(self, key: str, found: list[Any], query: dict[str, str]) -> dict[str, Any]:
        start = int(query.get("page_token", 0))
        more = {"next_page_token": str(start + self.page)} if start + self.page < len(found) else {}
        return {key: found[start : start + self.page], **more}

    def new_version(self, body: dict[str, Any]) -> dict[str, Any]:
        name = f"{body['catalog_name']}.{body['schema_name']}.{body['model_name']}"
        if name not in self.models:
            raise Refused(404, f"{name} does not exist")
        known = self.versions.setdefault(name, [])
        known.append({**body, "version": len(known) + 1, "status": "PENDING_REGISTRATION"})
        return known[-1]

    def of_model(self, method: str, name: str, rest: list[str], query: dict[str, str], body: Any) -> dict[str, Any]:
        if not rest:
            return self.paged("model_versions", self.versions.get(name, []), query)
        check("finalize", body)
        found = self.versions[name][int(rest[0]) - 1]
        found["status"] = "READY"
        return found

    def permission(self, method: str, kind: str, name: str, body: Any) -> dict[str, Any]:
        if kind not in SECURABLES:
            raise Refused(400, f"no securable {kind}")
        held = self.permissions.setdefault(f"{kind} {name}", {})
        for change in check("permissions", body)["changes"] if method == "PATCH" else ():
            check("change", change)
            if not {*change["add"], *change["remove"]} <= PRIVILEGES:
                raise Refused(400, f"no such privilege: {change}")
            held[change["principal"]] = held.get(change["principal"], set()) - {*change["remove"]} | {*change["add"]}
        return {"privilege_assignments": [{"principal": who, "privileges": sorted(all_)} for who, all_ in held.items()]}


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """It listens on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if server.redirect:
                self.reply(307, {}, {"Location": server.redirect})
            elif server.token and self.headers.get("Authorization") != f"Bearer {server.token}":
                self.reply(401, {"error_code": "UNAUTHENTICATED", "message": f"bad {self.headers['Authorization']}"})
            else:
                path = [unquote(part) for part in parts.path.removeprefix(f"{BASE}/").split("/")]
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                try:
                    self.reply(200, server.answer(self.command, path, query, json.loads(body) if body else None))
                except Refused as refused:
                    self.reply(refused.code, {"error_code": "X", "message": str(refused)})

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def reply(self, code: int, answer: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            text = json.dumps(answer).encode()
            self.send_response(code)
            for key, value in {"Content-Length": str(len(text)), **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    server.url = f"http://127.0.0.1:{listening.server_port}"
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
