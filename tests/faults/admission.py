"""Strangers, neighbours and the user at a session's public port."""

import contextlib
import subprocess
import time

import peers
import places
import sshd as openssh
import util
from agents import FRIEND, OWNER
from harness import PLAIN, Clock, Found, Missing, RdpSession, Session, circumstance, echoes, is_in, need
from places import USER, USER6, USER6_LATER, stranger

PART = "Admission"
ASKED = 10      # seconds in which the user has to be asked about


def visit(session, address, count=1):
    """Comes with a greeting and hangs up at once."""
    for _ in range(count):
        with contextlib.suppress(OSError), session.knock(address):
            time.sleep(0.05)


def user_gets_in(run, session, address):
    """The user comes for the first time, again if closed, and presses Admit."""
    began = time.monotonic()
    client = session.knock(address)
    took = run.until(lambda: session.question(address), ASKED)
    if not took:
        waits = address in session.parked()
        need(waits, "the user is " + ("not asked about" if util.is_open(client) else "closed without a word"))
        session.world.pamctl("admit", session.id, address)
        return Found(is_in(client), "nobody is asked; pamctl admits the user", time.monotonic() - began)
    session.admit(address)
    need(is_in(client), "admitted, and still not in")
    return Found(True, f"the user is asked about after {took:.1f} s and gets in; "
                 f"{len(session.questions()) - 1} questions about strangers", took)


def knocked_out(run, addresses, user):
    session = Session(run.world(), run.target())
    for address in addresses:
        visit(session, address, 3)
    return user_gets_in(run, session, user)


@circumstance(PART, "30 connections from ten addresses, each hung up at once; then the user from a new address",
              "the user is asked about", short=True)
def knocks_v4(run):
    return knocked_out(run, [stranger(n) for n in range(10)], USER)


@circumstance(PART, "the same from ten /64 of one IPv6 /60", "the user is asked about", short=True)
def knocks_v6(run):
    return knocked_out(run, [f"2001:db8:77:{n:x}::9" for n in range(10)], USER6)


@circumstance(PART, "300 strangers of 100 networks come and stay, one after the other; then the user",
              "a few questions, one notice that strangers are knocking, and the user can still be admitted")
def knocks_for_minutes(run):
    session = Session(run.world(), run.target())
    crowd = []
    for number in range(300):
        with contextlib.suppress(OSError):
            crowd.append(session.knock(stranger(number % 100)))
        time.sleep(0.1)
    asked = len(session.questions())
    need(asked <= 60, f"{asked} questions in 30 s")
    notices = [m for m in session.world.api.all_messages(OWNER, session.since) if m.says("unknown client")]
    began = time.monotonic()
    client = session.knock(USER)

    def admitted():
        nonlocal client
        if not util.is_open(client):
            client = session.knock(USER)
        if USER in session.parked():
            return session.world.pamctl("admit", session.id, USER).returncode == 0
        return False

    need(run.until(admitted, 75), f"the user cannot be admitted ({asked} questions about strangers)")
    took = time.monotonic() - began
    need(is_in(client), "admitted, and still not in")
    need(len(notices) == 1, f"{len(notices)} notices that strangers are knocking")
    return Found(True, f"{asked} questions; “{' '.join(notices[0].text.split())}”; the user waits and is admitted after {took:.1f} s", took)


def crowded_out(run, addresses, user):
    """Strangers come and stay. Then the user, again if closed, until pamctl can admit."""
    session = Session(run.world(), run.target())
    crowd = []
    for address in addresses:
        with contextlib.suppress(OSError):
            crowd.append(session.knock(address))
    run.until(lambda: session.parked(), 5)
    began, state = time.monotonic(), {"client": session.knock(user)}

    def waits():
        if not util.is_open(state["client"]):
            with contextlib.suppress(OSError):
                state["client"] = session.knock(user)
            time.sleep(0.3)
        return user in session.parked()

    took = run.until(waits, 80)
    need(took is not None, "the user gets no place")
    session.world.pamctl("admit", session.id, user)
    need(is_in(state["client"]), "admitted, and still not in")
    took = time.monotonic() - began
    return Found(True, f"the user has a place and is in after {took:.1f} s", took)


@circumstance(PART, "200 strangers of one /24 come and stay; then a user from another network", "the user can be admitted", short=True)
def crowd_of_one_network(run):
    return crowded_out(run, [f"198.18.5.{n}" for n in range(1, 201)], USER)


@circumstance(PART, "120 strangers of 120 networks come and stay; then the user", "the user can be admitted, within about the minute for which a place is kept")
def crowd_of_many_networks(run):
    return crowded_out(run, [stranger(n) for n in range(120)], USER)


@circumstance(PART, "50 strangers of the user's own /24 (a mobile carrier) come and stay; then the user", "the user can be admitted, within about the "
              "minute for which a place is kept")
def crowd_of_the_same_network(run):
    return crowded_out(run, [f"203.0.113.{n}" for n in range(100, 150)], USER)


@circumstance(PART, "100 strangers of 50 networks at somebody else's session", "a user at another session is asked about all the same", short=True)
def crowd_elsewhere(run):
    world, target = run.world(), run.target()
    elsewhere, crowd = Session(world, target, FRIEND), []
    for number in range(100):
        with contextlib.suppress(OSError):
            crowd.append(elsewhere.knock(stranger(number % 50)))
    return user_gets_in(run, Session(world, target), USER)


@circumstance(PART, "the user waits to be admitted; forty strangers come, four of them within 40 ms; Admit after 5 s",
              "who waits keeps the place, and is in", short=True)
def pushed_out(run):
    session = Session(run.world(), run.target())
    client = session.knock(USER)
    need(run.until(lambda: session.question(USER), ASKED), "nobody asks about the user")
    crowd = []
    for number in range(40):
        with contextlib.suppress(OSError):
            crowd.append(session.knock(stranger(number)))
    began = time.monotonic()
    while time.monotonic() < began + 5:
        need(util.is_open(client), f"the user is closed after {time.monotonic() - began:.2f} s")
        time.sleep(0.02)
    need(session.question(USER), "the question is withdrawn")
    session.admit(USER)
    need(is_in(client), "the user is not in after Admit")
    return Found(True, "the user is in")


@circumstance(PART, "the user waits; a neighbour comes from the same address (NAT)",
              "the first keeps the place and is the one who gets in; the question says that there are two",
              short=True)
def same_address(run):
    target = run.target()
    session = Session(run.world(), target)
    client = session.knock(USER)
    need(run.until(lambda: session.question(USER), ASKED), "nobody asks about the user")
    neighbour = session.knock(USER, b"SSH-2.0-neighbour\r\n")
    need(not run.until(lambda: not util.is_open(client), 2), "the neighbour takes the place, unseen")
    two = run.until(lambda: any(m.says("two") or m.says("2 ") for m in session.world.api.all_messages(OWNER, session.since)
                                if m.says(USER)), 5)
    session.admit(USER)
    need(is_in(client), "the user is not in after Admit")
    need(target.talked[0].data.startswith(peers.BANNER), "the neighbour got in first")
    neighbour.close()
    need(two, "the first gets in, but the question does not say that there are two")
    return Found(True, "the first gets in; the question says that there are two")


def let_in_once(run, session, address):
    client = session.knock(address)
    session.admit(address)
    need(is_in(client), "admitted, and still not in")
    return client


@circumstance(PART, "an address that was admitted comes again after a restart of vps-agent", "it is in without a question",
              short=True)
def known_after_restart(run):
    world, target = run.world(vps={"RECONNECT_GRACE": 1}), run.target()
    session = Session(world, target)
    let_in_once(run, session, USER).close()
    world.wait_state(session.id, "ended", 20)
    world.restart()
    session = Session(world, target)
    client = session.knock(USER)
    if is_in(client):
        return Found(True, "in without a question", 0)
    return Found(False, "asked about again" if session.question(USER) else "not in")


@circumstance(PART, "a stranger is admitted by mistake, and Close is pressed at once", "the address is forgotten: it is asked about the next time",
              short=True)
def close_forgets(run):
    world, target = run.world(), run.target()
    session = Session(world, target)
    client = let_in_once(run, session, USER)
    world.api.tap(OWNER, session.card, "close")
    world.wait_state(session.id, "ended")
    session = Session(world, target)
    client = session.knock(USER)
    need(not is_in(client, timeout=3), "the stranger is in the next session without a question")
    need(session.question(USER), "neither in nor asked about")
    return Found(True, "asked about again")


@circumstance(PART, "an address was admitted, and 31 days pass (KNOWN_DAYS=30)",
              "the address is asked about the next time", short=True)
def known_expires(run):
    clock = Clock(run.folder)
    world, target = run.world(vps={"RECONNECT_GRACE": 1, **clock.settings()}), run.target()
    session = Session(world, target)
    let_in_once(run, session, USER).close()
    world.wait_state(session.id, "ended", 20)
    time.sleep(2)
    clock.set(31 * 86400)
    session = Session(world, target)
    client = session.knock(USER)
    need(not is_in(client, timeout=2), "in after 31 days without a question")
    need(session.question(USER), "neither in nor asked about")
    return Found(True, "asked about after 31 days, without a restart")


@circumstance(PART, "`pamctl known` and `pamctl forget ADDRESS`", "the address is shown, and asked about after that", short=True)
def known_and_forget(run):
    world, target = run.world(vps={"RECONNECT_GRACE": 1}), run.target()
    session = Session(world, target)
    let_in_once(run, session, USER).close()
    world.wait_state(session.id, "ended", 20)
    need(USER in world.pamctl("known").stdout, "pamctl known does not show it")
    need(world.pamctl("forget", USER).returncode == 0, "pamctl forget fails")
    session = Session(world, target)
    client = session.knock(USER)
    need(not is_in(client, timeout=2), "in without a question although forgotten")
    return Found(bool(session.question(USER)), "shown, forgotten, asked about again")


@circumstance(PART, "`pamctl admit ID` without an address while one client waits", "it is refused: the one who waits may be a stranger",
              short=True)
def admit_takes_an_address(run):
    session = Session(run.world(), run.target())
    client = session.knock(stranger(1))
    need(run.until(lambda: session.parked(), 10), "nobody waits")
    need(session.world.pamctl("admit", session.id).returncode != 0, "it admits whoever waits")
    need(util.is_open(client) and session.parked(), "who waits is sent off")
    return Found(True, "refused, and who waits goes on waiting")


@circumstance(PART, "an address had the secret of an .rdp file; then SSH from there", "it is asked about: nobody admitted it",
              short=True)
def secret_is_not_admission(run):
    world, target = run.world(), run.target()
    session = RdpSession(world, target)
    client = session.knock(USER)
    need(is_in(client, PLAIN), "the secret does not let in")
    client.close()
    world.close_all()
    session = Session(world, target)
    client = session.knock(USER)
    need(not is_in(client, timeout=3), "in by SSH without a question")
    return Found(bool(session.question(USER)), "asked about")


# ---------------------------------------------------------------- one session, several connections

@circumstance(PART, "nine SSH connections of the admitted user to one session", "eight are relayed, the ninth is closed; when one ends, the next is in",
              short=True)
def nine_connections(run):
    target = run.target()
    session = Session(run.world(), target)
    clients = [let_in_once(run, session, USER)]
    for number in range(2, 9):
        try:
            clients.append(session.knock(USER))
        except OSError as error:
            return Found(False, f"connection {number}: {error.strerror}")
        need(is_in(clients[-1]), f"connection {number} is not in")
    ninth = session.knock(USER)
    need(run.until(lambda: not util.is_open(ninth), 10), "the ninth is not closed")
    need(all(echoes(client) for client in clients), "not all eight are relayed")
    clients.pop().close()

    def another():
        with contextlib.suppress(OSError):
            return is_in(session.knock(USER), timeout=1)
        return False

    need(run.until(another, 15), "no new one gets in after one of eight has ended")
    return Found(True, "eight relayed, the ninth closed, a new one in when one ended")


@circumstance(PART, "a login fails (the target hangs up); the user tries again within 30 s", "in, without a question", short=True)
def second_try(run):
    target = run.use(peers.Recorder(on_connect=lambda c: (c.socket.recv(100), c.socket.sendall(peers.BANNER), c.socket.close())))
    session = Session(run.world(), target)
    let_in_once(run, session, USER)
    time.sleep(2)
    try:
        again = session.knock(USER)
    except OSError as error:
        return Found(False, f"the second try: {error.strerror}")
    need(is_in(again), "the second try is not let in")
    return Found(True, "the second try is in")


@circumstance(PART, "real programs with one session: ssh, then scp, then four ssh at once", "all of them work", short=True)
def ssh_then_scp(run):
    if places.one_user_only():
        raise Missing("root, for sshd")
    server = run.use(openssh.Sshd())
    world = run.world(vps={"ADMIT": "auto"})
    command = world.ssh(f"{openssh.USER}@{server.name}").code[0]
    config = server.client_config(server.host)
    need(openssh.ssh(command, config, "echo", "one").stdout == b"one\n", "ssh does not work")
    source = openssh.random_file(run.folder / "source", 1)
    result = openssh.scp(command, config, [source], f"REMOTE:{run.folder}/copy")
    need(result.returncode == 0, "scp after ssh: " + result.stderr.decode(errors="replace").strip())
    argv = [*openssh.with_config(command, config), "echo", "again"]
    four = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for _ in range(4)]
    good = sum(process.communicate(timeout=60)[0] == b"again\n" for process in four)
    return Found(good == 4, f"ssh, scp and {good} of four at once work")


@circumstance(PART, "400 connections with the .rdp file's secret", "a few at once (the newest), descriptors are bounded", short=True)
def many_rdp(run):
    world, target = run.world(), run.target()
    session = RdpSession(world, target)
    before = len(world.vps.descriptors())
    clients = []
    for _ in range(400):
        with contextlib.suppress(OSError):
            clients.append(session.knock(USER))
            is_in(clients[-1], PLAIN, 2)
    alive = [client for client in clients if echoes(client)]
    more = len(world.vps.descriptors()) - before
    need(len(alive) <= 8 and more < 100, f"{len(alive)} relayed at once, {more} descriptors more")
    newest = session.knock(USER)
    need(is_in(newest, PLAIN, 10), "a new one is not let in")
    return Found(True, f"{len(alive)} relayed at once, {more} descriptors more; a new one is in")


@circumstance(PART, "a stranger comes while a session is connected, and in the 30 s after", "closed, the target sees nothing, the log has a line", short=True)
def stranger_meanwhile(run):
    world, target = run.world(vps={"LOG_LEVEL": "info"}), run.target()
    session = Session(world, target)
    client = let_in_once(run, session, USER)
    for address in (stranger(7), stranger(8)):
        try:
            other = session.knock(address)
        except OSError:
            return Found(False, "the port is closed, to the user's next connection too")
        need(run.until(lambda other=other: not util.is_open(other), 10), "the stranger is not closed")
        need(len(target.talked) == 1, "the stranger reached the target")
        need(run.until(lambda address=address: address in world.vps.log, 5), "no line in the log")
        if address == stranger(7):
            need(echoes(client), "the user's connection broke")
            client.close()
    need(is_in(session.knock(USER)), "the user cannot come back")
    return Found(True, "closed and logged; the user comes back")


@circumstance(PART, "RECONNECT_GRACE=0 and MAX_CONNECTIONS=1", "one connection; every port is closed the moment it ends", short=True)
def strict_session(run):
    world = run.world(vps={"RECONNECT_GRACE": 0, "MAX_CONNECTIONS": 1})
    session = Session(world, run.target())
    data_port = world.session(session.id)["data_port"]
    client = let_in_once(run, session, USER)
    with contextlib.suppress(OSError):
        second = session.knock(USER)
        need(run.until(lambda: not util.is_open(second), 10), "a second one is not closed")
    need(echoes(client), "the one connection broke")
    client.close()
    took = run.until(lambda: not peers.listening(session.port) and not peers.listening(data_port), 5)
    return Found(took is not None, f"both ports are closed {took:.2f} s after the end" if took is not None else "a port stays open", took)


@circumstance(PART, "an RDP client loses its connection and comes back from another address of its /64", "in, with the right secret",
              short=True)
def temporary_address(run):
    world, target = run.world(), run.target()
    session = RdpSession(world, target)
    client = session.knock(USER6)
    need(is_in(client, PLAIN), "the first connection is not in")
    util.reset(client)
    began = time.monotonic()
    for attempt in range(3):
        time.sleep(1)
        with contextlib.suppress(OSError):
            if is_in(session.knock(USER6_LATER), PLAIN, 3):
                took = time.monotonic() - began
                return Found(True, f"in at try {attempt + 1}, after {took:.1f} s", took)
    return Found(False, "closed each time, in silence")


@circumstance(PART, "with the right secret, but from another network (Wi-Fi to mobile)", "turned away, with a line in log and chat", short=True)
def another_network(run):
    world, target = run.world(vps={"LOG_LEVEL": "info"}), run.target()
    session = RdpSession(world, target)
    client = session.knock(USER)
    need(is_in(client, PLAIN), "the first connection is not in")
    util.reset(client)
    other = session.knock(stranger(3))
    need(not is_in(other, PLAIN, 3), "another network is let in by the clear-text secret alone")
    need(run.until(lambda: stranger(3) in world.vps.log, 5), "turned away without a line in the log")
    need(run.until(lambda: any(m.says(stranger(3)) for m in world.api.all_messages(OWNER)), 10), "logged, but the chat is not told")
    return Found(True, "turned away, said in log and chat")
