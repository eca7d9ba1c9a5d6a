"""aiohttp's client and websockets' client against our server. Prints "ok" at the end; anything else is a fault.

    client.py http://127.0.0.1:PORT aiohttp|websockets
"""

import asyncio
import sys


async def with_aiohttp(base):
    import aiohttp

    # Otherwise it keeps no cookies of a host that is an address.
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(base, cookie_jar=jar) as session:
        async with session.get("/hello/w%26x", params={"q": "ä b"}) as response:
            assert response.status == 200
            assert await response.text() == "hello, w&x! ä b"
            assert response.charset == "utf-8"
        async with session.post("/json", json={"a": [1, 2]}) as response:
            assert await response.json() == {"a": [1, 2]}
        async with session.post("/json", json=[1]) as response:
            assert response.status == 400
        form = aiohttp.FormData()
        form.add_field("name", "Ann")
        form.add_field("doc", b"x" * 100_000, filename="doc.bin", content_type="application/x-doc")
        async with session.post("/form", data=form) as response:
            assert await response.text() == "name:3 doc:100000"

        async def pieces():
            for number in range(100):
                yield b"%03d" % number * 1000

        async with session.post("/echo", data=pieces()) as response:
            assert await response.read() == b"".join([b"%03d" % n * 1000 for n in range(100)])
        async with session.get("/visits") as response:
            assert await response.text() == "1"
        async with session.get("/visits") as response:
            assert await response.text() == "2"
        async with session.get("/stream") as response:
            lines = [line async for line in response.content]
            assert lines == [b"line %d\n" % number for number in range(1, 101)], lines
        for coding in ("gzip", "deflate", "gzip;q=0, identity"):
            async with session.get("/long", headers={"Accept-Encoding": coding}) as response:
                assert await response.text() == "long " * 20_000, coding
                assert response.headers.get("Content-Encoding") == {"gzip": "gzip"}.get(coding)
        async with session.get("/redirect") as response:
            assert (response.status, len(response.history)) == (200, 1)
        async with session.get("/file", headers={"Range": "bytes=2-4"}) as response:
            assert (response.status, await response.read()) == (206, b"234")
        async with session.head("/files/digits") as response:
            assert response.headers["Content-Length"] == "10"
        async with session.put("/hello/x") as response:
            allowed = set(response.headers["Allow"].replace(" ", "").split(","))
            assert response.status == 405 and allowed >= {"GET", "HEAD"}, allowed
        answers = await asyncio.gather(*(ask(session, number) for number in range(200)))
        assert answers == [f"hello, {number}! " for number in range(200)]
        async with session.ws_connect("/ws", compress=15, protocols=["chat"]) as socket:
            assert socket.protocol == "chat" and socket.compress, "it compresses"
            for text in ("", "ä" * 10, "abc" * 100_000):
                await socket.send_str(text)
                assert await socket.receive_str() == text
            await socket.send_bytes(bytes(range(256)) * 100)
            assert await socket.receive_bytes() == bytes(range(256)) * 100
            await socket.ping()
            await socket.close(code=3001, message=b"bye")
            assert socket.close_code == 3001, socket.close_code


async def ask(session, number):
    async with session.get(f"/hello/{number}") as response:
        return await response.text()


async def with_websockets(base):
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosedError, InvalidStatus

    url = base.replace("http", "ws", 1)
    async with connect(url + "/ws", subprotocols=["chat"], max_size=None) as socket:
        assert socket.subprotocol == "chat"
        assert [type(one).__name__ for one in socket.protocol.extensions] == ["PerMessageDeflate"]
        for text in ("", "ä" * 10, "abc" * 300_000):
            await socket.send(text)
            assert await socket.recv() == text
        await socket.send(["in ", "several ", "frames"])
        assert await socket.recv() == "in several frames"
        await (await socket.ping())
    assert socket.close_code == 1000, socket.close_code
    async with connect(url + "/ws", compression=None) as socket:
        await socket.send(b"plain")
        assert await socket.recv() == b"plain"
        # Compressed, 5 MiB of nothing are a few KiB, but our limit counts what they become.
    async with connect(url + "/ws") as socket:
        await socket.send(b"\0" * (5 << 20))
        try:
            await socket.recv()
            raise AssertionError("a message above the limit was taken")
        except ConnectionClosedError as error:
            assert error.rcvd.code == 1009, error
    try:
        await connect(url + "/hello/x")
        raise AssertionError("that is no WebSocket")
    except InvalidStatus as error:
        assert error.response.status_code == 200, error


asyncio.run({"aiohttp": with_aiohttp, "websockets": with_websockets}[sys.argv[2]](sys.argv[1]))
print("ok")
