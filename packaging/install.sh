#!/bin/sh
# Installs an agent from the unpacked archive of a release: programs, man pages, completions, the user
# pamtunnel, a service, and a place for the settings. As root, and again to upgrade.
#   install.sh vps                     on the server: vps-agent and pamctl
#   install.sh gateway                 in the LAN: gateway-agent
#   install.sh vps|gateway --uninstall takes away what it installed; settings and state stay
# The service is systemd's, OpenRC's or OpenWrt's, by what the machine has. It is enabled, and started
# by you when it has its settings; one that runs keeps running until you restart it. Settings stay as they are.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
etc=/etc/pamtunnel
home=/var/lib/pamtunnel # of the user

say() { echo "install.sh: $*"; }
die() {
    say "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# --- what goes where: mode, file in the archive, path -----------------------------------------------

files_of() { # vps|gateway
    case $1 in
        vps) programs="vps-agent pamctl" ;;
        gateway) programs=gateway-agent ;;
    esac
    for program in $programs; do
        echo "755 bin/$program /usr/bin/$program"
        for page in "$program.1" "$program.8"; do
            [ ! -e "$here/man/$page" ] || echo "644 man/$page /usr/share/man/man${page##*.}/$page"
        done
        completion "bash/$program" /usr/share/bash-completion/completions
        completion "zsh/_$program" /usr/local/share/zsh/site-functions
        completion "fish/$program.fish" /usr/share/fish/vendor_completions.d
    done
    # Off until they are copied to /etc. OpenWrt has a package for that.
    [ "$manager" = procd ] || for file in sysctl.d/90-pamtunnel-bbr.conf modules-load.d/pamtunnel-bbr.conf; do
        echo "644 bbr/$file /usr/share/pamtunnel-$1/bbr/$file"
    done
    [ "$1" != vps ] || for file in env/policy.yaml.example prometheus/pamtunnel.rules.yml grafana/pamtunnel.json; do
        echo "644 $file /usr/share/pamtunnel-vps/${file#env/}"
    done
    case $manager in
        systemd)
            echo "644 systemd/pamtunnel-$1.service /usr/lib/systemd/system/pamtunnel-$1.service"
            echo "644 sysusers/pamtunnel.conf /usr/lib/sysusers.d/pamtunnel.conf"
            ;;
        openrc)
            echo "755 openrc/pamtunnel-$1 /etc/init.d/pamtunnel-$1"
            echo "644 logrotate/pamtunnel /etc/logrotate.d/pamtunnel"
            ;;
        procd) echo "755 openwrt/pamtunnel-$1 /etc/init.d/pamtunnel-$1" ;;
    esac
}

completion() { # FILE FOLDER
    [ ! -e "$here/completions/$1" ] || echo "644 completions/$1 $2/${1##*/}"
}

# Beside it and renamed, so that a program may be running.
put() { # MODE FILE PATH
    mkdir -p "${3%/*}"
    cp "$here/$2" "$3.new"
    chmod "$1" "$3.new"
    chown 0:0 "$3.new"
    mv -f "$3.new" "$3"
}

# --- the user, the settings -------------------------------------------------------------------------

make_user() {
    ! id pamtunnel >/dev/null 2>&1 || return 0
    say "creating the user pamtunnel"
    if have systemd-sysusers; then
        systemd-sysusers "$here/sysusers/pamtunnel.conf"
    elif have useradd; then
        useradd --system --user-group --home-dir $home --no-create-home --shell /sbin/nologin pamtunnel
    elif have adduser && have addgroup; then # busybox
        addgroup -S pamtunnel
        adduser -S -D -H -h $home -s /sbin/nologin -G pamtunnel pamtunnel
    else # OpenWrt
        echo 'pamtunnel:x:390:' >>/etc/group
        echo "pamtunnel:x:390:390:pamtunnel:$home:/bin/false" >>/etc/passwd
    fi
    id pamtunnel >/dev/null || die "cannot create the user pamtunnel"
}

make_settings() {
    settings=$etc/$agent.env
    if [ ! -d $etc ]; then
        mkdir -m 750 $etc
        chown root:pamtunnel $etc
    fi
    if [ -e "$settings" ] || [ -L "$settings" ]; then return; fi
    (umask 077 && cp "$here/env/$agent.env.example" "$settings")
    # There /var is in memory. In the settings, so that --doctor looks where the service does.
    [ "$manager" != procd ] || printf '\nSTATE_DIR=%s\n' "$state" >>"$settings"
    chown root:pamtunnel "$settings"
    chmod 640 "$settings"
}

# A gateway has one for the key that pairing comes to.
state_folder() {
    case $manager:$side in
        procd:*) echo $etc/state ;; # as in its script
        *:vps) echo /var/lib/pamtunnel ;;
        *) echo /var/lib/pamtunnel-gateway ;;
    esac
}

make_state() {
    mkdir -p "$state"
    chown pamtunnel:pamtunnel "$state"
    chmod 700 "$state"
}

# --- the service ------------------------------------------------------------------------------------

service_manager() {
    if [ -d /run/systemd/system ]; then
        echo systemd
    elif [ -e /etc/rc.common ]; then
        echo procd
    elif have openrc-run; then
        echo openrc
    elif have systemctl; then # not running here, as when an image is made
        echo systemd
    fi
}

enable_service() {
    case $manager in
        systemd)
            [ ! -d /run/systemd/system ] || systemctl daemon-reload
            systemctl --quiet enable "$service"
            ;;
        openrc) rc-update --quiet add "$service" default ;;
        procd) "/etc/init.d/$service" enable ;;
    esac
}

stop_service() {
    case $manager in
        systemd)
            [ ! -d /run/systemd/system ] || systemctl --quiet stop "$service" || true
            systemctl --quiet disable "$service" || true
            ;;
        openrc)
            rc-service --ifexists "$service" stop || true
            rc-update --quiet delete "$service" default || true
            ;;
        procd)
            [ ! -e "/etc/init.d/$service" ] || {
                "/etc/init.d/$service" stop || true
                "/etc/init.d/$service" disable || true
            }
            ;;
    esac
}

is_running() {
    case $manager in
        systemd) systemctl --quiet is-active "$service" 2>/dev/null ;;
        openrc) rc-service "$service" status >/dev/null 2>&1 ;;
        procd) "/etc/init.d/$service" running 2>/dev/null ;;
        *) return 1 ;;
    esac
}

restart_command() {
    case $manager in
        systemd) echo "sudo systemctl restart $service" ;;
        openrc) echo "sudo /etc/init.d/$service restart" ;;
        procd) echo "/etc/init.d/$service restart" ;;
        *) echo "sudo -u pamtunnel $agent --env-file $etc/$agent.env" ;;
    esac
}

# --- the two things to do ---------------------------------------------------------------------------

install_it() {
    [ ! -e "/var/lib/dpkg/info/pamtunnel-$side.list" ] ||
        die "the package pamtunnel-$side is installed: upgrade that, or apt remove it first"
    "$here/bin/$agent" --version >/dev/null ||
        die "$here/bin/$agent does not run here: take the archive for $(uname -m); those with musl need no C library"
    [ "$manager:$side" != procd:vps ] || die "there is no service for vps-agent under OpenWrt"
    running=no
    ! is_running || running=yes
    files_of "$side" | while read -r mode file path; do put "$mode" "$file" "$path"; done
    make_user
    make_settings
    make_state
    enable_service
    say "installed $("/usr/bin/$agent" --version)"
    [ -n "$manager" ] || say "there is no systemd, OpenRC or procd here: start it with what you have"
    if [ $running = yes ]; then
        say "the old version keeps running, so that no session ends. To switch to the new version:"
        [ "$side" = gateway ] || echo "    sudo pamctl drain --wait"
    elif [ "$side" = vps ]; then
        say "next, set it up and start it:"
        echo "    sudo vps-agent --setup"
    else
        say "next, with the name or address of the server, where the bot then asks about it:"
        echo "    sudo gateway-agent --join HOST"
        say "(or, with a join string from there: sudo gateway-agent --join -)"
    fi
    echo "    $(restart_command)"
}

# Folders of our own, from the inside out; settings and state are elsewhere.
remove_empty() { # FOLDER
    folder=$1
    while :; do
        case $folder in /usr/*pamtunnel*) ;; *) return 0 ;; esac
        rmdir "$folder" 2>/dev/null || return 0
        folder=${folder%/*}
    done
}

uninstall_it() {
    other=gateway
    [ "$side" = vps ] || other=vps
    [ ! -e "/var/lib/dpkg/info/pamtunnel-$side.list" ] ||
        die "the package pamtunnel-$side is installed: apt remove removes it"
    [ -e "/usr/bin/$agent" ] || die "$agent is not installed here"
    stop_service
    files_of "$side" | while read -r _ _ path; do
        # What both sides have stays for the other.
        if [ -e /usr/bin/$other-agent ] && files_of $other | grep -q " $path\$"; then continue; fi
        rm -f "$path"
        remove_empty "${path%/*}"
    done
    [ "$manager" != systemd ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload
    say "removed $agent; settings in $etc, state in $state and the user pamtunnel are still there"
}

usage() {
    sed -n '2,/^[^#]/s/^# //p' "$0"
}

wrong() {
    say "$*" >&2
    usage >&2
    exit 2
}

side="" action=install_it
for argument; do
    case $argument in
        vps | gateway)
            [ -z "$side" ] || wrong "one after the other: vps, or gateway"
            side=$argument
            ;;
        --uninstall) action=uninstall_it ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) wrong "unknown: $argument" ;;
    esac
done
[ -n "$side" ] || wrong "say what this machine is: vps, or gateway"
agent=$side-agent service=pamtunnel-$side
[ "$(id -u)" = 0 ] || die "this has to run as root: sudo $0 $*"
manager=$(service_manager)
state=$(state_folder)
$action
