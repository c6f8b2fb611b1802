#!/usr/bin/env python3
"""Prints CHANGELOG.md in Debian's form.

    changelog.py VERSION MAINTAINER

Sections of CHANGELOG.md are `## VERSION - YYYY-MM-DD` (the version may be in brackets) or `## Unreleased`, and each point
begins with `- `. The first entry is of VERSION, the one that is packaged: what is unreleased in CHANGELOG.md is in it. Times
are those of SOURCE_DATE_EPOCH where a section has no date.
"""

import datetime
import os
import pathlib
import re
import sys
import textwrap
from email.utils import format_datetime

HEADING = re.compile(r"^## +\[?v?(\d[^\]\s]*)\]?(?:.*?(\d{4}-\d{2}-\d{2}))?")


def sections(text):
    """Version, date and points of each section that is a release."""
    found = []
    for line in text.splitlines():
        heading = HEADING.match(line)
        if heading:
            found.append((heading[1], heading[2], []))
        elif line.startswith("## "):
            found.append(("unreleased" if "unreleased" in line.lower() else None, None, []))
        elif not found:
            continue
        elif line.startswith("- "):
            found[-1][2].append(line[2:])
        elif line.startswith("  ") and found[-1][2]:
            found[-1][2][-1] += " " + line.strip()
    return [section for section in found if section[0] and section[2]]


def entry(version, date, points, maintainer):
    if date:
        when = datetime.datetime.fromisoformat(date).replace(hour=12, tzinfo=datetime.timezone.utc)
    else:
        when = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    shown = [textwrap.fill(point, 78, initial_indent="  * ", subsequent_indent="    ", break_long_words=False)
             for point in points]
    return (f"seriesgate ({version}) stable; urgency=medium\n\n" + "\n".join(shown)
            + f"\n\n -- {maintainer}  {format_datetime(when)}\n")


def main():
    packaged, maintainer = sys.argv[1:]
    path = pathlib.Path("CHANGELOG.md")
    known = sections(path.read_text(encoding="utf-8")) if path.exists() else []
    upstream = packaged.rsplit("-", 1)[0]
    if not known or known[0][0] not in (upstream, "unreleased"):
        known.insert(0, (upstream, None, ["CHANGELOG.md of the sources says what changed."]))
    first, *others = known
    print(entry(packaged, first[1], first[2], maintainer))
    for version, date, points in others:
        print(entry(f"{version}-1", date, points, maintainer))


main()
