"""What makes a bot deaf: numbers, clocks, lines and servers that are not as they were."""

import contextlib
import itertools
import socket
import threading
import time

import agents
import util
from agents import FRIEND, OWNER, STRANGER
from botapi import Fault
from harness import Clock, Found, Session, answered, circumstance, echoes, is_in, need
from places import USER, WIRE_HERE, Here, Net, Wire, far_away

PART = "Telegram"


def hears(run, world, bound, text="/help", user=OWNER):
    """How long until a command is answered."""
    return run.recovers(answered(world, user, text), bound, f"{text.split()[0]} is answered",
                        f"{text.split()[0]} is not answered")


def heard_once(world):
    """The bot works, and has a position among the updates."""
    done = answered(world, OWNER, "/help")
    util.eventually(done, "the bot answers at first")
    world.api.wait_read(world.api.say(OWNER, "/help"))


def other_bot(world):
    """Another bot's token, and its own numbers of updates."""
    world.token = world.api.token = "7000000002:another-bots-token-of-the-right-length-"
    world.vps.settings["TELEGRAM_TOKEN"] = world.token
    world.api.bot_id = 7000000002


@circumstance(PART, "a new bot's token with the state of the old bot, whose updates had higher numbers",
              "commands are answered", short=True)
def new_token(run):
    world = run.world(gateways=())
    heard_once(world)
    world.vps.stop()
    other_bot(world)
    world.api.renumber(5001)
    world.vps.start()
    world.ready(timeout=30)
    return hears(run, world, 20)


@circumstance(PART, "the first start after an upgrade, with the `telegram.offset` of earlier versions", "what was run before is not run again", short=True)
def old_position(run):
    world = run.world(gateways=(), wait_ready=False)
    world.vps.kill()
    for path in world.state_dir.iterdir():
        path.unlink()
    world.api.renumber(700000001)
    for _ in range(3):
        world.api.say(OWNER, "/help")
    (world.state_dir / "telegram.offset").write_text(f"700000004 {int(time.time())}\n")
    since = world.api.mark()
    world.vps.start()
    world.ready(timeout=30)
    done = answered(world, FRIEND, "/help")
    need(run.until(done, 15), "fresh commands are not answered")
    again = len(world.api.all_messages(OWNER, since))
    return Found(not again, f"{again} of 3 are run again")


@circumstance(PART, "the Bot API server begins to count from lower numbers while the bot runs", "commands are answered", short=True)
def lower_numbers(run):
    world = run.world(gateways=())
    heard_once(world)
    world.api.renumber(5001)
    return hears(run, world, 20)


@circumstance(PART, "the bot's position was written while the clock was 400 days ahead; the clock is set right, numbers are lower",
              "commands are answered", short=True)
def position_of_the_future(run):
    clock = Clock(run.folder, 400 * 86400)
    world = run.world(gateways=(), vps=clock.settings())
    world.api.wait_read(world.api.say(OWNER, "/help"))
    world.vps.stop()
    clock.set(0)
    world.api.renumber(5001)
    world.vps.start()
    world.ready(timeout=30)
    return hears(run, world, 20)


def on_a_wire(run):
    """A bot that reaches the Bot API over a Wire; (World, Wire)."""
    far = run.use(far_away())
    wire = run.use(Wire(far))

    class ApiPlace(Here):
        def listen(self, host, port=0, backlog=128):
            return super().listen(WIRE_HERE, port, backlog)

    world = run.world(gateways=(), net=Net(vps=far, gateway=far), api=ApiPlace())
    return world, wire


@circumstance(PART, "the path is lost in silence (a NAT forgets all connections); a command is sent 1 s later",
              "it is heard and run, not expired", short=True)
def path_forgotten(run):
    world, wire = on_a_wire(run)
    heard_once(world)
    time.sleep(3)   # the long poll is all that is going on
    world.api.wait_polling()
    wire.forget()
    time.sleep(1)
    return heard_and_run(run, world)


@circumstance(PART, "the address of the VPS changes, and nobody is told; a command is sent 1 s later",
              "it is heard and run, not expired", short=True)
def address_changes(run):
    world, wire = on_a_wire(run)
    heard_once(world)
    time.sleep(3)
    world.api.wait_polling()
    wire.move()
    time.sleep(1)
    return heard_and_run(run, world)


@circumstance(PART, "a router between has been restarted, and resets all connections; a command is sent 1 s later",
              "it is heard and run", short=True)
def path_resets(run):
    world, wire = on_a_wire(run)
    heard_once(world)
    time.sleep(3)
    wire.reset()
    time.sleep(1)
    return heard_and_run(run, world)


def heard_and_run(run, world):
    """The answer to /ssh without a gateway is that there is none, if it is not too old."""
    since = world.api.mark()
    world.api.say(OWNER, "/ssh somewhere")
    took = run.until(lambda: world.api.all_messages(OWNER, since), 50, patient=True)
    need(took is not None, f"no answer within {max(50, run.patience):.0f} s")
    text = world.api.all_messages(OWNER, since)[-1].text.splitlines()[0]
    ran = "expired" not in text
    return Found(ran and took < 50 * util.TIME_SCALE, f"{'run' if ran else 'thrown away as expired'} after {took:.1f} s", took)


@circumstance(PART, "answers to button presses take 15 s each, and a stranger presses 20 times", "the user's /help is answered at once", short=True)
def slow_side_calls(run):
    world = run.world(gateways=())
    heard_once(world)
    message = world.api.all_messages(OWNER)[0]
    world.api.inject("answerCallbackQuery", Fault("slow", seconds=15), 100)
    for _ in range(20):
        world.api.tap(STRANGER, message, "x", data="x")
    for _ in range(3):
        world.api.tap(OWNER, message, "x", data="x")
    time.sleep(0.5)
    return hears(run, world, 8)


@circumstance(PART, "20 strangers write while messages to them take 15 s each", "the user's /help is answered at once", short=True)
def slow_strangers(run):
    world = run.world(gateways=())
    heard_once(world)
    slow = world.api._do_sendmessage

    def send(params):
        if params["chat_id"] not in (OWNER, FRIEND):
            world.api.lock.release()    # the others are served meanwhile
            time.sleep(15)
            world.api.lock.acquire()
        return slow(params)

    world.api._do_sendmessage = send
    for number in range(20):
        world.api.say(10000 + number, "hello")
    time.sleep(0.5)
    return hears(run, world, 8)


@circumstance(PART, "an update with a number that no JSON library takes (2^64) is at the head of the queue", "it is stepped over", short=True)
def unreadable_update(run):
    world = run.world(gateways=())
    heard_once(world)
    world.api.push_update("message", {"message_id": 2 ** 64, "date": int(time.time())})
    return hears(run, world, 30)


@circumstance(PART, "one chat's messages are refused with 429 and retry_after of an hour", "other chats are answered at once", short=True)
def one_chat_flooded(run):
    world = run.world(gateways=())
    heard_once(world)
    world.api._flood_until["sendmessage", FRIEND] = time.monotonic() + 3600
    world.api.say(FRIEND, "/help")
    util.eventually(lambda: any(c.status == 429 for c in world.api.called("sendMessage")), "a message is refused")
    return hears(run, world, 8)


@circumstance(PART, "the VPS's clock is 1 h behind; a command of half an hour ago arrives", "it is not run, and a fresh one is", short=True)
def clock_behind(run):
    clock = Clock(run.folder, -3600)
    world, target = run.world(vps=clock.settings()), run.target()
    since = world.api.mark()
    world.api.say(OWNER, f"/ssh {target.name}", date=int(time.time()) - 1800)
    util.eventually(lambda: world.api.all_messages(OWNER, since), "the bot answers")
    need(not run.until(lambda: world.sessions(), 3), "a command half an hour old is run")
    return hears(run, world, 10, f"/ssh {target.name}")


@circumstance(PART, "the VPS's clock is 2 min ahead", "fresh commands are run", short=True)
def clock_ahead(run):
    clock = Clock(run.folder, 120)
    world, target = run.world(vps=clock.settings()), run.target()
    since = world.api.mark()
    found = hears(run, world, 10, f"/ssh {target.name}")
    expired = any("expired" in m.text for m in world.api.all_messages(OWNER, since))
    return Found(False, "every command has expired") if expired else found


@circumstance(PART, "the VPS's clock steps by an hour while a session is open", "`pamctl sessions` and the card count seconds, not an hour", short=True)
def clock_steps(run):
    clock = Clock(run.folder)
    world, target = run.world(vps={**clock.settings(), "ADMIT": "auto"}), run.target()
    session = Session(world, target)
    client = session.knock(USER)
    need(is_in(client), "not in")
    clock.set(3600)
    time.sleep(2)
    listed = agents.run("pamctl", "sessions", env={"STATE_DIR": world.state_dir, **clock.settings()}).stdout
    need("1 h" not in listed, "pamctl sessions says: for 1 h")
    need(echoes(client), "the session ended")
    client.close()
    world.close_all()
    need(run.until(lambda: session.card.says("ended"), 10), "the card does not say that it ended")
    need(not session.card.says("for 1 h"), "the card says that it took an hour")
    return Found(True, "seconds")


@circumstance(PART, "40 commands were sent during an outage, then a fresh one; the server takes 15 messages in 20 s",
              "one notice for the old ones, the fresh one is answered first", short=True)
def stale_commands(run):
    world = run.world(gateways=())
    heard_once(world)
    world.vps.stop()
    for number in range(40):
        world.api.say(OWNER, "/help", date=int(time.time()) - 600 + number)
    world.api.sends_in = (15, 20)
    since = world.api.mark()
    world.vps.start()
    done = answered(world, OWNER, "/ssh somewhere")
    fresh = lambda: any("expired" not in m.text for m in world.api.all_messages(OWNER, since)) or done()
    took = run.until(fresh, 60, patient=True)
    if took:
        time.sleep(5)   # what else comes
    notices = sum("expired" in m.text for m in world.api.all_messages(OWNER, since))
    need(took, f"no answer to the fresh one; {notices} notices")
    return Found(took < 12 * util.TIME_SCALE and 1 <= notices <= 2, f"answered after {took:.1f} s; {notices} notices", took)


def revoke(run):
    """Until --health, an object with its text and status, is as it is wanted."""
    world = run.world(gateways=())
    heard_once(world)
    world.api.wrong_token_is_expected = True
    world.api.token = "1:another"
    world.api.drop_connections()

    def waits_for(wanted, bound, what):
        last = []

        def look():
            last[:] = [agents.run("vps-agent", "--health", env=world.vps.settings)]
            return wanted(last[0])

        took = run.until(look, bound)
        need(took is not None, f"{what} within {bound} s: {last[0].stdout.strip()}")
        return Found(True, f"after {took:.1f} s: {last[0].stdout.strip()}", took)
    return waits_for


@circumstance(PART, "the bot's token is revoked while it runs", "`--health` says so", short=True)
def revoked(run):
    return revoke(run)(lambda health: "refuses" in health.stdout or "401" in health.stdout, 20, "--health does not say so")


@circumstance(PART, "the token stays revoked for more than two minutes", "`--health` fails")
def revoked_for_minutes(run):
    return revoke(run)(lambda health: health.returncode != 0, 150, "--health does not fail")


@circumstance(PART, "the server answers every sendDocument with 500", "other answers pass it, and one line says so within seconds", short=True)
def document_refused(run):
    world, target = run.world(), run.target()
    world.api.inject("sendDocument", Fault("status", 500, "Internal Server Error"), 1000)
    since = world.api.mark()
    world.api.say(OWNER, f"/rdp {target.name}")
    util.eventually(lambda: world.api.called("sendDocument"), "it is tried")
    found = hears(run, world, 10)
    need(found.ok, found.seen)
    said = run.until(lambda: any(m.says("file") or m.says("document") for m in world.api.all_messages(OWNER, since) if m.id), 30)
    need(said, f"{found.seen}, but nothing says that the file cannot be sent")
    return Found(True, f"{found.seen}; that the file cannot be sent is said after {said + found.seconds:.0f} s", found.seconds)


@circumstance(PART, "what answers in the place of the Bot API sends 64 MiB of something", "memory is bounded, and commands are answered afterwards", short=True)
def endless_answer(run):
    world = run.world(gateways=())
    heard_once(world)
    before = world.vps.rss_kb()
    world.api.inject("getUpdates", Fault("garbage", body=bytes(64 << 20)), 3)
    done = answered(world, OWNER, "/help")  # ends the poll that is under way
    need(run.until(done, 20), "not answered")
    util.eventually(lambda: not world.api._faults["getupdates"], "the answers are asked for", 20)
    most = (world.vps.rss_kb() - before) / 1024
    found = hears(run, world, 20)
    most = max(most, (world.vps.rss_kb() - before) / 1024)
    return Found(found.ok and most < 16, f"{found.seen}, {most:.1f} MiB more", found.seconds)


@circumstance(PART, "the server answers getUpdates at once, whatever timeout it is given", "it is asked once a second, not as fast as it can be", short=True)
def answers_at_once(run):
    world = run.world(gateways=())
    heard_once(world)
    world.api.polls_wait = False
    world.api.say(OWNER, "/help")
    time.sleep(2)
    before, cpu = len(world.api.called("getUpdates")), world.vps.cpu_seconds()
    time.sleep(5)
    rate = (len(world.api.called("getUpdates")) - before) / 5
    return Found(rate <= 3, f"{rate:.1f} times a second, {(world.vps.cpu_seconds() - cpu) * 20:.0f} % CPU")


def dead_listener(run, host, port, reset):
    """Takes connections, and is silent or resets at the first bytes. Returns how many came."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    run.stack.callback(listener.close)
    taken = []

    def end(client):
        with contextlib.suppress(OSError):
            client.recv(1)
        util.reset(client)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                taken.append(client)
                if reset:
                    threading.Thread(target=end, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return taken


def telegram_over_dead_v6(run, reset):
    Here().hosts("::1 dual.test\n127.0.0.1 dual.test\n")
    taken = []

    def url(world):
        taken.append(dead_listener(run, "::1", world.api.port, reset))
        return f"http://dual.test:{world.api.port}"

    world = run.world(gateways=(), vps={"TELEGRAM_API_URL": url}, wait_ready=False)

    def online():
        status = world.status()
        return status and status["telegram"] == "online"

    found = run.recovers(online, 60, "online", "not online")
    need(found.ok, f"{found.seen}; {len(taken[0])} tries over IPv6")
    need(hears(run, world, 45).ok, "online, but /help is not answered")
    return found


@circumstance(PART, "IPv6 to the Bot API connects and carries nothing, IPv4 works", "online over IPv4", short=True)
def telegram_v6_silent(run):
    return telegram_over_dead_v6(run, False)


@circumstance(PART, "IPv6 to the Bot API resets at the first bytes, IPv4 works", "online over IPv4", short=True)
def telegram_v6_resets(run):
    return telegram_over_dead_v6(run, True)


@circumstance(PART, "the server drops every other long poll, for a minute", "a few lines in the log, not two for each")
def trouble_comes_and_goes(run):
    world = run.world(gateways=(), vps={"LOG_LEVEL": "info"})
    heard_once(world)
    before, until = len(world.vps.log.splitlines()), time.monotonic() + 60
    for turn in itertools.count():
        if time.monotonic() > until:
            break
        world.api.inject("getUpdates", Fault("status", 502, "Bad Gateway"))
        done = answered(world, OWNER, "/help")  # ends the poll that works; the next one fails
        need(run.until(done, 20), "not answered")
        need(run.until(lambda: not world.api._faults["getupdates"], 20), "no more polls")
        time.sleep(2)
    lines = len(world.vps.log.splitlines()) - before
    return Found(lines <= 6, f"{turn} troubles, {lines} lines")
