"""A library's embeddings leave for other programs and come back to the last bit; damaged and foreign files never do."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stan.library import interchange
from stan.library.embedding import FileEmbeddings
from stan.library.entries import Maker
from stan.library.indexing import update
from stan.library.sources import Folder
from stan.library.store import Store
from stan.library.vector_files import numbers_in
from tests.stress.killed_indexing import MAKER, engine

WIDTH = 4
KINDS = ("parquet", "npz", "faiss")


def embed(path: Path) -> FileEmbeddings:
    """Embeddings of four seconds in three windows of two frames, drawn by the file's bytes."""
    drawn = np.random.default_rng(path.read_bytes()[0]).standard_normal
    clip, video, frame_clip, frame_video = (
        drawn((count, WIDTH), np.float32) * np.float32(1e-30) for count in (3, 3, 4, 4)
    )
    times = np.array([0.5, 1.5, 2.5, 3.5], np.float32)
    return FileEmbeddings(4.0, clip, video, times, 1e30 * frame_clip, 1e30 * frame_video)


def never(path: Path) -> FileEmbeddings:
    raise AssertionError(f"{path} was embedded again")


def indexed(folder: Path, address: Path, maker: Maker = MAKER, embed=embed) -> tuple[Store, dict]:
    store = Store(address)
    with store.writing():
        store.create(WIDTH, maker)
        return store, update(store, Folder(folder), engine(embed))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for i, name in enumerate(("one.mp4", "zwei.mp4", "três.mp4")):
        (folder / name).write_bytes(bytes([i]))
    return folder


@pytest.fixture
def store(folder, tmp_path):
    return indexed(folder, tmp_path / "library")[0]


@pytest.fixture
def exported(store, tmp_path):
    interchange.write(store, tmp_path / "out.parquet")
    return tmp_path / "out.parquet"


def rows(store: Store) -> dict[str, list]:
    """All that a store holds, numbers as their bytes."""
    table = Store(store.path)._table().search().to_arrow().sort_by("id")
    return {
        name: table[name].to_pylist() if name in ("id", "path", "folder", "name", "hash", "facts")
        else [str(table[name].type), numbers_in(table[name]).tobytes()]
        for name in table.column_names
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_library_comes_back_to_the_last_bit(store, folder, tmp_path, kind):
    if kind == "faiss":
        pytest.importorskip("faiss", reason="FAISS is the optional extra `faiss`")
    told = interchange.write(store, tmp_path / f"out.{kind}")
    assert told == {"model": "made up", "signature": "0", "videos": 3, "windows": 9, "width": WIDTH}
    again = Store(tmp_path / "again")
    assert interchange.read(again, tmp_path / f"out.{kind}") == told
    assert again.maker == store.maker and rows(again) == rows(store)
    assert indexed(folder, tmp_path / "again", embed=never)[1]["unchanged"] == 3


def test_every_vector_is_of_its_moment_of_its_video(exported, folder):
    found = pd.read_parquet(exported).explode(["start", "end", "clip", "video"])
    assert list(found["start"]) == [0, 1, 2] * 3 and list(found["end"]) == [2, 3, 4] * 3
    for _, row in found.iterrows():
        expected = embed(folder / row["name"]).video[int(row["start"])]
        assert np.array_equal(np.array(row["video"], np.float32), expected)
    assert set(found["path"]) == {str(path) for path in folder.iterdir()}
    told = pq.read_schema(exported).metadata
    assert (told[b"model"], told[b"signature"], told[b"window"]) == (b"made up", b"0", b"2")


def test_numpy_alone_reads_the_arrays(store, folder, tmp_path):
    interchange.write(store, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as arrays:
        assert json.loads(str(arrays["made_by"]))["model"] == "made up"
        assert arrays["windows"].tolist() == [3, 3, 3] and arrays["frames"].tolist() == [4, 4, 4]
        names = np.repeat(arrays["name"], arrays["windows"])
        assert arrays["video"].shape == (9, WIDTH) and arrays["frame_clip"].shape == (12, WIDTH)
        expected = np.concatenate([embed(folder / name).video for name in arrays["name"]])
        assert np.array_equal(arrays["video"], expected) and names.shape == arrays["start"].shape


def test_faiss_finds_the_windows_by_the_rows_of_the_table(store, folder, tmp_path):
    faiss = pytest.importorskip("faiss", reason="FAISS is the optional extra `faiss`")
    interchange.write(store, tmp_path / "out.faiss")
    table = pd.read_parquet(tmp_path / "out.parquet").explode(["start", "video"]).reset_index()
    wanted = embed(folder / "zwei.mp4").video[2:] * 3e29
    scores, places = faiss.read_index(str(tmp_path / "out.faiss")).search(wanted, 1)
    assert (table["name"][places[0, 0]], table["start"][places[0, 0]]) == ("zwei.mp4", 2)
    assert scores[0, 0] == pytest.approx(3e29 * np.linalg.norm(embed(folder / "zwei.mp4").video[2]))


def test_videos_that_are_there_are_replaced_and_others_stay(store, exported, folder, tmp_path):
    other = tmp_path / "others"
    other.mkdir()
    (other / "four.mp4").write_bytes(b"4")
    with store.writing():
        update(store, Folder(other), engine(embed))
    before = rows(store)
    assert interchange.read(store, exported)["videos"] == 4
    assert rows(store) == before


def changed(file: Path, **columns) -> None:
    """Replace columns of a Parquet file; None takes one away."""
    table = pq.read_table(file)
    for name, values in columns.items():
        place, kind = table.schema.get_field_index(name), table.schema.field(name).type
        table = table.remove_column(place)
        if values is not None:
            column = values if isinstance(values, pa.Array) else pa.array(values, kind)
            table = table.add_column(place, name, column)
    pq.write_table(table, file)


def with_numbers(file: Path, name: str, value: float) -> None:
    """Replace the first number of the first video's vectors."""
    values = pq.read_table(file)[name].to_pylist()
    values[0][0] = [value, *values[0][0][1:]] if isinstance(values[0][0], list) else value
    changed(file, **{name: values})


def with_path(file: Path) -> None:
    changed(file, path=["elsewhere.mp4", *pq.read_table(file)["path"].to_pylist()[1:]])


def with_twin(file: Path) -> None:
    table = pq.read_table(file)
    pq.write_table(pa.concat_tables([table, table.slice(1, 1)]), file)


def with_fewer(file: Path, name: str) -> None:
    values = pq.read_table(file)[name].to_pylist()
    changed(file, **{name: [values[0][:-1], *values[1:]]})


def without_maker(file: Path) -> None:
    pd.read_parquet(file).to_parquet(file)


def of_another_layout(file: Path) -> None:
    table = pq.read_table(file)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"layout": b"1"}), file)


def with_a_flipped_bit(file: Path) -> None:
    """Change a vector's last number but one a little."""
    data = bytearray(file.read_bytes())
    number = pq.read_table(file)["video"].combine_chunks().flatten().flatten()[-2].as_py()
    data[data.rindex(np.float32(number).tobytes())] ^= 1
    file.write_bytes(data)


DAMAGE = {
    "half of it": (lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]), "cannot be read"),
    "no table": (lambda file: file.write_text("id,path\n"), "cannot be read"),
    "a flipped bit": (with_a_flipped_bit, "cannot be read"),
    "no vectors": (lambda file: changed(file, video=None, clip=None), "lacks clip, video"),
    "no hash": (lambda file: changed(file, hash=None), "lacks hash"),
    "other types": (lambda file: changed(file, size=pa.array([1.0, 2.0, 3.0])), "lacks size, or has something else"),
    "no maker": (without_maker, "doesn't say model, frames, window, signature, layout"),
    "another layout": (of_another_layout, "of another version of stan"),
    "two rows of one video": (with_twin, "two rows have one id"),
    "another path": (with_path, "an id is not that of its path"),
    "a missing path": (lambda file: changed(file, path=[None, "b", "c"]), "values of path are missing"),
    "no number": (lambda file: with_numbers(file, "video", np.nan), "video holds what is no number"),
    "infinity": (lambda file: with_numbers(file, "frame_clip", np.inf), "frame_clip holds what is no number"),
    "a vector less": (lambda file: with_fewer(file, "clip"), "windows and vectors differ"),
    "a frame less": (lambda file: with_fewer(file, "times"), "frames and their vectors differ"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_or_foreign_file_is_refused_and_nothing_written(exported, tmp_path, damage):
    change, says = DAMAGE[damage]
    change(exported)
    with pytest.raises(ValueError, match=says) as refused:
        interchange.read(Store(tmp_path / "new"), exported)
    assert str(exported) in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "new").exists()


def array_changes(arrays: dict, damage: str) -> dict:
    if damage == "a pickle":
        return arrays | {"facts": np.array([{"any": "object"}] * 3, object)}
    if damage == "fewer windows":
        return arrays | {"windows": arrays["windows"] - 1}
    if damage == "a flat array":
        return arrays | {"clip": arrays["clip"].ravel()}
    if damage == "complex numbers":
        return arrays | {"size": arrays["size"].astype(complex)}
    if damage == "other vectors":
        return arrays | {"video": arrays["video"][:, :3]}
    return {name: array for name, array in arrays.items() if name != damage}


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("a pickle", "pickle"),
        ("fewer windows", "9 entries for 6"),
        ("other vectors", "lacks video, or has something else"),
        ("frames", "cannot be read"),
        ("a flat array", "cannot be read"),
        ("complex numbers", "cannot be read"),
        ("hash", "lacks hash"),
    ],
)
def test_damaged_arrays_are_refused_and_nothing_written(store, tmp_path, damage, says):
    interchange.write(store, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as opened:
        arrays = array_changes(dict(opened), damage)
    np.savez(tmp_path / "out.npz", **arrays)
    with pytest.raises(ValueError, match=says):
        interchange.read(Store(tmp_path / "new"), tmp_path / "out.npz")
    (tmp_path / "out.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match="cannot be read"):
        interchange.read(Store(tmp_path / "new"), tmp_path / "out.npz")
    assert not (tmp_path / "new").exists()


def test_an_index_without_its_table_or_with_another_is_refused(store, tmp_path):
    faiss = pytest.importorskip("faiss", reason="FAISS is the optional extra `faiss`")
    file, beside, new = tmp_path / "out.faiss", tmp_path / "out.parquet", Store(tmp_path / "new")
    interchange.write(store, file)
    whole = file.read_bytes()
    index = faiss.IndexFlatIP(WIDTH)
    index.add(np.eye(9, WIDTH, dtype=np.float32))
    faiss.write_index(index, str(file))
    with pytest.raises(ValueError, match="doesn't hold the vectors of"):
        interchange.read(new, file)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cannot be read"):
        interchange.read(new, file)
    file.write_bytes(whole)
    beside.unlink()
    with pytest.raises(ValueError, match=r"lies without out\.parquet"):
        interchange.read(new, file)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("other", [Maker("made up", "2", "2", "1"), Maker("made up", "2", "4", "0")])
def test_another_models_library_is_refused(exported, folder, tmp_path, other):
    theirs = indexed(folder, tmp_path / "theirs", other)[0]
    before = rows(theirs)
    with pytest.raises(ValueError, match="cannot be compared"):
        interchange.read(theirs, exported)
    assert rows(theirs) == before


def test_vectors_of_another_width_are_refused(exported, tmp_path):
    wider = Store(tmp_path / "wider")
    with wider.writing():
        wider.create(WIDTH + 1, MAKER)
    with pytest.raises(ValueError, match="has vectors of 4 numbers, and the library .* of 5"):
        interchange.read(wider, exported)


def test_what_is_not_there_and_other_endings_are_refused(store, tmp_path):
    for call in (interchange.write, interchange.read):
        with pytest.raises(ValueError, match="there are .parquet, .npz, .faiss"):
            call(store, tmp_path / "out.csv")
    with pytest.raises(ValueError, match="there is no file"):
        interchange.read(store, tmp_path / "out.npz")
    with pytest.raises(ValueError, match="holds no videos: run `stan index"):
        interchange.write(Store(tmp_path / "none"), tmp_path / "out.npz")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_both_commands_tell_what_they_did(stan, store, tmp_path):
    file = tmp_path / "new folder" / "out.parquet"
    code, out, _ = stan("export-library", file, "--library", store.path, "--json")
    told = json.loads(out)
    assert code == 0 and (told["videos"], told["bytes"]) == (3, file.stat().st_size)
    code, out, _ = stan("import-library", file, "--library", tmp_path / "again", "--json")
    assert code == 0 and json.loads(out)["windows"] == 9
    assert rows(Store(tmp_path / "again")) == rows(store)
    code, out, err = stan("import-library", tmp_path / "none.npz", "--json")
    assert (code, out) == (2, "") and err.count("\n") == 1
