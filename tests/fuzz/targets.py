"""All that is fuzzed, by name: one table for `make fuzz` and for the suite."""

from collections.abc import Mapping
from typing import Final

from fuzz import configured, inbound, serving, stored
from fuzz.target import Target

TARGETS: Final[Mapping[str, Target]] = {**inbound.TARGETS, **serving.TARGETS, **configured.TARGETS, **stored.TARGETS}
