"""Power cuts, full disks, and two agents at one state."""

import os
import re
import sqlite3
import stat
import time

import agents
import places
import util
from agents import OWNER
from harness import Found, Missing, Session, answered, circumstance, echoes, is_in, need, preloaded
from places import USER

PART = "What lives on"


@circumstance(PART, "kill -9 while a session waits, one is connected and an .rdp file is in the chat; then a start", "the cards say that it is over, "
              "and have no buttons; the file is gone", short=True)
def cards_after_kill(run):
    world, target = run.world(vps={"ADMIT": "auto"}), run.target()
    waiting = world.ssh(target.name)
    session = Session(world, target)
    need(is_in(session.knock(USER)), "not in")
    document, card = world.rdp(target.name)
    cards = [waiting, session.card, card]
    time.sleep(1)   # what was said is on disk
    world.vps.kill()
    world.vps.start()
    world.ready(timeout=90)
    right = lambda: document.deleted and not any(m.buttons and not m.deleted for m in cards)
    took = run.until(right, 20)
    if took is None:
        wrong = [m for m in cards if m.buttons and not m.deleted]
        return Found(False, f"{len(wrong)} of 3 cards still have buttons, the file is {'gone' if document.deleted else 'there'}")
    return Found(True, f"right after {took:.1f} s: “{waiting.text.splitlines()[0]}”", took)


def small_disk(run, size="8m"):
    """A folder on a file system of its own, with room for the reserve."""
    folder = run.folder / "disk"
    folder.mkdir()
    places.run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder)
    state = folder / "state"
    state.mkdir(mode=0o700)
    return state


def fill(folder):
    """Returns what makes room again."""
    path = folder / "filler"
    with open(path, "wb", buffering=0) as out:
        try:
            while out.write(bytes(4096)):
                pass
        except OSError:
            pass
    return path.unlink


def world_at(run, state, **options):
    world = run.world(vps={"STATE_DIR": state, "RECONNECT_GRACE": 1, **options}, wait_ready=False)
    world.state_dir, world.pamctl = state, agents.Pamctl(state)
    world.ready(timeout=30)
    return world


def admitted(world, target, address):
    """A session of that address, admitted if asked about, which is over again. Whether it was asked about."""
    session = Session(world, target)
    client = session.knock(address)
    known = is_in(client, timeout=2)
    if not known:
        session.admit(address)
        need(is_in(client), "admitted, and still not in")
    client.close()
    world.wait_state(session.id, "ended", 20)
    return not known


@circumstance(PART, "STATE_DIR's disk is full, and has room again", "sessions go on as before, the log says it, and new ones are refused until "
              "there is room; what is admitted afterwards is kept", short=True)
def disk_full(run):
    state, target = small_disk(run), run.target()
    world = world_at(run, state)
    make_room = fill(state.parent)
    admitted(world, target, USER)
    need(run.until(answered(world, OWNER, "/help"), 15), "the bot does not answer")
    said = run.until(lambda: "space" in world.vps.log.lower() or "disk" in world.vps.log.lower(), 10)
    mark = world.api.mark()
    world.api.say(OWNER, f"/ssh {target.name}")
    refused = lambda: any(m.says("keeps a record of every session") for m in world.api.all_messages(OWNER, mark))
    need(run.until(refused, 10), "a new session is not refused with that reason")
    make_room()
    need(run.until(lambda: "can be written again" in world.vps.log, 15), "there is room, and it does not go on")
    admitted(world, target, "203.0.113.8")
    time.sleep(3)
    world.vps.kill()
    world.vps.start()
    world.ready(timeout=90)
    need(not admitted(world, target, "203.0.113.8"), "what was admitted with room on the disk is forgotten")
    return Found(bool(said), "sessions go on, " + ("the log says it" if said else "the log says nothing") + ", what came later is kept")


@circumstance(PART, "whatever is written to STATE_DIR's disk fails (EIO), and works again later", "sessions go on as before, the log says it; what is "
              "admitted afterwards is kept", short=True)
def disk_errors(run):
    broken, target = run.folder / "broken", run.target()
    world = run.world(vps={**preloaded(run.folder, "disk"), "FAULTS_DISK": broken, "RECONNECT_GRACE": 1, "AUDIT_FULL": "continue"})
    broken.write_text("yes")
    admitted(world, target, USER)
    need(run.until(answered(world, OWNER, "/help"), 15), "the bot does not answer")
    need(run.until(lambda: re.search("I/O error|write|disk", world.vps.log), 15), "the log says nothing")
    broken.unlink()
    admitted(world, target, "203.0.113.8")
    time.sleep(3)
    world.vps.kill()
    world.vps.start()
    world.ready(timeout=90)
    need(not admitted(world, target, "203.0.113.8"), "what was admitted when the disk worked again is forgotten")
    return Found(True, "sessions go on, the log says it, what came later is kept")


@circumstance(PART, "each fsync of STATE_DIR's disk takes 1 s, while an address is admitted and commands come",
              "bytes flow as before; pamctl and the bot answer when what happened is on the disk, some syncs later", short=True)
def slow_disk(run):
    target = run.target()
    world = run.world(vps={**preloaded(run.folder, "disk"), "FAULTS_SYNC_MS": 1000}, wait_ready=False)
    world.ready(timeout=90)
    session, slowest, answer = Session(world, target), 0, 0
    client = session.knock(USER)
    session.admit(USER, timeout=20)
    need(is_in(client, timeout=20), "admitted, and still not in")
    for _ in range(5):
        began, done = time.monotonic(), answered(world, OWNER, "/help")
        need(echoes(client), "the session's bytes do not flow")
        slowest = max(slowest, time.monotonic() - began)
        need(world.status(), "pamctl is not answered")
        need(run.until(done, 15), "a command is not answered")
        answer = max(answer, time.monotonic() - began)
    need(slowest < 1 * util.TIME_SCALE, f"an echo takes {slowest:.1f} s")
    return Found(True, f"an echo takes {slowest:.2f} s at most, an answer {answer:.1f} s")


@circumstance(PART, "the agent starts with a full disk", "it starts, or says in a line why not", short=True)
def start_with_full_disk(run):
    state = small_disk(run)
    fill(state.parent)
    world = run.world(vps={"STATE_DIR": state}, wait_ready=False, gateways=())
    world.state_dir, world.pamctl = state, agents.Pamctl(state)
    up = run.until(lambda: not world.vps.alive() or world.status(), 20)
    need(up, "neither up nor ended")
    if world.vps.alive():
        need(run.until(answered(world, OWNER, "/help"), 20), "up, but the bot does not answer")
        return Found(True, "it runs")
    world.vps.expected_to_live = False
    lines = [line for line in world.vps.log.splitlines() if " error " in line]
    return Found(len(lines) == 1, f"“{lines[0].partition(' error ')[2].strip()}”" if lines else "it ends without a word")


@circumstance(PART, "kill -9 ten times in a row, each time after an address was admitted", "the state is whole, and every address is still known")
def killed_ten_times(run):
    target = run.target()
    world = run.world(vps={"RECONNECT_GRACE": 1})
    addresses = [f"203.0.113.{10 + n}" for n in range(10)]
    for address in addresses:
        admitted(world, target, address)
        for daemon in (world.vps, world.gateway):   # the gateway, too: it would wait longer each time
            daemon.kill()
            daemon.start()
        world.ready(timeout=90)
    asked = sum(admitted(world, target, address) for address in addresses)
    need(not asked, f"{asked} of 10 addresses are asked about again")
    world.vps.kill()
    files = [p for p in world.state_dir.iterdir() if p.is_file() and p.read_bytes()[:15] == b"SQLite format 3"]
    for path in files:
        with sqlite3.connect(path) as db:
            need(db.execute("PRAGMA integrity_check").fetchone() == ("ok",), f"{path.name} is damaged")
    return Found(True, "none is asked about again; integrity_check: ok")


@circumstance(PART, "kill -9 at any moment while commands are sent, 20 times", "no command is run twice, the state is whole")
def killed_at_any_moment(run):
    world = run.world(gateways=(), vps={"ALLOWED_USERS": ",".join(map(str, [OWNER, *range(100, 120)]))})
    for number in range(20):
        world.api.say(100 + number, "/ssh somewhere")
        time.sleep(0.005 * number)
        world.vps.kill()
        world.vps.start()
    world.ready(timeout=90)
    need(run.until(answered(world, OWNER, "/help"), 20), "no answer afterwards")
    most = max(len(world.api.all_messages(100 + number, deleted=True)) for number in range(20))
    return Found(most <= 1, f"at most {most} answer to a command")


@circumstance(PART, "a second vps-agent is started with the same STATE_DIR", "it says so and ends; the first goes on", short=True)
def second_agent(run):
    world = run.world(gateways=())
    start = util.free_range(20)
    settings = {**world.vps.settings, "CONTROL_PORT": start, "PORT_RANGE_START": start + 1, "PORT_RANGE_END": start + 19}
    second = run.agent("vps-agent", settings, "second")
    ended = run.until(lambda: not second.alive(), 10)
    need(ended, "both run at one state")
    second.expected_to_live = False
    need(run.until(answered(world, OWNER, "/help"), 20), "the first does not answer any more")
    lines = [line for line in second.log.splitlines() if " error " in line]
    return Found(bool(lines) and second.process.returncode != 0, f"“{lines[0].partition(' error ')[2].strip()}”" if lines else "it ends without a word")


@circumstance(PART, "the state file is damaged", "the agent says so and starts, with an empty state beside the kept file; or ends with a line that names it", short=True)
def state_damaged(run):
    world = run.world(gateways=())
    world.api.wait_read(world.api.say(OWNER, "/help"))
    world.vps.stop()
    files = [p for p in world.state_dir.iterdir() if stat.S_ISREG(p.stat().st_mode) and p.stat().st_size]
    need(files, "there is no state")
    for path in files:
        path.write_bytes(os.urandom(8192))
    world.vps.start()
    need(run.until(lambda: not world.vps.alive() or world.status(), 20), "neither up nor ended")
    said = any(path.name in world.vps.log or "STATE_DIR" in world.vps.log for path in files)
    if not world.vps.alive():
        world.vps.expected_to_live = False
        return Found(said, "it ends with a line that names the file" if said else "it ends, and does not say why")
    need(run.until(answered(world, OWNER, "/help"), 20), "up, but the bot does not answer")
    return Found(True, "it runs on" + (", and says so" if said else ""))


@circumstance(PART, "--env-file of somebody else in a folder where everybody may write; root runs `--invite`", "refused before a secret goes into it",
              short=True)
def env_file_of_others(run):
    if places.one_user_only():
        raise Missing("root, to make a file of somebody else")
    folder = run.folder / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    run.folder.chmod(0o755)
    path = folder / "vps.env"
    path.write_text("")
    path.chmod(0o660)
    os.chown(path, 65534, 65534)
    result = agents.run("vps-agent", "--invite", "office", "--host", "vps.example", "--env-file", path, stdin=-3)
    if result.returncode == 2 and "--host" in result.stderr:
        result = agents.run("vps-agent", "--invite", "office", "--env-file", path, env={"VPS_HOST": "vps.example"}, stdin=-3)
    leaked = "TUNNEL_KEY" in path.read_text()
    need(not leaked, f"a file of uid {path.stat().st_uid} has the key")
    return Found(result.returncode != 0, f"“{(result.stderr or result.stdout).strip().splitlines()[-1]}”".replace(str(path), "vps.env"))
