"""Freshness in a made package: what code means, what some code reaches, and nothing else, changes its hash."""

import textwrap

import pytest

from utils import freshness
from utils.freshness import tree

FILES = {
    "__init__.py": "from utils import early as early\n",
    "early.py": "OFF = 1\n\n\ndef switch_off():\n    return OFF\n\n\nswitch_off()\n",
    "settings.py": '''
        """Sizes."""
        import os
        import sys
        import os.path
        from pathlib import Path

        SIZE = 1  # pairs


        def place(name: str):
            """Where it lies."""
            return os.path.join(sys.prefix, name)
        ''',
    "rank/__init__.py": "",
    "rank/models.py": '''
        """Models."""
        from dataclasses import dataclass

        from utils import settings
        from utils.settings import SIZE

        SIZES = [SIZE]


        def load(name):
            """Load one."""
            return helper(name)


        def helper(name):
            return name


        def neighbour(load=None):
            return load


        @dataclass
        class Model:
            """A model."""

            size: int = 0

            def open(self):
                """Open it."""
                return load(self.size)
        ''',
    "rank/lists.py": """
        from . import models as found
        from .models import load as get

        TABLE = {"a": get}


        class Child(found.Model):
            pass


        def deep():
            from utils.rank.models import load

            return load("deep")


        def typed(model: "int", other: found.Model):
            return other


        def aside(models, load):
            return models.load + load


        def by_any_name(name):
            return globals()[name](1)
        """,
    "rank/starred.py": "from utils.rank.models import *\n\n\ndef begin():\n    return load(1)\n",
    "course/__init__.py": """
        def __getattr__(name):
            from utils.rank.models import load

            return load
        """,
    "edge/__init__.py": "from utils.rank import models\nfrom utils.rank.models import load\n",
}
REACHING = {
    "an attribute of a module": "from utils.rank import models\nmodels.load(1)",
    "an alias of a module": "from utils.rank import models as m\nm.load(1)",
    "an imported name": "from utils.rank.models import load\nload(1)",
    "an alias of a name": "from utils.rank.models import load as get\nget(1)",
    "a dotted module": "import utils.rank.models\nutils.rank.models.load(1)",
    "a dotted module under another name": "import utils.rank.models as m\nm.load(1)",
    "an import inside a function": "def f():\n    from utils.rank.models import load\n    return load",
    "a magic": "from utils.rank import models\n%timeit -n 2 models.load(1)",
    "a function that imports": "from utils.rank import lists\nlists.deep()",
    "a method": "from utils.rank import models\nmodels.Model(1)",
    "a base": "from utils.rank import lists\nlists.Child()",
    "a type": "from utils.rank import lists\nlists.typed(1, 2)",
    "a constant": "from utils.rank import lists\nlists.TABLE['a'](1)",
    "an import of everything": "from utils.rank.starred import begin\nbegin()",
    "a lazy attribute": "from utils import course\ncourse.begin()",
    "a package that passes it on": "from utils import edge\nedge.load(1)",
    "a package that passes its module on": "from utils import edge\nedge.models.load(1)",
    "a package that is passed on": "from utils import edge\nprint(edge)",
    "a name in a string": "call('utils.rank.models:load', 1)",
}
WHOLE = {
    "a module in a string": "run(['-m', 'utils.rank.models'])",
    "a module that is passed on": "from utils.rank import models\nprint(vars(models))",
    "a module that takes everything": "from utils.rank import starred\nprint(starred)",
    "an attribute that nobody binds": "from utils.rank import models\nmodels.made_later",
    "the names of a module": "from utils.rank import models\nmodels.__dict__['load']",
}
ASIDE = {
    "an import alone": "from utils.rank import models",
    "another function": "from utils.rank import models\nmodels.Model",
    "variables of the same names": "from utils.rank import lists\nlists.aside(1, 2)",
    "a fact of the module": "from utils.rank import models\nmodels.__file__",
    "an attribute of something else": "from utils.rank import models\nx.models.load(1)",
}


class House:
    """A made-up `utils` in a temporary folder."""

    def __init__(self, root):
        self.root = root

    def write(self, name, source):
        path = self.root / "utils" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))

    def edit(self, name, old, new):
        path = self.root / "utils" / name
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new))

    def append(self, name, source):
        path = self.root / "utils" / name
        path.write_text(path.read_text() + "\n\n" + textwrap.dedent(source))


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setattr(tree, "SOURCE", tmp_path)
    made = House(tmp_path)
    for name, source in FILES.items():
        made.write(name, source)
    return made


def hash_of(source):
    """What stands behind one cell."""
    return freshness.of_definitions(freshness.reached(source))


@pytest.mark.parametrize("name", REACHING)
def test_a_changed_function_changes_what_reaches_it_and_its_neighbour_does_not(house, name):
    before = hash_of(REACHING[name])
    house.edit("rank/models.py", "def neighbour(load=None):", "def neighbour(load=1):")
    assert hash_of(REACHING[name]) == before
    house.edit("rank/models.py", "return helper(name)", "return helper(name, name)")
    after = hash_of(REACHING[name])
    house.edit("rank/models.py", "return name", "return name + name")
    assert len({before, after, hash_of(REACHING[name])}) == 3


@pytest.mark.parametrize("name", WHOLE)
def test_of_a_module_that_is_used_whole_everything_counts(house, name):
    before = hash_of(WHOLE[name])
    house.edit("rank/models.py", "def neighbour(load=None):", "def neighbour(load=1):")
    assert hash_of(WHOLE[name]) != before


def test_a_function_that_asks_for_names_of_its_file_by_any_text_reaches_all_of_them(house):
    source = "from utils.rank import lists\nlists.by_any_name('aside')"
    before = hash_of(source)
    house.edit("rank/lists.py", "return models.load + load", "return models.load - load")
    assert hash_of(source) != before


@pytest.mark.parametrize("name", ASIDE)
def test_what_does_not_use_a_function_is_left_alone_by_its_change(house, name):
    source = ASIDE[name].replace("models.Model", "models.neighbour")
    before = hash_of(source)
    house.edit("rank/models.py", "return helper(name)", "return 2")
    assert hash_of(source) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("settings.py", "# pairs", "# pairs, of a query and a product"),
        ("settings.py", '"""Sizes."""', '"""The sizes of a run."""'),
        ("settings.py", '"""Where it lies."""', ""),
        ("settings.py", "import os\nimport sys\nimport os.path\n", "import os.path\nimport sys\nimport os\n"),
        ("settings.py", "import os\nimport sys\n", "import os, sys\n"),
        ("settings.py", "SIZE = 1", "\n\n\nSIZE = (1)"),
        ("settings.py", "(sys.prefix, name)", "(\n        sys.prefix,\n        name,\n    )"),
        ("rank/models.py", '"""A model."""', '"""One model, by utils.rank.lists."""'),
        ("rank/models.py", "size: int = 0\n", 'size: int = 0\n    """How large it is."""\n'),
        ("rank/models.py", '"""Open it."""', '"""Open it.\n\n        And no more.\n        """'),
    ],
)
def test_comments_docstrings_layout_and_the_order_of_imports_change_nothing(house, file, old, new):
    sources = [*REACHING.values(), *WHOLE.values(), "from utils import settings\nsettings.place(settings.SIZE)"]
    before = [hash_of(source) for source in sources]
    house.edit(file, old, new)
    assert [hash_of(source) for source in sources] == before


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("settings.py", "SIZE = 1", "SIZE = 2", True),
        ("settings.py", "import os\n", "import posix as os\n", True),
        ("settings.py", "from pathlib import Path", "from pathlib import PurePath", False),
        ("settings.py", "name: str", "name: int", True),
        ("early.py", "return OFF", "return not OFF", True),
        ("early.py", "OFF = 1", "OFF = 2", True),
    ],
)
def test_what_a_function_uses_counts_constants_other_peoples_names_and_the_packages_above(
    house, file, old, new, changed
):
    source = "from utils.settings import place, SIZE\nplace(SIZE)"
    before = hash_of(source)
    house.edit(file, old, new)
    assert (hash_of(source) != before) is changed


RUNS = {
    "a call": "print(helper)",
    "a condition": "if SIZE > 1:\n    helper = None",
    "an entry of a table": "settings.TABLE['a'] = helper",
    "an entry of a list": "SIZES[0] = helper",
    "an attribute": "settings.default = helper",
    "more of a list": "SIZES += [helper]",
    "a decorator": "@settings.register\ndef other():\n    return helper",
    "a decorated method": "class Other:\n    @settings.register\n    def one(self):\n        return helper",
    "a metaclass": "class Other(metaclass=settings.Registry):\n    one = helper",
    "a call of ours that is given a name": "OTHER = settings.register(helper)",
}
RUNS_NOT = {
    "a function": "def other():\n    return helper",
    "a class": "@dataclass(frozen=True)\nclass Other:\n    one = helper\n\n    @property\n    def two(self): ...",
    "a constant": "OTHER = {'a': helper}",
    "a call of other people's": "import re\nOTHER = re.compile('a')",
    "a block for type checkers": "if TYPE_CHECKING:\n    from utils.rank import lists",
    "a block for the command line": "if __name__ == '__main__':\n    print(helper)",
    "a text": "'''Some words.'''",
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("source", ["from utils.rank import models", "import utils.rank.lists"])
def test_what_an_import_runs_counts_with_all_that_it_reaches_for_whoever_imports_it(house, name, source):
    before = hash_of(source)
    house.append("rank/models.py", RUNS[name])
    after = hash_of(source)
    house.edit("rank/models.py", "return name", "return 2")
    assert len({before, after, hash_of(source)}) == 3


@pytest.mark.parametrize("name", RUNS_NOT)
def test_what_an_import_only_defines_does_not_count(house, name):
    before = hash_of("from utils.rank import models")
    house.append("rank/models.py", RUNS_NOT[name])
    assert hash_of("from utils.rank import models") == before


def test_what_a_module_does_when_it_is_run_counts_where_it_is_run_by_its_name(house):
    before = hash_of(WHOLE["a module in a string"])
    house.append("rank/models.py", RUNS_NOT["a block for the command line"])
    assert hash_of(WHOLE["a module in a string"]) != before


def test_all_assignments_of_a_name_count_and_their_order(house):
    found = []
    for ends in ("", "SIZE = 2\n", "SIZE = 2\nSIZE = 3\n", "SIZE = 3\nSIZE = 2\n"):
        house.write("settings.py", "SIZE = 1\n" + ends)
        found.append(hash_of("from utils.settings import SIZE\nSIZE"))
    assert len(set(found)) == 4


def test_a_file_that_is_no_python_counts_by_its_text(house):
    house.write("settings.py", "SIZE = (1\n")
    before = hash_of(REACHING["an imported name"])
    house.write("settings.py", "SIZE = (2\n")
    assert hash_of(REACHING["an imported name"]) != before


def test_what_says_what_is_fresh_decides_nothing_itself():
    reached = freshness.reached("from utils import disk, freshness\nfreshness.key(x=disk.sha256)")
    assert "utils.disk:sha256" in reached and not [one for one in reached if one.startswith("utils.freshness")]


def test_names_that_are_imported_from_one_another_and_bound_nowhere_end_the_search(house):
    house.write("rank/__init__.py", "from utils.rank import gone\nfrom utils.edge import lost\n")
    house.write("edge/__init__.py", "from utils.rank import lost\n")
    assert freshness.reached("from utils import rank\nrank.gone\nrank.lost\nprint(rank)") >= {"utils.rank:import"}


def test_definitions_are_hashed_by_name_and_an_unknown_one_is_refused(house):
    one, all_ = "utils.rank.models:load", "utils.rank.models"
    before = freshness.of_code(one), freshness.of_code(all_)
    house.edit("rank/models.py", "def neighbour(load=None):", "def neighbour(load=1):")
    assert freshness.of_code(one) == before[0] and freshness.of_code(all_) != before[1]
    for wrong in ("utils.rank.models:lood", "utils.rank.nothing", "elsewhere.models:load", "utils.rank.models:Model.x"):
        with pytest.raises(ValueError, match=f"'{wrong}' is no module or definition of utils or authoring"):
            freshness.of_code(wrong)


def test_modules_and_definitions_that_are_left_out_do_not_count_and_lead_nowhere(house):
    source = "from utils.rank import lists\nlists.deep()"
    assert "utils.rank.models:load" in freshness.reached(source)
    for without in (["utils.rank.l*"], ["utils.rank.lists"], ["utils.rank.lists:deep"]):
        assert not {"utils.rank.lists:deep", "utils.rank.models:load"} & freshness.reached(source, without=without)
