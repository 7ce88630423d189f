"""A bundle is the only byte sequence its content can have; everything else is refused in one sentence."""

import hashlib
import io
import os
import socket
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from grader.exchange import bundle, header
from grader.exchange.bundle import Entry, Limits, Manifest
from grader.exchange.errors import (
    BundleCompressedError,
    BundleDamagedError,
    BundleEmptyError,
    BundleError,
    BundleFileChangedError,
    BundleForeignError,
    BundleLinkError,
    BundleNameClashError,
    BundleNameError,
    BundleNotebookEmptyError,
    BundleNotebookMissingError,
    BundleSpecialFileError,
    BundleTooLargeError,
    BundleTooManyFilesError,
    BundleTruncatedError,
)
from grader.exchange.names import check_distinct, check_name

NOTEBOOK = b'{"cells": []}'


def packed(contents: dict[str, bytes], **more: object) -> bytes:
    sink = io.BytesIO()
    bundle.pack_contents(contents, sink, course="demo", assignment="quality-audit", **more)  # type: ignore[arg-type]
    return sink.getvalue()


def packed_folder(folder: Path, limits: Limits | None = None) -> bytes:
    sink = io.BytesIO()
    bundle.pack(folder, sink, course="demo", assignment="quality-audit", limits=limits)
    return sink.getvalue()


def forged(manifest: Manifest, *members: tuple[bytes, bytes]) -> bytes:
    """A bundle of this manifest and any header and content blocks."""
    encoded = manifest.encoded()
    parts = [header.build("manifest.json", len(encoded)), encoded, bytes(header.padding(len(encoded)))]
    for head, content in members:
        parts += [head, content, bytes(header.padding(len(content)))]
    return b"".join(parts) + header.END


def entry(path: str, content: bytes = b"x") -> Entry:
    return Entry(path, len(content), hashlib.sha256(content).hexdigest())


def manifest_of(*entries: Entry) -> Manifest:
    return Manifest("demo", "quality-audit", "", entries)


def tar_member(name: str, kind: bytes, **more: object) -> bytes:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in more.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.USTAR_FORMAT)


def test_a_folder_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "数据").mkdir()
    (tmp_path / "数据" / "表.csv").write_bytes(b"a,b\n")
    (tmp_path / "quality-audit.ipynb").write_bytes(NOTEBOOK)
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "x.ipynb").write_bytes(b"old")
    data = packed_folder(tmp_path)
    assert bundle.contents(io.BytesIO(data)) == {"quality-audit.ipynb": NOTEBOOK, "数据/表.csv": b"a,b\n"}


def test_any_tar_can_unpack_a_bundle() -> None:
    long = "/".join(["文" * 24] * 2) + "/" + "x" * 80
    with tarfile.open(fileobj=io.BytesIO(packed({"a.ipynb": NOTEBOOK, long: b"1"}))) as archive:
        assert archive.getnames() == ["manifest.json", "files/a.ipynb", f"files/{long}"]
        assert archive.extractfile("files/a.ipynb").read() == NOTEBOOK  # type: ignore[union-attr]


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(tmp_path: Path) -> None:
    for name, when in (("one", 1_000_000_000), ("two", 2_000_000_000)):
        folder = tmp_path / name
        folder.mkdir()
        for file in ("b.txt", "a.ipynb") if name == "one" else ("a.ipynb", "b.txt"):
            (folder / file).write_bytes(file.encode())
            os.utime(folder / file, (when, when))
            (folder / file).chmod(0o600 if name == "one" else 0o755)
    assert packed_folder(tmp_path / "one") == packed_folder(tmp_path / "two")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("../x", r"`\.\.`"),
        ("a/../../x", r"`\.\.`"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("./a", r"`\.`"),
        ("a\\b", "backslash"),
        ("a\nb", "invisible"),
        ("a\0b", "invisible"),
        ("a\u202egnp.ipynb", "invisible"),
        (unicodedata.normalize("NFD", "é"), "composed"),
        ("/".join("abcdefghi"), "folders deep"),
        ("x" * 101, "longer"),
        ("x/" * 7 + "x" * 99 + "x" * 200, "longer"),
        ("\udcff", "Unicode"),
    ],
)
def test_a_name_that_could_mislead_is_refused(name: str, words: str) -> None:
    with pytest.raises(BundleNameError, match=words):
        check_name(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("A.ipynb", "a.ipynb"), ("straße", "STRASSE"), ("ﬁle", "file"), ("a", "a/b"), ("a/b", "A"), ("x", "x")],
)
def test_names_that_some_file_systems_take_for_one_are_refused(one: str, other: str) -> None:
    with pytest.raises(BundleNameClashError):
        check_distinct([one, other])
    with pytest.raises(BundleNameClashError):
        check_distinct([other, one])


def test_packing_refuses_links_and_special_files(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").symlink_to("/etc/passwd")
    with pytest.raises(BundleLinkError):
        packed_folder(tmp_path)
    (tmp_path / "a.ipynb").unlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleSpecialFileError):
        packed_folder(tmp_path)
    (tmp_path / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(tmp_path)  # a socket's path is short or refused
        listener.bind("sock")
        with pytest.raises(BundleSpecialFileError):
            packed_folder(tmp_path)


def test_packing_refuses_a_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_bytes(NOTEBOOK)
    (tmp_path / "data").symlink_to("/etc")
    with pytest.raises(BundleLinkError):
        packed_folder(tmp_path)


def test_packing_names_what_is_too_much(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_bytes(bytes(2000))
    (tmp_path / "b").write_bytes(b"1")
    with pytest.raises(BundleTooLargeError, match=r"a\.ipynb"):
        packed_folder(tmp_path, Limits(file_bytes=1000))
    with pytest.raises(BundleTooLargeError, match="folder"):
        packed_folder(tmp_path, Limits(bundle_bytes=4000))
    with pytest.raises(BundleTooManyFilesError):
        packed_folder(tmp_path, Limits(files=1))


def test_packing_refuses_names_in_the_wrong_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_bytes(NOTEBOOK)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")).write_bytes(b"1")
    with pytest.raises(BundleNameError, match="Unicode"):
        packed_folder(tmp_path)


def test_packing_notices_a_file_that_grows_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(NOTEBOOK)

    class Growing(io.BytesIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            path.write_bytes(NOTEBOOK + b" ")
            return super().write(data)

    with pytest.raises(BundleFileChangedError):
        bundle.pack(tmp_path, Growing(), course="demo", assignment="quality-audit")


def test_an_empty_folder_is_nothing_to_hand_in(tmp_path: Path) -> None:
    with pytest.raises(BundleEmptyError):
        packed_folder(tmp_path)
    with pytest.raises(BundleEmptyError):
        bundle.inspect(io.BytesIO(b""))


def test_every_truncation_is_refused() -> None:
    data = packed({"a.ipynb": NOTEBOOK, "b": b"1" * 700})
    for end in (*range(1, 600, 7), *range(600, len(data), 101), len(data) - 1):
        with pytest.raises(BundleTruncatedError):
            bundle.inspect(io.BytesIO(data[:end]))


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(BundleDamagedError, match="end"):
        bundle.inspect(io.BytesIO(packed({"a": b"1"}) + b"\0"))


def test_compressed_archives_are_refused_by_name() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.ipynb", bytes(50_000_000))
    assert len(bomb.getvalue()) < 60_000
    with pytest.raises(BundleCompressedError, match="zip"):
        bundle.inspect(io.BytesIO(bomb.getvalue()))
    squeezed = io.BytesIO()
    with tarfile.open(fileobj=squeezed, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("a"))
    with pytest.raises(BundleCompressedError, match="gzip"):
        bundle.inspect(io.BytesIO(squeezed.getvalue()))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (tarfile.SYMTYPE, BundleLinkError),
        (tarfile.LNKTYPE, BundleLinkError),
        (tarfile.CHRTYPE, BundleSpecialFileError),
        (tarfile.BLKTYPE, BundleSpecialFileError),
        (tarfile.FIFOTYPE, BundleSpecialFileError),
        (tarfile.DIRTYPE, BundleDamagedError),
        (tarfile.XHDTYPE, BundleDamagedError),
        (tarfile.GNUTYPE_LONGNAME, BundleDamagedError),
        (tarfile.GNUTYPE_SPARSE, BundleDamagedError),
    ],
)
def test_a_member_that_is_no_regular_file_is_refused(kind: bytes, error: type[BundleError]) -> None:
    head = tar_member("files/a", kind, linkname="/etc/passwd")
    with pytest.raises(error):
        bundle.inspect(io.BytesIO(forged(manifest_of(entry("a")), (head, b""))))


def test_a_member_the_manifest_does_not_name_is_refused() -> None:
    head = header.build("files/b", 1)
    with pytest.raises(BundleDamagedError, match="another file"):
        bundle.inspect(io.BytesIO(forged(manifest_of(entry("a")), (head, b"x"))))


def test_a_setuid_bit_or_another_owner_is_refused() -> None:
    for more in ({"mode": 0o4755}, {"uid": 1}, {"mtime": 1}, {"uname": "root"}):
        head = tar_member("files/a", tarfile.REGTYPE, size=1, **more)
        with pytest.raises(BundleDamagedError, match="header"):
            bundle.inspect(io.BytesIO(forged(manifest_of(entry("a")), (head, b"x"))))


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        ([entry("../a")], BundleNameError),
        ([entry("/a")], BundleNameError),
        ([entry("a"), entry("a")], BundleNameClashError),
        ([entry("a"), entry("A")], BundleNameClashError),
        ([entry("b"), entry("a")], BundleDamagedError),
        ([Entry("a", -1, "0")], BundleDamagedError),
        ([Entry("a", True, "0")], BundleDamagedError),
        ([Entry("a", 1.0, "0")], BundleDamagedError),  # type: ignore[arg-type]
        ([Entry("a", 10**12, "0")], BundleTooLargeError),
        ([Entry(f"f{n:04}", 0, "0") for n in range(501)], BundleTooManyFilesError),
        ([Entry(f"f{n:02}", 30 * 1024 * 1024, "0") for n in range(3)], BundleTooLargeError),
        ([], BundleEmptyError),
    ],
)
def test_a_lying_manifest_is_refused_before_any_file_is_read(entries: list[Entry], error: type[BundleError]) -> None:
    with pytest.raises(error):
        bundle.inspect(io.BytesIO(forged(manifest_of(*entries))))


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b"nonsense",
        b'{"format":2,"course":"","assignment":"","language":"","files":[]}\n',
        b"[" * 100_000,
        b'{"files":[1]}',
        b"\xff\xfe",
        b'{"assignment":1,"course":"c","files":[{"path":"a","sha256":"","size":0}],"format":1,"language":""}\n',
    ],
)
def test_a_manifest_that_is_no_manifest_is_refused(manifest: bytes) -> None:
    data = header.build("manifest.json", len(manifest)) + manifest + bytes(header.padding(len(manifest))) + header.END
    with pytest.raises(BundleDamagedError):
        bundle.inspect(io.BytesIO(data))


def test_a_bundle_for_another_assignment_is_refused() -> None:
    manifest = bundle.inspect(io.BytesIO(packed({"a.ipynb": NOTEBOOK})))
    bundle.check_fits(manifest, course="demo", assignment="quality-audit", notebooks=frozenset({"a.ipynb", "b.ipynb"}))
    with pytest.raises(BundleForeignError, match="demo/quality-audit, not demo/other"):
        bundle.check_fits(manifest, course="demo", assignment="other", notebooks=frozenset({"a.ipynb"}))
    with pytest.raises(BundleNotebookMissingError, match=r"b\.ipynb"):
        bundle.check_fits(manifest, course="demo", assignment="quality-audit", notebooks=frozenset({"b.ipynb"}))
    hollow = bundle.inspect(io.BytesIO(packed({"a.ipynb": b""})))
    with pytest.raises(BundleNotebookEmptyError):
        bundle.check_fits(hollow, course="demo", assignment="quality-audit", notebooks=frozenset({"a.ipynb"}))


FILES = st.dictionaries(st.text(min_size=1, max_size=30), st.binary(max_size=1500), min_size=1, max_size=6)


def check_round_trip(files: dict[str, bytes]) -> None:
    try:
        data = packed(files)
    except BundleError:
        return
    assert bundle.contents(io.BytesIO(data)) == files
    assert packed(dict(reversed(files.items()))) == data


def check_tampering(files: dict[str, bytes], at: int, value: int) -> None:
    data = bytearray(packed(files))
    at %= len(data)
    data[at] ^= value
    try:
        contents = bundle.contents(io.BytesIO(bytes(data)))
    except BundleError:
        return
    # Another letter in the name of the assignment makes another valid bundle, but never one written differently.
    manifest = bundle.inspect(io.BytesIO(bytes(data)))
    sink = io.BytesIO()
    bundle.pack_contents(
        contents, sink, course=manifest.course, assignment=manifest.assignment, language=manifest.language
    )
    assert sink.getvalue() == data


PLAIN = st.dictionaries(st.text("abcxyz01", min_size=1, max_size=8), st.binary(max_size=900), min_size=1, max_size=4)
BLOCK = st.sampled_from([header.build("manifest.json", 100), header.build("files/a", 1), bytes(512)])


@settings(max_examples=2000, deadline=None)
@given(FILES)
@example({"a": b"", "b": b"", "dir/c": b"x" * 512})
def test_what_is_packed_comes_back(files: dict[str, bytes]) -> None:
    check_round_trip(files)


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PLAIN, st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_makes_another_canonical_bundle(
    files: dict[str, bytes], at: int, value: int
) -> None:
    check_tampering(files, at, value)


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.one_of(BLOCK, st.binary(max_size=700)), max_size=6).map(b"".join))
def test_no_bytes_end_in_anything_but_a_bundle_or_a_sentence(data: bytes) -> None:
    with pytest.raises(BundleError):
        bundle.contents(io.BytesIO(data))


@pytest.mark.all
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES, PLAIN, st.integers(min_value=0), st.integers(1, 255))
def test_ten_thousand_bundles(files: dict[str, bytes], plain: dict[str, bytes], at: int, value: int) -> None:
    check_round_trip(files)
    check_tampering(plain, at, value)
