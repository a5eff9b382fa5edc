"""The socket of the console's door."""

import asyncio
import socket

from amagasa.entry.people.door import people_socket


def test_small_answers_leave_at_once() -> None:
    async def delay_of_an_accepted_connection() -> int:
        accepted: asyncio.Queue[int] = asyncio.Queue()

        async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken = writer.get_extra_info("socket")
            await accepted.put(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with people_socket("127.0.0.1", 0) as listening:
            server = await asyncio.start_server(note, sock=listening)
            async with server:
                _, writer = await asyncio.open_connection("127.0.0.1", listening.getsockname()[1])
                found = await accepted.get()
                writer.close()
        return found

    assert asyncio.run(delay_of_an_accepted_connection()) == 1
