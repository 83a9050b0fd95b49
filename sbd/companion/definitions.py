"""Which functions, classes and constants of this library a script's numbers come from.

Read from the code itself, without running it: the names that the script uses, those
that their definitions use, and so on. A number is old when one of these has changed,
and not when a neighbour in the same module has. What cannot change a number counts for
nothing: comments, docstrings, annotations, and what an error says.

Files of the catalogue that are named in this code count as well, by their digest.

A name that is only reached through a value, as a method of an object that was handed
in, is not seen, and neither is a file whose name is put together; the class that made
the object is.
"""

import ast
import copy
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from sbd.companion.fingerprints import bare_code
from sbd.files import sha256

_REST = "(the rest of the module)"
"""What a module does beside defining names: it always runs."""

_IMPORTS = (ast.Import, ast.ImportFrom)
_WRITERS = ("write_json", "write_measured")


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
    tree = _strip(_parse(Path(script)))
    body = [node for node in tree.body if not isinstance(node, _IMPORTS)]
    found = {"": _hash(body)} | package.files_in(tree)
    todo = [*package.used_by(tree, _Names(tree, package))]
    while todo:
        module, name = todo.pop()
        key = f"{module}:{name}"
        if key not in found:
            nodes, names = package.read(module), package.names(module)
            found[key] = _hash(nodes.get(name, []))
            for node in nodes.get(name, []):
                todo += package.used_by(node, names)
                found |= package.files_in(node)
            todo.append((module, _REST))
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
        catalogue = self.root / "sbd" / "data" / "catalogue.toml"
        text = catalogue.read_text(encoding="utf-8") if catalogue.is_file() else ""
        self.items = tomllib.loads(text).get("items", {})

    def find(self, module: str) -> Path | None:
        """Return the file of a module, None for what is a package or not there."""
        path = self.root / (module.replace(".", "/") + ".py")
        return path if path.is_file() else None

    def is_room(self, module: str) -> bool:
        """Tell a package from a module."""
        return (self.root / module.replace(".", "/") / "__init__.py").is_file()

    def locate(self, module: str, name: str) -> tuple[str, str] | str | None:
        """Say what a name of a module is: a definition, a module's name, or foreign."""
        inner = f"{module}.{name}"
        if self.is_room(inner) or self.find(inner):
            return inner
        if self.find(module):
            if name in self.read(module):
                return module, name
            return self.names(module).known.get(name)
        if self.is_room(module):
            stub = self.root / module.replace(".", "/") / "__init__.pyi"
            known = _stub(stub) if stub.is_file() else {}
            if name in known:
                return self.locate(module + known[name], name)
            if module == "sbd":  # a former name, that one of the rooms answers
                rooms = sorted(self.root.glob("sbd/*/__init__.pyi"))
                holders = (f"sbd.{p.parent.name}" for p in rooms if name in _stub(p))
                return next((self.locate(room, name) for room in holders), None)
        return None

    def used_by(self, node: ast.AST, names: "_Names") -> Iterator[tuple[str, str]]:
        """Name the definitions that a piece of code refers to."""
        for part in ast.walk(node):
            chain = []
            while isinstance(part, ast.Attribute):
                chain.append(part.attr)
                part = part.value
            if not isinstance(part, ast.Name):
                continue
            target = names.known.get(part.id)
            while isinstance(target, str) and chain:
                target = self.locate(target, chain.pop())
            if isinstance(target, tuple):
                yield target

    def files_in(self, node: ast.AST) -> dict[str, str]:
        """Give the digests of the catalogue's files that a piece of code names."""
        constants = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
        named = {name for name in constants if isinstance(name, str)} & {*self.items}
        return {
            f"the file {name}": str(self.items[name].get("digest", ""))
            for name in named
        }

    def _tree(self, module: str) -> ast.Module:
        path = self.find(module)
        return _strip(_parse(path)) if path else ast.Module([], [])

    def _names(self, module: str) -> "_Names":
        names = _Names(self._tree(module), self)
        for name in self.read(module):
            names.known[name] = (module, name)
        return names

    def _read(self, module: str) -> dict[str, list[ast.stmt]]:
        """Sort a module's statements by the name that they define."""
        found: dict[str, list[ast.stmt]] = {_REST: []}
        for node in self._tree(module).body:
            if not isinstance(node, (*_IMPORTS, ast.Pass)):
                for name in _defined(node) or [_REST]:
                    found.setdefault(name, []).append(node)
        return found


class _Names:
    """What the names in a module stand for: its own definitions, or imported ones."""

    def __init__(self, tree: ast.Module, package: Package) -> None:
        self.known: dict[str, tuple[str, str] | str | None] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    whole = alias.name if alias.asname else alias.name.split(".")[0]
                    self.known[alias.asname or whole] = whole
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    target = None
                    if node.module.split(".")[0] == "sbd":
                        target = package.locate(node.module, alias.name)
                    self.known[alias.asname or alias.name] = target


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
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [n.id for t in node.targets for n in ast.walk(t) if _is_name(n)]
    if isinstance(node, ast.AnnAssign | ast.AugAssign):
        return [n.id for n in ast.walk(node.target) if _is_name(n)]
    return []


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

    def visit_Raise(self, _: ast.Raise) -> ast.Raise:
        return ast.Raise(exc=None, cause=None)

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        words = len(node.targets) == 1 and _is_name(node.targets[0])
        if words and node.targets[0].id == "msg":
            return ast.Pass()
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Who writes the numbers down does not change them."""
        if _is_name(node.func) and node.func.id in _WRITERS:
            node = ast.Call(ast.Constant("written"), node.args[:2], [])
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.If | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return ast.Pass()
        return self.generic_visit(node)


def _hash(body: list[ast.stmt]) -> str:
    code = "\n".join(ast.unparse(ast.fix_missing_locations(n)) for n in body)
    return sha256(bare_code(code).encode())[:16]
