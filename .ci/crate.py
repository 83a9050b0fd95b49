"""Write ro-crate-metadata.json: what the project holds, and what was made of what.

    python .ci/crate.py            rewrite it (git ignores it, archives take it along)
    python .ci/crate.py --print    show it

A workflow RO-Crate (https://w3id.org/workflowhub/workflow-ro-crate/1.0) for archives
that read such files. The workflow is the Makefile; each notebook is a step, which read
data and made a record and figures. All names are those of the files that are there.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
NAME = "ro-crate-metadata.json"
CRATE = "https://w3id.org/ro/crate/1.1"
WORKFLOW = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
MIT = "https://spdx.org/licenses/MIT"
CC_BY = "https://creativecommons.org/licenses/by/4.0/"
FORMATS = {
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".md": "text/markdown",
    ".png": "image/png",
    ".npz": "application/zip",
    ".py": "text/x-python",
    ".safetensors": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
Entity = dict[str, Any]


def link(names: Iterable[str]) -> Any:  # noqa: ANN401
    """Refer to entities; to a single one without a list, as RO-Crate asks."""
    found = [{"@id": name} for name in names]
    return found[0] if len(found) == 1 else found


def file_entity(root: Path, name: str, about: str, licence: str, *kinds: str) -> Entity:
    """Describe a file of the project."""
    suffix = Path(name).suffix
    return {
        "@id": name,
        "@type": ["File", *kinds] if kinds else "File",
        "name": about,
        "license": {"@id": licence},
        "contentSize": str((root / name).stat().st_size),
        "encodingFormat": FORMATS.get(suffix, "text/plain"),
    }


def title(text: Path) -> str:
    """Read the title of a notebook's text."""
    return re.search(r"(?m)^# # (.*)$", text.read_text("utf8"))[1]


def step(root: Path, text: Path) -> list[Entity]:
    """Describe a notebook, its record, its figures, and the run that made them."""
    name = f"notebooks/{text.name}"
    record = f"notebooks/{text.stem}.ipynb"
    mine = re.compile(rf"{re.escape(text.stem)}(-[\w-]+)?(\.\d+)?\.(json|png|svg)")
    found = sorted((root / "figures").glob(f"{text.stem}*"))
    figures = [f"figures/{p.name}" for p in found if mine.fullmatch(p.name)]
    code = file_entity(root, name, title(text), MIT, "SoftwareSourceCode")
    code["programmingLanguage"] = {"@id": "#python"}
    if not (root / record).exists():
        return [code]
    about = json.loads((root / record).read_text("utf8"))["metadata"].get("sbd", {})
    made_from = about.get("made_from", {})
    assets = [f"sbd/{asset}" for asset in made_from.get("data", {})]
    run = {
        "@id": f"#run-{text.stem}",
        "@type": "CreateAction",
        "name": f"python -m sbd.records run {text.stem}",
        "description": f"fingerprint {made_from.get('digest')}, parameters "
        f"{json.dumps(made_from.get('parameters'))}",
        "instrument": link([name, "#python"]),
        "object": link([f for f in assets if (root / f).is_file()]),
        "result": link([record, *figures]),
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
    }
    return [
        code,
        file_entity(root, record, f"Record: {title(text)}", CC_BY),
        *(file_entity(root, figure, figure, CC_BY) for figure in figures),
        run,
    ]


def read_by(entity: Entity) -> list[str]:
    """List the files that a run read."""
    found = entity.get("object", [])
    return [each["@id"] for each in (found if isinstance(found, list) else [found])]


def commit_date(root: Path) -> str:
    """Return the day of the commit; without git that of the last change of the log."""
    command = ["git", "-C", str(root), "log", "-1", "--format=%cs"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return str(yaml.safe_load((root / "_config.yml").read_text())["copyright"])
    return done.stdout.strip()


def entities(root: Path) -> list[Entity]:
    """Describe everything but the metadata itself and the root."""
    steps = [
        entity
        for text in sorted((root / "notebooks").glob("[0-9][0-9]_*.py"))
        for entity in step(root, text)
    ]
    used = {name for entity in steps for name in read_by(entity)}
    workflow = file_entity(
        root, "Makefile", "Everything: environment, notebooks, figures, book", MIT,
        "SoftwareSourceCode", "ComputationalWorkflow",
    )  # fmt: skip
    workflow |= {
        "conformsTo": {"@id": BIOSCHEMAS},
        "description": "make env; make book. What else there is: make help.",
        "programmingLanguage": {"@id": "#make"},
        "creator": {"@id": "#authors"},
        "hasPart": link(e["@id"] for e in steps if "SoftwareSourceCode" in e["@type"]),
    }
    readme = file_entity(root, "README.md", "Read me first", CC_BY)
    readme["about"] = {"@id": "./"}
    library = {
        "@id": "sbd/",
        "@type": ["Dataset", "SoftwareSourceCode"],
        "name": "sbd: the library, its data and its weights",
        "license": {"@id": MIT},
        "programmingLanguage": {"@id": "#python"},
    }
    return [
        workflow,
        readme,
        library,
        *(
            file_entity(root, name, about, MIT)
            for name, about in (
                ("pyproject.toml", "Requirements of the package"),
                ("constraints.txt", "Versions that were tested"),
                ("hashes.txt", "Hashes of the packages that were tested"),
                ("CITATION.cff", "How to cite"),
                ("LICENSE", "Licence of the code"),
                ("LICENSE-text", "Licence of text and figures"),
            )
        ),
        *(file_entity(root, name, name, CC_BY) for name in sorted(used)),
        *steps,
    ]


def context_entities(root: Path, citation: dict[str, Any]) -> list[Entity]:
    """Describe what is no part of the folder: people, languages, licences."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    paper = citation["preferred-citation"]
    languages = (
        ("#make", "GNU Make", "https://www.gnu.org/software/make/", "3.81 or newer"),
        ("#python", "Python", "https://www.python.org/", project["requires-python"]),
    )
    return [
        {
            "@id": "#authors",
            "@type": "Organization",
            "name": citation["authors"][0]["name"],
        },
        *(
            {
                "@id": key,
                "@type": "ComputerLanguage",
                "name": name,
                "url": {"@id": url},
                "version": version,
            }
            for key, name, url, version in languages
        ),
        {
            "@id": BIOSCHEMAS,
            "@type": "CreativeWork",
            "name": "ComputationalWorkflow",
            "version": "1.0",
        },
        {"@id": MIT, "@type": "CreativeWork", "name": "MIT License"},
        {"@id": CC_BY, "@type": "CreativeWork", "name": "CC BY 4.0"},
        {
            "@id": f"https://doi.org/{paper['doi']}",
            "@type": "ScholarlyArticle",
            "name": paper["title"],
        },
    ]


def crate(root: Path) -> Entity:
    """Describe the project as JSON-LD."""
    citation = yaml.safe_load((root / "CITATION.cff").read_text("utf8"))
    parts = entities(root)
    within = [e["@id"] for e in parts if e["@type"] != "CreateAction"]
    runs = [e["@id"] for e in parts if e["@type"] == "CreateAction"]
    start = {
        "@id": NAME,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": link([CRATE, WORKFLOW]),
    }
    whole = {
        "@id": "./",
        "@type": "Dataset",
        "name": citation["title"],
        "description": citation["abstract"],
        "version": str(citation["version"]),
        "datePublished": commit_date(root),
        "keywords": ", ".join(citation["keywords"]),
        "license": {"@id": MIT},
        "author": {"@id": "#authors"},
        "publisher": {"@id": "#authors"},
        "citation": {"@id": f"https://doi.org/{citation['preferred-citation']['doi']}"},
        "mainEntity": {"@id": "Makefile"},
        "hasPart": link(within),
        "mentions": link(runs),
    }
    graph = [start, whole, *parts, *context_entities(root, citation)]
    return {"@context": f"{CRATE}/context", "@graph": graph}


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write or show the metadata."""
    text = json.dumps(crate(root), indent=1, ensure_ascii=False) + "\n"
    if list(arguments) == ["--print"]:
        sys.stdout.write(text)
    else:
        (root / NAME).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
