"""A process which writes to a store until it is killed. Arguments: path, and the transaction to stop in (0: never).

Every transaction n writes position n, alert n, incident n and crossing n. A line is printed after each commit; in
the middle of the last one it prints `half` and waits.
"""

import itertools
import sys
from pathlib import Path

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.ports import Position
from tests.contracts.store_samples import alert, crossing, incident


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    store = open_store(Path(sys.argv[1]))
    stop_in = int(sys.argv[2])
    for n in itertools.count(1):
        with store.write() as write:
            write.save_position(Position(source="web", token={"offset": n}, n_read=n))
            write.save_alerts([alert(n, incident_id=f"incident--{n:06d}")])
            if n == stop_in:
                say("half")
                sys.stdin.read()
            write.save_incidents([incident(n)])
            write.add_crossing(crossing(n))
        say(str(n))


if __name__ == "__main__":
    main()
