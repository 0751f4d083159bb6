"""What an archive would unpack to, and names that mean two members, are noticed before anything is unpacked."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from sr_jax.errors import InputError
from sr_jax.system import archives

ONES = np.ones(3, np.float32)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def bomb(size: int, name: str) -> bytes:
    """An archive of a thousandth of the size to which it unpacks."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open(name, "w") as member:
        member.write(npy(ONES))
        for _ in range(size // 2**20):
            member.write(bytes(2**20))
    return buffer.getvalue()


@pytest.fixture
def peak():
    """The most memory that Python and NumPy allocate from here on [bytes]."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_a_bomb_is_not_unpacked(tmp_path, peak):
    size = 2**26
    data = bomb(size, "conv.weight.npy")
    assert len(data) < size / 100
    message = r"a\.npz unpacks to 67,.* bytes, of which conv\.weight\.npy has 67,.*; at most 1,000,000"
    with pytest.raises(InputError, match=message):
        archives.read_npz(tmp_path / "a.npz", data, most=1_000_000)
    assert peak() < 8 * 2**20
    assert archives.read_npz(tmp_path / "a.npz", data, most=2 * size)["conv.weight"].shape == (3,)
    assert peak() > size


def test_a_bomb_in_a_file_of_pytorch_is_not_unpacked(tmp_path, peak):
    data = bomb(2**25, "archive/data/0")
    with pytest.raises(
        InputError, match=r"a\.pth unpacks to 33,.* of which archive/data/0 has 33,.*; at most 1,000,000 are read"
    ):
        archives.read_zip(tmp_path / "a.pth", data, most=1_000_000)
    assert peak() < 8 * 2**20
    assert len(archives.read_zip(tmp_path / "a.pth", data, most=2**26)["archive/data/0"]) > 2**25


def test_names_that_differ_only_by_the_suffix(tmp_path):
    data = zipped(("conv.weight.npy", npy(ONES)), ("conv.weight", npy(2 * ONES)))
    message = r"a\.npz has conv\.weight\.npy and conv\.weight, which would both be called conv\.weight; rename one of them"
    with pytest.raises(InputError, match=message):
        archives.read_npz(tmp_path / "a.npz", data, most=10_000)


@pytest.mark.parametrize("reader", [archives.read_npz, archives.read_zip])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_are_listed_twice(tmp_path, reader):
    data = zipped(("a.npy", npy(ONES)), ("b.npy", npy(ONES)), ("a.npy", npy(2 * ONES)))
    with pytest.raises(InputError, match=r"a\.npz lists a\.npy 2 times, so it is unclear which one is meant; save it again"):
        reader(tmp_path / "a.npz", data, most=10_000)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_numpy_does_not_write(tmp_path, method):
    data = zipped(("a.npy", npy(ONES)), method=method)
    with pytest.raises(InputError, match=rf"a\.npz is not an npz file, .*\(NotImplementedError: compression method {method}\)"):
        archives.read_npz(tmp_path / "a.npz", data, most=10_000)


def test_too_many_members(tmp_path, peak):
    data = zipped(("a.npy", npy(ONES))) + archives.ENTRY * (archives.MOST_MEMBERS + 1)
    with pytest.raises(InputError, match=r"a\.npz has more than 100,000 members; save only the arrays that are needed"):
        archives.read_npz(tmp_path / "a.npz", data, most=10_000)
    assert peak() < 8 * 2**20
