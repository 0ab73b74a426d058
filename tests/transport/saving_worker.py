"""A worker that may be killed: `saving_worker.py BOOTSTRAP TOPIC FOLDER` keeps a partition's values and offset in one file."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from streams.config import KafkaSettings
from streams.transport import TP, Control, LogEnds, Record, make_app, serve


class Saving:
    """An owner whose memory and place in the log are saved together, now and then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory: dict[TP, tuple[int, list[str]]] = {}
        self.changed = asyncio.Event()

    def attach(self, control: Control) -> None:
        self.control = control

    async def load(self, tp: TP, log: LogEnds) -> int:
        file = self.file(tp)
        offset, values = json.loads(file.read_text()) if file.exists() else (log.earliest, [])
        self.memory[tp] = (offset, values)
        return offset

    async def apply(self, tp: TP, records: Sequence[Record]) -> None:
        _, values = self.memory[tp]
        self.memory[tp] = (records[-1].offset + 1, [*values, *((record.value or b"").decode() for record in records)])
        self.changed.set()

    async def flush(self, tps: AbstractSet[TP]) -> None:
        for tp in tps:
            unfinished = self.file(tp).with_suffix(".new")
            unfinished.write_text(json.dumps(self.memory[tp]))
            unfinished.replace(self.file(tp))

    async def keep_saved(self) -> None:
        while True:
            await self.changed.wait()
            self.changed.clear()
            await self.control.commit_offsets(dict.fromkeys(self.memory, 0))  # which nobody should go by
            await self.flush(set(self.memory))

    def drop(self, tps: AbstractSet[TP]) -> None:
        for tp in tps:
            self.memory.pop(tp, None)

    def applied(self, tp: TP) -> int | None:
        return self.memory[tp][0] if tp in self.memory else None

    def file(self, tp: TP) -> Path:
        return self.folder / f"{tp.partition}.json"


if __name__ == "__main__":
    bootstrap, topic, folder = sys.argv[1:]
    owner = Saving(Path(folder))
    kafka = KafkaSettings(bootstrap=bootstrap, session_timeout_s=6)
    asyncio.run(serve(make_app(topic, topic, kafka, owner), background=[owner.keep_saved]))
    os.write(1, b"ended in order\n")
