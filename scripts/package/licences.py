#!/usr/bin/env python3
"""Prints the licence texts of all that a program contains, as those licences ask of who passes the program on.

    licences.py PACKAGE TARGET

What is in the program: the packages that `cargo tree` names for it on that target, without what only builds and tests.
Their texts are the files that come with their sources. Equal texts are printed once.
"""

import json
import pathlib
import re
import subprocess
import sys

FILE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def contained(package, target):
    """Name and version of what the program contains, and of no member of the workspace."""
    tree = run("cargo", "tree", "--locked", "--package", package, "--target", target, "--edges", "normal,no-proc-macro",
               "--prefix", "none", "--format", "{p}")
    found = set()
    for line in tree.splitlines():
        name, version, *rest = line.removesuffix(" (*)").split(" ")
        # the path behind it says that it is ours
        if not rest:
            found.add((name, version.removeprefix("v")))
    return sorted(found)


def texts(directory):
    # a library in another language lies in a directory of its own (jemalloc)
    beside = [*directory.iterdir(), *directory.glob("*/COPYING")]
    files = sorted(path for path in beside if path.is_file() and FILE.match(path.name))
    return [path.read_text(encoding="utf-8", errors="replace").strip() for path in files]


def main():
    package, target = sys.argv[1:]
    metadata = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    known = {(each["name"], each["version"]): each for each in metadata["packages"]}
    users = {}
    lines = []
    for key in contained(package, target):
        about = known[key]
        name = " ".join(key)
        lines.append(f"{name}: {about['license'] or 'see its text'}")
        found = texts(pathlib.Path(about["manifest_path"]).parent)
        if not found:
            lines[-1] += f" (its sources hold no text of it; by {', '.join(about['authors']) or 'its contributors'})"
        for text in found:
            users.setdefault(text, []).append(name)
    print("seriesgate contains these packages, each under the licence named (one of them, where there is `OR`):\n")
    print("\n".join(lines))
    print("the Rust standard library: MIT OR Apache-2.0 (copyright The Rust Project Developers)")
    print("in the static program only, musl libc: MIT (copyright Rich Felker, et al.)")
    for text, names in sorted(users.items(), key=lambda item: item[1]):
        print("\n" + "=" * 78 + f"\n{', '.join(names)}\n" + "-" * 78 + f"\n{text}")


main()
