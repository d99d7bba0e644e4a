# shellcheck shell=bash
# What the scripts beside this file share; sourced, never run.

# rustup and `cargo install` put programs here; a login shell has it on the path, a CI job may not.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
# Debian puts daemons there, and leaves it off the path of users.
PATH=$PATH:/usr/sbin

# Messages go to standard error: standard output is for results.
note() {
    printf '==> %s\n' "$*" >&2
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# ensure_packages COMMAND:PACKAGE...
# Installs the Debian package of every command that is not on the path; without root it says what to
# install and ends.
ensure_packages() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    ((${#missing[@]})) || return 0
    install_packages "${missing[@]}"
}

# install_packages PACKAGE...
install_packages() {
    ((EUID == 0)) || die "missing packages; install them and run this again:
    sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
    command -v apt-get >/dev/null || die "missing, and there is no apt-get to install them: $*"
    note "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2 || die "apt-get update failed; is the package mirror reachable?"
    apt-get install -q -y --no-install-recommends "$@" >&2 ||
        die "apt-get could not install $*; see its message above"
}

ensure_cargo() {
    command -v cargo >/dev/null || die "cargo is missing; install Rust 1.95 or later, see https://rustup.rs"
}
