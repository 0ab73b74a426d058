"""Dead letters: what could not be read, with the reason and all that it takes to send it again."""

from streams.dead_letters.letters import DEAD_PARTITION, DeadLetter, Kind, Origin, dead_letter, in_json, kind_of, letter_of

__all__ = ["DEAD_PARTITION", "DeadLetter", "Kind", "Origin", "dead_letter", "in_json", "kind_of", "letter_of"]
