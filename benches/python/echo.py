"""asyncio's echo servers, for `benches::peers::aio`:  echo.py streams|protocol [uvloop]

Prints the address it listens on, and serves until it is killed.
"""

import asyncio
import sys

CHUNK = 64 * 1024


async def handle(reader, writer):
    while message := await reader.read(CHUNK):
        writer.write(message)
        await writer.drain()
    writer.close()


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def main(kind):
    if kind == "streams":
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
    else:
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"{host}:{port}", flush=True)
    await server.serve_forever()


if sys.argv[2:] == ["uvloop"]:
    import uvloop

    uvloop.install()
asyncio.run(main(sys.argv[1]))
