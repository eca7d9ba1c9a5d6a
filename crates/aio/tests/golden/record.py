"""Small asyncio scenarios. Each writes a log; the same scenarios in Rust must write the same.

Recorded anew with:  python3 crates/aio/tests/golden/record.py > crates/aio/tests/golden/traces.txt
"""

import asyncio

SCENARIOS = []


def on_loop(scenario):
    """A scenario that drives a loop of its own."""
    SCENARIOS.append(scenario)
    return scenario


def as_main(scenario):
    """A scenario that is a program's main coroutine."""

    def run(log):
        asyncio.run(scenario(log))

    run.__name__ = scenario.__name__
    SCENARIOS.append(run)
    return scenario


def one_iteration(loop):
    loop.stop()
    loop.run_forever()


@on_loop
def callbacks_first_come_first_served(log):
    loop = asyncio.new_event_loop()
    for name in "abc":
        loop.call_soon(log, name)
    one_iteration(loop)
    loop.close()


@on_loop
def nested_callbacks_wait_an_iteration(log):
    loop = asyncio.new_event_loop()

    def first():
        log("first")
        loop.call_soon(log, "nested")

    loop.call_soon(first)
    loop.call_soon(log, "second")
    one_iteration(loop)
    log("iteration")
    one_iteration(loop)
    loop.close()


@on_loop
def a_cancelled_callback_does_not_run(log):
    loop = asyncio.new_event_loop()
    loop.call_soon(log, "a")
    handle = loop.call_soon(log, "b")
    loop.call_soon(log, "c")
    handle.cancel()
    log(str(handle.cancelled()).lower())
    one_iteration(loop)
    loop.close()


@on_loop
def a_callback_cancels_a_later_one(log):
    loop = asyncio.new_event_loop()
    handles = []
    loop.call_soon(lambda: (log("cancelling"), handles[0].cancel()))
    handles.append(loop.call_soon(log, "never"))
    loop.call_soon(log, "after")
    one_iteration(loop)
    loop.close()


@on_loop
def timers_by_deadline(log):
    loop = asyncio.new_event_loop()
    for delay in (0.03, 0.01, 0.02):
        loop.call_later(delay, log, f"{delay:.2f}")
    loop.call_later(0.05, loop.stop)
    loop.run_forever()
    loop.close()


@on_loop
def a_timer_due_at_once_comes_after_what_is_ready(log):
    loop = asyncio.new_event_loop()
    loop.call_later(0, log, "timer")
    loop.call_soon(log, "soon")
    one_iteration(loop)
    loop.close()


@on_loop
def a_negative_delay_is_due_at_once(log):
    loop = asyncio.new_event_loop()
    loop.call_at(loop.time() - 5, log, "past")
    loop.call_soon(log, "soon")
    one_iteration(loop)
    log("iteration")
    loop.close()


@on_loop
def a_cancelled_timer_does_not_fire(log):
    loop = asyncio.new_event_loop()
    handle = loop.call_later(0.01, log, "never")
    loop.call_later(0.02, log, "kept")
    loop.call_later(0.03, loop.stop)
    handle.cancel()
    loop.run_forever()
    loop.close()


@on_loop
def stop_lets_the_batch_finish(log):
    loop = asyncio.new_event_loop()

    def stopping():
        log("stopping")
        loop.stop()
        loop.call_soon(log, "next run")

    loop.call_soon(stopping)
    loop.call_soon(log, "same batch")
    loop.run_forever()
    log("returned")
    one_iteration(loop)
    loop.close()


@on_loop
def callbacks_ready_when_main_ends_still_run(log):
    loop = asyncio.new_event_loop()

    async def main():
        loop.call_soon(log, "callback")
        log("main ends")

    loop.run_until_complete(main())
    log("returned")
    loop.close()


@on_loop
def what_comes_a_turn_later_waits_for_the_next_run(log):
    loop = asyncio.new_event_loop()

    async def main():
        loop.call_soon(lambda: (log("callback"), loop.call_soon(log, "its callback")))
        log("main ends")

    loop.run_until_complete(main())
    log("returned")
    one_iteration(loop)
    loop.close()


@on_loop
def a_task_goes_on_in_the_next_run(log):
    loop = asyncio.new_event_loop()

    async def worker():
        for number in range(4):
            log(f"worker {number}")
            await asyncio.sleep(0)

    async def main():
        await asyncio.sleep(0)
        log("main ends")

    task = loop.create_task(worker())
    loop.run_until_complete(main())
    log("between")
    loop.run_until_complete(task)
    loop.close()


@on_loop
def stopped_early(log):
    loop = asyncio.new_event_loop()

    async def main():
        loop.stop()
        await asyncio.sleep(3600)

    task = loop.create_task(main())
    try:
        loop.run_until_complete(task)
    except RuntimeError:
        log("stopped before it was done")
    log(f"done: {str(task.done()).lower()}")
    task.cancel()
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        log("cancelled")
    loop.close()


@as_main
async def tasks_and_callbacks_share_a_queue(log):
    loop = asyncio.get_running_loop()

    async def body(name):
        log(name)

    one = asyncio.create_task(body("task one"))
    loop.call_soon(log, "callback")
    two = asyncio.create_task(body("task two"))
    log("main")
    await one
    log("one awaited")
    await two
    log("two awaited")


@as_main
async def tasks_take_turns(log):
    async def body(name):
        for number in range(3):
            log(f"{name}{number}")
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(body(name)) for name in "ab"]
    for task in tasks:
        await task
    log("end")


@as_main
async def a_task_never_begins_at_once(log):
    async def body():
        log("begun")

    task = asyncio.create_task(body())
    log("created")
    await asyncio.sleep(0)
    log(f"done: {str(task.done()).lower()}")


@as_main
async def the_awaiter_comes_after_what_the_task_scheduled(log):
    loop = asyncio.get_running_loop()

    async def body():
        loop.call_soon(log, "scheduled by the task")
        return 1

    await asyncio.create_task(body())
    log("awaiter")


@as_main
async def nested_tasks(log):
    async def leaf(name):
        log(f"{name} begins")
        await asyncio.sleep(0)
        log(f"{name} ends")
        return name

    async def branch(name):
        task = asyncio.create_task(leaf(name + " leaf"))
        log(f"{name} waits")
        await task
        log(f"{name} ends")

    one = asyncio.create_task(branch("one"))
    two = asyncio.create_task(branch("two"))
    await one
    await two


@as_main
async def cancelled_before_the_first_step(log):
    async def body():
        log("never")

    task = asyncio.create_task(body())
    log(str(task.cancel()).lower())
    try:
        await task
    except asyncio.CancelledError:
        log("cancelled")


@as_main
async def cancelled_while_asleep(log):
    async def body():
        try:
            log("asleep")
            await asyncio.sleep(3600)
        finally:
            log("finally")

    task = asyncio.create_task(body())
    await asyncio.sleep(0)
    task.cancel()
    log("asked")
    try:
        await task
    except asyncio.CancelledError:
        log("cancelled")
    log(str(task.cancel()).lower())


@as_main
async def a_cancelled_task_ends_in_its_turn(log):
    loop = asyncio.get_running_loop()

    async def body():
        try:
            await asyncio.sleep(3600)
        finally:
            log("finally")

    task = asyncio.create_task(body())
    await asyncio.sleep(0)
    loop.call_soon(log, "before")
    task.cancel()
    loop.call_soon(log, "after")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    log(f"done: {str(task.done()).lower()}")


@as_main
async def cancelling_reaches_what_is_awaited(log):
    async def inner():
        try:
            await asyncio.sleep(3600)
        finally:
            log("inner finally")

    async def outer(task):
        try:
            await task
        finally:
            log("outer finally")

    inner_task = asyncio.create_task(inner())
    outer_task = asyncio.create_task(outer(inner_task))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    outer_task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    log(f"inner done: {str(inner_task.done()).lower()}")
    log(f"outer done: {str(outer_task.done()).lower()}")


@as_main
async def a_message_is_kept(log):
    task = asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)
    task.cancel("enough")
    try:
        await task
    except asyncio.CancelledError as error:
        log(str(error))


@as_main
async def sleeps_end_by_deadline(log):
    async def body(delay):
        await asyncio.sleep(delay / 100)
        log(str(delay))

    await asyncio.gather(*(body(delay) for delay in (5, 1, 3)))
    log("end")


@as_main
async def sleep_zero_is_one_turn(log):
    loop = asyncio.get_running_loop()
    loop.call_soon(log, "callback")
    await asyncio.sleep(0)
    log("after one turn")


@as_main
async def gather_keeps_the_order(log):
    async def body(delay):
        await asyncio.sleep(delay / 100)
        log(f"{delay} is done")
        return delay

    log(str(await asyncio.gather(*(asyncio.create_task(body(delay)) for delay in (3, 1, 2)))))


@as_main
async def gather_of_nothing(log):
    log(str(await asyncio.gather()))


@as_main
async def gather_with_errors_among_the_results(log):
    async def body(number):
        if number == 2:
            raise ValueError(number)
        return number

    results = await asyncio.gather(*(body(number) for number in (1, 2, 3)), return_exceptions=True)
    for result in results:
        log(f"error {result}" if isinstance(result, Exception) else str(result))


@as_main
async def gather_cancelled_cancels_all(log):
    async def body(name):
        try:
            await asyncio.sleep(3600)
        finally:
            log(f"{name} finally")

    async def gathering():
        await asyncio.gather(body("a"), body("b"))

    task = asyncio.create_task(gathering())
    await asyncio.sleep(0.01)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        log("cancelled")


@as_main
async def wait_for_what_is_ready(log):
    async def body():
        return "ready"

    log(await asyncio.wait_for(body(), 10))


@as_main
async def wait_for_too_long(log):
    async def body():
        try:
            await asyncio.sleep(3600)
        finally:
            log("finally")

    try:
        await asyncio.wait_for(body(), 0.01)
    except asyncio.TimeoutError:
        log("timeout")


@as_main
async def wait_for_a_task_cancels_it(log):
    task = asyncio.create_task(asyncio.sleep(3600))
    try:
        await asyncio.wait_for(task, 0.01)
    except asyncio.TimeoutError:
        log("timeout")
    await asyncio.sleep(0)
    log(f"done: {str(task.done()).lower()}")


@as_main
async def shield_keeps_a_task_alive(log):
    async def body():
        await asyncio.sleep(0.03)
        log("body ends")
        return 1

    task = asyncio.create_task(body())
    try:
        await asyncio.wait_for(asyncio.shield(task), 0.01)
    except asyncio.TimeoutError:
        log("timeout")
    log(f"done: {str(task.done()).lower()}")
    await asyncio.sleep(0.04)
    log("end")


@as_main
async def nested_timeouts_the_outer_first(log):
    try:
        async with asyncio.timeout(0.01):
            try:
                async with asyncio.timeout(10):
                    await asyncio.sleep(3600)
            except TimeoutError:
                log("inner")
    except TimeoutError:
        log("outer")


@as_main
async def nested_timeouts_the_inner_first(log):
    try:
        async with asyncio.timeout(10):
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(3600)
            except TimeoutError:
                log("inner")
            log("goes on")
    except TimeoutError:
        log("outer")


@as_main
async def a_timeout_is_moved(log):
    async with asyncio.timeout(0.01) as limit:
        limit.reschedule(asyncio.get_running_loop().time() + 10)
        await asyncio.sleep(0.03)
        log("in time")


@as_main
async def wait_for_the_first(log):
    async def body(delay):
        await asyncio.sleep(delay / 100)
        return delay

    tasks = [asyncio.create_task(body(delay)) for delay in (5, 1, 9)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    log(f"{len(done)} done, {len(pending)} pending")
    done, pending = await asyncio.wait(pending)
    log(f"{len(done)} done, {len(pending)} pending")


@as_main
async def wait_with_a_limit(log):
    tasks = [asyncio.create_task(asyncio.sleep(delay)) for delay in (0.01, 3600)]
    done, pending = await asyncio.wait(tasks, timeout=0.05)
    log(f"{len(done)} done, {len(pending)} pending")


@as_main
async def in_order_of_completion(log):
    async def body(delay):
        await asyncio.sleep(delay / 100)
        return delay

    for coming in asyncio.as_completed([body(delay) for delay in (5, 1, 3)]):
        log(str(await coming))


@as_main
async def a_group_waits_for_all(log):
    async def body(delay):
        await asyncio.sleep(delay / 100)
        log(str(delay))

    async with asyncio.TaskGroup() as group:
        group.create_task(body(3))
        group.create_task(body(1))
        log("body ends")
    log("group ends")


@as_main
async def a_failing_task_ends_its_group(log):
    async def failing():
        await asyncio.sleep(0.01)
        raise ValueError("failed")

    async def sibling():
        try:
            await asyncio.sleep(3600)
        finally:
            log("sibling finally")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(sibling())
            group.create_task(failing())
    except* ValueError as errors:
        for error in errors.exceptions:
            log(str(error))


@as_main
async def a_lock_goes_round(log):
    lock = asyncio.Lock()

    async def body(name):
        for _ in range(2):
            async with lock:
                log(name)
                await asyncio.sleep(0)

    await asyncio.gather(*(asyncio.create_task(body(name)) for name in "abc"))


@as_main
async def a_cancelled_waiter_passes_the_lock_on(log):
    lock = asyncio.Lock()

    async def body(name):
        async with lock:
            log(name)

    await lock.acquire()
    tasks = [asyncio.create_task(body(name)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    lock.release()
    await asyncio.gather(*tasks, return_exceptions=True)
    log(str(lock.locked()).lower())


@as_main
async def a_semaphore_of_two(log):
    semaphore = asyncio.Semaphore(2)

    async def body(name):
        async with semaphore:
            log(f"{name} in")
            await asyncio.sleep(0.01)
            log(f"{name} out")

    await asyncio.gather(*(asyncio.create_task(body(name)) for name in "abcd"))


@as_main
async def an_event_wakes_all_in_order(log):
    event = asyncio.Event()

    async def body(name):
        await event.wait()
        log(name)

    tasks = [asyncio.create_task(body(name)) for name in "abc"]
    await asyncio.sleep(0)
    event.set()
    event.clear()
    log("set and cleared")
    for task in tasks:
        await task


@as_main
async def a_condition_notifies_two(log):
    condition = asyncio.Condition()

    async def body(name):
        async with condition:
            await condition.wait()
            log(name)

    tasks = [asyncio.create_task(body(name)) for name in "abc"]
    await asyncio.sleep(0.01)
    async with condition:
        condition.notify(2)
    await asyncio.sleep(0.01)
    log("the rest")
    async with condition:
        condition.notify_all()
    for task in tasks:
        await task


@as_main
async def a_barrier_of_three(log):
    barrier = asyncio.Barrier(3)

    async def body(name):
        await barrier.wait()
        log(name)

    tasks = []
    for name in "abc":
        tasks.append(asyncio.create_task(body(name)))
        await asyncio.sleep(0.01)
        log(f"{name} has come")
    for task in tasks:
        await task


@as_main
async def a_queue_of_one(log):
    queue = asyncio.Queue(1)

    async def producer():
        for number in range(4):
            await queue.put(number)
            log(f"put {number}")

    task = asyncio.create_task(producer())
    for _ in range(4):
        log(f"got {await queue.get()}")
    await task


@as_main
async def getters_in_order(log):
    queue = asyncio.Queue()

    async def getter(name):
        log(f"{name} got {await queue.get()}")

    tasks = [asyncio.create_task(getter(name)) for name in "abc"]
    await asyncio.sleep(0)
    for number in range(3):
        queue.put_nowait(number)
    for task in tasks:
        await task


@as_main
async def a_cancelled_getter_loses_nothing(log):
    queue = asyncio.Queue()

    async def getter(name):
        log(f"{name} got {await queue.get()}")

    one = asyncio.create_task(getter("one"))
    two = asyncio.create_task(getter("two"))
    await asyncio.sleep(0)
    queue.put_nowait("item")
    one.cancel()
    await two
    log(str(queue.qsize()))


@as_main
async def join_waits_for_task_done(log):
    queue = asyncio.Queue()
    for number in range(3):
        queue.put_nowait(number)

    async def worker():
        while True:
            number = await queue.get()
            await asyncio.sleep(0.01)
            log(f"done {number}")
            queue.task_done()

    task = asyncio.create_task(worker())
    await queue.join()
    log("joined")
    task.cancel()
    try:
        queue.task_done()
    except ValueError:
        log("too many")


@as_main
async def priorities_and_the_last_first(log):
    priority, lifo = asyncio.PriorityQueue(), asyncio.LifoQueue()
    for number in (2, 3, 1):
        priority.put_nowait(number)
        lifo.put_nowait(number)
    log(" ".join(str(priority.get_nowait()) for _ in range(3)))
    log(" ".join(str(lifo.get_nowait()) for _ in range(3)))
    try:
        lifo.get_nowait()
    except asyncio.QueueEmpty:
        log("empty")


@as_main
async def run_cancels_what_is_left(log):
    async def body():
        try:
            await asyncio.sleep(3600)
        finally:
            log("finally")

    asyncio.get_running_loop().keep = asyncio.create_task(body())
    await asyncio.sleep(0)
    log("main ends")

@on_loop
def a_callback_that_fails_stops_nothing(log):
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: log(f"told of {context['exception']}"))

    def failing():
        raise ValueError("a failure")

    loop.call_soon(failing)
    loop.call_soon(log, "goes on")
    one_iteration(loop)
    loop.close()


@on_loop
def a_run_within_a_run_is_refused(log):
    loop = asyncio.new_event_loop()

    async def main():
        coroutine = asyncio.sleep(0)
        try:
            loop.run_until_complete(coroutine)
        except RuntimeError:
            log("refused")
            coroutine.close()
        await asyncio.sleep(0)
        log("goes on")

    loop.run_until_complete(main())
    loop.close()


@on_loop
def a_closed_loop_takes_nothing(log):
    loop = asyncio.new_event_loop()
    loop.close()
    loop.close()
    log(f"closed: {str(loop.is_closed()).lower()}")
    try:
        loop.call_soon(log, "never")
    except RuntimeError:
        log("refused")


@as_main
async def what_is_free_takes_no_turn(log):
    loop = asyncio.get_running_loop()
    loop.call_soon(log, "callback")
    lock, semaphore, event, queue = asyncio.Lock(), asyncio.Semaphore(1), asyncio.Event(), asyncio.Queue()
    event.set()
    async with lock:
        log("locked")
    async with semaphore:
        log("in")
    await event.wait()
    log("set")
    await queue.put(1)
    log(f"got {await queue.get()}")
    await asyncio.sleep(0)


@as_main
async def an_aborted_barrier_breaks(log):
    barrier = asyncio.Barrier(2)

    async def body():
        try:
            await barrier.wait()
        except asyncio.BrokenBarrierError:
            log("broken")

    task = asyncio.create_task(body())
    await asyncio.sleep(0.01)
    await barrier.abort()
    await task
    await body()
    await barrier.reset()
    log(f"broken: {str(barrier.broken).lower()}")


@as_main
async def wait_for_the_first_failure(log):
    async def failing():
        await asyncio.sleep(0.02)
        raise ValueError

    tasks = [asyncio.create_task(asyncio.sleep(delay)) for delay in (0.01, 3600)]
    tasks.append(asyncio.create_task(failing()))
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    log(f"{len(done)} done, {len(pending)} pending")
    for task in done:
        task.exception()


@as_main
async def a_condition_waits_for_a_number(log):
    condition, stock = asyncio.Condition(), []

    async def consumer():
        async with condition:
            await condition.wait_for(lambda: len(stock) >= 2)
            log(f"consumer sees {len(stock)}")

    task = asyncio.create_task(consumer())
    for number in range(1, 4):
        await asyncio.sleep(0.01)
        async with condition:
            stock.append(number)
            log(f"producer makes {number}")
            condition.notify()
    await task


@as_main
async def a_task_spawned_in_a_task_waits_its_turn(log):
    async def child():
        log("child")

    async def parent():
        asyncio.create_task(child())
        log("parent")

    asyncio.create_task(parent())
    asyncio.get_running_loop().call_soon(log, "callback")
    for turn in range(3):
        log(f"turn {turn}")
        await asyncio.sleep(0)


@as_main
async def the_first_error_of_a_gather_and_its_siblings(log):
    async def failing():
        raise ValueError("failed")

    async def sibling():
        try:
            await asyncio.sleep(0.02)
            log("sibling goes on")
        except asyncio.CancelledError:
            log("sibling cancelled")

    try:
        await asyncio.gather(sibling(), failing())
    except ValueError as error:
        log(str(error))
    await asyncio.sleep(0.05)


@on_loop
def a_loop_stopped_and_run_again_goes_on(log):
    loop = asyncio.new_event_loop()

    def step(number):
        log(f"step {number}")
        if number < 4:
            loop.call_soon(step, number + 1)
        if number % 2:
            loop.stop()

    loop.call_soon(step, 0)
    loop.call_later(0.01, loop.stop)
    for run in range(3):
        log(f"run {run}")
        loop.run_forever()
    loop.close()


@on_loop
def stopped_before_it_runs(log):
    loop = asyncio.new_event_loop()
    loop.call_soon(log, "a")
    loop.call_soon(lambda: loop.call_soon(log, "b"))
    for run in range(3):
        loop.stop()
        loop.run_forever()
        log(f"run {run}")
    loop.close()


@on_loop
def a_timer_waits_for_the_next_run(log):
    loop = asyncio.new_event_loop()
    loop.call_later(0.01, log, "timer")
    loop.call_soon(loop.stop)
    loop.run_forever()
    log("between")
    loop.call_later(0.02, loop.stop)
    loop.run_forever()
    loop.close()


@on_loop
def cancelled_between_runs(log):
    loop = asyncio.new_event_loop()

    async def worker():
        try:
            await asyncio.sleep(3600)
        finally:
            log("finally")

    task = loop.create_task(worker())
    one_iteration(loop)
    task.cancel()
    log("asked")
    one_iteration(loop)
    log(str(task.done()).lower())
    loop.close()


@as_main
async def an_async_generator_takes_turns_with_others(log):
    async def numbers():
        try:
            for number in range(3):
                log(f"making {number}")
                await asyncio.sleep(0)
                yield number
        finally:
            log("finally")

    async def other():
        for turn in range(4):
            log(f"other {turn}")
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    async for number in numbers():
        log(f"got {number}")
    log("end")
    await task


@as_main
async def an_async_generator_closed_early(log):
    async def numbers():
        try:
            for number in range(3):
                yield number
        finally:
            log("finally")

    generator = numbers()
    log(await anext(generator))
    await generator.aclose()
    log("closed")
    log(str(await anext(generator, None) is None).lower())


@as_main
async def an_async_generator_within_a_time_limit(log):
    async def numbers():
        try:
            for number in range(1, 4):
                await asyncio.sleep(number / 100)
                yield number
        finally:
            log("finally")

    try:
        async with asyncio.timeout(0.04):
            generator = numbers()
            async for number in generator:
                log(number)
    except TimeoutError:
        log("too long")


@as_main
async def a_separator_over_the_limit(log):
    reader = asyncio.StreamReader(limit=8)
    reader.feed_data(b"0123456789;ab;cd")
    reader.feed_eof()
    try:
        await reader.readuntil(b";")
    except asyncio.LimitOverrunError:
        log("over the limit")
    log((await reader.readexactly(11)).decode())
    log((await reader.readuntil(b";")).decode())
    try:
        await reader.readuntil(b";")
    except asyncio.IncompleteReadError as error:
        log(f"incomplete: {error.partial.decode()}")
    log(str(reader.at_eof()).lower())


@as_main
async def a_line_over_the_limit(log):
    reader = asyncio.StreamReader(limit=8)
    reader.feed_data(b"0123456789\nab\ncd")
    reader.feed_eof()
    try:
        await reader.readline()
    except ValueError:
        log("over the limit")
    for _ in range(3):
        log((await reader.readline()).decode().strip())


@as_main
async def exactly_the_limit(log):
    reader = asyncio.StreamReader(limit=8)
    reader.feed_data(b"01234567;x")
    reader.feed_eof()
    log((await reader.readuntil(b";")).decode())
    try:
        await reader.readexactly(5)
    except asyncio.IncompleteReadError as error:
        log(f"{error.partial.decode()} of {error.expected}")


def main():
    for scenario in SCENARIOS:
        print(f"== {scenario.__name__}")
        scenario(print)


main()
