"""What the leads of a batch tell others: each place in which something may be new, once, under the event that made it so."""

from collections.abc import Iterator, Mapping

from models.events import Logged
from models.state.absorption import Handed, Place, given, places, stands_alone, touched
from models.state.lead import Change
from models.state.responses import tells_of_replies
from streams.processing.remembered import Remembered


class HandingOn:
    """Which places were touched by which events since it was last told.

    Whether something must be told is asked at each event, and does not depend on how the log is cut into batches. Where Redis
    has lost a checkpoint and the log is read again, whatever was sent after it is so told again, or taken back, under the
    same offset or a later one. What is to be told is packed once.
    """

    def __init__(self) -> None:
        self._places: dict[str, frozenset[Place]] = {}
        self._touched: dict[str, dict[Place, list[int]]] = {}

    def note(self, subject: str, remembered: Remembered, event: Logged, change: Change, offset: int) -> None:
        """An event has changed a lead."""
        lead = remembered.lead
        if stands_alone(lead) and not tells_of_replies(change.key):
            return
        before = self._places.get(subject)
        if before is None:
            before = frozenset(remembered.given)
        after = places(lead, subject) if tells_of_replies(change.key) else before
        self._places[subject] = after
        for place in sorted(touched(event, change, subject, before, after)):
            self._touched.setdefault(subject, {}).setdefault(place, []).append(offset)

    def told(self, leads: Mapping[str, Remembered]) -> Iterator[tuple[Handed, int]]:
        """What is to be told of all this, and under which offset; from here on it is what the leads give."""
        for subject, found in self._touched.items():
            remembered = leads[subject]
            before, remembered.given = remembered.given, given(remembered.lead, subject)
            for (target, path), offsets in found.items():
                part = remembered.given.get((target, path))
                # Touched once and the same as before, it is what has been told of this event, or of one before it, already.
                if len(offsets) > 1 or part != before.get((target, path)):
                    yield Handed(target, path, part), offsets[-1]
        self._places, self._touched = {}, {}
