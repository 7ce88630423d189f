"""The kit's bundles and the centre's are the same bytes: one packs, the other reads, and both refuse the same names."""

import io
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from courses.kit.handin import bundle as kit
from courses.kit.handin import names
from courses.kit.handin.errors import (
    FileChangedError,
    FileNameClashError,
    FileNameError,
    FileTooLargeError,
    HandInTooLargeError,
    NotAFileError,
    ReleaseDamagedError,
    TooManyFilesError,
)
from grader.exchange import bundle as centre
from grader.exchange import names as centre_names
from grader.exchange.errors import BundleError

WORK = {"course": "data-processing", "assignment": "quality-audit", "language": "zh-CN"}


def files_in(folder: Path, contents: dict[str, bytes]) -> dict[str, Path]:
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return {name: folder / name for name in contents}


CONTENTS = {
    "quality-audit.ipynb": b"{}" * 700,
    "笔记/第二课.ipynb": "数据".encode(),
    "empty.txt": b"",
    "a/" * 6 + "x" * 100: b"deep",
    "/".join(["folder-" + "y" * 60] * 3): bytes(range(256)) * 8,
}


def test_both_sides_write_the_same_bytes(tmp_path: Path) -> None:
    ours, theirs = io.BytesIO(), io.BytesIO()
    packed = kit.pack(files_in(tmp_path, CONTENTS), ours, **WORK)
    written = centre.pack_contents(CONTENTS, theirs, **WORK)
    assert ours.getvalue() == theirs.getvalue()
    assert (packed.sha256, packed.size) == (written.sha256, written.size)


def test_the_centre_reads_what_the_kit_packs_and_the_kit_what_the_centre_packs(tmp_path: Path) -> None:
    ours = io.BytesIO()
    kit.pack(files_in(tmp_path / "from", CONTENTS), ours, **WORK)
    assert centre.contents(io.BytesIO(ours.getvalue())) == CONTENTS
    target = tmp_path / "to"
    target.mkdir()
    manifest = kit.unpack(io.BytesIO(ours.getvalue()), target)
    assert {entry.path: (target / entry.path).read_bytes() for entry in manifest.files} == CONTENTS
    assert kit.read_manifest(io.BytesIO(ours.getvalue())) == manifest


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(st.text(st.sampled_from("aB./\\ é\u0301\x00\u200b\ud800文ﬁ"), max_size=12) | st.text(max_size=40))
def test_both_sides_take_the_same_names(name: str) -> None:
    try:
        centre_names.check_name(name)
        theirs = True
    except BundleError:
        theirs = False
    assert names.is_file_name(name) is theirs


@given(st.lists(st.text(st.sampled_from("aAbB/ﬁfiß"), min_size=1, max_size=6), max_size=5))
def test_both_sides_see_the_same_clashes(several: list[str]) -> None:
    try:
        centre_names.check_distinct(several)
        theirs = False
    except BundleError:
        theirs = True
    assert (names.clash(several) is not None) is theirs


@settings(deadline=None, max_examples=400)
@given(at=st.integers(0, 10**6), value=st.integers(0, 255), cut=st.booleans())
def test_a_bundle_with_one_wrong_byte_or_cut_anywhere_is_refused_by_both_sides(at: int, value: int, cut: bool) -> None:
    sink = io.BytesIO()
    centre.pack_contents({"quality-audit.ipynb": b"{}", "data.csv": b"1,2\n" * 200}, sink, **WORK)
    data = bytearray(sink.getvalue())
    at %= len(data)
    if cut:
        del data[at:]
    else:
        data[at] = value
    try:
        theirs = centre.inspect(io.BytesIO(bytes(data)))
    except BundleError:
        theirs = None
    with tempfile.TemporaryDirectory() as folder:
        try:
            ours = kit.unpack(io.BytesIO(bytes(data)), Path(folder))
        except ReleaseDamagedError:
            ours = None
    assert (ours and asdict(ours)) == (theirs and asdict(theirs))
    # What the format itself cannot tell, the digest of the whole does: another word for course, assignment, language.
    assert ours is None or {entry.path for entry in ours.files} == {"quality-audit.ipynb", "data.csv"}


def hostile(name: str) -> bytes:
    """A bundle in perfect order but for the name of its file, made by a centre that has turned bad."""
    entry = kit.Entry(name, 1, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")
    encoded = kit.Manifest("data-processing", "quality-audit", "en", (entry,)).encoded()
    body = kit._header("manifest.json", len(encoded)) + encoded + bytes(-len(encoded) % 512)
    return body + kit._header("files/" + name, 1) + b"x" + bytes(511) + bytes(1024)


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out", "a\\b", "a//b", ".", "a\x00b", "x" * 101])
def test_a_name_that_leads_outside_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    with pytest.raises(ReleaseDamagedError):
        kit.unpack(io.BytesIO(hostile(name)), target)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not Path("/etc/out").exists()


def test_the_hostile_bundle_is_sound_but_for_its_name(tmp_path: Path) -> None:
    kit.unpack(io.BytesIO(hostile("fine.txt")), tmp_path)
    assert (tmp_path / "fine.txt").read_bytes() == b"x"


def test_a_release_larger_than_allowed_is_refused_by_its_manifest(tmp_path: Path) -> None:
    sink = io.BytesIO()
    centre.pack_contents({"a.csv": bytes(5000)}, sink, **WORK)
    for limits in (kit.Limits(file_bytes=4999), kit.Limits(bundle_bytes=5000)):
        with pytest.raises(ReleaseDamagedError):
            kit.unpack(io.BytesIO(sink.getvalue()), tmp_path, limits)
        assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_handed_in_is_refused_with_the_name_of_the_file(tmp_path: Path) -> None:
    plain = files_in(tmp_path, {"a.ipynb": bytes(3000), "b.ipynb": b"{}"})
    (tmp_path / "link").symlink_to(tmp_path / "a.ipynb")
    tight = kit.Limits(bundle_bytes=6000, file_bytes=2999, files=1)
    for error, files, limits in (
        (NotAFileError, {"link": tmp_path / "link"}, None),
        (NotAFileError, {"folder": tmp_path}, None),
        (FileChangedError, {"gone": tmp_path / "gone"}, None),
        (FileNameError, {"a\nb": plain["a.ipynb"]}, None),
        (FileNameClashError, {"A.ipynb": plain["a.ipynb"], "a.ipynb": plain["a.ipynb"]}, None),
        (FileTooLargeError, {"a.ipynb": plain["a.ipynb"]}, tight),
        (TooManyFilesError, plain, tight),
        (HandInTooLargeError, plain, kit.Limits(bundle_bytes=3000)),
    ):
        with pytest.raises(error) as caught:
            kit.pack(files, io.BytesIO(), limits=limits, **WORK)
        assert "%(" not in str(caught.value)


def test_a_file_that_is_written_to_meanwhile_is_not_handed_in_half(tmp_path: Path) -> None:
    files = files_in(tmp_path, {"a.ipynb": bytes(3000)})

    class Meddler(io.BytesIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            (tmp_path / "a.ipynb").write_bytes(b"\1" * 3000)
            return super().write(data)

    with pytest.raises(FileChangedError):
        kit.pack(files, Meddler(), **WORK)
