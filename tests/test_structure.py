"""The house as it is drawn: arrows between packages point one way, TensorFlow stays where it belongs, and no file stands alone."""

import ast
import functools
import sys
from pathlib import Path

import pytest

import tfarch

ROOT = Path(tfarch.__file__).parent
TENSORFLOW = {"tensorflow", "tf_keras", "keras", "keras_nlp", "keras_hub", "tensorflow_text", "tensorflow_model_optimization"}

# A part may import itself, the ground that all stand on, and these parts; no others.
GROUND = {"errors", "progress", "version"}
ALLOWED = {
    "errors": set(),
    "progress": set(),
    "quiet": set(),
    "settings": set(),
    "config": {"settings"},
    "app": {"config", "settings"},
    "runtime": set(),
    "data": {"config", "settings", "runtime"},
    "models": {"config", "runtime"},
    "evaluation": {"runtime"},
    "training": {"config", "data", "models", "evaluation", "runtime"},
    "compression": {"config", "settings", "data", "models", "training", "runtime"},
    "export": {"runtime", "quiet"},
    "run_folder": {"config", "settings", "evaluation"},
    "pipeline": {"config", "data", "models", "training", "compression", "evaluation", "export", "run_folder", "runtime", "quiet"},
    "cli": {"app", "config", "data", "evaluation", "compression", "pipeline", "quiet", "run_folder", "runtime"},
    "__init__": {"runtime", "pipeline"},
    "__main__": {"cli"},  # of whatever part: what `python -m` starts
}
# Parts that start without TensorFlow: none of their files imports it at the top, nor anything that does.
LIGHT = ("errors", "progress", "settings", "config", "app", "quiet", "runtime", "data", "run_folder", "cli", "__init__")


@functools.cache
def modules():
    """Every module of tfarch by dotted name, as a syntax tree."""
    found = {}
    for file in sorted(ROOT.rglob("*.py")):
        name = ".".join(("tfarch", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        found[name] = ast.parse(file.read_text(encoding="utf-8"))
    return found


def imports(name, *, late=True):
    """Dotted names that a module imports: modules, and `tfarch.version` for the version; without `late` only what runs at its import."""
    tree, found = modules()[name], set()

    def visit(node):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add("tfarch.version" if inner == "tfarch.__version__" else inner if inner in modules() else node.module)
        if late or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            for child in ast.iter_child_nodes(node):
                if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
                    visit(child)

    visit(tree)
    if "tfarch" in found and name != "tfarch":  # `import tfarch`, for its version: for more there are its modules
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tfarch"}
        assert used <= {"__version__"}, f"{name} uses {used} of tfarch"
        found = found - {"tfarch"} | {"tfarch.version"}
    return found


def part(name):
    """The part of the house that a module of tfarch belongs to."""
    return "__main__" if name.endswith(".__main__") else name.split(".")[1] if "." in name else "__init__"


def with_parents(name):
    """Importing a module runs the packages above it."""
    parts = name.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts) + 1)}


def test_every_part_of_the_house_has_its_place():
    assert {part(name) for name in modules()} == set(ALLOWED)


@pytest.mark.parametrize("here", sorted(ALLOWED))
def test_arrows_point_one_way(here):
    crossed = {
        f"{name} -> {other}"
        for name in modules()
        if part(name) == here
        for other in imports(name)
        if other.split(".")[0] == "tfarch" and part(other) not in {here, *GROUND, *ALLOWED[here]}
    }
    assert crossed == set()


def test_the_arrows_allow_no_circle():
    placed: set[str] = set()
    left = {name: needs - {name} for name, needs in ALLOWED.items()}
    while left:
        free = [name for name, needs in left.items() if needs <= placed]
        assert free, f"a circle among {sorted(left)}"
        placed.update(free)
        for name in free:
            del left[name]


def test_nothing_in_the_core_knows_an_app():
    assert {
        name for name in modules() for other in imports(name) if other.split(".")[0] in ("apps", "notebooks", "benchmarks", "tests")
    } == set()


def test_the_runtime_stands_on_numpy_level_libraries_alone():
    libraries = {other.split(".")[0] for name in modules() if part(name) == "runtime" for other in imports(name)}
    outside = libraries - {"tfarch", "numpy", "tokenizers", "ai_edge_litert", "bm25s", "voyager"}
    assert outside <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("here", LIGHT)
def test_a_light_part_starts_without_tensorflow(here):
    reached, waiting = {}, {name: name for name in modules() if part(name) == here}
    while waiting:
        name, way = waiting.popitem()
        reached[name] = way
        for other in imports(name, late=False):
            assert other.split(".")[0] not in TENSORFLOW, f"{way} -> {other}"
            for each in with_parents(other):
                if each in modules() and each not in reached:
                    waiting[each] = f"{way} -> {each}"
    assert reached


def test_every_file_is_imported_by_something():
    imported = {each for name in modules() for other in imports(name) for each in with_parents(other) if each != name}
    users = [file for folder in ("apps", "notebooks", "benchmarks") for file in (ROOT.parent / folder).rglob("*.py")]
    assert len(users) > 50
    for file in users:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    assert {name for name in modules() if part(name) != "__main__"} - imported == set()


def test_no_file_hides_what_went_wrong():
    # Other people's code may raise anything: then it is raised again, in our words.
    hiding = [
        f"{name}, line {node.lineno}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    ]
    assert hiding == []


def test_no_file_reads_or_writes_pickle():
    libraries = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
    assert {name for name in modules() for other in imports(name) if other.split(".")[0] in libraries} == set()
