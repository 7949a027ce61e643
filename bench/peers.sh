#!/usr/bin/env bash
# peers.sh FOLDER: installs rathole, bore and frp into FOLDER/bin through their package managers,
# for the benchmark only. What cannot be installed is left out, with a line that says so.
set -euo pipefail

folder=$1
mkdir -p "$folder/bin"
export GOBIN=$folder/bin

# have PROGRAM...: they are there, installed before or by the administrator
have() {
    local program
    for program; do
        [ -x "$folder/bin/$program" ] || command -v "$program" >/dev/null || return 1
    done
}

try() { # NAME TOOL COMMAND...
    local name=$1 tool=$2
    shift 2
    if ! command -v "$tool" >/dev/null; then
        echo "bench: without $name: no $tool here to install it with" >&2
        return
    fi
    echo "bench: installing $name; this takes minutes" >&2
    "$@" >"$folder/$name.log" 2>&1 ||
        echo "bench: without $name: $tool could not install it, see $folder/$name.log" >&2
}

# Plain TCP is what is compared: without TLS and the like rathole needs no other libraries. Its lock
# file is from 2023 and does not compile any more, so it gets today's versions.
have rathole || try rathole cargo cargo install rathole@0.5.0 --no-default-features \
    --features server,client --root "$folder"
have bore || try bore cargo cargo install bore-cli@0.6.0 --locked --root "$folder"
# The last version before frp needed a fork of yamux, which "go install" refuses.
have frps frpc || try frp go go install github.com/fatedier/frp/cmd/frps@v0.51.3 \
    github.com/fatedier/frp/cmd/frpc@v0.51.3
