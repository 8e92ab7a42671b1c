"""What the ranks of a gang find in their environment: as torchrun sets it, so that any library takes it from there.

See "Environment Variables" of torch.distributed.elastic's documentation (torchrun). A host is a node.
"""

from __future__ import annotations

from collections.abc import Sequence

from sparkml_track.trial import Attempt

__all__ = ["environments"]


def environments(ranks: Sequence[Attempt], hosts: Sequence[str], address: str, port: int) -> list[dict[str, object]]:
    """Of each rank.

    Args:
        ranks: attempts in the order of ranks.
        hosts: of each.
        address: where they meet.
        port: likewise.
    """
    nodes = list(dict.fromkeys(hosts))
    world, first = len(ranks), ranks[0]
    shared: dict[str, object] = {
        "WORLD_SIZE": world,
        "MASTER_ADDR": address,
        "MASTER_PORT": port,
        "GROUP_WORLD_SIZE": len(nodes),
        "ROLE_NAME": "default",
        "ROLE_WORLD_SIZE": world,
        "TORCHELASTIC_RUN_ID": first.id,
        "TORCHELASTIC_RESTART_COUNT": first.number - 1,
        # Rank 0 opens the store of torch.distributed: there is no agent that has one.
        "TORCHELASTIC_USE_AGENT_STORE": "False",
    }
    return [
        {
            **shared,
            "RANK": rank,
            "ROLE_RANK": rank,
            "LOCAL_RANK": hosts[:rank].count(host),
            "LOCAL_WORLD_SIZE": hosts.count(host),
            "GROUP_RANK": nodes.index(host),
        }
        for rank, host in enumerate(hosts)
    ]
