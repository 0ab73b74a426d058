"""Messages in which leads tell others what they know, through the log: merged ones their targets, all their accounts."""

from models.events import encode
from models.state.absorption import Handed
from streams.hashing import Hashing
from streams.tables import Outgoing
from streams.topics import partition_of, record_key


def absorbed(topic: str, partitions: int, hashing: Hashing, part: Handed, offset: int) -> Outgoing:
    """The message that hands a part to its target, where it lies among the target's own events.

    Its sequence is the offset of the last event that touched it. So what knows more wins, also when Redis has lost
    something and it is told again. The channel is hashed, since it is kept when the part is given no longer.
    """
    key = record_key(part.target)
    channel = hashing.digest(*part.path).hex()
    name = f"absorbed-{hashing.digest(part.target, *part.path).hex()}-{offset}"
    return Outgoing(name, topic, key, encode(part.event(channel, offset, name)), partition_of(key, partitions))
