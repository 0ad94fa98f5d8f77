"""_core.pyi against the module that it describes: every name, and the names of all arguments."""

import ast
import re
from pathlib import Path

import kith
from kith import _core

STUB = ast.parse((Path(kith.__file__).parent / "_core.pyi").read_text())


def public(names):
    return {name for name in names if not name.startswith("_")}


def stub_members(body):
    """Name -> argument names of a function, or None for a value or property."""
    members = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list)
            arguments = [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
            members[node.name] = None if is_property else arguments
        elif isinstance(node, ast.AnnAssign):
            members[node.target.id] = None
    return members


def real_arguments(function):
    """Argument names, from the signature that pybind11 writes into the first line of the docstring."""
    signature = function.__doc__.strip().splitlines()[0]
    inside = signature[signature.index("(") + 1 : signature.rindex(") ->")]
    without_types = re.sub(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]", "", inside)
    return [part.split(":")[0].strip() for part in without_types.split(",") if part.strip() not in ("", "*")]


def check_function(function, arguments):
    found = real_arguments(function)
    assert found == arguments, f"{function.__name__}: module {found}, stub {arguments}"


def test_the_module_and_the_stub_have_the_same_names():
    classes = {node.name for node in STUB.body if isinstance(node, ast.ClassDef)}
    assert public(vars(_core)) == public(classes | set(stub_members(STUB.body)))


def test_functions_take_the_arguments_that_the_stub_says():
    for name, arguments in stub_members(STUB.body).items():
        if arguments is not None:
            check_function(getattr(_core, name), arguments)


def test_classes_have_the_members_that_the_stub_says():
    for node in STUB.body:
        if not isinstance(node, ast.ClassDef):
            continue
        real = getattr(_core, node.name)
        stub = stub_members(node.body)
        has_constructor = "__init__" in stub
        assert public(vars(real)) == public(stub), node.name
        for name, arguments in stub.items():
            if arguments is not None:
                check_function(getattr(real, name), arguments)
            else:
                assert isinstance(vars(real)[name], property), f"{node.name}.{name}"
        assert has_constructor == ("__init__" in vars(real) and node.name != "Dataset"), node.name


def test_the_package_says_that_it_is_typed():
    assert (Path(kith.__file__).parent / "py.typed").exists()


def test_everything_that_is_exported_is_there():
    assert all(hasattr(kith, name) for name in kith.__all__)
    assert re.fullmatch(r"\d+\.\d+\.\d+", kith.__version__)
