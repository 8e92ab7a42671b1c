from __future__ import annotations

import pytest

from sparkml_track.adapters.mlflow.uri import has_secret, redacted, scrubbed

PLAIN = [
    "sqlite:////home/x/mlflow.db",
    "sqlite:////home/x@y/mlflow.db",
    "http://127.0.0.1:5000",
    "postgresql://db/mlflow?sslmode=on",
    "sc://localhost:15002/;user_id=me",
    "memory:",
]


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://ada:pa%40ss@host:5000/x", "https://***@host:5000/x"),
        ("postgresql://u:hun/ter2@h/db", "postgresql://***@h/db"),
        ("postgresql://u:p@hunter2@h/db", "postgresql://***@h/db"),
        ("postgresql://u:hun?ter#2@h/db", "postgresql://***@h/db"),
        (
            "postgresql://u:p@db/mlflow?sslpassword=abc&sslmode=on",
            "postgresql://***@db/mlflow?sslpassword=***&sslmode=on",
        ),
        ("https://host/?token=abc", "https://host/?token=***"),
        ("https://host/#token=abc", "https://host/#token=***"),
        ("sc://host:15002/;use_ssl=true;token=abc", "sc://host:15002/;use_ssl=true;token=***"),
        ("mssql+pyodbc://?odbc_connect=DRIVER%3Dx%3BUID%3Du%3BPWD%3Dhunter2", "mssql+pyodbc://?odbc_connect=***"),
        ("https://host/?api%5Fkey=abc", "https://host/?api%5Fkey=***"),
    ],
)
def test_uris_are_shown_without_secrets(uri: str, shown: str) -> None:
    assert redacted(uri) == shown
    assert has_secret(uri)


@pytest.mark.parametrize("uri", PLAIN)
def test_a_uri_without_secrets_is_shown_as_it_is(uri: str) -> None:
    assert redacted(uri) == uri
    assert not has_secret(uri)


@pytest.mark.parametrize("password", ["pa@ss", "hun/ter2", "a b+c", "p?q#r", "100%"])
def test_messages_lose_secrets_however_they_quote_them(password: str) -> None:
    from urllib.parse import quote, quote_plus

    for given in (password, quote(password, safe=""), quote_plus(password)):
        uri = f"postgresql://ada:{given}@db/mlflow?password=qu3ry"
        said = f"cannot connect to {uri}: {password!r} of ada:{given} refused, {quote(password, safe='')} and qu3ry too"
        shown = scrubbed(said, uri)
        for secret in (password, given, quote(password, safe=""), "qu3ry"):
            assert secret not in shown
    assert scrubbed("plain", "sqlite:///x") == "plain"
