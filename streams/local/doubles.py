"""People of whom a CRM has more than one record, until somebody notices; now and then it is noticed wrongly."""

from collections.abc import Callable
from typing import Final

from models.units import DAY, HOUR, MINUTE, SECOND
from streams.local.scenes import ORIGINS, hear
from streams.local.stories import Story


def doubles(story: Story) -> None:
    """What there is of a person besides; by number, so that every history has some of each kind."""
    turn_up = KINDS.get(story.number % 100)
    if turn_up is not None:
        turn_up(story, story.created_at)


def from_an_unknown_address(story: Story, at: int) -> None:
    """Somebody writes of whom nothing is known but the address, until a record carries it."""
    sender = story.double(at, story.address())
    last = sender.inquire(at) if sender.chance(0.5) else at
    hear(sender, last + sender.soon(20 * SECOND))
    sender.merge(last + sender.soon(90 * SECOND), story)
    if sender.chance(0.3):
        hear(sender, last + sender.later(DAY) + sender.soon(10 * MINUTE))


def imported(story: Story, at: int) -> None:
    """One record of two is kept, mostly the older one; the other is deleted, or goes on being told of."""
    double, last = on_a_list(story, at)
    noticed_at = _noticed(double, last)
    if double.chance(0.3):
        story.merge(noticed_at, double)
        return
    double.merge(noticed_at, story)
    if double.chance(0.5):
        double.delete(noticed_at + double.soon(2 * SECOND))


def on_a_list(story: Story, at: int) -> tuple[Story, int]:
    """A list that is imported has the person, too, and another rep works it; until when that rep was at it."""
    double = story.double(at + story.soon(20 * MINUTE) + story.later(DAY))
    rep = double.owner = double.rng.choice(double.office.on_team("Outbound", double.created_at))
    last = double.create({"origin": double.rng.choice(ORIGINS["outbound"]), "owner": rep.name})
    for _ in range(double.rng.randint(0, 2)):
        last = double.touch(double.working(last + double.soon(10 * MINUTE)), "email")
    return double, last


def somebody_else(story: Story, at: int) -> None:
    """Two people of one name are taken for one, which is undone; some of them are one after all."""
    other, last = on_a_list(story, at)
    taken_at = other.merge(_noticed(other, last), story)
    undone_at = other.merge(taken_at + other.soon(5 * MINUTE) + other.later(6 * HOUR), None)
    if other.chance(0.4):
        other.merge(_noticed(other, undone_at), story)


def three_times(story: Story, at: int) -> None:
    """The latest of three records becomes one with the one before, and that one with the first; or the other way round."""
    second, last = on_a_list(story, at)
    third, later = on_a_list(story, last)
    pairs = [(third, second), (second, story)]
    noticed_at = later
    for lost, kept in pairs if third.chance(0.5) else pairs[::-1]:
        noticed_at = lost.merge(_noticed(third, noticed_at), kept)


def crosswise(story: Story, at: int) -> None:
    """Two people notice at the same time, and each keeps the other record."""
    double, last = on_a_list(story, at)
    noticed_at = _noticed(double, last)
    double.merge(noticed_at, story)
    story.merge(noticed_at + double.soon(5 * SECOND), double)


def half_forgotten(story: Story, at: int) -> None:
    """The person asks that what came with the list be forgotten, when it is one with the rest already."""
    double, last = on_a_list(story, at)
    double.erase(double.merge(_noticed(double, last), story) + double.soon(10 * MINUTE) + double.later(6 * HOUR))


def _noticed(story: Story, at: int) -> int:
    return at + story.soon(10 * MINUTE) + story.later(6 * HOUR)


KINDS: Final[dict[int, Callable[[Story, int], None]]] = {
    3: from_an_unknown_address,
    17: imported,
    23: somebody_else,
    31: from_an_unknown_address,
    43: three_times,
    47: imported,
    59: crosswise,
    67: from_an_unknown_address,
    79: half_forgotten,
    83: imported,
    97: somebody_else,
}
"""Of every hundred leads those who turn up more than once, and how."""
