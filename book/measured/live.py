"""Time the page that denoises in the browser, opened from a disk: ``make live``.

    python book/measured/live.py FILE [--page _build/html/live.html]

A headless Chromium without a network opens the built page and presses the button; then
an image is denoised, a filter found and columns judged, several times, on the one
thread that the page uses. Loading runs the first two once before. Wall seconds are
those that the page shows. The processor's count all that the page does meanwhile, with
drawing, and also hold where others use the machine. Needs the program ``chromium``, and
Linux.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np

from sbd.companion.freshness import write_measured
from sbd.companion.measurements import describe_machine

ROOT = Path(__file__).resolve().parents[2]
JUDGED = 3  # times, as each takes tens of seconds
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-pipe",
]  # fmt: skip


class Browser:
    """A page in headless Chromium, driven through a pair of pipes."""

    def __init__(self, process: int, reading: int, writing: int) -> None:
        self.process, self.number = process, 0
        self.reading, self.writing = reading, writing
        self.rest, self.events, self.session = b"", [], None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: object) -> dict:
        """Send a command of the DevTools protocol and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._take()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")  # noqa: EM102
                return answer["result"]
            self.events.append(answer)

    def _take(self) -> dict:
        while b"\0" not in self.rest:
            part = os.read(self.reading, 2**20)
            if not part:
                msg = "chromium must go on; it ended"
                raise RuntimeError(msg)
            self.rest += part
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def run(self, script: str) -> object:
        """Evaluate JavaScript in the page; promises are awaited."""
        how = {"awaitPromise": True, "returnByValue": True}
        answer = self.ask("Runtime.evaluate", expression=script, **how)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def wait(self, condition: str, *, seconds: float = 120) -> None:
        """Wait until JavaScript holds, or say what the page's status is."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({condition})"):
            if time.monotonic() > end:
                status = self.run("document.getElementById('live-status').textContent")
                msg = f"{condition} must come to hold; the page says {status!r}"
                raise TimeoutError(msg)
            time.sleep(0.1)

    def open(self, path: Path) -> None:
        """Open a file as a reader does, without a network."""
        none = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self.ask("Network.emulateNetworkConditions", offline=True, **none)
        self.ask("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete'")

    def choose_file(self, path: Path) -> None:
        """Give the page's field a file."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        field = self.ask("DOM.querySelector", nodeId=root, selector="#live-file")
        self.ask("DOM.setFileInputFiles", files=[str(path)], nodeId=field["nodeId"])

    def requests(self) -> set[str]:
        """List the files that were asked for."""
        self.run("0")
        sent = "Network.requestWillBeSent"
        told = [e["params"] for e in self.events if e.get("method") == sent]
        addresses = (urlsplit(each["request"]["url"]) for each in told)
        return {unquote(x.path) for x in addresses if x.scheme == "file"}

    def faults(self) -> list[str]:
        """List what went to the console as an error, but for the theme's fonts."""
        self.run("0")
        found = []
        for event in self.events:
            told, method = event.get("params", {}), event.get("method")
            if method == "Log.entryAdded" and told["entry"]["level"] == "error":
                found.append(f"{told['entry']['text']} {told['entry'].get('url')}")
            if method == "Runtime.exceptionThrown":
                found.append(json.dumps(told["exceptionDetails"])[:300])
        # browsers keep the theme's symbols from pages that were opened from a disk
        return [text for text in found if ".woff" not in text]


@contextlib.contextmanager
def browser(program: str = "chromium") -> Iterator[Browser]:
    """Start Chromium, and end it."""
    down, writing = os.pipe()
    reading, up = os.pipe()

    def place() -> None:
        """Give Chromium the pipes where it looks for them."""
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (down, up)]
        os.dup2(ends[0], 3)
        os.dup2(ends[1], 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}"],
            preexec_fn=place, close_fds=False, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(down)
        os.close(up)
        try:
            yield Browser(process.pid, reading, writing)
        finally:
            process.terminate()
            process.wait()
            os.close(reading)
            os.close(writing)


def spread(values: list[float]) -> dict[str, float]:
    """Give the median, the lowest and the highest."""
    ends = {"median": np.median(values), "lowest": min(values), "highest": max(values)}
    return {key: round(float(value), 2) for key, value in ends.items()}


def processor_seconds(process: int) -> float:
    """Add up what the pages of a browser have computed."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if "--renderer-client-id" in path.read_text() and is_below(
                int(path.parent.name), process
            ):
                fields = (path.parent / "stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def is_below(process: int, ancestor: int) -> bool:
    """Whether a process was started by another, or by one of those."""
    while process > 1 and process != ancestor:
        stat = Path(f"/proc/{process}/stat").read_text()
        process = int(stat.rpartition(")")[2].split()[1])
    return process == ancestor


def time_once(tab: Browser, button: str, place: str) -> tuple[float, float]:
    """Press a button; the seconds that the page tells, and those of the processor."""
    before = processor_seconds(tab.process)
    told = f"document.getElementById('live-{place}').dataset"
    tab.run(f"{told}.seconds = ''; document.getElementById('live-{button}').click()")
    tab.wait(f"{told}.seconds")
    return float(tab.run(f"{told}.seconds")), processor_seconds(tab.process) - before


def measure(page: Path, repeats: int) -> dict:
    """Press the button, then denoise and look at filters."""
    with browser() as tab:
        tab.open(page)
        start = time.monotonic()
        tab.run("document.getElementById('live-load').click()")
        tab.wait("document.getElementById('live').dataset.ready", seconds=600)
        ready = time.monotonic() - start
        times = {"256 x 256 pixels": ("again", "time"), "a filter": ("show", "filter")}
        taken = {
            what: np.array([time_once(tab, *which) for _ in range(repeats)])
            for what, which in times.items()
        }
        judged = [time_once(tab, "judge", "judged") for _ in range(JUDGED)]
        taken["verdicts on all columns"] = np.array(judged)
        badge = tab.run(
            "Object.assign({}, document.getElementById('live-badge').dataset)"
        )
        agent, faults = tab.run("navigator.userAgent"), tab.faults()
    seconds = {}
    for what, values in taken.items():
        wall, processor = values.T
        seconds[what] = {"wall": spread(wall), "processor": spread(processor)}
    return {
        "seconds": {"until all is ready": round(ready, 1)} | seconds,
        "largest difference to Python": {
            "image [electrons per pixel]": float(badge["image"]),
            "filter [of its largest weight]": float(badge["filter"]),
        },
        "faults": faults,
        "browser": agent,
    }


def weigh(page: Path) -> dict[str, float]:
    """Weigh what is loaded with the page, and what the button loads [MB]."""
    page = page.resolve()
    folder = page.parent / "_static" / "live"
    behind = sum(
        p.stat().st_size
        for p in folder.iterdir()
        if p.suffix == ".js" and p.name != "live.js"
    )
    with browser() as tab:
        tab.open(page)
        tab.run("new Promise(done => setTimeout(done, 1000))")
        asked = tab.requests()
    sizes = {name: Path(name).stat().st_size for name in asked}
    own = sum(n for name, n in sizes.items() if name.startswith(str(folder)))
    return {
        "the page with the theme's own": round(sum(sizes.values()) / 1e6, 2),
        "of it what denoising adds": round((own + page.stat().st_size) / 1e6, 2),
        "behind the button": round(behind / 1e6, 1),
    }


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--page", type=Path, default=ROOT / "_build/html/live.html")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    if not shutil.which("chromium"):
        parser.error("this needs the program chromium")
    found = measure(options.page, options.repeats)
    load = round(os.getloadavg()[0], 1)
    machine = describe_machine("sbd") | {"cores": os.cpu_count(), "load": load}
    found = {"weight [MB]": weigh(options.page), **found, **machine}
    write_measured(options.file, found, __file__)


if __name__ == "__main__":
    main()
