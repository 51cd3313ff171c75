"""A model file from a stranger: it is read whole and true, or refused in one sentence; nothing in it runs."""

from __future__ import annotations

import json
import os
import pickle
import re
import tomllib
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from firstlight.refusal import Refused
from firstlight.store.audit import HEADER_LIMIT, Entry, audit, read_tensors

TENSORS = {
    "weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "seen": torch.tensor([True, False, True]),
    "counts": torch.tensor([3, -1], dtype=torch.int64),
    "none": torch.zeros(0, 4),
}
METADATA = {"plan": "target = 'species'", "note": "é"}
VALID = save(TENSORS, METADATA)
F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
EIGHT = bytes(8)  # the bytes of that tensor


def written(folder: Path, content: bytes) -> Path:
    path = folder / "model.safetensors"
    path.write_bytes(content)
    return path


def crafted(header: object, data: bytes = b"") -> bytes:
    """A file with this header (anything that JSON can say, or bytes as they are) and these tensor bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def everything_in(path: Path) -> dict[str, torch.Tensor]:
    return read_tensors(path, audit(path))


def assert_refused_in_one_sentence(path: Path, because: str) -> None:
    with pytest.raises(Refused) as caught:
        everything_in(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert re.search(because, sentence), sentence
    assert sentence[-1] in ".?"
    assert sentence.isprintable(), "a stranger's control characters would reach the terminal"
    assert len(sentence) < len(str(path)) + 250


def test_a_whole_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = written(tmp_path, VALID)
    header = audit(path)
    assert header.metadata == METADATA
    assert header.tensors["counts"].shape == (2,)
    tensors = read_tensors(path, header)
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_the_header_says_where_each_tensor_lies(tmp_path: Path) -> None:
    path = written(tmp_path, crafted({"a": F32, "b": {**F32, "data_offsets": [8, 16]}}, EIGHT + EIGHT))
    assert audit(path).tensors == {"a": Entry("F32", (2,), 0, 8), "b": Entry("F32", (2,), 8, 16)}


def test_a_file_without_tensors_is_read(tmp_path: Path) -> None:
    assert everything_in(written(tmp_path, crafted({}))) == {}


def a_tensor(**changed: object) -> bytes:
    return crafted({"a": {**F32, **changed}}, EIGHT)


@pytest.mark.parametrize(
    ("content", "because"),
    [
        pytest.param(b"", "has only 0 bytes", id="empty"),
        pytest.param(bytes(8), "has only 8 bytes", id="a length and no header"),
        pytest.param(VALID[:100], "is cut off: it claims a header of .* bytes, and 92 follow", id="cut in header"),
        pytest.param(VALID[:-3], "is cut off or damaged: tensor '.*' ends at byte", id="cut in the tensors"),
        pytest.param(crafted(b"[1, 2]"), "its header is not a JSON object", id="a list"),
        pytest.param(crafted(b"{1, 2}"), "its header is not JSON", id="not JSON"),
        pytest.param(crafted(b'{"\xff": 1}'), "its header is not JSON", id="not UTF-8"),
        pytest.param(crafted(b'{"a": ' + b"9" * 5000 + b"}"), "its header is not JSON", id="5000 digits"),
        pytest.param(crafted(b'{"a": NaN}'), "its header holds NaN", id="NaN in the header"),
        pytest.param(crafted(b'{"a": ' + b"[" * 100_000), "nested too deeply", id="100 000 brackets"),
        pytest.param(crafted(b'{"a": 1, "a": 1}'), "its header names 'a' twice", id="a name twice"),
        pytest.param(
            crafted(b'{"a": {"dtype": "F32", "dtype": "F64"}}'),
            "its header names 'dtype' twice",
            id="a key twice",
        ),
        pytest.param(crafted(b'{"\\ud800": 1}'), "a name that is not Unicode", id="half a character in a name"),
        pytest.param(crafted({"__metadata__": []}), "metadata that is not an object", id="metadata a list"),
        pytest.param(crafted({"__metadata__": {"a": 1}}), "metadata 'a' that is not a text", id="metadata a number"),
        pytest.param(
            crafted(b'{"__metadata__": {"a": "\\ud800"}}'),
            "metadata 'a' that is not",
            id="half a character in a text",
        ),
        pytest.param(crafted({"a": 1}), "must be described by dtype, shape and data_offsets", id="no description"),
        pytest.param(a_tensor(code="print()"), "must be described by dtype, shape", id="a key too many"),
        pytest.param(a_tensor(dtype="Q4"), "unknown dtype 'Q4'; known are BOOL", id="unknown dtype"),
        pytest.param(a_tensor(dtype=["F32"]), "a dtype that is not a text", id="dtype a list"),
        pytest.param(a_tensor(shape=[-2]), "a shape that is not a list of whole numbers", id="negative size"),
        pytest.param(a_tensor(shape=[2.0]), "a shape that is not a list of whole numbers", id="size 2.0"),
        pytest.param(a_tensor(shape=[2, True]), "a shape that is not a list of whole numbers", id="size true"),
        pytest.param(a_tensor(shape="2"), "a shape that is not a list of whole numbers", id="shape a text"),
        pytest.param(a_tensor(shape=[2] + [1] * 8), "has 9 dimensions; at most 8", id="too many dimensions"),
        pytest.param(a_tensor(shape=[2**62, 8]), "a shape too large for any memory", id="size overflows"),
        pytest.param(
            a_tensor(shape=[0, 2**62, 8], data_offsets=[0, 0]),
            "a shape too large for any",
            id="overflow behind a 0",
        ),
        pytest.param(a_tensor(shape=[3]), "needs 12 bytes by its shape and dtype, but has 8", id="shape and offsets"),
        pytest.param(a_tensor(data_offsets=[8, 0]), "needs 8 bytes .* but has -8", id="offsets backwards"),
        pytest.param(a_tensor(data_offsets=[0, 8, 16]), "offsets that are not two whole numbers", id="three offsets"),
        pytest.param(a_tensor(data_offsets=[-8, 0]), "offsets that are not two whole numbers", id="negative offset"),
        pytest.param(crafted({"a": F32, "b": F32}, EIGHT), "'b' shares bytes with another tensor", id="overlap"),
        pytest.param(
            crafted({"a": {**F32, "data_offsets": [4, 12]}}, EIGHT + EIGHT),
            "4 bytes before tensor 'a'",
            id="a hole",
        ),
        pytest.param(crafted({"a": F32}, EIGHT + b"x"), "1 bytes after the last tensor", id="trailing bytes"),
        pytest.param(crafted({}, b"x"), "1 bytes after the last tensor", id="bytes and no tensor"),
        pytest.param(crafted({"\x1b[2J\n" + "x" * 999: 1}), r"tensor '\\x1b\[2J\\nx+\.\.\.'", id="a name to deceive"),
    ],
)
def test_a_damaged_or_crafted_file_is_refused_with_its_fault(tmp_path: Path, content: bytes, because: str) -> None:
    assert_refused_in_one_sentence(written(tmp_path, content), because)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path: Path, bad: float, dtype: torch.dtype) -> None:
    path = written(tmp_path, save({"fine": torch.ones(2), "layer.weight": torch.tensor([0.0, bad], dtype=dtype)}))
    assert_refused_in_one_sentence(path, "tensor 'layer.weight' holds numbers that are not finite")


def test_a_byte_that_is_neither_true_nor_false_is_refused(tmp_path: Path) -> None:
    header = {"mask": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}}
    assert_refused_in_one_sentence(written(tmp_path, crafted(header, b"\x01\x02")), "'mask' .* neither true nor")


class Trap:
    """What a pickle can do: at opening it makes a file, here `sprung` in the working folder."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, ("sprung", "w")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_renamed_pickle_is_called_one_and_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, pickle.dumps(Trap(), protocol))
    assert_refused_in_one_sentence(path, "is not a safetensors file: it is a pickle; opening one can run code")
    assert not Path("sprung").exists()


def test_a_renamed_archive_of_torch_save_is_called_one(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(1))
    assert_refused_in_one_sentence(path, "it is a zip archive, as torch.save writes it")


def test_a_header_as_long_as_a_pickle_begins_is_still_read(tmp_path: Path) -> None:
    """A header of 640 bytes begins the file with 80 02, as a pickle does."""
    text = json.dumps({"a": F32}).encode().ljust(0x0280)
    path = written(tmp_path, crafted(text, EIGHT))
    assert path.read_bytes().startswith(pickle.dumps(1, 2)[:2])
    assert everything_in(path)["a"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("length", [HEADER_LIMIT + 1, 10**9])
def test_a_header_beyond_the_limit_is_refused_before_memory_is_taken(tmp_path: Path, length: int) -> None:
    path = written(tmp_path, length.to_bytes(8, "little") + b"{")
    os.truncate(path, 8 + length)  # the rest is a hole in the file: zeros that take no room on the disk
    tracemalloc.start()
    assert_refused_in_one_sentence(path, f"has a header of {length} bytes; at most {HEADER_LIMIT} are read")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_missing_file_is_refused_with_the_model_that_was_perhaps_meant(tmp_path: Path) -> None:
    assert_refused_in_one_sentence(tmp_path / "nothing.txt", r"nothing\.txt does not exist\.$")
    written(tmp_path, VALID)
    path = tmp_path / "modle.safetensors"
    assert_refused_in_one_sentence(path, r"does not exist; did you mean 'model\.safetensors'\?$")


def test_a_folder_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    assert_refused_in_one_sentence(tmp_path, "is a folder, not a model file")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert_refused_in_one_sentence(pipe, "is not a regular file")


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    assert_refused_in_one_sentence(written(tmp_path, VALID) / "model", "cannot be read: not a directory")


def test_a_file_that_changes_between_the_audit_and_the_reading_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, VALID)
    header = audit(path)
    written(tmp_path, save({"other": torch.ones(1)}))
    with pytest.raises(Refused, match="was changed while it was being read"):
        read_tensors(path, header)
    path.unlink()
    with pytest.raises(Refused, match="cannot be read"):
        read_tensors(path, header)


def test_every_model_file_of_the_collection_of_bad_input_is_refused(
    shared: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = shared / "data" / "badinput"
    listed = tomllib.loads((folder / "MANIFEST.toml").read_text(encoding="utf-8"))["file"]
    models = [file for file in listed if file["kind"] == "model"]
    assert models
    for file in models:
        assert_refused_in_one_sentence(folder / file["name"], file.get("say", ""))
    assert capfd.readouterr() == ("", ""), "opening a file printed something: its code has run"


def assert_read_exactly_or_refused(content: bytes, folder: Path) -> None:
    """Whatever the bytes are: each tensor holds exactly the bytes of the file at its place, or Refused."""
    path = written(folder, content)
    try:
        header = audit(path)
        tensors = read_tensors(path, header)
    except Refused:
        return
    data = content[8 + int.from_bytes(content[:8], "little") :]
    assert tensors.keys() == header.tensors.keys()
    assert sum(tensor.nbytes for tensor in tensors.values()) == len(data)
    for name, entry in header.tensors.items():
        assert tensors[name].shape == entry.shape
        assert bytes(tensors[name].reshape(-1).view(torch.uint8).tolist()) == data[entry.begin : entry.end]


@given(content=st.binary(max_size=200) | st.binary(max_size=200).map(lambda text: crafted(b"{" + text)))
def test_random_bytes_are_read_exactly_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assert_read_exactly_or_refused(content, tmp_path_factory.mktemp("random"))


changes = st.lists(
    st.tuples(
        st.integers(0, len(VALID)),
        st.integers(0, 3),
        st.binary(max_size=4)
        | st.sampled_from(
            [b"0", b"9", b"-", b"[", b"]", b"{", b'"', b",", b"F64", b"BOOL", b"1e9", b"null", b"\\u0000"]
        ),
    ),
    min_size=1,
    max_size=4,
)  # where, how many bytes go, what comes instead


@given(changes=changes, repair=st.booleans())
def test_a_changed_file_is_read_exactly_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, bytes]], repair: bool
) -> None:
    content = VALID
    for place, gone, new in changes:
        content = content[:place] + new + content[place + gone :]
    if repair:  # the header's length is set right again, so that more of the audit is reached
        grown = len(content) - len(VALID)
        length = int.from_bytes(VALID[:8], "little") + grown
        content = max(length, 0).to_bytes(8, "little") + content[8:]
    assert_read_exactly_or_refused(content, tmp_path_factory.mktemp("changed"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
sizes = st.lists(st.integers(-1, 5) | st.sampled_from([2**31, 2**62, 10**30]), max_size=9)
offsets = st.lists(st.integers(-1, 40) | st.sampled_from([2**63, 10**30]), max_size=3)
entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F64", "I8", "BOOL", "U8", "F8_E4M3", "C64", "f32", ""]) | json_values,
        "shape": sizes | json_values,
        "data_offsets": offsets | json_values,
    }
)


@given(
    header=st.dictionaries(st.text(max_size=3) | st.just("__metadata__"), entries | json_values, max_size=3),
    data=st.binary(max_size=40),
)
def test_a_lying_header_is_read_exactly_or_refused(
    tmp_path_factory: pytest.TempPathFactory, header: dict[str, object], data: bytes
) -> None:
    assert_read_exactly_or_refused(crafted(header, data), tmp_path_factory.mktemp("lying"))
