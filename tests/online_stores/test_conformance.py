from __future__ import annotations

from collections.abc import Iterator

import pytest

from sparkml_track.online_stores import MemoryOnlineStore, OnlineStore, open_online_store
from sparkml_track.testing.online_stores import OnlineStoreCase


class TestMemory(OnlineStoreCase):
    @pytest.fixture
    def store(self) -> OnlineStore:
        return MemoryOnlineStore()


class TestDatabases(OnlineStoreCase):
    @pytest.fixture
    def store(self, address: str) -> Iterator[OnlineStore]:
        self.address = address
        self.opened = [open_online_store(address)]
        yield self.opened[0]
        for each in self.opened:
            each.close()

    def again(self, store: OnlineStore) -> OnlineStore:
        self.opened.append(open_online_store(self.address))
        return self.opened[-1]
