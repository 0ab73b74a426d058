"""What reads deliveries: signatures, bodies of both providers, events, ticks, records of the log, dead letters, recordings."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

import conversation
import msgspec
from build import DAY, ROSTER, call, deal, deleted, erased, lead, meeting, merged, reply, restored, sla
from build_subjects import cost, day, proposal, quote, rep, subscription, survey, ticket, time, usage
from conversation import RECEIVED
from engine import Engine
from fuzz.target import Target, read
from msgspec import Struct, field

from models.calendars import Shift, WorkCalendar
from models.data.leads import Line
from models.errors import InvalidEventError
from models.events import Absorbed, decode, decode_logged, encode
from models.money import Money, Rate
from models.rules import CalendarUse, Rules
from models.state.lead import pack
from models.units import MINUTE, SECOND, Millis
from streams.dead_letters import Origin, dead_letter, kind_of, letter_of
from streams.errors import Poison
from streams.inbound.normalise import Delivery, Unknown, Unreadable, contents, normalise
from streams.inbound.providers import Provider, Unauthentic, provider_of, standard
from streams.local import recording
from streams.processing.processor import parsed
from streams.topics import TICK_KEY, decode_tick, decode_ticks, encode_tick, encode_ticks

KEY: Final = b"thirty-two bytes, more or less.."
SECRETS: Final = {"standard": "whsec_" + base64.b64encode(KEY).decode(), "close": KEY.hex()}

EVENTS: Final = (
    lead(created_at=RECEIVED - DAY, owner="ana", lead_source="inbound", account="a1", segment="smb"),
    call("t1", RECEIVED - MINUTE, rep="ana", connected=True),
    reply("r1", at=RECEIVED, channel="email", in_reply_to="t1", sentiment="positive"),
    meeting("m1", booked_at=RECEIVED, scheduled_at=RECEIVED + DAY, rep="ana", kind="demo", outcome="held"),
    deal("d1", created_at=RECEIVED, rep="ana", stage="offer", lines=(Line(2, 100_00, "x"),), currency="USD", outcome="won"),
    proposal(sent_at=RECEIVED, signed_at=RECEIVED, deal="d1", rep="ana"),
    subscription(of="a1", mrr=100_00, effective_at=RECEIVED + DAY, currency="USD"),
    survey(of="a1", at=RECEIVED, kind="nps", score=10),
    ticket(of="a1", opened_at=RECEIVED - DAY, closed_at=RECEIVED),
    usage(of="a1", at=RECEIVED, seconds=60),
    rep(of="ana", employed_from=RECEIVED - 90 * DAY),
    time(of="ana", at=RECEIVED, selling_seconds=60, working_seconds=90),
    day(of="c1", date="2026-03-02", visits=10, clicks=2),
    cost(of="c1", date="2026-03-02", category="marketing", amount=10_00, currency="USD"),
    quote(of="c1", at=RECEIVED, product="x", competitor="y", price=1_00),
    deleted("touch:t1"),
    restored("touch:t1"),
    merged("lead-2"),
    erased(),
)
OFFICE: Final = WorkCalendar("office", "Europe/Berlin", tuple(Shift(weekday, 9 * 60, 17 * 60) for weekday in range(5)))

RULES: Final = Rules(
    roster=ROSTER,
    sla=(sla(5 * MINUTE), sla(DAY, lead_source="inbound", time="business")),
    lead_sources=("inbound", "outbound"),
    segments=("smb",),
    products=("x",),
    pairs=(("team", "lead_source"),),
    money=Money(rates=(Rate("USD", 2, "0.9"),)),
    calendars=(OFFICE,),
    team_calendars=(CalendarUse("north", "office"),),
)
"""With whatever makes events mean more: money, business time, pairs."""

CURRENCIES: Final = RULES.money.currencies


class Signed(Struct):
    """A request. `genuine`: it is signed as its sender would; else the headers are all that there is."""

    headers: dict[str, str] = {}
    body: str = ""
    now: int = RECEIVED
    genuine: bool = False
    secrets: list[str] = field(default_factory=lambda: ["standard"])


def _standard_signature(request: Signed, body: bytes) -> dict[str, str]:
    named = f"{request.headers.get('webhook-id', '')}.{request.headers.get('webhook-timestamp', '')}."
    digest = hmac.new(KEY, named.encode(errors="replace") + body, hashlib.sha256).digest()
    return {"webhook-signature": "v1," + base64.b64encode(digest).decode()}


def _close_signature(request: Signed, body: bytes) -> dict[str, str]:
    stamp = request.headers.get("close-sig-timestamp", "").encode(errors="replace")
    return {"close-sig-hash": hmac.new(KEY, stamp + body, hashlib.sha256).hexdigest()}


def _signatures(text: str) -> set[bytes]:
    """The digests that a header of Standard Webhooks names."""
    found = [each[3:] for each in text.split(" ") if re.fullmatch(r"v1,[A-Za-z0-9+/]{43}=", each)]
    return {base64.b64decode(each) for each in found}


def _is_standard(request: Signed, body: bytes) -> bool:
    """Whether a request is authentic by the letter of the standard."""
    headers, well_formed = request.headers, {"webhook-id": r"[A-Za-z0-9_-]{1,128}", "webhook-timestamp": r"[0-9]{1,12}"}
    if not all(re.fullmatch(shape, headers.get(name, ""), re.ASCII) for name, shape in well_formed.items()):
        return False
    told = headers.get("webhook-signature", "")
    own = base64.b64decode(_standard_signature(request, body)["webhook-signature"][3:])
    timely = abs(request.now - int(headers["webhook-timestamp"]) * SECOND) <= 5 * MINUTE
    return timely and len(told.split(" ")) <= standard.MOST_SIGNATURES and own in _signatures(told)


def _is_close(request: Signed, body: bytes) -> bool:
    headers = request.headers
    if not re.fullmatch(r"[0-9]{1,12}", headers.get("close-sig-timestamp", ""), re.ASCII):
        return False
    age = request.now - int(headers["close-sig-timestamp"]) * SECOND
    told = headers.get("close-sig-hash", "")
    own = _close_signature(request, body)["close-sig-hash"]
    oldest = conversation.connection().close.signature_age
    return -5 * MINUTE <= age <= oldest and told == own


def _verifying(
    provider: Callable[[], Provider],
    secret: str,
    sign: Callable[[Signed, bytes], dict[str, str]],
    is_authentic: Callable[[Signed, bytes], bool],
) -> Callable[[bytes], None]:
    """What is taken is authentic, and what is authentic is taken."""

    def run(data: bytes) -> None:
        request = read(data, Signed)
        if request is None or not 0 <= request.now < 2**53:
            return
        body = request.body.encode(errors="replace")
        if request.genuine:
            request.headers |= sign(request, body)
        secrets = [SECRETS.get(name, name) for name in request.secrets]
        try:
            provider().verify(request.headers, body, secrets, Millis(request.now))
        except Unauthentic:
            usable = set(request.secrets) <= {secret} and bool(request.secrets)
            assert not (usable and is_authentic(request, body)), "an authentic request is refused"
            return
        assert secret in request.secrets, "taken without the secret"
        assert is_authentic(request, body), "taken, and not authentic"

    return run


def _requests(headers: Mapping[str, str], secret: str, sign: Callable[[Signed, bytes], dict[str, str]]) -> list[bytes]:
    body = '{"id": "1"}'
    bare = Signed(dict(headers), body, secrets=[secret])
    signed = Signed(headers | sign(bare, body.encode()), body, secrets=[secret])
    genuine = Signed(dict(headers), body, genuine=True, secrets=[secret])
    other = Signed(signed.headers, body, secrets=["whsec_", "00", secret])
    return [msgspec.json.encode(each) for each in (bare, signed, genuine, other, Signed({}, body, secrets=[]))]


STAMP: Final = str(RECEIVED // SECOND)
STANDARD_HEADERS: Final = {"webhook-id": "msg_1", "webhook-timestamp": STAMP, "webhook-signature": "v2,x v1,AAAA"}
CLOSE_HEADERS: Final = {"close-sig-timestamp": STAMP, "close-sig-hash": "0" * 64}


def _close() -> Provider:
    return provider_of(conversation.connection())


def _normalising(provider: Callable[[], Provider]) -> Callable[[bytes], None]:
    """Nothing is raised; what becomes of a body can be read by whoever comes next."""

    def run(data: bytes) -> None:
        became = normalise(Delivery("crm", RECEIVED, {}, data), provider(), CURRENCIES)
        for key, value in became.events:
            event = parsed(_record(key, value))
            assert event.subject.id.rpartition("/")[2].startswith("crm:")
            assert encode(decode_logged(value)) == value
        for letter in became.dead:
            assert _body_of(letter.record) in data

    return run


def _body_of(letter: bytes) -> bytes:
    """What a dead letter keeps, as it came."""
    kept = json.loads(letter)
    return kept["body"].encode() if "body" in kept else base64.b64decode(kept["body_base64"])


def _record(key: bytes | None, value: bytes) -> Any:
    return SimpleNamespace(offset=0, timestamp=0, key=key, value=value, headers=[])


def _decode(data: bytes) -> None:
    event = decode(data)
    assert decode(encode(event)) == event


def _parse_record(data: bytes) -> None:
    """A record of the events log that begins with a T is keyed as a tick."""
    parsed(_record(TICK_KEY, data[1:]) if data.startswith(b"T") else _record(b"lead:x", data))


def _tick(data: bytes) -> None:
    for told in (decode_tick(data), *(decode_ticks(data) or {}).values()):
        assert told is None or 0 <= told < 2**40


def _count(data: bytes) -> None:
    """What is let in can be folded, packed and counted, whatever it says."""
    delivery = Delivery("crm", RECEIVED, {}, data)
    events = [each for each in contents(delivery, standard, CURRENCIES) if not isinstance(each, Unknown | Unreadable)]
    if events:
        Engine(RULES).take(*events).tick(RECEIVED + 2 * SECOND).tick(RECEIVED + 40 * DAY).restart()


class Kept(Struct):
    """A record of the deliveries topic."""

    headers: list[tuple[str, str | None]]
    body: str | None = None


def _delivery(data: bytes) -> None:
    kept = read(data, Kept)
    if kept is None:
        return
    headers = [(name, None if text is None else text.encode(errors="replace")) for name, text in kept.headers]
    body = None if kept.body is None else kept.body.encode(errors="replace")
    delivery = Delivery.of_record(headers, body, "t", 0, 1)
    assert Delivery.of_record(delivery.record_headers(), delivery.body, "t", 0, 1) == delivery


def _bury(data: bytes) -> None:
    """Whatever is buried can be dug out, byte by byte; whatever lies among dead letters can be told of."""
    letter = dead_letter(InvalidEventError("$", "is wrong", "mend it"), data, Origin("t", 0, 1, "crm", RECEIVED))
    assert _body_of(letter.record) == data
    assert letter_of(_lying(letter.record)) == letter
    kind_of(letter_of(_lying(data)))


def _lying(value: bytes) -> Any:
    """A record of the topic of dead letters."""
    return SimpleNamespace(topic="dead", partition=0, offset=2, timestamp=RECEIVED, key=None, value=value)


def _record_line(data: bytes) -> None:
    for found in recording.read(1, data, CURRENCIES, {"crm": conversation.connection()}):
        assert str(found)


@cache
def _bodies() -> list[bytes]:
    """A body of each kind of event of our own."""
    return [encode(event) for event in EVENTS]


def _batches() -> list[bytes]:
    return [*_bodies(), b"[" + b", ".join(_bodies()) + b"]", b"[]", b' [ {"type": "weather"}, 1 ] ']


def _close_bodies() -> list[bytes]:
    return [conversation.case(name).raw for name in conversation.names()]


def _logged() -> list[bytes]:
    part = Absorbed(id="a", subject=EVENTS[0].subject, channel="x", sequence=1, path=("b",), lead=pack(_folded(), {}))
    return [*_bodies(), encode(part), b"T" + encode_ticks({0: 1, 3: 2})]


def _folded() -> Any:
    return Engine(RULES).take(*EVENTS[:4]).leads["lead-1"]


def _lines() -> list[bytes]:
    deliveries = [Delivery("crm", RECEIVED, {"webhook-id": "a"}, body) for body in (*_bodies()[:2], b"\xff")]
    of_close = Delivery(conversation.connection().name, RECEIVED, {}, _close_bodies()[0])
    return [*map(recording.line_of, deliveries), recording.line_of(of_close, "close"), *_bodies()[:2], b" "]


def _records() -> list[bytes]:
    headers = Delivery("crm", RECEIVED, {"webhook-id": "a"}, b"").record_headers()
    texts: Iterable[tuple[str, str]] = [(name, value.decode()) for name, value in headers]
    return [msgspec.json.encode(Kept(list(texts), "{}")), msgspec.json.encode(Kept([], None))]


TARGETS: Final[Mapping[str, Target]] = {
    "verify-standard": Target(
        _verifying(lambda: standard, "standard", _standard_signature, _is_standard),
        lambda: _requests(STANDARD_HEADERS, "standard", _standard_signature),
    ),
    "verify-close": Target(
        _verifying(_close, "close", _close_signature, _is_close),
        lambda: _requests(CLOSE_HEADERS, "close", _close_signature),
    ),
    "normalise-standard": Target(_normalising(lambda: standard), _batches),
    "normalise-close": Target(_normalising(_close), _close_bodies),
    "count": Target(_count, _batches),
    "event": Target(_decode, _bodies, (InvalidEventError,)),
    "log": Target(_parse_record, _logged, (InvalidEventError,)),
    "tick": Target(_tick, lambda: [encode_tick(RECEIVED // SECOND), encode_ticks({0: 1, 3: 2}), b"", b'{"at": {}}']),
    "delivery": Target(_delivery, _records, (Poison,)),
    "dead-letter": Target(_bury, lambda: [*_bodies()[:1], b"\xff", b"\0" * 20, _letters()]),
    "recording": Target(_record_line, _lines),
}


def _letters() -> bytes:
    return dead_letter(InvalidEventError("$", "is wrong"), b"{}", Origin("t", 0, 1)).record
