"""The bulk endpoint: a batch of child runs in one call.

A GET says which version of messages it takes. A POST writes a batch (see ``trackers/_mlflow/bulk/message.py``) and
answers with the numbers of trials whose child runs have ended meanwhile. Errors are MLflow's: a code and a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus

from flask import Flask, Response, jsonify, request

from sparkml_track.errors import SpecError, TrackingError, TrackingUnavailable
from sparkml_track.trackers.receiving import MAX_BYTES, VERSION, Message, TooLarge, open_receiver, received

__all__ = ["METHOD", "add_endpoint", "gated"]

METHOD = "POST"
#: One for each process.
_opened = cache(open_receiver)


def gated(shown: Mapping[str, object]) -> tuple[object, ...]:
    """What permissions depend on, of JSON as the gate reads it."""
    return shown.get("run_id"), shown.get("experiment_id"), bool(shown.get("models"))


def add_endpoint(app: Flask, path: str, store: str) -> None:
    """Adds the endpoint to MLflow's application, once.

    Args:
        app: MLflow's.
        path: of the endpoint.
        store: the URI of the server's database.
    """
    if path not in {rule.rule for rule in app.url_map.iter_rules()}:
        app.add_url_rule(path, "sparkml_child_runs", lambda: _answer(store), methods=["GET", METHOD])


def _answer(store: str) -> Response | tuple[Response, int]:
    try:
        receiver = _opened(store)
        if receiver is None:
            return _refused(HTTPStatus.NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "this server takes child runs one by one")
        # HEAD comes with GET.
        return jsonify(receiver.take(_sent())) if request.method == METHOD else jsonify(version=VERSION)
    except SpecError as error:
        # After the first the sender goes on child run by child run.
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if isinstance(error, TooLarge) else HTTPStatus.BAD_REQUEST
        return _refused(status, "INVALID_PARAMETER_VALUE", str(error))
    except TrackingUnavailable as error:
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE", str(error))
    except TrackingError as error:
        return _refused(HTTPStatus.BAD_REQUEST, "INVALID_STATE", str(error))


def _sent() -> Message:
    """The message of the request."""
    if (request.content_length or 0) > MAX_BYTES:
        raise TooLarge(f"the batch has {request.content_length} bytes; allowed are {MAX_BYTES} in one call")
    sent = received(request.get_data())
    # What the gate of basic-auth was shown, which reads JSON in its own way.
    shown = request.get_json(silent=True)
    if not isinstance(shown, dict) or gated(shown) != sent.gated:
        raise SpecError("the batch names its parent run and its experiment once each")
    return sent


def _refused(status: HTTPStatus, code: str, text: str) -> tuple[Response, int]:
    return jsonify(error_code=code, message=text), status
