import asyncio
import threading

import pytest
from services import until

from streams.transport import watchdog as module
from streams.transport.watchdog import EXIT_CODE, Asked, Behind, Lasting, Unanswered, Watchdog

LIMIT_S = 10


class Process:
    """What a watchdog does to a process, as a list."""

    def __init__(self):
        self.done = []
        self.ended = threading.Event()

    def unready(self):
        self.done.append("unready")

    async def save(self):
        self.done.append("saved")

    def leave(self, code):
        self.done.append(code)
        self.ended.set()

    def watchdog(self, *checks):
        return Watchdog(checks, loop=asyncio.get_running_loop(), unready=self.unready, save=self.save, leave=self.leave)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    monkeypatch.setattr(module, "SAVE_LIMIT_S", 0.2)


async def test_a_complaint_ends_the_process_unready_first_and_saved():
    process = Process()
    process.watchdog(lambda _: None, lambda awake: "stuck" if awake > 0 else None).start()
    await until(process.ended.is_set, LIMIT_S, "the process is ended")
    assert process.done == ["unready", "saved", EXIT_CODE]


async def test_a_process_that_cannot_save_any_more_is_ended_all_the_same():
    process = Process()
    process.watchdog(lambda _: "stuck").start()
    assert process.ended.wait(LIMIT_S)  # which keeps the event loop from saving
    assert process.done == ["unready", EXIT_CODE]
    await asyncio.sleep(0)


async def test_neither_a_failing_check_nor_a_failing_save_keeps_it():
    process = Process()

    def fail(*_):
        raise ZeroDivisionError

    async def save():
        fail()

    process.save, process.unready = save, fail
    process.watchdog(fail).start()
    await until(process.ended.is_set, LIMIT_S, "the process is ended")
    assert process.done == [EXIT_CODE]


async def test_one_that_is_stopped_watches_no_more():
    process, looked = Process(), threading.Event()
    watching = process.watchdog(lambda _: looked.set())
    watching.start()
    await until(looked.is_set, LIMIT_S, "it has looked")
    watching.stop()
    watching._thread.join(LIMIT_S)
    assert not process.done


def test_time_in_which_the_whole_process_was_stopped_does_not_count(monkeypatch):
    times, seen = iter([0, 1, 2, 1002, 1003]), []
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))

    def look(awake):
        seen.append(awake)
        return "enough" if len(seen) == 4 else None

    loop = asyncio.new_event_loop()
    loop.close()
    watching = Watchdog([look], loop=loop, unready=lambda: None, save=nothing, leave=lambda _: None)
    watching._watch()
    assert seen == [1, 2, 7, 8]


async def nothing():
    pass


def test_a_condition_must_last():
    held = [True]
    check = Lasting("held", 5, lambda: held[0])
    assert [check(awake) for awake in (0, 3, 5)] == [None] * 3
    held[0] = False
    assert check(6) is None
    held[0] = True
    assert [check(awake) for awake in (7, 12)] == [None] * 2
    assert check(13) == "held for over 5 s"


def test_work_that_is_not_done_is_complained_of():
    work = {"p0": (5, 9), "p1": (3, 3)}
    check = Behind(60, lambda: [(name, *positions) for name, positions in work.items()])
    assert check(0) is None
    work["p0"], work["p1"] = (6, 9), (3, 4)
    assert check(50) is None
    assert check(110) is None
    assert check(111) == "p0 stands at 6, p1 stands at 3 for over 60 s with more to do"
    work["p0"] = (9, 9)
    assert check(112) == "p1 stands at 3 for over 60 s with more to do"
    del work["p1"]
    assert check(300) is None


async def test_an_event_loop_that_does_not_turn_is_complained_of():
    check = Unanswered("the event loop", asyncio.get_running_loop(), 30)
    assert check(0) is None
    assert check(30) is None
    assert check(31) == "the event loop is late by over 30 s"
    await asyncio.sleep(0)
    assert check(32) is None
    await asyncio.sleep(0)
    assert check(70) is None


async def test_what_an_event_loop_answers_is_complained_of():
    answers = iter([None, "fetching has ended"])

    async def pulse():
        return next(answers)

    check = Asked(pulse, asyncio.get_running_loop(), 30)
    assert check(0) is None
    await until(check._answer.done, LIMIT_S, "it is answered")
    assert check(100) is None
    await until(check._answer.done, LIMIT_S, "it is answered")
    assert check(101) == "fetching has ended"


async def test_an_event_loop_that_does_not_answer_is_complained_of():
    check = Asked(nothing, asyncio.get_running_loop(), 30)
    assert check(0) is None
    assert check(30) is None
    assert check(31) == "nothing: no answer for over 30 s"
    await until(check._answer.done, LIMIT_S, "it is answered")


def test_a_loop_that_has_been_closed_is_not_stuck():
    loop = asyncio.new_event_loop()
    loop.close()
    assert Asked(nothing, loop, 30)(0) is None
    check = Unanswered("the event loop", loop, 30)
    assert check(0) is None
