"""Names that nobody answers for, and name servers that come late."""

import pathlib
import time

import netns
import util
from agents import OWNER
from harness import Found, answered, circumstance, need
from places import Here

PART = "Look-ups"


def deaf_name_server(run):
    """All names but those in /etc/hosts are asked for in vain."""
    here = Here()
    here.hosts("127.0.0.1 home-pc\n")
    here.resolver("127.0.0.1")
    server = run.use(netns.NameServer(here))
    server.silent = True
    return server


@circumstance(PART, "two names are looked up and the name servers are silent; then one that stands in /etc/hosts",
              "it is reached at once", short=True)
def two_silent_names(run):
    deaf_name_server(run)
    world, target = run.world(), run.target()
    for name in ("a.lan", "b.lan"):
        world.api.say(OWNER, f"/ssh {name}:{target.port}")
    time.sleep(0.5)
    since = world.api.mark()
    reached = answered(world, OWNER, f"/ssh home-pc:{target.port}")
    took = run.until(lambda: reached() or refused(world, since), 20, patient=True)
    need(reached(), f"not reached after {took or 20:.1f} s: {' / '.join(refused(world, since))}")
    return Found(took < 4 * util.TIME_SCALE, f"reached after {took:.1f} s", took)


def refused(world, since):
    """What the user reads who asked for home-pc."""
    return [" ".join(m.text.split()) for m in world.api.all_messages(OWNER, since) if m.says("home-pc", "could not be opened")]


@circumstance(PART, "a name is looked up and the name servers are silent", "the user reads that the name servers do not answer, "
              "not that the machine is switched off", short=True)
def silent_name_servers(run):
    deaf_name_server(run)
    world = run.world()
    since = world.api.mark()
    world.api.say(OWNER, "/ssh a.lan:22")
    told = lambda: [m for m in world.api.all_messages(OWNER, since) if not m.button("close") and not m.says("opening")]
    took = run.until(told, 30)
    need(took, "no answer")
    text = " ".join(told()[0].text.split())
    return Found("name server" in text, f"“{text}”", took)


@circumstance(PART, "ten names are looked up in vain, and the VPS's own name after a lost connection", "the gateway logs in again", short=True)
def own_lookup_behind_others(run):
    here = Here()
    server = deaf_name_server(run)
    here.hosts("127.0.0.1 vps.test\n")
    world = run.world(gateway={"VPS_HOST": "vps.test"})
    target = run.target()
    for number in range(8):
        world.api.say(OWNER, f"/ssh name{number}.lan:{target.port}")
    util.eventually(lambda: len(server.asked) > 1, "names are asked for")
    world.vps.kill()
    world.vps.start()
    return run.recovers(lambda: (world.status() or {}).get("gateways"), 7, "back", "not back")


@circumstance(PART, "/etc/resolv.conf leads to a file that is not there when the gateway starts, and comes 4 s later (with the sandbox)",
              "names resolve without a restart", short=True)
def resolver_comes_late(run):
    here = Here()
    here.resolver("127.0.0.53")     # not the address that is asked where there is no resolv.conf
    run.use(netns.NameServer(here, "127.0.0.53")).answers["vps.test"] = "127.0.0.1"
    folder = run.folder / "later"
    folder.mkdir()
    link = pathlib.Path("/etc/resolv.conf")
    link.unlink()
    link.symlink_to(folder / "resolv.conf")
    world = run.world(gateway={"VPS_HOST": "vps.test"}, start_gateways=False)
    world.gateway.start()
    time.sleep(4)
    need(not world.status()["gateways"], "the circumstance did not come about: it is online without a name server")
    (folder / "resolv.conf").write_text("nameserver 127.0.0.53\n")
    return run.recovers(lambda: (world.status() or {}).get("gateways"), 60, "online", "not online")
