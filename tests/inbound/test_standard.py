import base64
import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from models.errors import InvalidEventError
from models.units import MINUTE, SECOND, Millis
from streams.inbound.providers import PROVIDERS, Provider, Unauthentic, standard

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_bm90IGEgc2VjcmV0LCBqdXN0IGFuIGV4YW1wbGU="
BODY = b'{"test": 2432232314}'
AT = 1614265330
NOW = Millis(AT * SECOND)
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(AT),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
SIGNATURE = HEADERS["webhook-signature"]
WRONG = "v1," + base64.b64encode(bytes(32)).decode()


def refusal(headers=None, body=BODY, secrets=(SECRET,), now=NOW, **changes) -> str:
    """The header that a verification refuses for; fails the test if it does not."""
    changed = {name.replace("_", "-"): value for name, value in changes.items()}
    with pytest.raises(Unauthentic) as caught:
        standard.verify(HEADERS | changed if headers is None else headers, body, secrets, now)
    return caught.value.where


def test_is_a_provider():
    provider: Provider = PROVIDERS["standard"]
    assert provider is standard


def test_takes_the_known_answer():
    standard.verify(HEADERS, BODY, [SECRET], NOW)


@given(st.text(max_size=50), st.integers(0, 2**31), st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True))
def test_takes_what_the_library_signs(text, at, identity):
    signature = Webhook(SECRET).sign(identity, datetime.fromtimestamp(at, UTC), text)
    headers = {"webhook-id": identity, "webhook-timestamp": str(at), "webhook-signature": signature}
    standard.verify(headers, text.encode(), [SECRET], Millis(at * SECOND))


def test_takes_a_body_that_is_not_text():
    body = b"\xff\x00\xfe"
    digest = standard.sign("msg_1", str(AT), body, standard.key_of(SECRET))
    signature = f"v1,{base64.b64encode(digest).decode()}"
    standard.verify(HEADERS | {"webhook-id": "msg_1", "webhook-signature": signature}, body, [SECRET], NOW)


@pytest.mark.parametrize("secrets", [[SECRET, OTHER], [OTHER, SECRET], [SECRET, SECRET]])
def test_any_secret_of_a_connection_may_have_signed(secrets):
    standard.verify(HEADERS, BODY, secrets, NOW)


@pytest.mark.parametrize(
    "signatures", [f"{WRONG} {SIGNATURE}", f"{SIGNATURE} {WRONG}", f"v1a,AAAA v2,x rubbish  {SIGNATURE}", f" {SIGNATURE}"]
)
def test_any_signature_of_a_delivery_may_match(signatures):
    standard.verify(HEADERS | {"webhook-signature": signatures}, BODY, [SECRET], NOW)


def test_without_a_secret_nothing_is_authentic():
    assert refusal(secrets=[]) == "webhook-signature"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é", "not base64"])
def test_an_unusable_secret_opens_to_nobody(secret):
    assert refusal(secrets=[secret, SECRET]) == "secret"


@pytest.mark.parametrize("name", HEADERS)
def test_each_header_is_needed(name):
    assert refusal({other: value for other, value in HEADERS.items() if other != name}) == name
    assert refusal(HEADERS | {name: ""}) == name


@pytest.mark.parametrize("identity", ["msg.1", "msg 1", "é", "a" * 129, "msg_1\n", "../x"])
def test_an_id_that_could_shift_the_signed_text_is_refused(identity):
    assert refusal(webhook_id=identity) == "webhook-id"


@pytest.mark.parametrize("at", ["", "-1", "1614265330.0", "1e9", " 1614265330", "١٦", "1" * 13, "nan", "1614265330\n"])
def test_a_timestamp_that_is_not_plain_seconds_is_refused(at):
    assert refusal(webhook_timestamp=at) == "webhook-timestamp"


@pytest.mark.parametrize(
    "signatures",
    [
        WRONG,
        "v1,",
        "v1",
        "v1,é",
        "v1,AAAA",
        SIGNATURE.replace("v1,", "v1a,"),
        SIGNATURE.removeprefix("v1,"),
        SIGNATURE.replace(",", ""),
        SIGNATURE + "!",
        SIGNATURE[:-1],
        " ".join([SIGNATURE] * 6),
        "v1," + base64.b64encode(standard.key_of(SECRET)).decode(),
    ],
)
def test_what_is_not_a_signature_of_ours_is_refused(signatures):
    assert refusal(webhook_signature=signatures) == "webhook-signature"


def test_a_changed_body_id_or_timestamp_is_refused():
    assert refusal(body=BODY + b" ") == "webhook-signature"
    assert refusal(webhook_id="msg_1") == "webhook-signature"
    assert refusal(webhook_timestamp=str(AT + 1)) == "webhook-signature"


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_clocks_may_be_five_minutes_apart_and_no_more(sign):
    standard.verify(HEADERS, BODY, [SECRET], Millis(NOW + sign * 5 * MINUTE))
    assert refusal(now=Millis(NOW + sign * (5 * MINUTE + 1))) == "webhook-timestamp"


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.text() | st.from_regex(r"v1,[A-Za-z0-9+/]{0,44}={0,2}") | st.just(HEADERS[name]) for name in HEADERS
        },
    ),
    st.binary(),
    st.lists(st.text(max_size=50) | st.just(SECRET), max_size=3),
    st.integers(0, 2**53),
)
def test_whatever_comes_is_refused_and_nothing_else_is_raised(headers, body, secrets, now):
    assume(body != BODY)
    with pytest.raises(Unauthentic):
        standard.verify(headers, body, secrets, Millis(now))


def test_a_refusal_shows_no_value():
    with pytest.raises(Unauthentic) as caught:
        standard.verify(HEADERS | {"webhook-signature": WRONG}, BODY, [SECRET], NOW)
    shown = f"{caught.value!r}"
    assert not any(value in shown for value in [WRONG, SIGNATURE, SECRET, HEADERS["webhook-id"]])


def test_one_event_is_one_element():
    assert standard.parse(b' {"type": "erased"}\n') == [b' {"type": "erased"}\n']


def elements(body: bytes) -> list[bytes]:
    return [bytes(element) for element in standard.parse(body)]


def test_an_array_is_its_elements_as_they_were_sent():
    assert elements(b' [ {"a" : 1e999}, "\\u00e9", [ ],1 ]\n') == [b'{"a" : 1e999}', b'"\\u00e9"', b"[ ]", b"1"]
    assert elements(b"[]") == []


@pytest.mark.parametrize(
    "broken", [b'"\\ud83d"', b"[" * 5000 + b"]" * 5000, b"NaN", b"tru", b"1 2", b'{"a": [,]}', b'"\x00"', b'"\\q, [{"', b"\xff"]
)
def test_an_element_that_is_broken_within_leaves_the_others_whole(broken):
    assert elements(b'[{"a": "],["}, ' + broken + b' , "\\\\"]') == [b'{"a": "],["}', broken, b'"\\\\"']


@pytest.mark.parametrize(
    "body", [b"[", b"[1,]", b"[,1]", b"[,]", b"[1] x", b"[1],[2]", b"[1}", b"[1}]", b"[" * 100_000, b'["a]', b'["a\\"]', b"[{]"]
)
def test_an_array_whose_brackets_do_not_match_up_is_an_invalid_event(body):
    with pytest.raises(InvalidEventError):
        standard.parse(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(list('"\\[]{},')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(json_values, min_size=1, max_size=5))
def test_arrays_are_split_by_brackets_as_by_a_parser(values):
    body = json.dumps(values).encode()
    assert [json.loads(piece) for piece in standard._split(body)] == values
    assert list(standard._split(body)) == elements(body)


def test_an_array_holds_at_most_a_thousand():
    assert len(standard.parse(b"[" + b"1," * 999 + b"1]")) == 1000
    with pytest.raises(InvalidEventError, match="1001 events in one delivery"):
        standard.parse(b"[" + b"1," * 1000 + b"1]")


@given(st.binary())
@example(b"")
@example(b"[\xef\xbb\xbf1]")
def test_any_bytes_are_elements_or_an_invalid_event(body):
    try:
        found = standard.parse(body)
    except InvalidEventError:
        return
    assert all(isinstance(element, bytes | msgspec.Raw) for element in found)


def test_what_leadbeat_derives_is_taken_from_nobody():
    body = b'{"id": "a", "type": "absorbed", "subject": {"kind": "lead", "id": "1"}, "channel": "c", "sequence": 1}'
    with pytest.raises(InvalidEventError, match=r"\$.type: 'absorbed' is what Leadbeat derives itself"):
        standard.read(body)
    assert standard.read(body.replace(b"absorbed", b"swallowed")) is None
