"""What learners plausibly write, and the words of the sentence each should meet."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WrongAnswer:
    name: str
    cell: str
    code: str
    taught: str


_TYPED = """
def typed(raw):
    text = raw.apply(lambda column: column.str.strip())
    text = text.mask(text.isin(MISSING_MARKS))
    table = text.copy()
    for column in NUMBERS:
        table[column] = pd.to_numeric(text[column], errors="coerce")
    for column in DATES:
        table[column] = pd.to_datetime(text[column], format="%Y-%m-%d", errors="coerce")
    unreadable = [(row, c) for c in NUMBERS + DATES for row in text.index[text[c].notna() & table[c].isna()]]
    return table, unreadable
"""
_CONTRACT = """
SPECIES = ["Adelie Penguin (Pygoscelis adeliae)", "Chinstrap penguin (Pygoscelis antarctica)", "Gentoo penguin (Pygoscelis papua)"]
CONTRACT = {
    "Species": {"required": True, "values": SPECIES},
    "Sex": {"values": ["FEMALE", "MALE"]},
    "Culmen Depth (mm)": {"low": 10, "high": 28},
    "Culmen Length (mm)": {"low": 25, "high": 70},
    "Flipper Length (mm)": {"low": 140, "high": 270},
    "Body Mass (g)": {"low": 1500, "high": 8000},
}
"""
_VIOLATIONS = """
def violations(table, contract):
    broken = set()
    for column, rules in contract.items():
        if column not in table:
            broken.add((None, column, "column"))
            continue
        for row, cell in table[column].items():
            if pd.isna(cell):
                if rules.get("required"):
                    broken.add((row, column, "missing"))
                continue
            if "values" in rules and cell not in rules["values"]:
                broken.add((row, column, "value"))
            if "low" in rules and not rules["low"] <= cell <= rules["high"]:
                broken.add((row, column, "range"))
    return broken
"""
_KEY = 'KEY = ["Species", "Sample Number"]\n'
_REPEATED = "def repeated(table, key):\n    return set(table.loc[table.duplicated(key, keep=False), key].itertuples(index=False, name=None))\n"


def _draw(body: str) -> str:
    return "def draw(table, axes):\n" + "\n".join(f"    {line}" for line in body.strip().split("\n"))


_LABELS = 'axes.set_xlabel("flipper (mm)"); axes.set_ylabel("mass (g)")'
_GROUPS = 'for name, birds in table.groupby("Species"):\n    axes.scatter(birds["Flipper Length (mm)"], birds["Body Mass (g)"], label=name)'


def _edited(text: str, old: str, new: str) -> str:
    assert old in text, old
    return text.replace(old, new)


WRONG_ANSWERS = [
    WrongAnswer("typed-stub", "typed", "def typed(raw):\n    raise NotImplementedError()", "not written yet"),
    WrongAnswer(
        "typed-crash",
        "typed",
        "def typed(raw):\n    return raw['sex'], []",
        "stopped at line 2 of its cell, `return raw['sex'], []`",
    ),
    WrongAnswer(
        "typed-in-place",
        "typed",
        "def typed(raw):\n    for c in raw:\n        raw[c] = raw[c].str.strip().replace(MISSING_MARKS, None)\n    return raw, []",
        "Work on a copy",
    ),
    WrongAnswer("typed-table-only", "typed", "def typed(raw):\n    return raw.copy()", "must return two things"),
    WrongAnswer(
        "typed-dropna",
        "typed",
        _edited(_TYPED, "return table, ", "return table.dropna(), "),
        "Rows or columns got lost",
    ),
    WrongAnswer(
        "typed-text-numbers", "typed", _edited(_TYPED, "for column in NUMBERS", "for column in []"), "is still object"
    ),
    WrongAnswer(
        "typed-text-dates", "typed", _edited(_TYPED, "for column in DATES", "for column in []"), "is not a date yet"
    ),
    WrongAnswer(
        "typed-label-as-number",
        "typed",
        _edited(
            _TYPED,
            "    unreadable =",
            '    table["Sample Number"] = table["Sample Number"].astype(int)\n    unreadable =',
        ),
        "It is a label",
    ),
    WrongAnswer(
        "typed-na-kept",
        "typed",
        _edited(_TYPED, "text.mask(text.isin(MISSING_MARKS))", "text.mask(text == '')") + "",
        "0 birds have no sex in your table",
    ),
    WrongAnswer(
        "typed-filled",
        "typed",
        _edited(_TYPED, 'errors="coerce")\n    for', 'errors="coerce").fillna(0)\n    for'),
        "must stay missing",
    ),
    WrongAnswer(
        "typed-na-unreadable", "typed", _edited(_TYPED, "text[c].notna() & table[c]", "table[c]"), "an honest answer"
    ),
    WrongAnswer("typed-not-stripped", "typed", _edited(_TYPED, "column.str.strip()", "column"), "Remove the spaces"),
    WrongAnswer(
        "typed-evidence-lost",
        "typed",
        _edited(_TYPED, "return table, unreadable", "return table, []"),
        "vanished without a trace",
    ),
    WrongAnswer(
        "typed-dates-forgotten",
        "typed",
        _edited(_TYPED, "for c in NUMBERS + DATES", "for c in NUMBERS"),
        "the date in row 0",
    ),
    WrongAnswer("key-missing", "repeated", "KEY = []\n" + _REPEATED, "must be a list of column names"),
    WrongAnswer("key-believed", "repeated", 'KEY = ["Individual ID"]\n' + _REPEATED, "is not a key: 154 rows"),
    WrongAnswer("key-idle", "repeated", 'KEY = ["Species", "Sample Number", "Island"]\n' + _REPEATED, "An idle column"),
    WrongAnswer(
        "key-measured",
        "repeated",
        'KEY = ["Date Egg", "Individual ID", "Body Mass (g)"]\n' + _REPEATED,
        "measures again",
    ),
    WrongAnswer(
        "repeated-whole-rows",
        "repeated",
        _KEY + _edited(_REPEATED, "duplicated(key, keep", "duplicated(keep"),
        "Compare the key columns only",
    ),
    WrongAnswer(
        "repeated-list",
        "repeated",
        _KEY + _edited(_REPEATED, "set(", "list("),
        "must return a set; yours returned list",
    ),
    WrongAnswer(
        "repeated-everyone",
        "repeated",
        _KEY
        + "def repeated(table, key):\n    sizes = table.groupby(key).size()\n    return set(sizes[sizes >= 1].index)",
        "No bird is repeated",
    ),
    WrongAnswer(
        "repeated-untupled",
        "repeated",
        _KEY
        + "def repeated(table, key):\n    if len(key) == 1:\n        return set(table[key[0]][table.duplicated(key)])\n"
        + "    return set(table.loc[table.duplicated(key), key].itertuples(index=False, name=None))",
        "must still be tuples",
    ),
    WrongAnswer(
        "missing-counts",
        "missing-by",
        "def missing_by(table, by):\n    return table.drop(columns=by).isna().groupby(table[by], dropna=False).sum()",
        "12 is the number of gaps",
    ),
    WrongAnswer(
        "missing-percent",
        "missing-by",
        "def missing_by(table, by):\n    return table.drop(columns=by).isna().groupby(table[by], dropna=False).mean() * 100",
        "between 0 and 1",
    ),
    WrongAnswer(
        "missing-of-all",
        "missing-by",
        "def missing_by(table, by):\n    return table.drop(columns=by).isna().groupby(table[by], dropna=False).sum() / len(table)",
        "You divided by all 344 birds",
    ),
    WrongAnswer(
        "missing-inverted",
        "missing-by",
        "def missing_by(table, by):\n    return table.drop(columns=by).notna().groupby(table[by], dropna=False).mean()",
        "the share which is missing",
    ),
    WrongAnswer(
        "missing-unknown-dropped",
        "missing-by",
        "def missing_by(table, by):\n    return table.drop(columns=by).isna().groupby(table[by]).mean()",
        "the 11 birds whose sex is unknown",
    ),
    WrongAnswer(
        "missing-overall",
        "missing-by",
        "def missing_by(table, by):\n    return table.drop(columns=by).isna().mean()",
        "must return a table",
    ),
    WrongAnswer(
        "draw-elsewhere",
        "draw",
        _draw('plt.scatter(table["Flipper Length (mm)"], table["Body Mass (g)"])\nplt.close("all")'),
        "no point in the picture",
    ),
    WrongAnswer(
        "draw-swapped",
        "draw",
        _draw('axes.scatter(table["Body Mass (g)"], table["Flipper Length (mm)"])'),
        "The axes are swapped",
    ),
    WrongAnswer(
        "draw-centimetres",
        "draw",
        _draw('axes.scatter(table["Flipper Length (mm)"] / 10, table["Body Mass (g)"])'),
        "Draw the numbers as they are",
    ),
    WrongAnswer(
        "draw-one-group",
        "draw",
        _draw('axes.scatter(table["Flipper Length (mm)"], table["Body Mass (g)"])'),
        "All birds are in one group",
    ),
    WrongAnswer(
        "draw-no-units",
        "draw",
        _draw(_GROUPS + '\naxes.set_xlabel("flipper")\naxes.legend()'),
        "An axis without a unit",
    ),
    WrongAnswer("draw-no-legend", "draw", _draw(f"{_GROUPS}\n{_LABELS}"), "call `axes.legend()`"),
    WrongAnswer("contract-empty", "violations", "CONTRACT = {}\n" + _VIOLATIONS, "has no `low` and `high`"),
    WrongAnswer(
        "contract-tight",
        "violations",
        _edited(_CONTRACT, '"low": 25', '"low": 40') + _VIOLATIONS,
        "refuses birds of this table",
    ),
    WrongAnswer(
        "contract-exact", "violations", _edited(_CONTRACT, '"low": 140', '"low": 172') + _VIOLATIONS, "leave room"
    ),
    WrongAnswer(
        "contract-wide", "violations", _edited(_CONTRACT, '"low": 140', '"low": 10') + _VIOLATIONS, "Raise `low`"
    ),
    WrongAnswer(
        "violations-missing-as-range",
        "violations",
        _CONTRACT
        + _edited(
            _edited(_VIOLATIONS, "                continue\n", ""),
            "cell not in rules",
            "not pd.isna(cell) and cell not in rules",
        ),
        "neither too small nor too large",
    ),
    WrongAnswer(
        "violations-missing-as-value",
        "violations",
        _CONTRACT
        + _edited(
            _edited(_VIOLATIONS, "                continue\n", ""),
            'if "low" in rules and',
            'if "low" in rules and not pd.isna(cell) and',
        ),
        "a missing `Sex` as a wrong value",
    ),
    WrongAnswer(
        "violations-column-forgotten",
        "violations",
        _CONTRACT + _edited(_VIOLATIONS, 'broken.add((None, column, "column"))', "pass"),
        "does not see",
    ),
    WrongAnswer(
        "violations-exclusive",
        "violations",
        _CONTRACT + _edited(_VIOLATIONS, "<= cell <=", "< cell <"),
        "exactly at `low` or `high`",
    ),
]
