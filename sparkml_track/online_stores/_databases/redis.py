"""Rows in Redis: a hash for the rows of each table, and one that says which publication they are.

Keys are ``sparkml:online:{table}:...``; the braces keep those of a table on one node. Rows of a new publication are
staged under a name of their own, which expires where the publisher is killed; a script swaps the names. What Redis
keeps after a restart is its own configuration's matter, and it must not evict (``maxmemory-policy noeviction``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from typing_extensions import override

from sparkml_track.adapters.mlflow.uri import redacted, scrubbed
from sparkml_track.errors import DataError, OnlineStoreError, SpecError
from sparkml_track.online_stores._base import OnlineStore
from sparkml_track.online_stores._values import Publication, StoredRow, checked_name, chunks

__all__ = ["RedisOnlineStore"]

_PREFIX = "sparkml:online:"
_CHUNK = 1000  # rows of one command
_STAGED_SECONDS = 3600  # that staged rows wait for the next of them
_TIMEOUT_SECONDS = 30

_READ = """
local there = redis.call('HMGET', KEYS[1], 'generation', 'rows')
if not there[1] then return {'', {}} end
local found = {}
for first = 1, #ARGV, 1000 do
  local some = redis.call('HMGET', there[2], unpack(ARGV, first, math.min(first + 999, #ARGV)))
  for _, value in ipairs(some) do found[#found + 1] = value end
end
return {there[1], found}
"""
_SWAP = """
if redis.call('HLEN', KEYS[2]) ~= tonumber(ARGV[3]) then return redis.call('HLEN', KEYS[2]) end
local old = redis.call('HGET', KEYS[1], 'rows')
redis.call('PERSIST', KEYS[2])
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'body', ARGV[2], 'rows', KEYS[2])
if old then redis.call('UNLINK', old) end
return -1
"""


class RedisOnlineStore(OnlineStore):
    """One database of a Redis server.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, with the number of the database.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.address = redacted(url)
        try:
            self._client: Any = redis.Redis.from_url(
                url,
                decode_responses=True,
                retry=Retry(NoBackoff(), 1),
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
            )
        except ValueError as error:
            raise SpecError(f"{self.address} is not an address of Redis: {scrubbed(str(error), url)}") from None
        self._read_script = self._client.register_script(_READ)
        self._swap_script = self._client.register_script(_SWAP)

    @override
    def publication(self, table: str) -> Publication | None:
        with self._translated(f"read {table}"):
            body = self._client.hget(_name(table), "body")
        return Publication.from_json(body) if body else None

    @override
    def names(self) -> tuple[str, ...]:
        with self._translated("list the tables"):
            found = list(self._client.scan_iter(match=f"{_PREFIX}*:publication", count=_CHUNK))
        return tuple(sorted(key.removeprefix(_PREFIX + "{").removesuffix("}:publication") for key in found))

    @override
    def drop(self, table: str) -> None:
        with self._translated(f"drop {table}"):
            rows = self._client.hget(_name(table), "rows")
            self._client.unlink(_name(table), *([rows] if rows else []))

    @override
    def close(self) -> None:
        self._client.close()

    @override
    def _replace(self, publication: Publication, rows: Iterator[StoredRow]) -> None:
        table, staged, count = publication.table, _name(publication.table, f"rows:{publication.generation}"), 0
        with self._translated(f"publish {table}"):
            for some in chunks(rows, _CHUNK):
                count += len(some)
                with self._client.pipeline(transaction=True) as pipe:
                    pipe.hset(staged, mapping=_values(some))
                    pipe.expire(staged, _STAGED_SECONDS)
                    pipe.execute()
            answer = self._swap_script([_name(table), staged], [publication.generation, publication.to_json(), count])
        if answer >= 0:
            raise DataError(
                f"of {count} rows of {table} there are {answer} in {self.address}: keys repeat, or the staged rows "
                "were evicted"
            )

    @override
    def _amend(self, publication: Publication, base: str, rows: Iterator[StoredRow], removed: Iterator[str]) -> bool:
        name = _name(publication.table)
        with self._translated(f"publish {publication.table}"), self._client.pipeline(transaction=True) as pipe:
            try:
                pipe.watch(name)
                generation, there = pipe.hmget(name, "generation", "rows")
                if generation != base:
                    return False
                pipe.multi()
                for keys in chunks(removed, _CHUNK):
                    pipe.hdel(there, *keys)
                for some in chunks(rows, _CHUNK):
                    pipe.hset(there, mapping=_values(some))
                pipe.hset(name, mapping={"generation": publication.generation, "body": publication.to_json()})
                pipe.execute()
            except redis.WatchError:
                return False
        return True

    @override
    def _read(self, table: str, keys: Sequence[str]) -> tuple[str, Mapping[str, StoredRow]]:
        with self._translated(f"read {table}"):
            generation, found = self._read_script([_name(table)], keys)
        return generation, {key: _row(key, text) for key, text in zip(keys, found, strict=False) if text is not None}

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, OSError) as error:
            raise OnlineStoreError(
                f"could not {what} in {self.address}: {type(error).__name__}: {scrubbed(str(error), self._url)}"
            ) from error


def _name(table: str, part: str = "publication") -> str:
    return f"{_PREFIX}{{{checked_name(table)}}}:{part}"


def _values(rows: Iterable[StoredRow]) -> dict[str, str]:
    return {row.key: f"{'' if row.known_at is None else row.known_at} {row.version} {row.text}" for row in rows}


def _row(key: str, value: str) -> StoredRow:
    known_at, version, text = value.split(" ", 2)
    return StoredRow(key, int(known_at) if known_at else None, int(version), text)
