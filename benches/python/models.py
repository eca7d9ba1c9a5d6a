"""Python's counterparts of the models. Each runs every task of the plan, at most `concurrency` of them at once."""

import asyncio
import concurrent.futures
import ctypes
import multiprocessing
import multiprocessing.connection
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


def window(plan, start, ended, collect):
    """Runs each task, and gives a place that becomes free to the next one, whichever task has left it.

    `start` begins a task at a place. `ended` blocks until a task has ended, and returns its place.
    """
    waiting, outcomes = units(plan), []
    places = {place: start(unit, place) for place, unit in zip(range(plan["concurrency"]), waiting)}
    while places:
        place = ended(places)
        outcomes.append(collect(places.pop(place)))
        for unit in waiting:
            places[place] = start(unit, place)
            break
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
    def ended(places):
        ready = multiprocessing.connection.wait([receiver for _, receiver in places.values()])
        return next(place for place, (_, receiver) in places.items() if receiver is ready[0])

    return window(plan, lambda unit, _: start_process(unit.blocking), ended, join_process)


def submit_each(plan, executor):
    """Submits each task to an executor's pool."""
    ends = queue.SimpleQueue()

    def start(unit, place):
        job = executor.submit(unit.blocking)
        job.add_done_callback(lambda _: ends.put(place))
        return job

    return window(plan, start, lambda _: ends.get(), lambda job: job.result())


def process_pool(plan):
    executor = concurrent.futures.ProcessPoolExecutor(plan["workers"], initializer=die_with_parent)
    with executor:
        return submit_each(plan, executor)


def thread_per_task(plan):
    ends = queue.SimpleQueue()

    def run(unit, place, results):
        try:
            results.append(unit.blocking())
        finally:
            ends.put(place)

    def start(unit, place):
        results = []
        thread = threading.Thread(target=run, args=(unit, place, results))
        thread.start()
        return thread, results

    def collect(started):
        thread, results = started
        thread.join()
        return results.pop()

    return window(plan, start, lambda _: ends.get(), collect)


def thread_pool(plan):
    with concurrent.futures.ThreadPoolExecutor(plan["workers"]) as executor:
        return submit_each(plan, executor)


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


def taken(plan, following):
    """The tasks whose numbers this process takes from the number that all processes share."""
    while True:
        with following.get_lock():
            index = following.value
            following.value += 1
        if index >= plan["tasks"]:
            return
        yield Unit(plan, index)


def serve(plan, following, concurrency):
    return asyncio.run(on_loop(plan, taken(plan, following), concurrency))


def prefork(plan):
    following = multiprocessing.Value("Q", 0)
    started = [start_process(serve, plan, following, share) for share in shares(plan)]
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
