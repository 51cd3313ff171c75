"""plan.toml: written with a reason beside each decision, read back as the same plan, refused with the nearest name."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from firstlight.data.table import Form
from firstlight.kinds.all_kinds import KINDS
from firstlight.kinds.boolean import BooleanSettings
from firstlight.kinds.category import CategorySettings
from firstlight.kinds.date import DateSettings
from firstlight.kinds.dna import DnaSettings, MotifsSettings, RunsSettings
from firstlight.kinds.image import PicturesSettings
from firstlight.kinds.image_columns import ImageSettings
from firstlight.kinds.number import READERS, NumberSettings
from firstlight.kinds.piece_parts import PiecesSettings
from firstlight.kinds.text import CountsSettings, TextSettings
from firstlight.kinds.video import ClipsSettings, VideoSettings
from firstlight.plan.document import from_toml, to_toml
from firstlight.plan.plan import LEFT_OUT, Column, Fitting, Network, Plan, Source, Split, Suspicion, Target
from firstlight.refusal import Refused

SOURCE = Source(
    location="a b.csv", name="a b", reader="csv", paths=("a b.csv",),
    options={"separator": ";", "sheets": ["1", "2"], "rows": 3, "header": True}, copied=False,
    forms={"photo": Form((24, 32, 3)), "film": Form((8, 24, 32, 3), 0.125)},
)  # fmt: skip
PLAN = Plan(
    source=SOURCE,
    test_source=None,
    target=Target(column="species", task="classification"),
    split=Split(way="chance", share=0.2, even=True, alike=("size", "species")),
    columns=(
        Column(name="size", kind="number", settings=NumberSettings(read="numbers_with_decimal_comma")),
        Column(name="island", kind="category", settings=CategorySettings(most=4)),
        Column(name="alive", kind="boolean", settings=BooleanSettings()),
        Column(name="day", kind="date", settings=DateSettings(forms=("%Y-%m-%d", "%d.%m.%Y"))),
        Column(name="notes", kind="text", settings=TextSettings(common=40)),
        Column(name="gene", kind="dna", settings=DnaSettings(length=60, equal=True)),
        Column(name="photo", kind="image", settings=ImageSettings(height=24, width=32, channels=3)),
        Column(name="film", kind="video", settings=VideoSettings(frames=8, height=24, width=32)),
        Column(name="id", kind=LEFT_OUT, settings=None),
    ),
    network=Network(members=16, width=128, layers=2, bins=4, epochs=54, batch=32, rate=0.002, decay=0.03, half=False),
    parts={
        "words": PiecesSettings(epochs=20, most=5000, decay=4.0, smoothing=0.3),
        "counts": CountsSettings(epochs=1, most=5000, smoothing=0.3),
        "letters": PiecesSettings(epochs=20, most=6000, decay=20.0, smoothing=1.0),
        "motifs": MotifsSettings(
            epochs=12,
            length=60,
            members=1,
            channels=48,
            segments=8,
            batch=128,
            rate=0.004,
            decay=0.05,
            placed=False,
            both=False,
            half=False,
        ),
        "runs": RunsSettings(
            epochs=20, runs=(4, 5), gaps=(1,), most=7000, decay=10.0, smoothing=1.0, places=(1, 2), both=False
        ),
        "pictures": PicturesSettings(
            epochs=9,
            height=24,
            width=32,
            members=2,
            patch=3,
            channels=16,
            stages=2,
            batch=32,
            rate=0.02,
            decay=0.05,
            moved=0.07,
            zoomed=0.3,
            mirror=True,
            half=False,
        ),
        "clips": ClipsSettings(
            epochs=9,
            frames=6,
            height=16,
            width=24,
            members=2,
            half=False,
            channels=16,
            batch=16,
            rate=0.004,
            decay=0.05,
            mirror=False,
        ),
    },
    fitting=Fitting(folds=8, seed=0, threads=1),
    reasons={"target.task": "3 different words", "columns.id": "an identifier", "split.way": "chosen by chance"},
    beware=(Suspicion(column="alive", why="alone tells species: would you know it?"),),
)


def read(text: str) -> Plan:
    return from_toml(text, "plan.toml")


def test_a_plan_is_read_back_as_it_was() -> None:
    assert read(to_toml(PLAN)) == PLAN
    assert to_toml(read(to_toml(PLAN))) == to_toml(PLAN)


def test_a_plan_from_before_half_precision_is_in_full() -> None:
    older = re.sub(r"(?s)(\[network\].*?)\nhalf[^\n]*", r"\1", to_toml(PLAN), count=1)
    assert older != to_toml(PLAN)
    assert from_toml(older, "plan.toml") == PLAN


def test_every_kind_stands_in_the_plan_of_this_test() -> None:
    assert {column.kind for column in PLAN.columns} == {*(kind.name for kind in KINDS), LEFT_OUT}


def test_each_reason_stands_beside_its_decision() -> None:
    text = to_toml(PLAN)
    assert 'task = "classification" # 3 different words\n' in text
    assert '[columns.id]\nkind = "left out" # an identifier\n' in text
    assert '[[beware]]\ncolumn = "alive"\nwhy = "alone tells species: would you know it?"\n' in text


def test_a_test_file_is_part_of_the_plan() -> None:
    plan = PLAN.model_copy(update={"test_source": SOURCE, "split": Split(way="file", share=0)})
    assert read(to_toml(plan)) == plan


def test_the_parts_that_read_sequences_stand_behind_that_over_the_columns_each_with_its_reasons() -> None:
    reasons = {"words.epochs": "as many as it takes", "letters.decay": "held small"}
    text = to_toml(PLAN.model_copy(update={"reasons": reasons}))
    tables = [line for line in text.splitlines() if line.startswith("[")]
    first = tables.index("[network]")
    names = ["words", "counts", "letters", "motifs", "runs", "pictures", "clips"]
    assert tables[first + 1 : first + 8] == [f"[{name}]" for name in names]
    assert "[words]\nepochs = 20 # as many as it takes\nmost = 5000\ndecay = 4.0\nsmoothing = 0.3\n" in text
    assert read(text).reasons == reasons
    assert list(read(text).epochs) == ["columns", *names]


def test_a_plan_of_texts_alone_has_no_part_over_columns() -> None:
    plan = PLAN.model_copy(
        update={
            "network": None,
            "columns": tuple(column for column in PLAN.columns if column.kind in ("text", LEFT_OUT)),
            "parts": {"words": PLAN.parts["words"]},
        }
    )
    assert read(to_toml(plan)) == plan


def without(text: str, *parts: str) -> str:
    """The plan without some of its tables."""
    for part in parts:
        start = text.index(f"[{part}]")
        text = text[:start] + text[text.index("\n[", start) + 1 :]
    return text


def test_a_part_may_be_taken_out_as_long_as_one_reads_its_columns() -> None:
    left = read(without(to_toml(PLAN), "counts", "letters"))
    assert list(left.parts) == ["words", "motifs", "runs", "pictures", "clips"]
    with pytest.raises(
        Refused,
        match=r"^plan\.toml: columns of the kind text need a part that reads them: \[words\] or \[counts\] or ",
    ):
        read(without(to_toml(PLAN), "words", "counts", "letters"))


def test_a_part_without_a_column_that_it_reads_is_refused() -> None:
    with pytest.raises(
        Refused, match=r"^plan\.toml: no column is of a kind that \[words\] reads; take the part out\.$"
    ):
        read(without(to_toml(PLAN), "columns.notes"))


def test_the_part_over_columns_goes_with_columns_that_are_read_cell_by_cell() -> None:
    sentence = r"^plan\.toml: \[network\] is for columns that are read cell by cell, and goes with such columns\.$"
    with pytest.raises(Refused, match=sentence):
        read(without(to_toml(PLAN), "network"))
    with pytest.raises(Refused, match=sentence):
        read(without(to_toml(PLAN), "columns.size", "columns.island", "columns.alive", "columns.day"))


def test_what_was_decided_may_stand_in_any_order_and_way_that_toml_knows() -> None:
    text = to_toml(PLAN)
    columns = text.index("[columns.size]")
    options = text[text.index("[source.options]") : text.index("[target]")]
    parted = text[columns:] + text[:columns].replace(options, "") + options
    assert read(parted).source == PLAN.source
    assert read(parted).fitting == PLAN.fitting
    assert set(read(parted).columns) == set(PLAN.columns)
    one_line = text.replace('[columns.island]\nkind = "category"\nmost = 4\n', "")
    one_line = 'columns.island = { kind = "category", most = 4 }\n' + one_line
    assert set(read(one_line).columns) == set(PLAN.columns)


names = st.text(min_size=1, max_size=8) | st.sampled_from(["a.b", 'say "x"', "a\nb", "#", "[columns]", "kind", "'''"])
kinds = st.one_of(
    st.sampled_from(list(READERS)).map(lambda reader: ("number", NumberSettings(read=reader))),
    st.integers(1, 10**6).map(lambda most: ("category", CategorySettings(most=most))),
    st.just(("boolean", BooleanSettings())),
    st.lists(st.text(max_size=5), max_size=2).map(lambda forms: ("date", DateSettings(forms=tuple(forms)))),
)  # of those that are read cell by cell


@given(columns=st.dictionaries(names, kinds, min_size=1, max_size=3), target=names, reason=st.text(max_size=20))
@settings(max_examples=40)  # reading TOML with its comments takes a while
def test_columns_of_any_name_and_reasons_of_any_text_survive(
    columns: dict[str, tuple[str, Any]], target: str, reason: str
) -> None:
    columns.pop(target, None)
    columns[target + "'"] = ("boolean", BooleanSettings())
    plan = PLAN.model_copy(
        update={
            "parts": {},
            "columns": tuple(Column(name=name, kind=kind, settings=kept) for name, (kind, kept) in columns.items()),
            "target": Target(column=target, task="classification"),
            "reasons": {f"columns.{name}": reason for name in columns},
            "beware": (Suspicion(column=target, why=reason),),
        }
    )
    seen = "".join(letter if letter.isprintable() else " " for letter in reason).strip()
    assert read(to_toml(plan)) == plan.model_copy(update={"reasons": dict.fromkeys(plan.reasons, seen) if seen else {}})


def edited(old: str, new: str) -> str:
    text = to_toml(PLAN.model_copy(update={"reasons": {}}))
    assert old in text
    return text.replace(old, new, 1)


BESIDE = '[columns.other]\nkind = "dna"\nlength = 10\nequal = true\n\n[columns.id]'
REFUSED = {
    "no TOML": (edited("[source]", "[source"), "plan.toml is not TOML: "),
    "an unknown part": (edited("[network]", "[netwrok]"), "has an unknown part 'netwrok'; did you mean 'network'?"),
    "an unknown key": (edited("epochs =", "epoch ="), "unknown key of [network] 'epoch'; did you mean 'epochs'?"),
    "an unknown kind": (
        edited('kind = "category"', 'kind = "categroy"'),
        "has an unknown kind of column 'island' 'categroy'; did you mean 'category'?",
    ),
    "a kind that is like no other": (
        edited('kind = "category"', 'kind = "zzz"'), "'zzz'; there are number, category, boolean, date, text,",
    ),
    "a kind that is no text": (edited('kind = "category"', "kind = 3"), "has an unknown kind of column 'island' '3'"),
    "a setting of another kind": (edited("most = 4", "forms = []"), "plan.toml, column 'island': forms is wrong"),
    "a setting of a column left out": (
        edited('kind = "left out"', 'kind = "left out"\nmost = 3'), "plan.toml, column 'id': most is wrong: extra",
    ),
    "an unknown reader": (
        edited('read = "numbers_with_decimal_comma"', 'read = "os.system"'), "plan.toml, column 'size': read is wrong",
    ),
    "a word for a number": (edited("epochs = 54", 'epochs = "many"'), "plan.toml, [network]: epochs is wrong: input"),
    "a number out of range": (edited("share = 0.2", "share = 1.5"), "plan.toml, [split]: share is wrong: input should"),
    "endless sizes": (edited("width = 128", "width = 99999999"), "plan.toml, [network]: width is wrong: input should"),
    "an unknown task": (edited('"classification"', '"clasification"'), "plan.toml, [target]: task is wrong: input"),
    "a part that is missing": (edited("[network]", "[fitting.network]"), "plan.toml"),
    "no columns": (edited("[columns.", "[source.columns."), "plan.toml"),
    "a column that is no part": (edited("[columns.size]", "columns.x = 3\n[columns.size]"), "plan.toml"),
    "fewer members than folds": (edited("members = 16", "members = 4"), "each of 8 folds needs a member"),
    "the target as an input": (edited("[columns.island]", "[columns.species]"), "predicts 'species' from itself; take"),
    "a way without its column": (edited('way = "chance"', 'way = "time"'), "[split] column goes with the ways"),
    "an unknown part of its own": (edited("[words]", "[wrods]"), "has an unknown part 'wrods'; did you mean 'words'?"),
    "an unknown key of a part": (edited("smoothing =", "smothing ="), "unknown key of [words] 'smothing'; did you "),
    "no pieces": (edited("most = 5000", "most = 0"), "plan.toml, [words]: most is wrong: input should be greater"),
    "no smoothing": (edited("smoothing = 0.3", "smoothing = 0.0"), "plan.toml, [words]: smoothing is wrong: input sho"),
    "a decay below 0": (edited("decay = 4.0", "decay = -1.0"), "plan.toml, [words]: decay is wrong: input should be g"),
    "no epochs of a part": (edited("epochs = 20", "epochs = 0"), "plan.toml, [words]: epochs is wrong: input should"),
    "no common words": (edited("common = 40", "common = 0"), "plan.toml, column 'notes': common is wrong: input shou"),
    "runs that no number holds": (edited("runs = [4, 5]", "runs = [4, 16]"), "[runs]: runs.1 is wrong: input should"),
    "no pieces at all": (
        edited("runs = [4, 5]\ngaps = [1]", "runs = []\ngaps = []").replace("places = [1, 2]", "places = []"),
        "plan.toml, [runs]: there is nothing to read: runs, gaps and places are empty.",
    ),
    "a gap below 0": (edited("gaps = [1]", "gaps = [-1]"), "plan.toml, [runs]: gaps.0 is wrong: input should be"),
    "more bases than the columns hold": (
        edited("length = 60\nmembers", "length = 61\nmembers"),
        "plan.toml, [motifs]: length is 61, and the columns hold 60 bases together.",
    ),
    "more segments than bases": (
        edited("length = 60", "length = 6").replace("length = 60", "length = 6"),
        "plan.toml, [motifs]: 8 segments cannot be made of 6 bases.",
    ),
    "channels that cannot be squeezed": (
        edited("channels = 48", "channels = 6"), "[motifs]: channels is wrong: input should be a multiple of 4",
    ),
    "both strands of two columns": (
        edited("both = false", "both = true").replace("[columns.id]", BESIDE),
        "[motifs]: both strands are read as one only where one column holds sequences, and there are 2.",
    ),
    "a part that is no table": (edited("[words]", "words = 3\n[source.words]"), "plan.toml"),
    "a number without a reader": (edited('"classification"', '"regression"'), "[target] read is the function that re"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_wrong_in_a_plan_is_refused_by_name(fault: str) -> None:
    text, sentence = REFUSED[fault]
    with pytest.raises(Refused) as caught:
        read(text)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("plan.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["rows=0) or print('run'", "rows, x", "Rows", ""])
def test_the_name_of_an_option_cannot_bring_code_into_the_script(name: str) -> None:
    document = tomlkit.parse(to_toml(PLAN))
    document["source"]["options"] = {name: 1}
    with pytest.raises(Refused, match=r"\[source\]: options\.") as refusal:
        from_toml(tomlkit.dumps(document), "plan.toml")
    assert "\n" not in str(refusal.value)


def test_a_plan_that_leaves_every_column_out_is_refused() -> None:
    plan = PLAN.model_copy(update={"columns": (PLAN.columns[-1],), "parts": {}})
    with pytest.raises(Refused, match="leaves every column out"):
        read(to_toml(plan))


@given(st.text(max_size=60))
def test_any_text_is_a_plan_or_refused(text: str) -> None:
    with pytest.raises(Refused):
        read(text)


@given(
    part=st.sampled_from(["source", "target", "split", "network", "words", "fitting", "columns", "beware"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
        max_leaves=4,
    ),
    key=st.text(max_size=6) | st.sampled_from(["share", "width", "size", "forms", "options", "seed", "most"]),
)
@settings(max_examples=60)
def test_a_plan_with_any_value_in_any_place_is_read_or_refused(part: str, key: str, value: object) -> None:
    document = tomlkit.parse(to_toml(PLAN))
    try:
        if key:
            document[part][key] = value
        else:
            document[part] = value
        text = tomlkit.dumps(document)
        tomllib.loads(text)
    except Exception:  # such a value cannot be written as TOML
        return
    try:
        read(text)
    except Refused as refused:
        assert "\n" not in str(refused)
