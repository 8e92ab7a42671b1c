"""Where in an object store something lies: ``s3://bucket/folder``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sparkml_track.errors import SetupError

__all__ = ["ObjectAddress", "is_address"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# What every client, URL and log spells alike.
_PART = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._=+,@-]+")


def is_address(place: object) -> bool:
    """Whether this is an address in an object store rather than a path."""
    return str(place).startswith("s3://")


@dataclass(frozen=True, slots=True, order=True)
class ObjectAddress:
    """A folder or an object.

    Attributes:
        bucket: its name.
        key: within the bucket, without slashes at its ends; empty for all of the bucket.
    """

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, uri: str) -> ObjectAddress:
        """Reads ``s3://bucket/folder``.

        Raises:
            SetupError: it is another kind of address, holds credentials, or characters that clients spell differently.
        """
        rest = uri.removeprefix("s3://").rstrip("/")
        bucket, _, key = rest.partition("/")
        if "@" in bucket or ":" in bucket:
            raise SetupError(
                "an address of S3 must not hold credentials (what comes before its bucket is not repeated here); they "
                "belong into the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY); a host is AWS_ENDPOINT_URL"
            )
        parts = key.split("/") if key else []
        if not is_address(uri) or not _BUCKET.fullmatch(bucket) or not all(map(_PART.fullmatch, parts)):
            raise SetupError(
                f"{uri!r} is not an address in an object store; allowed is s3://bucket/folder, where the bucket has 3 "
                "to 63 small letters, digits, dots and hyphens, and folders have letters, digits and . _ = + , @ -"
            )
        return cls(bucket, key)

    @property
    def name(self) -> str:
        """The last part."""
        return self.key.rpartition("/")[2] or self.bucket

    @property
    def parent(self) -> ObjectAddress:
        """What it lies in."""
        return ObjectAddress(self.bucket, self.key.rpartition("/")[0])

    def __truediv__(self, part: str) -> ObjectAddress:
        return ObjectAddress(self.bucket, f"{self.key}/{part}" if self.key else part)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" if self.key else f"s3://{self.bucket}"
