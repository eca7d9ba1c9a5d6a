"""Python's counterparts of the models. Each runs every task of the plan, at most `concurrency` of them at once."""

import asyncio
import collections
import concurrent.futures
import ctypes
import multiprocessing
import os
import queue
import signal
import threading

from workloads import Unit


def die_with_parent():
    """Whoever ends `compare`, in whatever way, leaves no interpreter behind."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def units(plan):
    return (Unit(plan, index) for index in range(plan["tasks"]))


def window(plan, start, collect):
    """Starts each task and collects the oldest when enough are in flight."""
    in_flight, outcomes = collections.deque(), []
    for unit in units(plan):
        in_flight.append(start(unit))
        if len(in_flight) >= plan["concurrency"]:
            outcomes.append(collect(in_flight.popleft()))
    outcomes.extend(collect(one) for one in in_flight)
    return outcomes


def serial(plan):
    return [unit.blocking() for unit in units(plan)]


def call_and_send(connection, function, *arguments):
    die_with_parent()
    connection.send(function(*arguments))


def start_process(function, *arguments):
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=call_and_send, args=(sender, function, *arguments))
    process.start()
    sender.close()
    return process, receiver


def join_process(started):
    process, receiver = started
    result = receiver.recv()
    process.join()
    receiver.close()
    return result


def process_per_task(plan):
    return window(plan, lambda unit: start_process(unit.blocking), join_process)


def process_pool(plan):
    executor = concurrent.futures.ProcessPoolExecutor(plan["workers"], initializer=die_with_parent)
    with executor:
        return window(plan, lambda unit: executor.submit(unit.blocking), lambda job: job.result())


def thread_per_task(plan):
    def start(unit):
        results = queue.SimpleQueue()
        thread = threading.Thread(target=lambda: results.put(unit.blocking()))
        thread.start()
        return thread, results

    def collect(started):
        thread, results = started
        thread.join()
        return results.get_nowait()

    return window(plan, start, collect)


def thread_pool(plan):
    with concurrent.futures.ThreadPoolExecutor(plan["workers"]) as executor:
        return window(plan, lambda unit: executor.submit(unit.blocking), lambda job: job.result())


def coroutines(plan):
    """Generators on one thread, resumed in turn."""
    waiting, running, outcomes = units(plan), [], []
    while True:
        for unit in waiting:
            running.append(unit.polled())
            if len(running) >= plan["concurrency"]:
                break
        if not running:
            return outcomes
        still, progress = [], False
        for generator in running:
            try:
                progress |= next(generator)
                still.append(generator)
            except StopIteration as end:
                outcomes.append(end.value)
                progress = True
        running = still
        if not progress:
            os.sched_yield()


def client(plan):
    """aiohttp, for requests where it is installed. It takes time and memory, so nobody else imports it."""
    if plan["workload"] != "http":
        return None
    try:
        import aiohttp
    except ImportError:
        return None
    return aiohttp


class Loop:
    """What the tasks of one event loop share."""

    session = None


async def on_loop(plan, source, concurrency):
    loop, outcomes, aiohttp = Loop(), [], client(plan)

    async def work():
        for unit in source:
            outcomes.append(await unit.awaited(loop))

    if aiohttp is not None:
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        loop.session = aiohttp.ClientSession(connector=connector)
    try:
        await asyncio.gather(*(work() for _ in range(concurrency)))
    finally:
        if loop.session is not None:
            await loop.session.close()
    return outcomes


def event_loop(plan):
    return asyncio.run(on_loop(plan, units(plan), plan["concurrency"]))


def shares(plan):
    loops = min(len(os.sched_getaffinity(0)), plan["concurrency"])
    each, rest = divmod(plan["concurrency"], loops)
    return [each + (nth < rest) for nth in range(loops)]


class Shared:
    """An iterator that several threads take from."""

    def __init__(self, source):
        self.source, self.lock = source, threading.Lock()

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            return next(self.source)


def event_loop_per_core(plan):
    source = Shared(units(plan))
    with concurrent.futures.ThreadPoolExecutor(len(shares(plan))) as executor:
        run = lambda share: asyncio.run(on_loop(plan, source, share))
        return [outcome for outcomes in executor.map(run, shares(plan)) for outcome in outcomes]


def serve(plan, first, step, concurrency):
    indices = range(first, plan["tasks"], step)
    return asyncio.run(on_loop(plan, (Unit(plan, index) for index in indices), concurrency))


def prefork(plan):
    all_shares = shares(plan)
    started = [
        start_process(serve, plan, first, len(all_shares), share)
        for first, share in enumerate(all_shares)
    ]
    return [outcome for one in started for outcome in join_process(one)]


# Those who run event loops.
LOOPS = {"event-loop", "event-loop-per-core", "prefork"}

MODELS = {
    "serial": serial,
    "process-per-task": process_per_task,
    "process-pool": process_pool,
    "thread-per-task": thread_per_task,
    "thread-pool": thread_pool,
    "coroutines": coroutines,
    "event-loop": event_loop,
    "event-loop-per-core": event_loop_per_core,
    "prefork": prefork,
}
