# What the tests of a package share; it is read by them. `work` is a directory of theirs, `root` the Debian that is tested.

said() { printf '  %s\n' "$*"; }

fail() {
    echo "FAILED: $*" >&2
    for file in "$work/said" "$work/log"; do [[ ! -s $file ]] || cat "$file" >&2; done
    exit 1
}

# Says WHAT if COMMAND succeeds; fails with what it printed if not.
expect() { # WHAT COMMAND...
    local what=$1
    shift
    "$@" > "$work/said" 2>&1 || fail "$what"
    said "$what"
}

# The same of a command that must not succeed.
refuse() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" > "$work/said" 2>&1; then fail "$what"; fi
    said "$what"
}

contains() { grep -qF -- "$1" "$2" || { echo "no \`$1\` in:"; cat "$2"; return 1; }; }

# Tries COMMAND until it succeeds, for so many seconds.
until_true() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" > "$work/said" 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}

# A package that is the same but for its version and a line in its config.
later() { # VERSION OUT
    dpkg-deb -R "$root/first.deb" "$work/later"
    sed -i "s/^Version: .*/Version: $1/" "$work/later/DEBIAN/control"
    echo '# a newer version says more' >> "$work/later/etc/seriesgate/seriesgate.yaml"
    (cd "$work/later" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum > DEBIAN/md5sums)
    dpkg-deb --root-owner-group -b "$work/later" "$2" > /dev/null
}
