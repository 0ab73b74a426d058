"""Close's signatures: the published example, and everything that must be refused."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.units import DAY, HOUR, MINUTE, SECOND, Duration, Millis
from streams.config import CloseSettings
from streams.inbound.providers import PROVIDERS, Provider, Unauthentic
from streams.inbound.providers.close import Close
from streams.inbound.providers.close.provider import key_of, sign

KEY = "b9260244ef33625f9b4b26a27db08758cdd39478b852c73f2d33ab042eb8abb4"
OTHER = "00" * 32
AT = "1557751596"
NOW = Millis(int(AT) * SECOND)
BODY = (
    b'{"event": {"id": "ev_4YUAT9G7PQNYEX0V7HpiZa", "date_created": "2019-01-01T13:33:00.842000", "data": {"object_type": '
    b'"activity.note", "action": "created", "note": "test content"}}, "subscription_id": "whsub_mBTylJxRXaBOXcuQmgUdmL"}'
)
HASH = "e6cf27a55de463dc46d8b5c16d2afe74d766e8f0c9892422c93573521cd377ed"
HEADERS = {"close-sig-hash": HASH, "close-sig-timestamp": AT}
CLOSE = PROVIDERS["close"]


def refusal(headers=HEADERS, body=BODY, secrets=(KEY,), now=NOW, close=CLOSE, **changes) -> str:
    """The header that a verification refuses for; fails the test if it does not."""
    changed = {name.replace("_", "-"): value for name, value in changes.items()}
    with pytest.raises(Unauthentic) as caught:
        close.verify(headers | changed, body, secrets, now)
    return caught.value.where


def test_is_a_provider():
    provider: Provider = CLOSE
    assert isinstance(provider, Close)


def test_the_published_example_is_authentic():
    CLOSE.verify(HEADERS, BODY, [KEY], NOW)


@pytest.mark.parametrize("secrets", [[KEY, OTHER], [OTHER, KEY], [KEY.upper()]])
def test_any_secret_of_a_connection_may_have_signed(secrets):
    CLOSE.verify(HEADERS, BODY, secrets, NOW)


def test_the_key_is_its_hex_digits_and_not_their_text():
    assert refusal(secrets=[KEY.encode().hex()]) == "close-sig-hash"


@pytest.mark.parametrize("secret", ["", "é", "not hex", "abc"])
def test_an_unusable_secret_opens_to_nobody(secret):
    assert refusal(secrets=[secret, KEY]) == "secret"


def test_without_a_secret_nothing_is_authentic():
    assert refusal(secrets=[]) == "close-sig-hash"


@pytest.mark.parametrize("name", HEADERS)
def test_each_header_is_needed(name):
    without = {other: value for other, value in HEADERS.items() if other != name}
    assert refusal(headers=without) == name
    assert refusal(headers=without | {name: ""}) == name


@pytest.mark.parametrize("given", [HASH[:-1], HASH + "0", HASH.upper(), f"v1,{HASH}", HASH[:-1] + "é", HASH + "\n", "0" * 64])
def test_what_is_not_the_signature_is_refused(given):
    assert refusal(close_sig_hash=given) == "close-sig-hash"


@pytest.mark.parametrize("at", ["-1", f"{AT}.0", "1e9", f" {AT}", "١٦", "1" * 13, "2019-05-13T12:46:36Z", f"{AT}\n"])
def test_a_timestamp_that_is_not_plain_seconds_is_refused(at):
    assert refusal(close_sig_timestamp=at) == "close-sig-timestamp"


def test_a_changed_body_or_timestamp_is_refused():
    assert refusal(body=BODY + b" ") == "close-sig-hash"
    assert refusal(close_sig_timestamp=str(int(AT) + 1)) == "close-sig-hash"


def test_a_digit_cannot_be_moved_from_the_body_to_the_timestamp():
    moved = {"close-sig-hash": sign(AT, b"7" + BODY, key_of(KEY)), "close-sig-timestamp": f"{AT}7"}
    assert refusal(headers=moved) == "close-sig-timestamp"


@pytest.mark.parametrize("way", [-1, 1])
def test_the_clocks_may_be_five_minutes_apart_and_no_more(way):
    CLOSE.verify(HEADERS, BODY, [KEY], Millis(NOW + way * 5 * MINUTE))
    assert refusal(now=Millis(NOW + way * (5 * MINUTE + 1))) == "close-sig-timestamp"


def test_old_signatures_may_be_let_in_but_never_those_of_the_future():
    patient = Close(CloseSettings(signature_age="73h"), b"key")
    patient.verify(HEADERS, BODY, [KEY], Millis(NOW + 3 * DAY))
    assert refusal(now=Millis(NOW + 73 * HOUR + 1), close=patient) == "close-sig-timestamp"
    assert refusal(now=Millis(NOW - 6 * MINUTE), close=patient) == "close-sig-timestamp"
    assert CloseSettings().signature_age == Duration(5 * MINUTE)


@given(
    st.fixed_dictionaries(
        {}, optional={name: st.text() | st.from_regex(r"[0-9a-f]{64}") | st.just(HEADERS[name]) for name in HEADERS}
    ),
    st.binary(),
    st.lists(st.text(max_size=50) | st.just(KEY), max_size=3),
    st.integers(0, 2**53),
)
def test_whatever_comes_is_refused_and_nothing_else_is_raised(headers, body, secrets, now):
    assume(body != BODY)
    with pytest.raises(Unauthentic):
        CLOSE.verify(headers, body, secrets, Millis(now))


def test_a_refusal_shows_no_value():
    with pytest.raises(Unauthentic) as caught:
        CLOSE.verify(HEADERS | {"close-sig-hash": "0" * 64}, BODY, [KEY], NOW)
    assert not any(value in f"{caught.value!r}" for value in ["0" * 64, HASH, KEY, AT])
