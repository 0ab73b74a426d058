"""Three ways in which work can fail, which differ in what is done about them."""

from models.errors import LeadbeatError


class Retry(LeadbeatError):
    """A passing fault outside (Kafka, Redis, network): the same work may succeed later, unchanged."""


class Poison(LeadbeatError):
    """A record that can never be processed: it goes to the dead-letter topic and the next one follows."""


class Fatal(LeadbeatError):
    """The process cannot go on and must not try: it exits with the message."""
