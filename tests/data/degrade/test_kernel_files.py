import io
import tracemalloc
import zipfile

import numpy as np
import pytest
import scipy.io
from PIL import Image

from sr_jax.data.degrade import kernel_files
from sr_jax.errors import InputError


def test_kernel_files(tmp_path, rng):
    one, two = rng.random((5, 5)), rng.random((4, 7))
    np.save(tmp_path / "one.npy", one)
    np.savez(tmp_path / "both.npz", one, two)
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = one, two
    scipy.io.savemat(tmp_path / "cells.mat", {"kernels": cells})
    grey = rng.integers(0, 256, (5, 5), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_allclose(kernel_files.load_kernels(tmp_path / "one.npy")[0], one / one.sum(), rtol=1e-6)
    np.testing.assert_allclose(kernel_files.load_kernels(tmp_path / "grey.png")[0], grey / grey.sum(), rtol=1e-6)
    for name in ("both.npz", "cells.mat"):
        bank = kernel_files.load_kernels(tmp_path / name)
        assert bank.shape == (2, 7, 7)
        np.testing.assert_allclose(bank[0, 1:6, 1:6], one / one.sum(), rtol=1e-6)
        np.testing.assert_allclose(bank[1, 2:6], two / two.sum(), rtol=1e-6)  # tap (4 - 1) // 2 is the centre


def test_stacks_along_the_first_axis_or_the_last(tmp_path, rng):
    stack = rng.random((8, 15, 15))
    expected = stack / stack.sum((1, 2), keepdims=True)
    scipy.io.savemat(tmp_path / "matlab.mat", {"kernels": np.moveaxis(stack, 0, 2)})
    np.save(tmp_path / "first.npy", stack)
    for name in ("matlab.mat", "first.npy"):
        np.testing.assert_allclose(kernel_files.load_kernels(tmp_path / name), expected, rtol=1e-6)
    np.save(tmp_path / "cube.npy", stack[:5, :5, :5])  # ambiguous, so it is a stack along the first axis
    np.testing.assert_allclose(
        kernel_files.load_kernels(tmp_path / "cube.npy")[1], stack[1, :5, :5] / stack[1, :5, :5].sum(), rtol=1e-6
    )


def test_digests_follow_the_bytes(tmp_path, rng):
    path, kernel = tmp_path / "k.npy", rng.random((5, 5))
    np.save(path, kernel)
    before = kernel_files.file_digest(path)
    assert kernel_files.file_digest(str(path)) == before
    np.save(path, 2 * kernel)
    assert kernel_files.file_digest(path) != before
    with pytest.raises(InputError, match=r"there is no kernel file .*none\.npy"):
        kernel_files.file_digest(tmp_path / "none.npy")


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.full((3, 3), np.nan), "not finite"),
        (np.zeros((3, 3)), "its sum is 0"),
        (-np.ones((3, 3)), "its sum is -9"),
        (np.ones((103, 3)), "a 103x3 kernel; each side must have 1 to 101 taps"),
        (np.ones(9), "float64 of shape"),
        (np.ones((15, 8, 9)), "stack of shape 15x8x9, the first two or the last two axes"),
        (np.array([["a"]]), "a kernel has two axes"),
    ],
)
def test_bad_kernels_are_named(tmp_path, kernel, message):
    np.save(tmp_path / "bad.npy", kernel)
    with pytest.raises(InputError, match=rf"bad\.npy.*{message}"):
        kernel_files.load_kernels(tmp_path / "bad.npy")


def test_bad_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no kernel file .*none\.npy"):
        kernel_files.load_kernels(tmp_path / "none.npy")
    for name, message in [("k.txt", r"unknown kind '\.txt'; use \.npy, \.npz, \.mat, \.png"), ("k.mat", "cannot be read")]:
        (tmp_path / name).write_text("nothing")
        with pytest.raises(InputError, match=message):
            kernel_files.load_kernels(tmp_path / name)
    np.savez(tmp_path / "empty.npz")
    with pytest.raises(InputError, match="holds no kernel"):
        kernel_files.load_kernels(tmp_path / "empty.npz")


@pytest.fixture
def refuse(tmp_path, monkeypatch):
    """Checks that a file is refused under a limit of a megabyte, and that little memory is used for that."""

    def refuse(name, message):
        monkeypatch.setattr(kernel_files, "MAX_BYTES", 2**20)
        tracemalloc.start()
        with pytest.raises(InputError, match=f"^kernel file {tmp_path / name}{message}"):
            kernel_files.load_kernels(tmp_path / name)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**23

    return refuse


def npy_of_zeros(shape: tuple[int, ...], size: int) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + bytes(size)


def test_a_bomb_in_an_npz_is_not_unpacked(tmp_path, refuse):
    with zipfile.ZipFile(tmp_path / "k.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("k.npy", "w") as member:
        for _ in range(64):
            member.write(bytes(2**20))
    refuse("k.npz", r" unpacks to 67,108,864 bytes, of which k\.npy has .*; at most 1,048,576 are read")


def test_a_bomb_in_a_mat_is_not_unpacked(tmp_path, refuse):
    scipy.io.savemat(tmp_path / "k.mat", {"kernel": np.zeros((2**11, 2**11))}, do_compression=True)
    with pytest.raises(InputError, match="a 2048x2048 kernel"):
        kernel_files.load_kernels(tmp_path / "k.mat")
    assert (tmp_path / "k.mat").stat().st_size < 2**18
    refuse("k.mat", r": cannot be read \(it unpacks to more than 1,048,576 bytes; save only the arrays that are needed\)")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat", ".png"])
def test_a_file_that_is_too_large_is_not_read(tmp_path, refuse, suffix):
    with (tmp_path / f"k{suffix}").open("wb") as file:
        file.truncate(2**40)
    refuse(f"k{suffix}", " has 1,099,511,627,776 bytes; at most 1,048,576 are read")


def test_an_array_that_claims_more_than_there_is(tmp_path, refuse):
    (tmp_path / "k.npy").write_bytes(npy_of_zeros((10**6, 10**6), 100))
    refuse("k.npy", " is cut short or damaged: .* takes 8,000,000,000,000 bytes, but has 100")


def test_a_large_picture_is_not_decoded(tmp_path, refuse):
    Image.new("L", (4096, 4096)).save(tmp_path / "k.png")
    refuse("k.png", ": a 4096x4096 kernel; each side must have 1 to 101 taps")


def test_members_that_are_not_arrays_are_named(tmp_path):
    (tmp_path / "k.npy").write_bytes(b"some text")
    with zipfile.ZipFile(tmp_path / "k.npz", "w") as archive:
        archive.writestr("readme.txt", "some text")
    for name, member in (("k.npy", "k.npy"), ("k.npz", "readme.txt")):
        with pytest.raises(
            InputError, match=f"kernel file {tmp_path / name}, {member}: is not an array; write it with np.save"
        ):
            kernel_files.load_kernels(tmp_path / name)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_mean_two_kernels_are_refused(tmp_path):
    for names in (("k.npy", "k"), ("k.npy", "k.npy")):
        with zipfile.ZipFile(tmp_path / "k.npz", "w") as archive:
            for name in names:
                archive.writestr(name, npy_of_zeros((1, 1), 8))
        with pytest.raises(InputError, match=r"^kernel file .*k\.npz (has k\.npy and k,|lists k\.npy 2 times)"):
            kernel_files.load_kernels(tmp_path / "k.npz")
