# Shared by the scripts beside it: . "$(dirname "$0")/lib.sh"
# shellcheck shell=bash disable=SC2034 # used by those that read this

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# Two is also what a small CI machine has; JOBS=8 for a larger one.
jobs=${JOBS:-2}
