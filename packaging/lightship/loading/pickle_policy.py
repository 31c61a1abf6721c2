"""Which names a pickle may import once pickles are trusted at all.

A pickled model needs classes of the modelling packages and a few functions that rebuild their arrays. Everything
else is refused unless the user names it: not because each of those names is dangerous, but because nobody can list
the dangerous ones.
"""

import re
import sys
from types import ModuleType
from typing import Any, Final

PACKAGES: Final = frozenset({"numpy", "scipy", "sklearn", "pandas", "lightgbm", "xgboost", "catboost"})

_EXACT: Final = {
    "builtins": "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple",
    "collections": "Counter OrderedDict defaultdict deque",
    "copyreg": "__newobj__ __newobj_ex__ _reconstructor",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "functools": "partial",
    "joblib.numpy_pickle": "NumpyArrayWrapper",
    "uuid": "UUID",
    "_codecs": "encode",
}
_ALLOWED: Final = frozenset(f"{module}.{name}" for module, names in _EXACT.items() for name in names.split())

# Parts of the allowed packages that read and write files, fetch, compile, evaluate text or start processes.
_CLOSED: Final = (
    "numpy.ctypeslib", "numpy.distutils", "numpy.f2py", "numpy.lib", "numpy.testing",
    "numpy._core.memmap", "numpy.core.memmap",
    "pandas.compat", "pandas.core.computation", "pandas.io", "pandas.plotting", "pandas.testing", "pandas.util",
    "scipy.datasets", "scipy.io", "sklearn.datasets", "sklearn.externals", "sklearn.utils._testing",
    "lightgbm.dask", "xgboost.collective", "xgboost.dask", "xgboost.spark", "xgboost.tracker", "xgboost.testing",
)  # fmt: skip
_CLOSED_NAMES: Final = re.compile(
    r"eval|query|exec\w*|load\w*|save\w*|read_\w+|to_\w+|fetch_\w+|fromfile|fromregex|genfromtxt|memmap|open_memmap|"
    r"DataSource|HDFStore|Excel\w+|show_\w+|test"
)

_RECONSTRUCTORS: Final = re.compile(
    r"_reconstruct|_mareconstruct|_frombuffer|scalar|_ufunc_reconstruct|newObj|__pyx_unpickle_\w+|_unpickle_\w+|"
    r"_new_\w*Index|__(randomstate|bit_generator|generator)_ctor"
)
_CALLABLE: Final = frozenset(
    {"copyreg.__newobj__", "copyreg.__newobj_ex__", "copyreg._reconstructor", "_codecs.encode"}
)


def is_allowed(module: str, name: str) -> bool:
    """Whether `module.name` may be imported without the user's naming it."""
    dotted = f"{module}.{name}"
    if dotted in _ALLOWED:
        return True
    parts = module.split(".")
    if parts[0] not in PACKAGES or "tests" in parts or not name.isidentifier():
        return False
    closed = any(dotted == prefix or dotted.startswith(f"{prefix}.") for prefix in _CLOSED)
    return not closed and _CLOSED_NAMES.fullmatch(name) is None and name not in sys.stdlib_module_names


def is_what_it_says(module: str, name: str, found: Any) -> bool:
    """Whether the object behind an allowed name really belongs to an allowed package.

    A module's namespace also holds what it imported: `numpy.some_module.os`, or `Popen` under another roof.
    """
    if isinstance(found, ModuleType):
        return False
    if f"{module}.{name}" in _ALLOWED:
        return True
    home = getattr(found, "__module__", None)
    if home is None:
        return type(found).__module__.split(".")[0] in PACKAGES
    return isinstance(home, str) and (
        home.split(".")[0] in PACKAGES or is_allowed(home, getattr(found, "__name__", ""))
    )


def may_be_called(module: str, name: str, found: Any) -> bool:
    """Whether the pickle itself may call it while loading: a class, or a function known to rebuild one."""
    if isinstance(found, type) or f"{module}.{name}" in _CALLABLE:
        return True
    return module.partition(".")[0] in PACKAGES and _RECONSTRUCTORS.fullmatch(name) is not None
