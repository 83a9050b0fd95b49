"""Which functions, classes and constants of this library a script's numbers come from.

Read from the code itself, without running it: the names that the script uses, those
that their definitions use, and so on. A number is old when one of these has changed,
and not when a neighbour in the same module has. What cannot change a number counts for
nothing: comments, docstrings, annotations, and what an error says.

Files of the catalogue that are named in this code count as well, by their digest, and
so do the package's own tables, and those beside the script, where their file's name
stands in it as a text. Of a name from another library counts where it is from.

A name that is only reached through a value, as a method of an object that was handed
in, is not seen, and neither is a file whose name is put together; the class that made
the object is. Where a module itself is handed on, all that it defines counts.
"""

import ast
import copy
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from sbd.companion.fingerprints import bare_code
from sbd.files import sha256

_REST = "(the rest of the module)"
"""What a module does beside defining names: it always runs."""

_IMPORTS = (ast.Import, ast.ImportFrom)
_WRITERS = ("write_json", "write_measured")
_NUMBERS = ("numbers", "value")  # what writers are handed
_CODE_OR_WORDS = {".py", ".pyi", ".pyc", ".md", ".html", ".typed", ""}
_Target = tuple[str, str] | str | None


def hash_definitions(script: Path, package: "Package") -> dict[str, str]:
    """Hash a script, and every definition of the package that it depends on.

    Parameters
    ----------
    script : pathlib.Path
        A Python file.
    package : Package
        What it imports from; one serves many scripts.

    Returns
    -------
    dict of str to str
        Sixteen hexadecimal digits by ``"module:name"``; the script itself is ``""``, a
        file is ``"the file NAME"``.

    Raises
    ------
    ValueError
        If one of the files is no Python code.
    """
    script = Path(script)
    tree = _strip(_parse(script))
    body = [node for node in tree.body if not isinstance(node, _IMPORTS)]
    names = _Names(tree, package)
    origins = sorted({each for node in body for each in names.origins_in(node)})
    found = {"": _hash(body, origins)} | package.files_in(tree, script.parent)
    todo = [*package.used_by(tree, names), *names.run]
    while todo:
        module, name = todo.pop()
        key = f"{module}:{name}"
        if key not in found:
            found[key], uses, files = package.look_at(module, name)
            found |= files
            todo += [*uses, (module, _REST)]
    return dict(sorted(found.items()))


class Package:
    """The package ``sbd`` below a folder; its modules are read when they are asked for.

    Parameters
    ----------
    root : pathlib.Path
        The folder that holds ``sbd``.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.read = cache(self._read)
        self.names = cache(self._names)
        self.look_at = cache(self._look_at)
        self.locate = cache(self._locate)
        self.tables = cache(self._tables)
        self.digest = cache(_digest)
        catalogue = self.root / "sbd" / "data" / "catalogue.toml"
        text = catalogue.read_text(encoding="utf-8") if catalogue.is_file() else ""
        self.items = tomllib.loads(text).get("items", {})

    def find(self, module: str) -> Path | None:
        """Return the file of a module, None for a room that a stub describes."""
        path = self.root / (module.replace(".", "/") + ".py")
        if path.is_file():
            return path
        room = path.with_suffix("") / "__init__.py"
        return room if room.is_file() and not self.stub(module) else None

    def stub(self, module: str) -> Path | None:
        """Return what says where the names of a room are from."""
        path = self.root / module.replace(".", "/") / "__init__.pyi"
        return path if path.is_file() else None

    def is_room(self, module: str) -> bool:
        """Tell a package from a module."""
        return (self.root / module.replace(".", "/") / "__init__.py").is_file()

    def _locate(self, module: str, name: str) -> tuple[_Target, ...]:
        """Say what a name of a module may be: definitions, or modules' names."""
        inner = f"{module}.{name}"
        if self.is_room(inner) or self.find(inner):
            return (inner,)
        if self.find(module):
            if name in self.read(module):
                return ((module, name),)
            return tuple(self.names(module).known.get(name, ()))
        if stub := self.stub(module):
            known = _stub(stub)
            if name in known:
                return self.locate(module + known[name], name)
            if module == "sbd":  # a former name, that one of the rooms answers
                rooms = sorted(self.root.glob("sbd/*/__init__.pyi"))
                holders = (f"sbd.{p.parent.name}" for p in rooms if name in _stub(p))
                return next((self.locate(room, name) for room in holders), ())
        return ()

    def list_names(self, module: str) -> list[str]:
        """Name all that a module or a room offers."""
        if self.find(module):
            return [name for name in self.read(module) if name != _REST]
        stub = self.stub(module)
        return [*_stub(stub)] if stub and module != "sbd" else []

    def used_by(self, node: ast.AST, names: "_Names") -> set[tuple[str, str]]:
        """Name the definitions that a piece of code refers to."""
        found: set[tuple[str, str]] = set()
        for name, chain in _chains(node):
            todo = [(target, chain) for target in names.known.get(name, ())]
            while todo:
                target, rest = todo.pop()
                if isinstance(target, tuple):
                    found.add(target)
                elif target and rest:
                    todo += [(t, rest[1:]) for t in self.locate(target, rest[0])]
                elif target:  # the module itself is handed on
                    found |= self._all_of(target)
        for text in _texts(node):
            if text.startswith("sbd.") and self.find(text):
                found |= self._all_of(text)
            elif "import sbd" in text or "from sbd" in text:  # for another process
                with suppress(SyntaxError):
                    inner = _strip(ast.parse(text))
                    more = _Names(inner, self)
                    found |= self.used_by(inner, more) | more.run
        return found

    def _all_of(self, module: str) -> set[tuple[str, str]]:
        targets = (self.locate(module, name) for name in self.list_names(module))
        return {t for some in targets for t in some if isinstance(t, tuple)}

    def files_in(self, node: ast.AST, beside: Path | None = None) -> dict[str, str]:
        """Give the digests of the files that a piece of code names."""
        texts = _texts(node)
        found = {
            f"the file {name}": str(self.items[name].get("digest", ""))
            for name in texts & {*self.items}
        }
        tables = dict(self.tables())
        if beside:
            tables |= {p.name: (p,) for p in beside.glob("*.toml")}
        for name in {text.rpartition("/")[2] for text in texts} & {*tables}:
            for path in tables[name]:
                inside = path.is_relative_to(self.root)
                known = path.relative_to(self.root) if inside else Path(path.name)
                found[f"the file {known.as_posix()}"] = self.digest(path)
        return found

    def _tables(self) -> dict[str, tuple[Path, ...]]:
        """List by name the package's files that are neither code nor words.

        What the catalogue knows counts by its name there; a folder of assets of which
        it knows none stands for all that is in it.
        """
        own = {self.root / "sbd" / "data" / "catalogue.toml"}
        assets = self.root / "sbd" / "assets"
        own |= {assets / str(item.get("file", "?")) for item in self.items.values()}
        known = {path.parent for path in own if path.is_file()}
        found: dict[str, tuple[Path, ...]] = {}
        for path in sorted((self.root / "sbd").rglob("*")):
            words = path.suffix in _CODE_OR_WORDS and assets not in path.parents
            words |= path.suffix in {".md", ".pyc"}
            if path.is_file() and not words and path not in own:
                found[path.name] = (*found.get(path.name, ()), path)
                if path.parent.parent == assets and path.parent not in known:
                    folder = path.parent.name
                    found[folder] = (*found.get(folder, ()), path)
        return found

    def _look_at(self, module: str, name: str) -> tuple[str, set, dict[str, str]]:
        """Hash a definition, and say what it uses and which files it names."""
        nodes, names = self.read(module).get(name, []), self.names(module)
        uses = {use for node in nodes for use in self.used_by(node, names)}
        if name == _REST:
            uses |= names.run
        files: dict[str, str] = {}
        for node in nodes:
            files |= self.files_in(node)
        origins = sorted({each for node in nodes for each in names.origins_in(node)})
        return _hash(nodes, origins), uses, files

    def _tree(self, module: str) -> ast.Module:
        path = self.find(module)
        return _strip(_parse(path)) if path else ast.Module([], [])

    def _names(self, module: str) -> "_Names":
        room = self.is_room(module)
        names = _Names(self._tree(module), self, module if room else _above(module))
        for name in self.read(module):
            names.known.setdefault(name, set()).add((module, name))
        return names

    def _read(self, module: str) -> dict[str, list[ast.stmt]]:
        """Sort a module's statements by the names that they define."""
        found: dict[str, list[ast.stmt]] = {_REST: []}
        for node in self._tree(module).body:
            if not isinstance(node, (*_IMPORTS, ast.Pass)):
                names = _defined(node) or [_REST]
                for name in dict.fromkeys(names):
                    found.setdefault(name, []).append(node)
        return found


class _Names:
    """What names in a module may stand for: its own definitions, or imported ones."""

    def __init__(self, tree: ast.Module, package: Package, above: str = "") -> None:
        self.known: dict[str, set[_Target]] = {}
        self.origins: dict[str, set[str]] = {}  # of what other libraries give
        self.run: set[tuple[str, str]] = set()  # modules that are run, used or not
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    whole = alias.name if alias.asname else alias.name.split(".")[0]
                    self._add(alias.asname or whole, (whole,), alias.name)
                    if package.find(alias.name):
                        self.run.add((alias.name, _REST))
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                if node.level:
                    base = above.split(".")
                    base = base[: len(base) - node.level + 1]
                    module = ".".join([*base, *filter(None, [module])])
                for alias in node.names:
                    self._take(module, alias, package)

    def _take(self, module: str, alias: ast.alias, package: Package) -> None:
        """Take what ``from module import alias`` brings."""
        ours = module.split(".")[0] == "sbd"
        names = [alias.name]
        if alias.name == "*":
            names = package.list_names(module) if ours else []
        for name in names:
            targets = package.locate(module, name) if ours else ()
            self._add(alias.asname or name, targets, f"{module}.{name}")

    def _add(self, name: str, targets: tuple[_Target, ...], origin: str) -> None:
        self.known.setdefault(name, set()).update(targets)
        if origin.split(".")[0] != "sbd":
            self.origins.setdefault(name, set()).add(origin)

    def origins_in(self, node: ast.AST) -> set[str]:
        """Say where the names of other libraries in a piece of code are from."""
        used = {part.id for part in ast.walk(node) if _is_name(part)}
        return {
            f"{name} = {origin}"
            for name in used & {*self.origins}
            for origin in self.origins[name]
        }


def _above(module: str) -> str:
    return module.rpartition(".")[0]


def _texts(node: ast.AST) -> set[str]:
    """List the texts that stand in a piece of code."""
    constants = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def _chains(node: ast.AST) -> Iterator[tuple[str, list[str]]]:
    """List names, each with the attributes that are asked of it."""
    todo = [node]
    while todo:
        part, chain = todo.pop(), []
        while (step := _step(part)) is not None:
            chain.insert(0, step)
            part = part.value if isinstance(part, ast.Attribute) else part.args[0]
        if isinstance(part, ast.Name):
            yield part.id, chain
        else:
            todo += ast.iter_child_nodes(part)


def _step(part: ast.AST) -> str | None:
    """Name the attribute that a piece of code asks for, also by getattr."""
    if isinstance(part, ast.Attribute):
        return part.attr
    if not isinstance(part, ast.Call) or not _is_name(part.func) or part.keywords:
        return None
    if part.func.id != "getattr" or len(part.args) != 2:
        return None
    name = part.args[1]
    is_text = isinstance(name, ast.Constant) and isinstance(name.value, str)
    return name.value if is_text else None


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, OSError) as error:
        msg = f"script must be a file of Python code; got {path}: {error}"
        raise ValueError(msg) from None


def _stub(path: Path) -> dict[str, str]:
    """Read where a package's stub has its names from, as ``".module"``."""
    return {
        alias.asname or alias.name: f".{node.module}" if node.module else ""
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }


def _defined(node: ast.stmt) -> list[str]:
    """Name what a statement defines, or changes."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        asked = (chain for d in node.decorator_list for chain in _chains(d))
        return [node.name, *(name for name, rest in asked if rest == ["register"])]
    if isinstance(node, ast.Assign):
        return [n.id for t in node.targets for n in ast.walk(t) if _is_name(n)]
    if isinstance(node, ast.AnnAssign | ast.AugAssign):
        return [n.id for n in ast.walk(node.target) if _is_name(n)]
    bound, todo = [], [node]  # under a condition, in a loop, or on the way
    while todo:
        part = todo.pop()
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.append(part.name)
        else:
            if _is_name(part) and isinstance(part.ctx, ast.Store):
                bound.append(part.id)
            todo += ast.iter_child_nodes(part)
    return [*bound, _REST]


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


def _strip(tree: ast.Module) -> ast.Module:
    """Leave out what cannot change a number."""
    return _Silencer().visit(copy.deepcopy(tree))


class _Silencer(ast.NodeTransformer):
    """Take annotations, the words of errors and imports for type checkers out."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        kind = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return ast.Raise(exc=kind, cause=None)

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        words = len(node.targets) == 1 and _is_name(node.targets[0])
        if words and node.targets[0].id == "msg" and _texts(node.value):
            return ast.Pass()
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Who writes the numbers down does not change them."""
        if _is_name(node.func) and node.func.id in _WRITERS:
            named = [k for k in node.keywords if k.arg in _NUMBERS]
            node = ast.Call(ast.Constant("written"), node.args[:2], named)
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.If | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.test, node.body = ast.Constant(value=False), [ast.Pass()]
            return self.generic_visit(node) if node.orelse else ast.Pass()
        return self.generic_visit(node)


def _hash(body: list[ast.stmt], origins: list[str]) -> str:
    code = "\n".join(ast.unparse(ast.fix_missing_locations(n)) for n in body)
    return sha256("\n".join([bare_code(code), *origins]).encode())[:16]


def _digest(path: Path) -> str:
    return f"sha256:{sha256(path)}"
