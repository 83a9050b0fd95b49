"""Compare two builds of the site, page by page.

    python .ci/same_site.py ONE OTHER

Of every page the words of its article, its headings, pictures, links, equations, tables
and code are compared, and whether the files are the same to the last byte, but for the
query by which a browser tells versions of a style sheet. A page that only one has is a
difference, and so is another file of the two folders. The exit status is 1 if anything
differs. The standard library is enough.
"""

import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

# names of the builder and of its settings, and an index that lists no page
IGNORED = {".buildinfo", "objects.inv", "searchindex.js"}
VERSION = re.compile(rb"\?v=[0-9a-f]{8}")
VOID = {"img", "br", "hr", "input", "meta", "link", "source", "wbr", "col", "embed"}
KINDS = {
    **{f"h{i}": "headings" for i in range(1, 7)},
    **{"img": "figures", "svg": "figures", "a": "links", "table": "tables"},
    "pre": "code",
}


class Article(HTMLParser):
    """What a page shows between ``<article>`` and ``</article>``."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.depth = 0
        self.words: list[str] = []
        self.found: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what stands for more than its words."""
        if tag == "article" or (self.depth and tag not in VOID):
            self.depth += 1
        if not self.depth:
            return
        given = dict(attrs)
        if tag in KINDS:
            what = given.get("src") or given.get("href") or ""
            self.found.append((KINDS[tag], what))
        if "math" in (given.get("class") or "").split():
            self.found.append(("equations", ""))

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        if self.depth and tag not in VOID:
            self.depth -= 1

    def handle_data(self, data: str) -> None:
        """Note the words."""
        if self.depth:
            self.words += data.split()


def counts(article: Article) -> dict[str, int]:
    """Count the words, and what else a page shows."""
    kinds = Counter(kind for kind, _ in article.found)
    names = ("headings", "figures", "links", "equations", "tables", "code")
    return {"words": len(article.words), **{name: kinds[name] for name in names}}


def differences(one: str, other: str) -> list[str]:
    """Say what differs between the articles of two pages.

    Parameters
    ----------
    one, other : str
        HTML of the pages.

    Returns
    -------
    list of str
        A sentence for the words, and one for each kind of thing; empty if they agree.
    """
    a, b = Article(one), Article(other)
    found = []
    if a.words != b.words:
        pairs = zip(a.words, b.words, strict=False)
        place = next((i for i, (x, y) in enumerate(pairs) if x != y), 0)
        before, after = (" ".join(w[place : place + 6]) for w in (a.words, b.words))
        found.append(f"words: {before!r} became {after!r}")
    for kind in dict.fromkeys(kind for kind, _ in a.found + b.found):
        old, new = ([w for k, w in page.found if k == kind] for page in (a, b))
        if old != new:
            gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
            detail = f"without {sorted(gone)[:3]}, with {sorted(come)[:3]}"
            found.append(f"{kind}: {len(old)} became {len(new)}, {detail}")
    return found


def files(folder: Path) -> dict[str, Path]:
    """List the files of a site by their address."""
    every = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {p.relative_to(folder).as_posix(): p for p in every}


def content(path: Path) -> bytes:
    """Read a file, without the versions of style sheets in a page."""
    held = path.read_bytes()
    return VERSION.sub(b"", held) if path.suffix == ".html" else held


def compare(one: Path, other: Path) -> int:
    """Print a table of the pages and what differs; return how much does."""
    old, new = files(one), files(other)
    if not any(name.endswith(".html") for name in old):
        sys.exit(f"{one} must hold a site; got none (make site)")
    wrong = [f"{n}: only in {one}" for n in sorted(old.keys() - new.keys() - IGNORED)]
    wrong += [
        f"{n}: only in {other}" for n in sorted(new.keys() - old.keys() - IGNORED)
    ]
    heads, total, same = None, Counter(), 0
    both = [name for name in old if name in new and name not in IGNORED]
    for name in both:
        identical = content(old[name]) == content(new[name])
        if not name.endswith(".html"):
            wrong += [] if identical else [f"{name}: another file"]
            continue
        texts = [path.read_text("utf8") for path in (old[name], new[name])]
        row = counts(Article(texts[0]))
        if heads is None:
            heads = [*row, "bytes"]
            print(f"{'page':34s}", *(f"{head:>9s}" for head in heads))
        verdict = "same" if identical else "differ"
        print(f"{name:34s}", *(f"{n:9d}" for n in row.values()), f"{verdict:>9s}")
        total.update(row)
        same += identical
        wrong += [f"{name}: {what}" for what in differences(*texts)]
    pages = sum(name.endswith(".html") for name in both)
    print(f"{pages} pages, {same} the same to the last byte; {dict(total)}")
    print(f"{len(both) - pages} other files; {len(wrong)} differences")
    print(*wrong, sep="\n")
    return len(wrong)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(re.search(r"python .*", __doc__)[0])
    sys.exit(min(compare(Path(sys.argv[1]), Path(sys.argv[2])), 1))
