"""The work queue: each key once, one worker a key, later and later after failures."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta

from trainjobs.controller.queue import FIRST_YIELD, LONGEST_BACKOFF, LONGEST_YIELD, WorkQueue, backoff


class Overtaken(Exception):
    """Somebody was faster."""


class Recorder:
    """Work that can be held up, fails when told to, and says what it did."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.active: set[str] = set()
        self.most = 0
        self.fail: dict[str, int] = {}
        self.overtaken: dict[str, int] = {}
        self.times: list[float] = []
        """Of every try, by the loop's clock."""
        self.after: dict[str, list[timedelta]] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.retries = 0

    async def work(self, key: str) -> timedelta | None:
        assert key not in self.active, "two workers on one key"
        self.active.add(key)
        self.most = max(self.most, len(self.active))
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            self.times.append(asyncio.get_running_loop().time())
            if self.overtaken.get(key, 0) > 0:
                self.overtaken[key] -= 1
                raise Overtaken
            if self.fail.get(key, 0) > 0:
                self.fail[key] -= 1
                raise ValueError("not now")
            self.done.append(key)
            return self.after[key].pop() if self.after.get(key) else None
        finally:
            self.active.discard(key)

    def waited(self, seconds: float) -> None:
        assert seconds >= 0

    def retried(self) -> None:
        self.retries += 1


def running(
    body: Callable[[WorkQueue[str], Recorder], Awaitable[None]], *, workers: int = 4, backoff: float = 0.01
) -> Recorder:
    """Run `body` beside a working queue."""

    async def main() -> Recorder:
        recorder = Recorder()
        queue: WorkQueue[str] = WorkQueue(
            recorder.work,
            workers=workers,
            observer=recorder,
            expected=(ValueError,),
            overtaken=(Overtaken,),
            first_backoff=backoff,
        )
        working = asyncio.create_task(queue.run())
        async with asyncio.timeout(60):
            await body(queue, recorder)
        queue.close()
        recorder.gate.set()
        await asyncio.wait_for(working, 60)
        return recorder

    return asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_a_key_that_is_put_many_times_is_worked_on_once():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        for _ in range(100):
            queue.put("a")
        assert queue.depth == 1
        await until(lambda: not queue.known)

    assert running(body).done == ["a"]


def test_a_key_that_is_put_while_it_is_worked_on_is_worked_on_once_more():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        recorder.gate.clear()
        queue.put("a")
        await until(lambda: recorder.active == {"a"})
        for _ in range(10):
            queue.put("a")
        recorder.gate.set()
        await until(lambda: not queue.known)

    assert running(body).done == ["a", "a"]


def test_no_more_workers_than_asked_for_and_never_two_on_a_key():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        recorder.gate.clear()
        for number in range(200):
            queue.put(f"key {number % 20}")
        await until(lambda: len(recorder.active) == 3)
        assert queue.depth == 17
        recorder.gate.set()
        await until(lambda: not queue.known)

    recorder = running(body, workers=3)
    assert recorder.most == 3
    assert sorted(set(recorder.done)) == sorted(f"key {number}" for number in range(20))


def test_keys_are_taken_in_the_order_they_came():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        for key in "dbca":
            queue.put(key)
        await until(lambda: not queue.known)

    assert running(body, workers=1).done == list("dbca")


def test_work_that_fails_is_tried_again():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        recorder.fail["a"] = 4
        queue.put("a")
        await until(lambda: not queue.known)

    recorder = running(body, backoff=0.001)
    assert (recorder.done, recorder.retries) == (["a"], 4)


def test_every_failure_doubles_the_pause_up_to_a_bound():
    assert [backoff(failures, 0.5) for failures in range(1, 6)] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert backoff(40, 0.5) == backoff(4000, 0.5) == LONGEST_BACKOFF


def test_work_that_is_overtaken_again_and_again_is_tried_ever_later_and_is_no_failure():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        recorder.overtaken["a"] = 5
        queue.put("a")
        await until(lambda: not queue.known)

    recorder = running(body)
    assert (recorder.done, recorder.retries) == (["a"], 0)
    pauses = [after - before for before, after in itertools.pairwise(recorder.times)]
    assert all(pause >= FIRST_YIELD * 2**number for number, pause in enumerate(pauses))
    assert backoff(40, FIRST_YIELD, LONGEST_YIELD) == LONGEST_YIELD


def test_an_event_does_not_wait_for_the_end_of_a_back_off():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        recorder.fail["a"] = 1
        queue.put("a")
        await until(lambda: recorder.retries == 1)
        queue.put("a")
        await until(lambda: recorder.done == ["a"])

    running(body, backoff=60)


def test_work_that_asks_for_it_is_done_again_and_something_sooner_replaces_that():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        recorder.after["a"] = [timedelta(seconds=0.02)]
        recorder.after["b"] = [timedelta(hours=1)]
        queue.put("a")
        queue.put("b")
        await until(lambda: recorder.done.count("a") == 2 and recorder.done.count("b") == 1)
        assert queue.known == {"b"}
        queue.put("b")
        await until(lambda: recorder.done.count("b") == 2)
        await until(lambda: not queue.known)

    running(body)


def test_of_two_delays_the_shorter_counts():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        queue.put_after("a", 60)
        queue.put_after("a", 0.01)
        queue.put_after("a", 60)
        await until(lambda: recorder.done == ["a"])

    running(body)


def test_closing_finishes_what_is_begun_and_drops_the_rest():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        recorder.gate.clear()
        for key in "abc":
            queue.put(key)
        await until(lambda: recorder.active == {"a"})
        queue.close()
        queue.put("d")

    assert running(body, workers=1).done == ["a"]


def test_a_defect_in_the_work_costs_a_retry_and_not_the_worker():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        recorder.fail["a"] = 3
        queue.put("a")
        queue.put("b")
        await until(lambda: sorted(recorder.done) == ["a", "b"])

    assert running(body, workers=1).retries == 3


def test_how_long_work_takes_is_known():
    async def body(queue: WorkQueue[str], recorder: Recorder) -> None:
        assert queue.longest_work() == queue.longest_wait() == 0.0
        recorder.gate.clear()
        queue.put("a")
        queue.put("b")
        await until(lambda: recorder.active == {"a"})
        await asyncio.sleep(0.02)
        assert queue.longest_work() >= 0.02
        assert queue.longest_wait() >= 0.02

    running(body, workers=1)
