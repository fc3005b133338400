"""Follows every link inside a built site: ``check_links.py FOLDER`` exits with 1 if one is dead."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The places of a page, and where its links go."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[tuple[int, str]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"id", "name"} and value:
                self.places.add(value)
            elif name in {"href", "src"} and value:
                self.links.append((self.getpos()[0], value))


def dead_links(site: Path) -> list[str]:
    """Each dead link with its file and line."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    dead = []
    for path, page in pages.items():
        for line, link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            fragment = unquote(parts.fragment)
            if not target.exists():
                dead.append(f"{path.relative_to(site)}:{line}: no file {link}")
            elif fragment and target in pages and fragment not in pages[target].places:
                dead.append(f"{path.relative_to(site)}:{line}: no place {link}")
    return dead


def main() -> int:
    site = Path(sys.argv[1]).resolve()
    dead = dead_links(site)
    for line in dead:
        print(line)
    return 1 if dead or not (site / "index.html").exists() else 0


if __name__ == "__main__":
    raise SystemExit(main())
