"""A publisher that is killed leaves the publication before."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

import pytest

from sparkml_track.online_stores import open_online_store
from sparkml_track.testing.online_stores import publication, rows

#: Publishes many rows, and says when some of them were handed over.
PUBLISHER = """
import sys
from sparkml_track.online_stores import open_online_store
from sparkml_track.testing.online_stores import publication, rows

address, how = sys.argv[1:]
store, first = open_online_store(address), rows(a=2)

def slowly():
    yield from first.to_batches()
    for number in range(1, 100):
        yield from rows(**{f"k{number}_{each}": 2.0 for each in range(2000)}).to_batches()
        if number == 5:
            print("half", flush=True)
            sys.stdin.read()

if how == "publish":
    store.publish(publication(first, 2), slowly())
else:
    store.amend(publication(first, 2), 1, slowly())
"""


@pytest.mark.parametrize("how", ["publish", "amend"])
def test_a_publisher_that_is_killed_leaves_the_publication_before(address: str, how: str) -> None:
    first = rows(a=1, b=1)
    with closing(open_online_store(address)) as store:
        store.publish(publication(first), first.to_batches())
        command = [sys.executable, "-c", PUBLISHER, address, how]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as publisher:
            assert publisher.stdout is not None
            assert publisher.stdout.readline() == "half\n"
            assert seen(address) == [1.0, 1.0, None]
            publisher.kill()
        assert seen(address) == [1.0, 1.0, None]
        # And the next one is not held up by what it left.
        again = rows(a=3)
        store.amend(publication(again, 3), 1, again.to_batches())
        assert seen(address) == [3.0, 1.0, None]


def seen(address: str) -> list[object]:
    with closing(open_online_store(address)) as store:
        found = store.get_many("shop.prices", [("a",), ("b",), ("k1_0",)]).rows
    return [row and row.values["price"] for row in found]
