# Shared by the scripts beside it: . "$(dirname "$0")/lib.sh"
# shellcheck shell=bash disable=SC2034 # used by those that read this

# What programs say and how lines are sorted must not depend on who calls.
export LC_ALL=C.UTF-8

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# Two is also what a small CI machine has; JOBS=8 for a larger one.
jobs=${JOBS:-2}

# What is fetched and built once for all work trees.
cache=${PAMTUNNEL_CACHE:-${XDG_CACHE_HOME:-~/.cache}/pamtunnel}
make_cache() {
    # Meson takes no libraries from there.
    [[ $cache/ != "$root"/* ]] || die "$cache is in the work tree: PAMTUNNEL_CACHE names another folder"
    { mkdir -p "$cache" && [ -w "$cache" ]; } 2>/dev/null ||
        die "cannot write to $cache: PAMTUNNEL_CACHE names another folder"
}
