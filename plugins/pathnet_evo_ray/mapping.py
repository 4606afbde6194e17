"""``map`` over workers of a cluster, for DEAP's toolboxes and for any list of items."""

from __future__ import annotations

import atexit
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from pathnet_evo import (
    ExecutorError,
    Supervised,
    Supervisor,
    UnsendableError,
    WorkerLine,
    WorkerLost,
    WorkerUnable,
    said,
)
from pathnet_evo_ray.cluster import connected

Arguments = tuple[Any, ...]


class MapError(ExecutorError):
    """A call of ``map`` that cannot be done; the message says why."""


@dataclass(frozen=True)
class Call:
    """To a worker: call a function with each of some arguments."""

    function: Callable[..., Any]
    arguments: tuple[Arguments, ...]


@dataclass(frozen=True)
class Answer:
    """From a worker: it is ready, or what a function returned, or raised.

    Args:
        results: packed by themselves, as not all that can be packed can be unpacked; None where
            there are none.
        error: what it raised, packed in the same way; None where it cannot be.
        cause: what went wrong, in words.
    """

    results: bytes | None = None
    error: bytes | None = None
    cause: str | None = None


def work(line: WorkerLine, number: int) -> None:
    """A worker's whole life."""
    line.send(Answer())
    while True:
        try:
            call: Call = line.receive()
        except (EOFError, ConnectionError):
            raise
        except Exception as error:  # whatever the function or its arguments make of themselves
            answer = Answer(cause=f"the function or its arguments do not unpack: {said(error)}")
        else:
            answer = _answer(call)
        line.send(answer)


def _answer(call: Call) -> Answer:
    from pathnet_evo_ray.packing import packed

    try:
        results = tuple(call.function(*arguments) for arguments in call.arguments)
    except Exception as error:  # whatever the function raises is raised by the caller
        cause = f"the function raised {said(error)}"
        try:
            return Answer(error=packed(error), cause=cause)
        except UnsendableError:
            return Answer(cause=cause)
    try:
        return Answer(packed(results))
    except UnsendableError as error:
        return Answer(cause=f"its result cannot be sent: {error}")


def _raised(answer: Answer) -> BaseException:
    """What a function raised, or its words where that does not come out of its bytes."""
    from pathnet_evo_ray.packing import unpacked

    if answer.error is not None:
        with suppress(Exception):  # such as a constructor that takes other arguments
            error = unpacked(answer.error)
            if isinstance(error, BaseException):
                return error
    return MapError(answer.cause or "no cause known")


def _results(content: bytes | None) -> tuple[Any, ...]:
    """What a function returned.

    Raises:
        MapError: it does not come out of its bytes.
    """
    from pathnet_evo_ray.packing import unpacked

    if content is None:
        return ()
    try:
        found: tuple[Any, ...] = unpacked(content)
    except Exception as error:  # whatever a result's class makes of it
        raise MapError(f"a result does not unpack: {said(error)}") from None
    return found


@dataclass(eq=False)
class _Caller(Supervised):
    """A worker, and the numbers of the items that it has."""

    items: tuple[int, ...] = ()


class Mapper:
    """Workers that stay from call to call; use it as a context manager, or close it.

    Args:
        workers: how many; None is as many as the cluster holds.
        address: of a cluster, ``HOST:PORT`` or ``auto``; None starts a local Ray.
        cpus_per_worker: CPUs of each worker, and its threads of torch.
        gpus_per_worker: GPUs of each worker; a fraction is a share of one.
        retries: how often an item is tried again whose worker was lost.

    Raises:
        ExecutorError: there is no such cluster, Ray cannot start, or no node has room for a worker.
    """

    def __init__(
        self,
        workers: int | None = None,
        address: str | None = None,
        cpus_per_worker: float = 1,
        gpus_per_worker: float = 0,
        retries: int = 3,
    ) -> None:
        self.retries = retries
        with ExitStack() as opened:
            opened.enter_context(connected(address))
            from pathnet_evo_ray import nodes
            from pathnet_evo_ray.transport import RayTransport

            able = nodes.with_room(cpus_per_worker, gpus_per_worker, "worker")
            if address is not None:
                nodes.check(able, None)
            rooms = sum(node.room(cpus_per_worker, gpus_per_worker) for node in able)
            count = rooms if workers is None else workers
            transport = RayTransport(cpus_per_worker, gpus_per_worker)
            self._workers = Supervisor(transport, work, _Caller, "map")
            opened.callback(self._workers.close)
            for number in range(max(count, 1)):
                self._workers.start(number)
            self._open = opened.pop_all()

    def map(self, function: Callable[..., Any], *iterables: Iterable[Any]) -> list[Any]:
        """The function's results, in order, like the built-in ``map`` but done when it returns.

        Items are handed out in small chunks, to whichever worker is idle.

        Args:
            function: what to call; functions of the script are sent as they are now.
            iterables: of its arguments; the shortest ends the map.

        Raises:
            MapError: something cannot be sent, a worker was lost again and again, or the function
                raised what cannot be sent; the message says what.
            Exception: whatever the function raised first.
        """
        items = list(zip(*iterables, strict=False))
        size = max(len(items) // (4 * len(self._workers.members) or 1), 1)
        waiting = deque(
            tuple(range(i, min(i + size, len(items)))) for i in range(0, len(items), size)
        )
        results: dict[int, Any] = {}
        losses: dict[int | None, int] = {}
        try:
            while len(results) < len(items):
                for worker in self._workers.members:
                    if waiting and worker.ready and not worker.items:
                        worker.items = waiting.popleft()
                        self._send(worker, function, items)
                for worker, message in self._workers.hear():
                    match message:
                        case Answer(cause=None):
                            worker.ready = True
                            numbers, worker.items = worker.items, ()
                            found = _results(message.results)
                            results |= dict(zip(numbers, found, strict=True))
                        case Answer():
                            worker.items = ()
                            raise _raised(message)
                        case WorkerUnable(error=text):
                            raise MapError(text)
                        case WorkerLost():
                            self._replace(worker, message, losses)
                            waiting.extend((item,) for item in worker.items)
        except BaseException:
            self._abandon()
            raise
        return [results[i] for i in range(len(items))]

    def _send(self, worker: _Caller, function: Callable[..., Any], items: list[Arguments]) -> None:
        try:
            worker.link.send(Call(function, tuple(items[i] for i in worker.items)))
        except UnsendableError as error:
            worker.items = ()
            raise MapError(f"the function or its arguments cannot be sent: {error}") from None

    def _replace(self, worker: _Caller, lost: WorkerLost, losses: dict[int | None, int]) -> None:
        """Start another worker; whoever killed one too often, alone, is not tried again."""
        self._workers.start(worker.number)
        for item in worker.items if worker.ready else (None,):  # None: it never started
            losses[item] = losses.get(item, 0) + 1
            if losses[item] > self.retries:
                what = "a worker that starts" if item is None else f"item {item}: its worker"
                raise MapError(f"{what} ({lost.where}) {lost.ended}, again")

    def _abandon(self) -> None:
        """Replace the workers that are still at items of a map that ended."""
        for worker in [worker for worker in self._workers.members if worker.items]:
            self._workers.lose(worker)
            self._workers.start(worker.number)

    def close(self) -> None:
        """End the workers, and the connection."""
        self._open.close()

    def __enter__(self) -> Mapper:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


_mappers: dict[tuple[int, tuple[tuple[str, Any], ...]], Mapper] = {}


def map(  # noqa: A001 - it is what DEAP's toolboxes call it
    function: Callable[..., Any], *iterables: Iterable[Any], **options: Any
) -> list[Any]:
    """``Mapper.map`` over workers that stay until the program ends.

    For ``toolbox.register("map", pathnet_evo_ray.map, workers=4)``.

    Args:
        function: what to call.
        iterables: of its arguments.
        options: those of ``Mapper``; equal options share their workers.
    """
    return _mapper(options).map(function, *iterables)


def _mapper(options: Mapping[str, Any]) -> Mapper:
    key = os.getpid(), tuple(sorted(options.items()))
    if key not in _mappers:
        made = _mappers[key] = Mapper(**options)
        atexit.register(made.close)
    return _mappers[key]
