"""Sliders: ``{series}`` steps through images, ``{compare}`` divides two of them.

Both name a figure whose notebook filed frames with it (``save_figure(frames=...)``).
The page holds every frame with its label, beside each other, as who reads without
scripts or on paper sees them. ``_static/sliders.js`` lays them over each other and adds
the fields. A label comes from its picture, so it is right whatever a copy was made of.
"""

import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import PIL.Image
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxTranslator


@dataclass(frozen=True)
class Frame:
    """A picture of a slider, and what it says of itself."""

    file: Path
    label: str
    grey: str
    size: tuple[int, int]


class SliderNode(nodes.General, nodes.Element):
    """Frames that belong together, and the words below them."""


class FrameNode(nodes.General, nodes.Element):
    """A frame and its label."""


def read_frames(folder: Path, name: str) -> list[Frame]:
    """Read the frames of a figure.

    Parameters
    ----------
    folder : pathlib.Path
        Where the figures lie.
    name : str
        Of the figure, such as ``"02_comparison-micrograph"``.

    Returns
    -------
    list of Frame
        In their order.

    Raises
    ------
    ValueError
        If there are not at least two, one of them has no label of its own, or they
        differ in size or grey scale, so that one cannot be held against the other.
    """
    pattern = re.compile(rf"{re.escape(name)}\.\d+\.png")
    files = [path for path in folder.glob("*.png") if pattern.fullmatch(path.name)]
    if len(files) < 2:
        msg = f"a slider must name a figure with frames; got {name!r} with {len(files)}"
        raise ValueError(msg)
    frames = [_read_frame(path) for path in sorted(files)]
    if len({frame.label for frame in frames}) < len(frames):
        msg = f"frames of {name} must differ in their labels; got one twice"
        raise ValueError(msg)
    for what in ("size", "grey"):
        found = sorted({str(getattr(frame, what)) for frame in frames})
        if len(found) > 1:
            msg = f"frames of {name} must agree in {what}; got {' and '.join(found)}"
            raise ValueError(msg)
    return frames


def _read_frame(path: Path) -> Frame:
    """Read what a picture says of itself."""
    with PIL.Image.open(path) as picture:
        texts, size = picture.info, picture.size
    missing = [key for key in ("Label", "Grey") if not texts.get(key)]
    if missing:
        msg = f"{path.name} must say its {missing[0].lower()}; got none"
        raise ValueError(msg)
    return Frame(path, texts["Label"], texts["Grey"], size)


class Slider(SphinxDirective):
    """What the two directives share: a name, words for all, a caption."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {
        "label": directives.unchanged_required,
        "alt": directives.unchanged_required,
    }
    starts: ClassVar[dict[str, int]] = {}

    def run(self) -> list[nodes.Node]:
        """Put the frames into the page."""
        (name,) = self.arguments
        folder = Path(self.env.srcdir) / "figures"
        try:
            frames = read_frames(folder, name)
            shown = {key: self._start(frames, key) for key in self.starts}
            about = {key: self._say(key) for key in ("label", "alt")}
        except (OSError, ValueError) as error:
            msg = f"{self.env.docname}, {self.name}: {error}"
            raise ExtensionError(msg) from None
        width, height = frames[0].size
        slider = SliderNode(
            kind=self.name, label=about["label"], starts=shown, ratio=(width, height)
        )
        for frame in frames:
            self.env.note_dependency(str(frame.file))
            alt = f"{about['alt']}: {frame.label}"
            picture = nodes.image(uri=f"/figures/{frame.file.name}", alt=alt)
            slider += FrameNode("", picture, label=frame.label)
        words = nodes.container(classes=["slider-caption"])
        self.state.nested_parse(self.content, self.content_offset, words)
        grey = f"One grey scale for all, from black to white: {frames[0].grey}."
        words += nodes.paragraph(grey, grey)
        self.set_source_info(slider)
        return [slider, words]

    def _say(self, key: str) -> str:
        """Return the words of an option that must be there."""
        if key not in self.options:
            msg = f":{key}: must say what is shown; got none"
            raise ValueError(msg)
        return self.options[key]

    def _start(self, frames: list[Frame], key: str) -> int:
        """Find the frame that an option names; without it, one at an end."""
        labels = [frame.label for frame in frames]
        label = self.options.get(key, labels[self.starts[key]])
        if label not in labels:
            msg = f":{key}: must be one of {', '.join(labels)}; got {label}"
            raise ValueError(msg)
        return labels.index(label)


class Series(Slider):
    """Step through all frames: ``:first:`` is the one to begin with."""

    option_spec: ClassVar = Slider.option_spec | {
        "first": directives.unchanged_required
    }
    starts: ClassVar = {"first": 0}


class Compare(Slider):
    """Divide two frames, first those of ``:left:`` and ``:right:``."""

    option_spec: ClassVar = Slider.option_spec | dict.fromkeys(
        ("left", "right"), directives.unchanged_required
    )
    starts: ClassVar = {"left": 0, "right": -1}

    def _start(self, frames: list[Frame], key: str) -> int:
        """Find the frame, and see that the other side has another."""
        found = super()._start(frames, key)
        if key == "right" and found == super()._start(frames, "left"):
            msg = f":right: must be another than :left:; got {frames[found].label}"
            raise ValueError(msg)
        return found


def visit_slider(self: SphinxTranslator, node: SliderNode) -> None:
    """Open the group; the script reads what it needs from its attributes."""
    width, height = node["ratio"]
    told = {"data-kind": node["kind"], "aria-label": node["label"]}
    told |= {f"data-{key}": str(value) for key, value in node["starts"].items()}
    told["style"] = f"--slider-ratio: {width} / {height}; --slider-width: {width}px"
    words = " ".join(f'{key}="{html.escape(value)}"' for key, value in told.items())
    self.body.append(f'<div class="slider" role="group" {words}>\n')
    self.body.append('<div class="slider-frames">\n')


def depart_slider(self: SphinxTranslator, _node: SliderNode) -> None:
    """Close the group."""
    self.body.append("</div>\n</div>\n")


def visit_frame(self: SphinxTranslator, _node: FrameNode) -> None:
    """Open a frame."""
    self.body.append('<figure class="slider-frame">')


def depart_frame(self: SphinxTranslator, node: FrameNode) -> None:
    """Write the label, and close the frame."""
    label = html.escape(node["label"])
    self.body.append(f"<figcaption>{label}</figcaption></figure>\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_node(SliderNode, html=(visit_slider, depart_slider))
    app.add_node(FrameNode, html=(visit_frame, depart_frame))
    app.add_directive("series", Series)
    app.add_directive("compare", Compare)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
