"""What is told of reps: since when they are employed, how they spend their time, and what they think of their employer."""

from datetime import timedelta

from models.units import DAY, HOUR, MINUTE, SECOND
from streams.local.floor import ALWAYS, Office, Rep
from streams.local.stories import REAL
from streams.local.telling import Subject

LOGGED_DAYS, ASKED_EVERY_DAYS = 24, 130
SCORES = ((10, 9, 8, 7, 5, 2), (25, 25, 20, 14, 10, 6))


def staff(seed: int, office: Office, days: int) -> list[Subject]:
    """All reps of a floor, with what was told of them in so many days; one was written in two ways for a while."""
    found = [_employed(seed, number, rep, office, days) for number, rep in enumerate(office.reps)]
    written = Subject(seed, "rep", office.reps[-1].name.upper(), office, REAL, office.now - 30 * DAY)
    log(written, office.now - 20 * DAY, 2 * HOUR)
    written.merge(office.now - 19 * DAY, found[-1])
    return [*found, written]


def _employed(seed: int, number: int, rep: Rep, office: Office, days: int) -> Subject:
    since = rep.terms[0][0]
    begins_at = office.now - (since + 90 * number if since == ALWAYS else since) * DAY
    told_at = max(begins_at, office.now - days * DAY) + number * MINUTE
    subject = Subject(seed, "rep", rep.name, office, REAL, begins_at)
    subject.say("rep.upserted", told_at, {"employed_from": subject.instant(begins_at)})
    leaves = [days_ago for days_ago, team in rep.terms if team is None]
    for days_ago in leaves:
        left_at = office.now - days_ago * DAY
        subject.say("rep.upserted", left_at - 20 * DAY, {"employed_until": subject.instant(left_at)})
    for days_ago in range(LOGGED_DAYS, -1, -1):
        local = office.local(office.now).replace(hour=17, minute=40) - timedelta(days=days_ago)
        at = round(local.timestamp() * 1000) + subject.rng.randrange(15 * MINUTE)
        if rep.team(days_ago) is not None and not office.is_weekend(at):
            log(subject, at, 8 * HOUR)
    asked_at = told_at + subject.rng.randrange(ASKED_EVERY_DAYS * DAY)
    while asked_at < office.now and rep.team(office.days_ago(asked_at)) is not None:
        score = subject.rng.choices(*SCORES)[0]
        subject.record("employee_survey", asked_at, {"at": subject.instant(asked_at), "score": score}, wrong={"score": 0})
        asked_at += ASKED_EVERY_DAYS * DAY
    return subject


def log(subject: Subject, at: int, worked_ms: int) -> None:
    """A rep tells how the last hours went."""
    seconds = worked_ms // SECOND
    selling = seconds * subject.rng.randrange(25, 75) // 100
    data = {"at": subject.instant(at), "selling_seconds": selling, "working_seconds": seconds}
    subject.record("time", at, data, wrong={"selling_seconds": selling // 2})
