"""The page of a report: one HTML file that asks for nothing from elsewhere."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib.metadata import version
from importlib.resources import files
from string import Template

import numpy as np

from sbd.evidence.verdicts import VERDICTS, explain_verdicts
from sbd.reports.content import Content
from sbd.reports.figures import (
    PARTS,
    bin_for_the_eye,
    choose_limits,
    draw_columns,
    draw_grey,
    draw_histogram,
    draw_ranking,
    draw_residuals,
)
from sbd.reports.numbers import tabulate_places
from sbd.reports.rivals import FLAT, NETWORK, name_denoiser
from sbd.reports.sentences import (
    list_near,
    say_inventions,
    say_number,
    say_ranking,
    say_residuals,
    start,
    summarise,
)
from sbd.simulation.frame import PIXEL
from sbd.typing import Image

_SCALES = 2000.0, 1000.0, 500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0
_MOST_ROWS = 1500  # of the table of columns, on the page
_CLASSES = {"supported": "supported", "ruled out": "out", "undecided": "undecided"}


def write_page(content: Content, commands: Sequence[str], date: str | None) -> str:
    """Write the whole page as HTML."""
    sections = (
        _head(content, date), _file(content), _counts(content), _ranking(content),
        _images(content), _residuals(content), _columns(content),
        _inventions(content), _assumed(content, commands),
    )  # fmt: skip
    template = Template(files("sbd.reports").joinpath("page.html").read_text("utf8"))
    return template.substitute(
        title=escape(f"{_name(content)}: how far to believe it"),
        generator=escape(f"sbd {version('sbd')}"),
        body="\n".join(sections),
    )


# --- pieces


def _p(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def _not(content: Content, part: str, what: str) -> str:
    """Say why a part is not there."""
    reason = content.reasons.get(part) or content.reasons.get("counts") or "no reason"
    return _p(f"{what}: {reason}", "not")


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()
) -> str:
    """Write a table; cells are HTML already, `numbers` the columns set right."""

    def row(cells: Sequence[str], tag: str) -> str:
        kinds = [' class="n"' if i in numbers else "" for i in range(len(cells))]
        inner = (f"<{tag}{k}>{c}</{tag}>" for k, c in zip(kinds, cells, strict=True))
        return "<tr>" + "".join(inner) + "</tr>"

    top = f"<thead>{row([escape(h) for h in head], 'th')}</thead>"
    inner = "\n".join(row(cells, "td") for cells in rows)
    return f'<div class="scroll"><table>{top}<tbody>\n{inner}\n</tbody></table></div>'


def _facts(rows: Iterable[tuple[str, str]]) -> str:
    """Write a table of names and words."""
    inner = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(words)}</td></tr>'
        for name, words in rows
    )
    return f'<table class="facts"><tbody>\n{inner}\n</tbody></table>'


def _link(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def _chart(picture: bytes, words: str, caption: str, kind: str = "narrow") -> str:
    """Show a chart; `words` stand for it where it cannot be seen."""
    img = f'<img src="{_link(picture)}" alt="{escape(words)}">'
    box = f'<div class="chart scroll">{img}</div>'
    return f'<figure class="{kind}">{box}{_caption(caption)}</figure>'


def _caption(text: str) -> str:
    return f"<figcaption>{escape(text)}</figcaption>"


def _image(
    content: Content,
    image: Image,
    limits: tuple[float, float],
    words: str,
    *,
    sharp: bool = False,
    marks: bool = False,
) -> str:
    """Show an image with its scale bar, perhaps with its hot pixels."""
    picture = draw_grey(image, limits, content.report.recorded)
    height, width = image.shape
    sides = content.recording.pixel.sides
    down, across = sides or (1.0, 1.0)
    box = f"aspect-ratio:{width * across:.6g}/{height * down:.6g}"
    inner = f'<img src="{_link(picture)}" alt="{escape(words)}">'
    if marks and len(content.report.hot):
        radius = max(height, width) / 60
        rings = "".join(
            f'<circle cx="{column + 0.5:g}" cy="{row + 0.5:g}" r="{radius:.4g}"/>'
            for row, column in content.report.hot[:200]
        )
        inner += (
            f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none"'
            ' fill="none" stroke="#ff5a4d"'
            f' stroke-width="{radius / 4:.4g}">{rings}</svg>'
        )
    if sides:
        most = width * across / 3
        length = next((one for one in _SCALES if one <= most), None)
        if length:
            share = 100 * length / (width * across)
            inner += (
                f'<div class="bar" style="width:{share:.4g}%">{length / 10:g} nm</div>'
            )
    kind = "image sharp" if sharp else "image"
    figure = f'<div class="{kind}" style="{box}">{inner}</div>'
    return f"<figure>{figure}{_caption(words)}</figure>"


def _grey_bar(limits: tuple[float, float], unit: str) -> str:
    """Show what is black and what is white."""
    low, high = (f"{end:.3g}" for end in limits)
    ends = f"<span><b>{low}</b><b>{high}</b></span>"
    return f'<div class="grey"><i></i>{ends}{escape(unit)}</div>'


def _name(content: Content) -> str:
    return str(content.file["name"] or content.recording.title or "an array")


def _tile(number: str, words: str) -> str:
    return (
        f'<div class="tile"><b>{escape(number)}</b><span>{escape(words)}</span></div>'
    )


# --- sections


def _head(content: Content, date: str | None) -> str:
    """Say what it is about, and what matters most."""
    report, verdicts = content.report, content.verdicts
    told = "A report on one recording" + (f", {date}" if date else "")
    tiles = []
    if report.dose is not None:
        tiles.append(_tile(say_number(report.dose), "electrons per pixel"))
    if report.dose_area is not None:
        tiles.append(_tile(say_number(report.dose_area), "electrons per Å²"))
    if content.ranking is not None:
        best, near = list_near(content.ranking)
        words = "comes first" if near else "does best"
        tiles.append(
            _tile(name_denoiser(best), f"{words}, of {len(content.ranking)} denoisers")
        )
    if verdicts is not None:
        kinds = list(verdicts.verdicts)
        tiles += [_tile(str(kinds.count(kind)), f"columns {kind}") for kind in VERDICTS]
    return (
        f'<header><p class="kicker">{escape(told)}</p>'
        f"<h1>{escape(_name(content))}: how far to believe it</h1>"
        f"{_p(summarise(content), 'lead')}"
        f'<div class="tiles">{"".join(tiles)}</div></header>\n<main>'
    )


def _file(content: Content) -> str:
    """Say what the file is."""
    recording = content.recording
    height, width = recording.shape
    pixel = str(recording.pixel)
    if not content.pixel_is_known:
        pixel += f"; {PIXEL:.4g} angstrom are assumed where a size is needed"
    rows = [("file", _name(content))]
    if content.file["sha256"]:
        rows.append(("SHA-256", str(content.file["sha256"])))
    if recording.title and recording.title != _name(content):
        rows.append(("image", recording.title))
    frames = "frame" if recording.frames == 1 else "frames"
    rows += [
        ("size", f"{height} x {width} pixels, {recording.frames} {frames}, "
         f"{recording.values.dtype}"),
        *([("part", f"from row {recording.corner[0]}, column {recording.corner[1]} on; "
            "places are those of the whole")] if any(recording.corner) else []),
        ("pixel", pixel),
        ("exposure", f"{recording.exposure:g} s a frame" if recording.exposure
         else "the file does not say"),
        ("unit of the values", recording.unit or "the file does not say"),
    ]  # fmt: skip
    return "<h2>1. What the file is</h2>" + _facts(rows)


def _counts(content: Content) -> str:
    """Say what the counts are."""
    report = content.report
    out = ["<h2>2. What the counts are</h2>", _p(report.verdict)]
    if report.dose is not None:
        area = (
            f", {report.dose_area:.4g} per square angstrom"
            if report.dose_area is not None
            else "; without the size of a pixel nobody can tell how many that are per "
            "square angstrom"
        )
        out.append(_p(f"{report.dose:.4g} electrons per pixel{area}."))
    if not np.isnan(report.dispersion):
        out.append(
            _p(
                "Between neighbours they vary "
                f"{report.dispersion:.3f} times as much as independent electrons do."
            )
        )
    items = [
        f'<li><span class="mark {f.harm}">{f.harm}</span>{escape(f.words)}</li>'
        for f in report.findings
    ]
    out.append(f"<ul>{''.join(items)}</ul>" if items else _p("Nothing is amiss."))
    table = content.histogram
    if table is not None:
        caption = (
            "How many pixels hold so many electrons (bars), and how many would if "
            "each pixel were a Poisson count around the estimate of the "
            f"{table.attrs['mean from']} (line). Below, the difference in standard "
            "deviations; the band is two of them. The estimate has seen these counts, "
            "so that small differences say little."
        )
        words = "Histogram of the counts, with that expected of Poisson counts."
        out.append(_chart(draw_histogram(table), words, caption))
    out.append(_raw(content))
    return "\n".join(out)


def _raw(content: Content) -> str:
    """Show the recording as it is."""
    report = content.report
    image = content.total if content.image is None else content.image
    image = np.where(np.isfinite(image), image, 0.0)
    limits = choose_limits([image], report.recorded, share=0.5)
    unit = "electrons per pixel" if content.image is not None else "unit of the file"
    words = ["The recording, all frames together." if content.recording.frames > 1
             else "The recording."]  # fmt: skip
    if not report.recorded.all():
        share = 1 - report.recorded.mean()
        words.append(
            f"Striped: {share:.1%} without dose, left out of all that follows."
        )
    if len(report.hot):
        words.append(f"Ringed: {len(report.hot)} hot pixels, mended (shown so).")
    shown = _image(content, image, limits, " ".join(words), sharp=True, marks=True)
    height, width = image.shape
    narrow = f"max-width:{36 * min(1.0, 1.1 * width / height):.3g}rem"
    box = f'<div class="images one" style="{narrow}">{shown}</div>'
    return box + _grey_bar(limits, unit)


def _ranking(content: Content) -> str:
    """Say which denoiser does best."""
    out = ["<h2>3. Which denoiser does best here</h2>"]
    table = content.ranking
    if table is None:
        return "\n".join([*out, _not(content, "ranking", "Not ranked")])
    said = say_ranking(content)
    out.append(_p(said[0]))
    caption = "How much worse than the first, with intervals of 95 %; blue: behind."
    out.append(_chart(draw_ranking(table), said[0], caption))
    rows = []
    for place, (name, one) in enumerate(table.iterrows()):
        words = "behind" if one["behind"] else "cannot be told"
        low, worse, high = (PARTS * one[k] for k in ("low", "worse by", "high"))
        ends = f"{low:.3g} to {high:.3g}"
        cells = [escape(start(name_denoiser(name))), f"{worse:.3g}", ends, words]
        rows.append(cells if place else [cells[0], "0", "", "first"])
    head = ["denoiser", "worse by (1/1000)", "95 % interval", "is it behind?"]
    out.append(_table(head, rows, numbers=(1,)))
    out += [_p(one) for one in said[1:]]
    out += [_not(content, NETWORK, "The network is not ranked")] * (
        "network" in content.reasons
    )
    return "\n".join(out)


def _images(content: Content) -> str:
    """Show the estimates beside the recording."""
    out = ["<h2>4. The denoised image</h2>"]
    names = [n for n in (NETWORK, content.best_filter) if n in content.estimates]
    if not names:
        part = "network" if "network" in content.reasons else "counts"
        return "\n".join([*out, _not(content, part, "Not denoised")])
    recorded = content.report.recorded
    chosen = {name: content.estimates[name] for name in names}
    limits = choose_limits(list(chosen.values()), recorded)
    binned, side = bin_for_the_eye(content.image, recorded)
    words = (
        f"The recording, mean of {side} x {side} pixels." if side > 1
        else "The recording."
    )  # fmt: skip
    shown = [_image(content, binned, limits, words, sharp=True)]
    weights = content.weights["denoiser"]["name"]
    for name, image in chosen.items():
        words = f"The network ({weights})." if name == NETWORK else f"{name}."
        if name != NETWORK:
            ranked = content.ranking is not None
            words = f"{start(name)}, the filter that ranks first." if ranked else words
            if ranked and content.ranking.index[0] == FLAT:
                words = f"{start(name)}, first of the filters after the constant."
        shown.append(_image(content, image, limits, words))
    out.append(f'<div class="images">{"".join(shown)}</div>')
    unit = "electrons per pixel" if content.report.dose is not None else "counts"
    out.append(_grey_bar(limits, f"{unit}, the same for all"))
    if not content.report.independent:
        words = "counts that are not independent may make noise look like structure"
        out.append(_p(f"Take care: {words}.", "not"))
    if "network" in content.reasons:
        out.append(_not(content, "network", "No network"))
    missing = [n for n in content.reasons if n in _tried(content)]
    out += [_not(content, name, f"{name} is not there") for name in missing]
    return "\n".join(out)


def _tried(content: Content) -> set[str]:
    """Names of denoisers that may have refused."""
    known = {"counts", "network", "ranking", "residuals", "verdicts", "inventions"}
    return set(content.reasons) - known


def _residuals(content: Content) -> str:
    """Say what the estimates leave."""
    out = ["<h2>5. What the estimate leaves</h2>"]
    if not content.residuals:
        return "\n".join([*out, _not(content, "residuals", "Not tested")])
    one = next(iter(content.residuals.values()))
    times = "once" if one.deals == 1 else f"{one.deals} times"
    out.append(
        _p(
            f"The electrons are split {times} into two halves at random. The estimate "
            "is made of one; the other, which it has not seen, must then differ from "
            "it by the noise of counts and by nothing else. What that noise can do is "
            "known exactly: no correction is needed for what a denoiser has fitted. "
            f"Blocks of {one.side} x {one.side} pixels hold {one.electrons:.0f} "
            "electrons of that half."
        )
    )
    shown = []
    for name, test in content.residuals.items():
        said = say_residuals(name_denoiser(name), test, content.report.dispersion)
        chance = np.sqrt((1 + test.deals) / (2 * test.deals))
        caption = (
            f"{start(name_denoiser(name))}: counts less estimate, over the square root "
            "of the estimate, block by block"
            + (
                f"; the mean of {test.deals} splits, in which chance alone makes about "
                f"{chance:.2f}."
                if test.deals > 1
                else "; chance alone makes about 1."
            )
        )
        out.append(_p(start(said)))
        shown.append(_chart(draw_residuals(test), said, caption, "small"))
    out.append(f'<div class="images">{"".join(shown)}</div>')
    return "\n".join(out)


def _columns(content: Content) -> str:
    """Say which columns the counts support."""
    out = ["<h2>6. Which columns the counts support</h2>"]
    verdicts = content.verdicts
    if verdicts is None:
        return "\n".join([*out, _not(content, "verdicts", "Not judged")])
    if not len(verdicts.columns):
        words = "No columns are found in the denoised image: nothing is to be judged."
        return "\n".join([*out, _p(words)])
    means = explain_verdicts(verdicts)
    counted = list(verdicts.verdicts)
    items = [
        f'<li><span class="mark {_CLASSES[kind]}">{kind}</span>'
        f"{counted.count(kind)}: {escape(means[kind])}</li>"
        for kind in VERDICTS
    ]
    deals = verdicts.settings["deals"]
    times = "once: the verdicts depend on the seed" if deals == 1 else f"{deals} times"
    out += [
        f"<ul>{''.join(items)}</ul>",
        _p(
            f"The electrons are dealt out to {verdicts.settings['parts']} parts, "
            f"{times}. The network sees one part and shows columns; the others are "
            "asked for them. If all are there as shown, "
            f"{verdicts.power.sum():.0f} were to be expected supported."
        ),
    ]
    words = "The denoised image with a mark on each column, and the electrons of each."
    caption = (
        "The verdicts, what each column adds, and what a higher dose would decide."
    )
    out.append(_chart(draw_columns(verdicts), words, caption, "wide"))
    rows = tabulate_places(content)
    order = {kind: i for i, kind in enumerate(("ruled out", "undecided", "supported"))}
    rows = rows.iloc[np.argsort(rows["verdict"].map(order), kind="stable")]
    cells = [
        [
            f"{r['row [pixels]']:.1f}", f"{r['column [pixels]']:.1f}",
            f'<span class="mark {_CLASSES[r["verdict"]]}">{r["verdict"]}</span>',
            f"{r['p if absent']:.2g}", f"{r['p if present']:.2g}",
            f"{r['excess [electrons]']:.0f} ({r['excess low [electrons]']:.0f} to "
            f"{r['excess high [electrons]']:.0f})",
            f"{r['power']:.2f}",
        ]
        for _, r in rows.head(_MOST_ROWS).iterrows()
    ]  # fmt: skip
    head = ["row", "column", "verdict", "p if absent", "p if present",
            "electrons more (95 %)", "power"]  # fmt: skip
    table = _table(head, cells, numbers=(0, 1, 3, 4, 5, 6))
    left = len(rows) - len(cells)
    more = f" (the first {len(cells)}; all are in the JSON file)" if left > 0 else ""
    title = f"Table of {len(rows)} columns{more}"
    out.append(f"<details><summary>{title}</summary>{table}</details>")
    return "\n".join(out)


def _inventions(content: Content) -> str:
    """Say what the network invents where the truth is known."""
    out = ["<h2>7. What this network invents at this dose</h2>"]
    table = content.inventions
    if table is None:
        return "\n".join([*out, _not(content, "inventions", "Not audited")])
    out.append(
        _p(
            "This is not your specimen. The images are simulated ones of platinum "
            "particles on ceria, of which every column is known, counted at "
            f"{table.attrs['electrons per bin']:.3g} electrons in a bin of "
            "the network, as this recording has on average. On another material the "
            "numbers may be worse."
        )
    )
    if not content.report.counted:
        out.append(
            _p("The read noise of this recording is not in them: it adds to that.")
        )
    out += [_p(one) for one in say_inventions(table)]
    rows = [
        [escape(str(r["image"])), *(_whole(r[name]) for name in
         ("seen", "lost", "invented", "lost after", "invented after"))]
        for _, r in table.iterrows()
    ]  # fmt: skip
    head = ["image", "columns", "lost", "invented", "lost after the verdict",
            "invented after"]  # fmt: skip
    inner = _table(head, rows, numbers=(1, 2, 3, 4, 5))
    out.append(f"<details><summary>Image by image</summary>{inner}</details>")
    return "\n".join(out)


def _whole(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.0f}"


def _assumed(content: Content, commands: Sequence[str]) -> str:
    """Say what was assumed, and how to make the same again."""
    out = ["<h2>8. What was assumed, and how to make this again</h2>"]
    pixel = (
        f"A pixel measures {content.recording.pixel}."
        if content.pixel_is_known
        else f"Nobody says what a pixel measures: the network and the verdicts take it "
        f"for {PIXEL:.4g} angstrom, as in the paper. Give its size, if you know it."
    )
    assumed = [
        pixel,
        "Counts are independent Poisson counts, as far as section 2 tells.",
        "The network learnt from simulated images of platinum on ceria; what it shows "
        "of other specimens is for the counts to confirm.",
        "The filters have the parameters that are best for simulated images of that "
        f"kind; “{FLAT}” is the mean of the image, which everything must beat."
        if content.options.denoisers is None
        else "The filters are those that were given.",
        "Verdicts test against the image without the column, as a second network tells "
        "it.",
    ]
    out.append(f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in assumed)}</ul>")
    if content.warnings:
        inner = "".join(f"<li>{escape(one)}</li>" for one in content.warnings)
        out.append(f"<h3>Warnings on the way</h3><ul>{inner}</ul>")
    options = content.options
    rows = [(name, f"{version(name)}") for name in ("sbd", "torch", "numpy", "scipy")]
    for role, one in content.weights.items():
        rows.append(
            (f"weights of the {role}", f"{one['name']}, SHA-256 {one['sha256']}")
        )
    rows += [
        ("seed", str(options.seed)),
        ("splits, deals", f"{options.splits}, {options.deals}"
         + (" (quick)" if options.quick else "")),
    ]  # fmt: skip
    out.append(_facts(rows))
    out += [f"<pre>{escape(one)}</pre>" for one in commands]
    out.append("</main>")
    return "\n".join(out)
