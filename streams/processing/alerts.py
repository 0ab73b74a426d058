"""Messages that tell of leads that wait too long."""

from hashlib import blake2b

import msgspec

from models.news import News, parts_of
from models.state.told import RESOLVED
from models.units import isoformat
from streams.tables.rows import Outgoing


def alert(topic: str, subject: str, news: News) -> Outgoing:
    """The message that tells of a threshold: `warning` before the due time, `breach` at it, `resolved` or `retracted` later.

    Messages of one threshold have the same `id`, and a `number` from 1.
    """
    percent, clock, at = parts_of(news.name)
    name, told, threshold = alert_id(subject, news.name), news.told, news.threshold
    message = {
        "id": name,
        "number": told.number,
        "type": told.type,
        "percent": percent,
        "lead": subject,
        "inquiry_at": isoformat(clock),
        "at": isoformat(at),
    }
    if threshold is not None:
        message |= {"rep": threshold.rep, "team": threshold.team, "due_at": isoformat(threshold.due)}
        if told.type == RESOLVED and threshold.answered_at is not None:
            message["answered_at"] = isoformat(threshold.answered_at)
    return Outgoing(f"{name}-{told.number}", topic, subject.encode(), msgspec.json.encode(message))


def alert_id(subject: str, name: str) -> str:
    """The same for the same threshold of the same clock, whoever finds it and however often."""
    return blake2b(f"sla:{name}:{subject}".encode(), digest_size=16).hexdigest()
