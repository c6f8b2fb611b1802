#!/usr/bin/env bash
# Passes all tests on a fresh machine: installs what they need where it may, says so where it may not, then formatting,
# lints, tests, instructions of the data path, the Helm chart, the Debian package (as root) and, where cargo-deny is
# there, licences, sources and advisories (these with cargo-audit, too). Stops at the first failure.
#
#   scripts/test.sh              everything
#   scripts/test.sh --no-install with what the machine has
#
# SERIESGATE_REQUIRE_REAL=1 (set here once Prometheus and VictoriaMetrics are there) makes tests that need them
# fail instead of saying that they did not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

install=yes
for argument in "$@"; do
    case $argument in
        --no-install) install=no ;;
        -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "unknown argument: $argument (there is only --no-install)" >&2; exit 2 ;;
    esac
done

summary=()
counted=''
is_over=no
current='preparing'
packages_dir=''
on_exit() {
    local code=$?
    [[ -z $packages_dir ]] || rm -rf "$packages_dir"
    echo
    echo '=== summary'
    ((${#summary[@]} == 0)) || printf '%s\n' "${summary[@]}"
    # a script that is ended by a signal has no code of its own
    if [[ $is_over == yes ]]; then echo 'PASSED'; else echo "FAILED ($code): $current"; fi
    [[ -z $counted ]] || printf '\n%s\n' "$counted"
}
trap on_exit EXIT

loudly() { printf '\n!!! %s\n\n' "$*" >&2; }
have() { command -v "$1" > /dev/null 2>&1; }

step() { # NAME COMMAND...
    current=$1
    shift
    echo
    echo "=== $current: $*"
    local start=$SECONDS
    "$@"
    summary+=("ran      $current ($((SECONDS - start)) s)")
}

skip() { # NAME WHY
    loudly "SKIPPED $1: $2"
    summary+=("skipped  $1: $2")
}

step_that_may_skip() { # NAME WHY COMMAND...: one that ends with 77 where it says nothing here, and why that is
    local name=$1 why=$2 start=$SECONDS code=0
    shift 2
    current=$name
    echo
    echo "=== $name: $*"
    "$@" || code=$?
    case $code in
        0) summary+=("ran      $name ($((SECONDS - start)) s)") ;;
        77) skip "$name" "$why" ;;
        *) exit "$code" ;;
    esac
}

# --- what the tests need from the system

missing_packages() {
    have cc || echo gcc libc6-dev
    have make || echo make
    have pkg-config || echo pkg-config
    have curl || echo curl ca-certificates
    have prometheus || echo prometheus
    { have victoria-metrics && have vmagent; } || echo victoria-metrics
    have valgrind || echo valgrind
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# Debian's packages start what they install. policy-rc.d forbids it, for as long as we install; a policy that
# is there already stays as it is.
policy=/usr/sbin/policy-rc.d
allow_services() { as_root rm -f "$policy"; }

install_packages() {
    local ours=no code=0
    if [[ ! -e $policy ]]; then
        ours=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" > /dev/null
        as_root chmod 755 "$policy"
    fi
    {
        as_root apt-get -qq update &&
            as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get -qq install -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" > /dev/null
    } || code=$?
    [[ $ours == no ]] || allow_services
    return "$code"
}

mapfile -t packages < <(missing_packages | tr ' ' '\n')
if ((${#packages[@]} > 0)); then
    if [[ $install == no ]]; then
        loudly "not installed, as asked: ${packages[*]}"
    elif ! have apt-get; then
        loudly "cannot install ${packages[*]}: there is no apt-get here. Install them by hand."
    elif ((EUID != 0)) && ! { have sudo && sudo -n true 2> /dev/null; }; then
        loudly "cannot install ${packages[*]}: not root, and sudo is not there or wants a password."
    else
        echo "installing ${packages[*]}"
        if ! install_packages "${packages[@]}"; then
            loudly "apt-get could not install ${packages[*]}."
        fi
        hash -r
    fi
fi

# --- the Rust tools

if [[ -e $HOME/.cargo/env ]] && ! have cargo; then
    # shellcheck source=/dev/null
    . "$HOME/.cargo/env"
fi
if ! have cargo; then
    if [[ $install == yes ]] && have curl; then
        echo 'installing Rust with rustup'
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c rustfmt,clippy
        # shellcheck source=/dev/null
        . "$HOME/.cargo/env"
    else
        current='finding cargo'
        loudly 'there is no cargo: install Rust (https://rustup.rs)'
        exit 1
    fi
fi
# the compiler must be at least the one Cargo.toml names
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
found=$(rustc --version | cut -d ' ' -f 2)
if [[ $(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1) != "$wanted" ]]; then
    if [[ $install == yes ]] && have rustup; then
        echo "rustc $found is older than $wanted: installing the stable toolchain"
        rustup -q toolchain install stable --profile minimal -c rustfmt,clippy
        export RUSTUP_TOOLCHAIN=stable
    else
        current='finding a compiler'
        loudly "rustc $found is older than $wanted, which Cargo.toml asks for"
        exit 1
    fi
fi
if [[ $install == yes ]] && have rustup; then
    cargo fmt --version > /dev/null 2>&1 || rustup -q component add rustfmt
    cargo clippy --version > /dev/null 2>&1 || rustup -q component add clippy
fi

# --- what there is

echo '=== versions'
rustc --version
cargo --version
cargo fmt --version
cargo clippy --version
if have prometheus && have victoria-metrics && have vmagent; then
    prometheus --version 2>&1 | head -n 1
    # Debian's build does not say its version itself
    have dpkg-query && dpkg-query -W -f '${Package} ${Version}\n' victoria-metrics 2> /dev/null || true
    export SERIESGATE_REQUIRE_REAL=1
else
    skip 'tests against Prometheus, vmagent and VictoriaMetrics' 'the programs are not there'
fi

# --- the checks; clippy also compiles the benches

# What incremental builds keep for the next change costs twice the time of a first one.
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}

step 'formatting' cargo fmt --all --check
step 'lints' cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
run_tests() {
    local log
    log=$(mktemp)
    local code=0
    cargo test --quiet --locked --workspace 2>&1 | tee "$log" || code=$?
    # the sum over all test programs, which cargo does not print
    counted=$(awk '/^test result:/ { ok += $4; bad += $6; off += $8 } END { printf "%d passed, %d failed, %d skipped", ok, bad, off }' "$log")
    rm -f "$log"
    return "$code"
}
step 'tests' run_tests
# of the build of the tests only two crates are compiled anew
if have valgrind; then
    step_that_may_skip 'instructions' 'the committed figures are of another compiler, C library, processor or valgrind' scripts/instructions.sh
else
    skip 'instructions' 'valgrind is not there'
fi
if [[ $install == yes ]] && scripts/chart.sh --tools; then
    step 'Helm chart' scripts/chart.sh
else
    skip 'Helm chart' 'it needs Go, Python 3, and helm and schemas that these install (scripts/chart.sh)'
fi
package() {
    if [[ $install == no ]] || ! have apt-get || ((EUID != 0)); then
        skip 'package' 'only root installs it in a Debian root, with tools that are brought here first (scripts/package.sh)'
        return
    fi
    packages_dir=$(mktemp -d)
    step_that_may_skip 'package' 'no Debian root can be made, or none boots, here' scripts/package.sh "$packages_dir" --dev --test
}
package
# advisories come from the net: both tools fetch the list of them first
if cargo deny --version > /dev/null 2>&1; then
    step 'licences, sources and advisories' cargo deny --workspace check
else
    skip 'licences and sources of dependencies' 'cargo-deny is not installed (cargo install --locked cargo-deny)'
    if cargo audit --version > /dev/null 2>&1; then
        step 'advisories' cargo audit --deny yanked
    else
        skip 'advisories on dependencies' 'neither cargo-deny nor cargo-audit is installed'
    fi
fi
is_over=yes
