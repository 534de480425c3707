#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every public name: docstring, stub and manual agree with the code."""

import ast
import inspect
import os
import types
import unittest

import support

import ostore
from ostore import _ostore

FUNCTIONS = """init shutdown put put_many get wait empty create open_draft get_buffer get_metadata contains hold lookup unhold delete
set_attributes list memory stats configure get_async wait_async events""".split()
CLASSES = "Client Draft Events ObjectRef SharedDraft".split()
ERRORS = """Error ObjectStoreFullError ObjectNotFoundError ObjectExistsError ObjectLostError GetTimeoutError
OutOfDiskError PermissionDenied BrokerUnavailable""".split()
CLIENT_METHODS = [name for name in FUNCTIONS if name not in ("init", "shutdown")]


def stub_of(name):
    with open(os.path.join(support.SOURCE, "python/ostore", name)) as stub:
        return ast.parse(stub.read())


def first_line(object):
    return inspect.getdoc(object).split("\n")[0]


def signature_text(function, name):
    """A signature as docstrings write it: without self and annotations."""
    parameters = [*inspect.signature(function).parameters.values()]
    if parameters and parameters[0].name == "self":
        parameters = parameters[1:]
    parameters = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    text = str(inspect.Signature(parameters))
    return name + text.replace("<class 'float'>", "float").replace("b''", 'b""')


def stub_arguments(node):
    arguments = node.args
    return [a.arg for a in arguments.posonlyargs + arguments.args if a.arg != "self"], [a.arg for a in arguments.kwonlyargs]


def code_arguments(function):
    positional, keyword = [], []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name != "self":
            (keyword if parameter.kind is parameter.KEYWORD_ONLY else positional).append(parameter.name)
    return positional, keyword


class Names(unittest.TestCase):
    def test_are_these(self):
        public = {n for n, v in vars(ostore).items() if not n.startswith("_") and not isinstance(v, types.ModuleType)}
        self.assertEqual(public, {*FUNCTIONS, *CLASSES, *ERRORS})
        self.assertEqual({*ostore.__all__, "list"}, public)
        self.assertEqual(len(ostore.__version__.split(".")), 3)

    def test_of_clients_are_those_of_the_module(self):
        public = {name for name in vars(ostore.Client) if not name.startswith("_")}
        self.assertEqual(public, {*CLIENT_METHODS, "address", "close"})
        for name in CLIENT_METHODS:
            method, function = getattr(ostore.Client, name), getattr(ostore, name)
            self.assertEqual(signature_text(method, name), signature_text(function, name))
            self.assertEqual(method.__doc__, function.__doc__)

    def test_of_errors_are_what_programs_catch(self):
        for name in ERRORS:
            self.assertTrue(issubclass(getattr(ostore, name), ostore.Error))
        self.assertTrue(issubclass(ostore.GetTimeoutError, TimeoutError))
        self.assertTrue(issubclass(ostore.PermissionDenied, PermissionError))
        self.assertTrue(issubclass(ostore.BrokerUnavailable, ConnectionError))


class Docstrings(unittest.TestCase):
    def test_begin_with_the_signature(self):
        for name in FUNCTIONS:
            function = getattr(ostore, name)
            text = first_line(function)
            self.assertTrue(text.startswith(signature_text(function, name) + " -> "), text)
        for class_name in CLASSES:
            cls = getattr(ostore, class_name)
            self.assertTrue(first_line(cls).startswith(class_name + "("), class_name)
            for name, member in vars(cls).items():
                if name.startswith("_"):
                    continue
                if isinstance(member, property):
                    self.assertTrue(first_line(member).startswith(f"{name} -> "), name)
                elif callable(member):
                    self.assertTrue(first_line(member).startswith(signature_text(member, name) + " -> "), name)
        for name in ERRORS:
            self.assertEqual(first_line(getattr(ostore, name)), f"{name}(message)")

    def test_of_the_extension_begin_with_the_name(self):
        for holder in (_ostore, _ostore.Connection, _ostore.Object, _ostore.Draft):
            for name, member in vars(holder).items():
                if not name.startswith("_") and type(member).__name__ in ("method_descriptor", "builtin_function_or_method"):
                    self.assertTrue(member.__doc__.startswith(name + "("), name)
                    self.assertIn(" -> ", member.__doc__)


class Stubs(unittest.TestCase):
    def check_class(self, node, cls):
        stubbed = {item.name for item in node.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))}
        public = {name for name in vars(cls) if not name.startswith("_")}
        self.assertEqual({name for name in stubbed if not name.startswith("_")}, public, node.name)
        for item in node.body:
            if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and item.name in public | {"__init__"}:
                member = vars(cls)[item.name]
                if not isinstance(member, property):
                    self.assertEqual(stub_arguments(item), code_arguments(member), f"{node.name}.{item.name}")

    def test_describe_every_name_with_its_arguments(self):
        described = set()
        for node in stub_of("__init__.pyi").body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                described.add(node.name)
                self.assertEqual(stub_arguments(node), code_arguments(getattr(ostore, node.name)), node.name)
            elif isinstance(node, ast.ClassDef):
                described.add(node.name)
                cls = getattr(ostore, node.name)
                if node.name in CLASSES:
                    self.check_class(node, cls)
                else:
                    bases = [ast.unparse(base) for base in node.bases]
                    self.assertEqual(bases, [base.__name__ for base in cls.__bases__])
        self.assertEqual(described, {*FUNCTIONS, *CLASSES, *ERRORS})

    def test_of_the_extension_describe_every_name(self):
        body = stub_of("_ostore.pyi").body
        described = {node.target.id if isinstance(node, ast.AnnAssign) else getattr(node, "name", None) for node in body}
        self.assertEqual(described - {None}, {name for name in vars(_ostore) if not name.startswith("__")})
        for node in body:
            if isinstance(node, ast.ClassDef):
                members = {m.target.id if isinstance(m, ast.AnnAssign) else m.name for m in node.body}
                public = {name for name in vars(getattr(_ostore, node.name)) if not name.startswith("__")}
                self.assertEqual(members - {"__new__"}, public)

    def test_are_shipped_with_their_marker(self):
        self.assertTrue(os.path.exists(os.path.join(os.path.dirname(ostore.__file__), "py.typed")))


class Manual(unittest.TestCase):
    def test_names_everything(self):
        with open(os.path.join(support.SOURCE, "man/ostore-python.7")) as page:
            lines = page.read().split("\n")
        items = {line.split()[2] for line in lines if line.startswith((".It Fn ", ".It Sy ")) and len(line.split()) > 2}
        for name in [*FUNCTIONS, "Client", *(set(ERRORS) - {"Error"}), "array", "buffer", "seal", "abort"]:
            self.assertIn(name, items)
        text = " ".join(lines)
        for name in ("ObjectRef", "nbytes", "hex", "address", "close", "ostore.Error"):
            self.assertIn(name, text)

    def test_gives_the_arguments_of_every_function(self):
        with open(os.path.join(support.SOURCE, "man/ostore-python.7")) as page:
            lines = [line for line in page.read().split("\n") if line.startswith(".It Fn ")]
        documented = {line.split()[2]: line.replace('"', "").split()[3:] for line in lines}
        for name in FUNCTIONS:
            signature = signature_text(getattr(ostore, name), "")
            expected = signature.strip("()").replace('b""', "b''").split(", ") if signature != "()" else []
            if "=(" in signature:
                expected = [*expected[:-1], "trust_uids=()"]
            self.assertEqual(documented[name], expected, name)


if __name__ == "__main__":
    support.main()
