# Shared by the scripts beside it: . "$(dirname "$0")/lib.sh"
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# Two is also what a small CI machine has; JOBS=8 for a larger one.
jobs=${JOBS:-2}
