"""CPython's asyncio, as `benches::peers::aio` uses ours: a name and nanoseconds (or bytes) a line.

With the argument `uvloop` on uvloop's loop; then it fails where that cannot be imported.
"""

import asyncio
import queue
import sys
import threading
import time


def per(n, start):
    return (time.perf_counter_ns() - start) / n


async def call_soon(batches=50, calls=1000):
    loop = asyncio.get_running_loop()
    called = []
    count = called.append
    start = time.perf_counter_ns()
    for _ in range(batches):
        for n in range(calls):
            loop.call_soon(count, n)
        await asyncio.sleep(0)
    assert len(called) == batches * calls
    return per(batches * calls, start)


async def value(n):
    return n


async def spawn(n=20_000):
    start = time.perf_counter_ns()
    for i in range(n):
        await asyncio.create_task(value(i))
    return per(n, start)


async def batch(n=10_000):
    start = time.perf_counter_ns()
    tasks = [asyncio.create_task(value(i)) for i in range(n)]
    for task in tasks:
        await task
    return per(n, start)


async def turns(n):
    for _ in range(n):
        await asyncio.sleep(0)


async def yields(tasks=100, n=300):
    start = time.perf_counter_ns()
    running = [asyncio.create_task(turns(n)) for _ in range(tasks)]
    for task in running:
        await task
    return per(tasks * n, start)


async def messages(size, n=50_000):
    between = asyncio.Queue(size)

    async def put():
        for i in range(n):
            await between.put(i)

    start = time.perf_counter_ns()
    putting = asyncio.create_task(put())
    for _ in range(n):
        await between.get()
    await putting
    return per(n, start)


async def threadsafe(n=5_000):
    loop = asyncio.get_running_loop()
    asked, arrived = queue.SimpleQueue(), asyncio.Queue()

    def answer():
        while (number := asked.get()) is not None:
            loop.call_soon_threadsafe(arrived.put_nowait, number)

    thread = threading.Thread(target=answer)
    thread.start()
    start = time.perf_counter_ns()
    for i in range(n):
        asked.put(i)
        await arrived.get()
    took = per(n, start)
    asked.put(None)
    thread.join()
    return took


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


async def sleeper_bytes(n=100_000):
    before = resident()
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(n)]
    await asyncio.sleep(0)
    used = (resident() - before) / n
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return used


def best(measure, *arguments, rounds=3):
    return round(min(asyncio.run(measure(*arguments)) for _ in range(rounds)), 1)


if sys.argv[1:] == ["uvloop"]:
    try:
        import uvloop
    except ImportError:
        sys.exit("uvloop cannot be imported")
    uvloop.install()
print("sleeper_bytes", best(sleeper_bytes, rounds=1))
print("call_soon", best(call_soon))
print("spawn", best(spawn))
print("batch", best(batch))
print("yield", best(yields))
print("queue/128", best(messages, 128))
print("queue/0", best(messages, 0))
print("threadsafe", best(threadsafe))
