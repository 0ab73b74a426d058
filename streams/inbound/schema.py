"""The JSON Schema of what a webhook of ours may carry; `python -m streams.inbound.schema` prints it."""

import json
import sys

from models import events


def text() -> str:
    """The schema as `docs/events.schema.json` holds it."""
    return json.dumps(events.schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
