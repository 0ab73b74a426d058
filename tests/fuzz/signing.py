"""Hooks of schemathesis: every second delivery that it makes up goes to a connection that there is, signed as its CRM would."""

import base64
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zlib import crc32

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase
from system import SECRET, TOKEN

from models.units import SECOND
from streams.inbound.providers import standard
from streams.local.deliveries import wall

HOOKS = "/hooks/"


class Signature(AuthBase):
    """Signs a request when it is whole."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        parts = urlsplit(request.url)
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        if request.method == "POST" and parts.path.startswith(HOOKS) and isinstance(body, bytes) and crc32(body) % 2:
            timestamp = str(wall() // SECOND)
            signature = base64.b64encode(standard.sign("msg_1", timestamp, body, standard.key_of(SECRET))).decode()
            request.url = urlunsplit(parts._replace(path=f"{HOOKS}{TOKEN}"))
            request.headers["webhook-id"] = "msg_1"
            request.headers["webhook-timestamp"] = timestamp
            request.headers["webhook-signature"] = f"v1,{signature}"
        return request


@schemathesis.hook
def before_call(_context: Any, _case: Any, kwargs: dict[str, Any]) -> None:
    kwargs["auth"] = Signature()
