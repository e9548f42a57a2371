"""Another version of a library: for tdd-monitor some of its private names are gone, not for others."""

from pathlib import Path

HIDE = """
import importlib, sys, types

def hide(path):
    # "package.module:Owner.name"; without an owner, a name of the module
    module, _, inside = path.partition(":")
    owner = importlib.import_module(module)
    *holders, name = inside.split(".")
    for holder in holders:
        owner = getattr(owner, holder)
    kinds = getattr(owner, "__mro__", [owner])
    original = next((vars(kind)[name] for kind in kinds if name in vars(kind)), None)

    def is_ours():
        return sys._getframe(2).f_globals.get("__name__", "").startswith("tdd_monitor")

    class Hidden:
        def __get__(self, instance, kind=None):
            if is_ours():
                raise AttributeError(name)
            if isinstance(instance, types.ModuleType):
                return instance.__dict__[name]
            if hasattr(type(original), "__get__"):
                return original.__get__(instance, kind)
            if instance is not None and name in instance.__dict__:
                return instance.__dict__[name]
            if original is None:
                raise AttributeError(name)
            return original

        def __set__(self, instance, value):
            if hasattr(type(original), "__set__"):
                original.__set__(instance, value)
            else:
                instance.__dict__[name] = value

        def __delete__(self, instance):
            del instance.__dict__[name]

    if isinstance(owner, types.ModuleType):
        owner.__class__ = type("Module", (types.ModuleType,), {name: Hidden()})
    else:
        setattr(owner, name, Hidden())


def rename(modules, ends=False, **names):
    # In their sources, before they are compiled; `ends`: also where a longer name ends so.
    import importlib.machinery, importlib.util, re

    class Loader(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname):
            text = self.get_source(fullname)
            for old, new in names.items():
                text = re.sub(rf"{'' if ends else chr(92) + 'b'}{old}\\b", new, text)
            return compile(text, self.path, "exec", dont_inherit=True)

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name not in modules.split():
                return None
            spec = importlib.machinery.PathFinder.find_spec(name, path, target)
            spec.loader = Loader(spec.loader.name, spec.loader.path)
            return spec

    sys.meta_path.insert(0, Finder())
    for module in modules.split():
        importlib.import_module(module)
"""


def hide(directory: Path, *paths: str) -> dict[str, str]:
    """Write a sitecustomize into the directory; returns the environment that lets Python find it."""
    return change(directory, *(f"hide({path!r})" for path in paths))


def change(directory: Path, *statements: str) -> dict[str, str]:
    """As `hide`, with statements that call `hide` and `rename`."""
    calls = "\n".join(statements)
    (directory / "sitecustomize.py").write_text(f"{HIDE}\n{calls}\n", encoding="utf-8")
    return {"PYTHONPATH": str(directory)}
