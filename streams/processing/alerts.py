"""Messages that tell of leads that wait too long."""

from hashlib import blake2b

import msgspec

from models.meaning import Threshold, threshold_name
from models.rules import BREACH_PERCENT
from models.units import isoformat
from streams.tables.rows import Outgoing


def alert(topic: str, subject: str, threshold: Threshold) -> Outgoing:
    """The message that tells of a threshold: `warning` before the due time, `breach` at it."""
    name = alert_id(subject, threshold)
    message = {
        "id": name,
        "type": "breach" if threshold.percent == BREACH_PERCENT else "warning",
        "percent": threshold.percent,
        "lead": subject,
        "rep": threshold.rep,
        "team": threshold.team,
        "inquiry_at": isoformat(threshold.clock),
        "due_at": isoformat(threshold.due),
        "at": isoformat(threshold.at),
    }
    return Outgoing(name, topic, subject.encode(), msgspec.json.encode(message))


def alert_id(subject: str, threshold: Threshold) -> str:
    """The same for the same threshold of the same clock, whoever finds it and however often."""
    return blake2b(f"sla:{threshold_name(threshold)}:{subject}".encode(), digest_size=16).hexdigest()
