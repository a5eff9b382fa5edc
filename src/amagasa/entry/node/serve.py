"""A node at work: doors, watcher, content and links, started in order and stopped in order."""

import asyncio
import random
import signal
import threading
from typing import Any, Final

import msgspec
import structlog

from amagasa.app.bearing import Bearing
from amagasa.app.delivery import DeliveryDeps
from amagasa.app.missions import Missions
from amagasa.app.open_windows import OpenWindows
from amagasa.app.own_ground import OurGround
from amagasa.app.permissions import NODE
from amagasa.app.plant import BASELINE, wish_in
from amagasa.app.receiver_messages import FromReceiver, Listening
from amagasa.app.rejects import FEED_AGAIN
from amagasa.app.sharing import announce, in_force
from amagasa.app.source_health import SourceHealth
from amagasa.app.watch import Recorded, record_batch, record_time
from amagasa.app.worker_messages import (
    Active,
    Batch,
    Begin,
    Compiling,
    Correlating,
    LeftOut,
    Ready,
    SourceState,
    Trouble,
)
from amagasa.detect.correlation.windows import Manner
from amagasa.detect.report import RuleFault
from amagasa.entry.allies.links import AllyLinks
from amagasa.entry.node.bearing import MissionLook
from amagasa.entry.node.feeder import Feeder
from amagasa.entry.node.health_look import HealthLook
from amagasa.entry.node.keeper import ContentKeeper
from amagasa.entry.node.receiving import Receiving
from amagasa.entry.node.retro import Retro
from amagasa.entry.node.rules_noted import RulesNoted
from amagasa.entry.node.source_faults import SourceFaults
from amagasa.entry.node.source_states import SourceStates
from amagasa.entry.node.ticking import Ticking
from amagasa.entry.node.told_first import begin_of, receive_of
from amagasa.entry.node.trier import Trier
from amagasa.entry.node.watcher import Listener, Watcher
from amagasa.entry.people.application import console_of_world, front_of_world
from amagasa.entry.people.door import owner_socket, people_socket, server_of
from amagasa.entry.serving import Server
from amagasa.entry.wiring import World, ally_line, heads_of, hearts_of, library_of
from amagasa.entry.wiring_detect import RuleCompiler, kept_files
from amagasa.vocab.errors import AmagasaError, WorldError

AGREEMENTS_LOOK_S: Final = 0.5

log = structlog.get_logger("node")


class Node:
    """One run of a node."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._compiler = RuleCompiler(world.folder / "content")
        self._keeper = ContentKeeper(world.store, world.clock, world.signals, self._compiler)
        self._watcher = Watcher(
            Listener(
                begin=self._begin,
                content=self._keeper.latest,
                record=self._record,
                tell=self._tell,
                trouble=self._trouble,
            )
        )
        self._keeper.watcher = self._watcher
        self._receiving = Receiving(lambda: receive_of(world), self._note_receiver)
        self._source_faults = SourceFaults()
        self._source_states = SourceStates(world)
        settings = world.settings
        manner = Manner(
            lateness_s=settings.detect.lateness_s,
            max_groups=settings.limits.correlation_groups,
            max_entries=settings.limits.correlation_entries,
        )
        self._windows = OpenWindows(world.store, manner, world.clock.now)
        self._time = Ticking(self._record_time)
        sources = {source.name: source.silence for source in settings.source if source.enabled}
        self._health = SourceHealth(world.store, sources, now=world.clock.now())
        look = HealthLook(
            self._health,
            world.signals,
            world.clock.now,
            is_looking=lambda: self._watcher.is_looking,
            publish=self._publish,
        )
        self._health_look = Ticking(look.tick)
        self._missions = Missions(world.store, world.book)
        bearing = Bearing(
            world.store, self._missions, world.telling.offer, party=world.party, marking=world.telling.marking
        )
        self._look = Ticking(MissionLook(bearing, world.signals, world.clock.now).tick)
        self._hearts = hearts_of(world)
        self._silence = Ticking(lambda: self._hearts.look(now=world.clock.now()))
        self._retro = Retro(world.folder, world.store, world.clock, world.signals, tell=world.telling.tell)
        self._retro.publish = self._publish
        self._trier = _trier_of(world)
        self._feeder = _feeder_of(world)
        world.signals.subscribe(self._heard)
        self._is_ready = False
        self._rules = RulesNoted()
        self._rule_faults: dict[RuleFault, None] = {}
        self._unseen: tuple[RuleFault, ...] = ()
        self._are_rules_noted = True
        self._noting = threading.Lock()
        self._stop = asyncio.Event()

    async def run(self, started: Any) -> None:
        """Open the doors, watch, and return when stopped (SIGTERM, SIGINT) with everything in hand finished.

        `started(address)` is called once the doors are open. Raises WorldError (AMG-PORT) where one cannot open.
        """
        world = self._world
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        # Elsewhere a hang-up reloads: let nobody end a node by it.
        loop.add_signal_handler(signal.SIGHUP, log.info, "rules on disk are watched; settings are read at a start")
        console = world.settings.console
        people = people_socket(console.host, console.port)
        links = self._links()
        await links.start(world.settings.allies.host, world.settings.allies.port)
        owner = owner_socket(world.folder)
        servers = [
            (server_of(front_of_world(world, is_ready=self._ready), world, is_people=True), people),
            (server_of(console_of_world(world, is_local=True, is_ready=self._ready), world, is_people=False), owner),
        ]
        tasks = [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in servers]
        looking = asyncio.create_task(self._look_at_agreements())
        self._receiving.start()
        self._keeper.start()
        self._watcher.start()
        self._time.start()
        self._retro.start()
        self._trier.start()
        self._feeder.start()
        self._look.start()
        self._health_look.start()
        self._silence.start()
        started(people.getsockname())
        await self._until_stopped(tasks)
        log.info("stopping: what is in hand is finished first")
        looking.cancel()
        await asyncio.to_thread(self._receiving.stop)
        await asyncio.to_thread(self._watcher.stop)
        await asyncio.to_thread(self._time.stop)
        world.hunts.stop()
        await asyncio.to_thread(self._retro.stop)
        await asyncio.to_thread(self._trier.stop)
        await asyncio.to_thread(self._feeder.stop)
        await asyncio.to_thread(self._look.stop)
        await asyncio.to_thread(self._health_look.stop)
        await asyncio.to_thread(self._silence.stop)
        await links.stop()
        await self._close([server for server, _ in servers], tasks)
        await asyncio.to_thread(self._keeper.stop)
        self._compiler.close()
        world.store.close()
        if not self._stop.is_set():
            raise WorldError(
                "AMG-DOOR",
                "a door of the console closed by itself",
                expected="both to stay open until the node is asked to end",
                got="; ".join(str(task.exception()) for task in tasks if not task.cancelled() and task.exception()),
                then="the node was stopped in order; what was read is committed; start it again",
            )

    def _links(self) -> AllyLinks:
        world = self._world
        certificate, key = world.keys.tls_certificate, world.keys.tls_key
        deps = DeliveryDeps(
            store=world.store,
            book=world.book,
            clock=world.clock,
            signals=world.signals,
            jitter=random.random,
            pass_on=world.telling.pass_on,
            own=OurGround(world.settings.share.own, self._missions),
            heads=heads_of(world),
            hearts=self._hearts,
        )
        return AllyLinks(
            deps,
            certificate=certificate,
            key=key,
            line_of=lambda ally: ally_line(ally, certificate=certificate, key=key),
        )

    async def _until_stopped(self, tasks: list["asyncio.Task[None]"]) -> None:
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()

    async def _close(self, servers: list[Server], tasks: list["asyncio.Task[None]"]) -> None:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)
        (self._world.folder / "run" / "node.sock").unlink(missing_ok=True)

    async def _look_at_agreements(self) -> None:
        """A signature that was just put in the folder counts within a second; one that was taken out, too."""
        while True:
            await asyncio.sleep(AGREEMENTS_LOOK_S)
            if await asyncio.to_thread(self._has_new_agreements):
                faulty = [entry.name for entry in self._world.book.book.faulty]
                (log.warning if faulty else log.info)("the agreements have changed", faulty=faulty)
                self._world.signals.publish("agreement", {"faulty": faulty})

    def _has_new_agreements(self) -> bool:
        try:
            return self._world.book.refresh()
        except AmagasaError as problem:
            # The folder cannot be read now: what was signed before goes on counting until its own end.
            log.error("the agreements could not be read again", problem=str(problem))  # noqa: TRY400
            return False

    def _ready(self) -> bool:
        return self._is_ready

    def _begin(self) -> Begin:
        return begin_of(self._world)

    def _heard(self, topic: str, payload: dict[str, Any]) -> None:
        if topic == FEED_AGAIN:
            self._watcher.feed_again(payload["source"])
        elif topic == BASELINE and (wish := wish_in(self._world.store)) is not None:
            self._watcher.change_baseline(wish)

    def _record(self, batch: Batch) -> None:
        world = self._world
        now = world.clock.now()
        self._health.note(batch, now=now)
        try:
            recorded = record_batch(world.store, batch, world.telling.tell, now=now, windows=self._windows)
        except WorldError as problem:
            self._source_states.refused(batch.source, problem)
            raise
        self._source_states.committed(batch.source)
        self._publish(recorded)
        if not (self._are_rules_noted and self._rule_faults.keys() >= set(batch.faults)):
            self._note_rules(dict.fromkeys(batch.faults))
        if batch.rejects:
            world.signals.publish("source", {"name": batch.source})

    def _record_time(self) -> None:
        """Once a second: what time alone shows; and what correlations could not look at, where that has changed."""
        world = self._world
        try:
            self._publish(record_time(world.store, self._windows, world.telling.tell, now=world.clock.now()))
        except WorldError as problem:
            log.error("what time shows could not be committed; it is tried again", problem=str(problem))  # noqa: TRY400
            return
        faults = self._windows.faults()
        if faults != self._unseen:
            self._unseen = faults
            self._note_rules({})

    def _publish(self, recorded: Recorded) -> None:
        for alert in recorded.alerts:
            self._world.signals.publish("alert", {"id": alert.id})
        for incident in recorded.incidents:
            self._world.signals.publish("incident", {"id": incident.id})
        if recorded.has_leads:
            self._world.signals.publish("lead", {})
        announce(self._world.signals, recorded.crossings)

    def _tell(self, message: Ready | Compiling | LeftOut | Correlating | Active | SourceState | Trouble) -> None:
        match message:
            case Ready():
                self._rules.heard(message, now=self._world.clock.now())
                self._rule_faults = {}
                log.info(
                    "watching",
                    rules=message.n_rules,
                    rules_that_cannot_run=len(message.faults),
                    files_to_come=message.n_coming,
                )
                self._note_rules(dict.fromkeys(message.faults))
                self._is_ready = True
            case Compiling():
                self._rules.compiling(message)
                self._note_rules({})
            case LeftOut():
                self._rules.left_out = message
                self._note_rules({})
            case Correlating():
                self._windows.use(message.links)
            case Active():
                self._keeper.activated(message)
            case Trouble():
                log.warning("content", problem=message.what)
                self._trouble(message.what)
            case SourceState():
                self._note_source(message)

    def _note_source(self, state: SourceState) -> None:
        if state.note:
            log.info("source", name=state.source, note=state.note)
            return
        self._source_states.keep(self._source_faults.of_worker(state))

    def _note_receiver(self, message: FromReceiver) -> None:
        """On the thread that listens to the receiver."""
        if isinstance(message, Listening):
            log.info("source", name=message.source, note=_opened(message))
            return
        self._health.note_behind(message.source, message.tally.n_behind)
        state = self._source_faults.of_receiver(message)
        if state is not None:
            self._source_states.keep(state)

    def _note_rules(self, faults: dict[RuleFault, None]) -> None:
        """Keep what the console says of the rules: how many run, and which cannot, when loaded or when they ran.

        Raises nothing for the store's sake: it is called behind the commit of a batch, which must not be done twice.
        """
        with self._noting:
            for one in faults:
                if one not in self._rule_faults:
                    log.warning("a rule cannot run", rule=one.rule_id or one.path, why=one.why)
            self._rule_faults |= faults
            faulty = (*self._rule_faults, *self._unseen)
            document = self._rules.noted(faulty)
            try:
                with self._world.store.write() as tx:
                    tx.save_meta("rules", msgspec.json.encode(document).decode())
            except WorldError as problem:
                self._are_rules_noted = False
                log.error("what is known of the rules could not be kept; it is tried again", problem=str(problem))  # noqa: TRY400
            else:
                self._are_rules_noted = True
        self._world.signals.publish("rules", {})

    def _trouble(self, what: str) -> None:
        self._world.signals.publish("trouble", {"what": what})


def _opened(message: Listening) -> str:
    return f"it listens on port {message.port}" if message.port else "its broker is asked"


def _trier_of(world: World) -> Trier:
    """What tries what allies send."""
    return Trier(
        world.folder,
        world.store,
        world.clock,
        world.signals,
        book=world.book,
        may_come=lambda: world.settings.lake.enabled and bool(in_force(world.book, world.clock.now())),
    )


def _feeder_of(world: World) -> Feeder:
    """What keeps collections current."""
    return Feeder(
        world.folder,
        library_of(world.folder),
        world.clock,
        world.signals,
        party=world.party.id,
        export=lambda asked: world.telling.export(NODE, asked, files=kept_files(world.folder), now=world.clock.now()),
    )
