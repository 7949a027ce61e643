# Shared by the scripts beside it: . "$(dirname "$0")/lib.sh"
# shellcheck shell=bash disable=SC2034 # used by those that read this

# What programs say and how lines are sorted must not depend on who calls.
export LC_ALL=C.UTF-8

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
# What begins with "usage:" is wrong usage, exit status 2.
die() {
    say "$*"
    [[ $* != usage:* ]] || exit 2
    exit 1
}

# What they call fails without a place for temporary files, in words of its own.
if [ -n "${TMPDIR-}" ] && { [ ! -d "$TMPDIR" ] || [ ! -w "$TMPDIR" ]; }; then
    say "nothing can be written to TMPDIR, $TMPDIR: /tmp takes its place"
    unset TMPDIR
fi

# Asked for help, a script prints its head and does nothing else; own_help=yes in those whose
# program has an answer of its own.
for argument; do
    case ${own_help-}$argument in
        -h | --help)
            sed -n '2,/^[^#]/{/^# shellcheck/d;s/^#$//p;s/^# //p}' "$0"
            exit 0
            ;;
    esac
done

# The mirror that this machine's apt has Debian itself from.
debian_mirror() {
    local uri
    # shellcheck disable=SC2016 # apt expands these
    uri=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN)/$(LABEL) $(CODENAME)' \
        'Created-By: Packages' | awk '$2 == "Debian/Debian" && $3 !~ /-/ { print $1; exit }')
    [ -n "$uri" ] || die "this machine's apt has no Debian mirror; has apt-get update been run?"
    echo "$uri"
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
