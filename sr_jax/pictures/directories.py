"""Directories of TIFF structures: the EXIF and GPS data of TIFF files become EXIF data as other formats hold them, and back."""

import io
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sr_jax.pictures.picture import File, Target

MAIN, EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD = "main", 34665, 34853, 40965
"""The directories by the tags that point to them (EXIF 2.32, section 4.6.3)."""
KEPT = (270, 271, 272, 274, 305, 306, 315, 316, 18246, 33432, *range(40091, 40096))
"""Tags of the main directory that describe the picture: description, camera, orientation, software, date, artist, computer,
rating, copyright, and the titles and comments of Windows."""
PLACEHOLDERS = {65_001: EXIF_IFD, 65_002: GPS_IFD}
"""Numbers that stand for those of EXIF and GPS until a file is complete."""
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by its type (TIFF 6.0, section 2, and BigTIFF)."""
UNITS = {5: 4, 10: 4, **{kind: size for kind, size in SIZES.items() if kind not in (5, 10)}}
"""Bytes that change their order together."""
SHORTER = {16: 4, 17: 9, 18: 13}
"""Types of BigTIFF, and those of 32 bits that EXIF data have instead."""
LONG, LONG8 = 4, 16
MOST_ENTRIES, MOST_BYTES = 4096, 2**24


class Tag(NamedTuple):
    """An entry of a directory."""

    number: int
    kind: int
    length: int
    """Number of values."""
    data: bytes
    """The values, little-endian."""


class Entry(NamedTuple):
    """Where an entry lies in a file."""

    number: int
    kind: int
    length: int
    """Number of values."""
    place: int
    """Where its value, or the place of its values, lies."""


class Form(NamedTuple):
    """How the numbers of a TIFF structure are written."""

    order: str
    """`<` or `>`, as in `struct`."""
    is_big: bool

    @property
    def entry(self) -> str:
        return f"{self.order}HH{self.number}"

    @property
    def number(self) -> str:
        """Sizes, and places in the file."""
        return "Q" if self.is_big else "L"

    @property
    def inline(self) -> int:
        """Bytes of such a number."""
        return 8 if self.is_big else 4

    @property
    def counter(self) -> str:
        """The number of entries."""
        return "Q" if self.is_big else "H"


DAMAGED = (ValueError, OverflowError, OSError, struct.error)
"""Errors that a damaged structure causes."""

Directories = dict[str | int, tuple[Tag, ...]]
FORMS = {
    b"II*\0": Form("<", False),
    b"MM\0*": Form(">", False),
    b"II+\0": Form("<", True),
    b"MM\0+": Form(">", True),
}


def read(file: File, first: int | None = None) -> Directories:
    """Returns what describes the picture: the kept tags of a main directory, and those of EXIF, GPS and interoperability.

    Args:
      first: where the main directory lies; None for the first one.

    Raises:
      DAMAGED: one of these, if the main directory is damaged. Others that are damaged are left out.
    """
    form = _form(file)
    directories: Directories = {}
    pointers = {}
    for tag in _tags(file, _first(file, form) if first is None else first, form):
        if tag.number in (EXIF_IFD, GPS_IFD):
            pointers[tag.number] = _value(tag)
        elif tag.number in KEPT:
            directories[MAIN] = (*directories.get(MAIN, ()), _shortened(tag))
    for name in (EXIF_IFD, GPS_IFD):
        if name in pointers:
            tags = _whole(file, pointers[name], form)
            for tag in [tag for tag in tags if tag.number == INTEROPERABILITY_IFD]:
                directories[INTEROPERABILITY_IFD] = tuple(map(_shortened, _whole(file, _value(tag), form)))
            directories[name] = tuple(_shortened(tag) for tag in tags if tag.number != INTEROPERABILITY_IFD)
    return directories


def check_chain(file: File) -> None:
    """Checks that the main directories, each of which says where the next one is, are whole and end.

    Raises:
      ValueError: if they do not. It says where.
    """
    form = _form(file)
    place, seen = _first(file, form), set()
    while place:
        if place in seen:
            raise ValueError(f"behind page {len(seen)} comes an earlier one")
        seen.add(place)
        try:
            _, place = _entries(file, place, form, is_whole=True)
        except DAMAGED:
            raise ValueError(f"page {len(seen)} is cut short") from None


def of_blob(blob: bytes) -> Directories:
    """Returns the directories of EXIF data; none if they are damaged."""
    try:
        return read(io.BytesIO(blob))
    except DAMAGED:
        return {}


def to_blob(directories: Directories) -> bytes | None:
    """Returns EXIF data that hold these directories; None if there is nothing in them."""
    if not any(directories.values()):
        return None
    head, form = b"II*\0" + struct.pack("<L", 8), Form("<", False)
    main = directories.get(MAIN, ())
    places = [Tag(name, LONG, 1, bytes(4)) for name in (EXIF_IFD, GPS_IFD) if directories.get(name)]
    size = len(_packed([*main, *places], 8, form))
    rest, pointers = _others(directories, 8 + size, form)
    return head + _packed([*main, *pointers], 8, form) + rest


def placeholders(directories: Directories) -> list[tuple[int, int, int, int, bool]]:
    """Returns entries for the main directory of a TIFF, as tifffile takes them, which `append` replaces.

    They have numbers of their own, because tifffile leaves out those of EXIF and GPS.
    """
    return [(number, LONG, 1, 0, True) for number, name in PLACEHOLDERS.items() if directories.get(name)]


def append(file: Target, pages: Sequence[Directories]) -> None:
    """Writes EXIF and GPS data behind the end of a TIFF file, whose pages have their placeholders.

    Args:
      pages: the directories of each page, in the order of the file.
    """
    form = _form(file)
    place = _first(file, form)
    for directories in pages:
        entries, following = _entries(file, place, form)
        end = file.seek(0, io.SEEK_END)
        file.write(bytes(end % 2))
        rest, tags = _others(directories, end + end % 2, form)
        file.write(rest)
        pointers = {tag.number: tag for tag in tags}
        head = struct.calcsize(form.entry)
        raw = []
        for entry in entries:
            file.seek(entry.place - head)
            whole = file.read(head + form.inline)
            name = PLACEHOLDERS.get(entry.number)
            if name in pointers:
                whole = struct.pack(f"{form.entry}{form.number}", name, pointers[name].kind, 1, _value(pointers[name]))
            raw.append((name or entry.number, whole))
        if entries:
            file.seek(entries[0].place - head)
            file.write(b"".join(whole for _, whole in sorted(raw)))  # entries lie in the order of their numbers
        place = following


def _others(directories: Directories, place: int, form: Form) -> tuple[bytes, list[Tag]]:
    """The directories besides the main one, written one after another, and the tags that point to them."""
    parts, pointers, inner = [], [], None
    if tags := directories.get(INTEROPERABILITY_IFD):
        parts.append(_packed(tags, place, form))
        inner = _pointer(INTEROPERABILITY_IFD, place, form)
        place += len(parts[-1])
    for name in (EXIF_IFD, GPS_IFD):
        if tags := directories.get(name):
            parts.append(_packed([*tags, inner] if inner and name == EXIF_IFD else tags, place, form))
            pointers.append(_pointer(name, place, form))
            place += len(parts[-1])
    return b"".join(parts), pointers


def _pointer(name: int, place: int, form: Form) -> Tag:
    return Tag(name, LONG8 if form.is_big else LONG, 1, struct.pack(f"<{form.number}", place))


def _packed(tags: Sequence[Tag], place: int, form: Form) -> bytes:
    """A directory and its values, as they lie at a place of a file. The length is even."""
    tags = sorted({tag.number: tag for tag in tags}.values())
    inline = form.inline
    size = struct.calcsize(f"<{form.counter}") + len(tags) * struct.calcsize(form.entry + form.number) + inline
    body, values = struct.pack(f"{form.order}{form.counter}", len(tags)), b""
    for tag in tags:
        data = _swapped(tag.data, tag.kind) if form.order == ">" else tag.data
        body += struct.pack(form.entry, tag.number, tag.kind, tag.length)
        if len(data) <= inline:
            body += data.ljust(inline, b"\0")
        else:
            body += struct.pack(f"{form.order}{form.number}", place + size + len(values))
            values += data + bytes(len(data) % 2)
    body += bytes(inline)
    whole = body + values
    return whole + bytes(len(whole) % 2)


def _whole(file: File | Target, place: int, form: Form) -> tuple[Tag, ...]:
    """The entries of a directory; none if it is damaged."""
    try:
        return tuple(_tags(file, place, form))
    except DAMAGED:
        return ()


def _tags(file: File | Target, place: int, form: Form) -> Iterator[Tag]:
    """The entries of a directory with their values. Those of an unknown type, and very long ones, are left out."""
    inline = form.inline
    for entry in _entries(file, place, form)[0]:
        size = SIZES.get(entry.kind, 0) * entry.length
        if not 0 < size <= MOST_BYTES:
            continue
        file.seek(entry.place)
        if size > inline:
            file.seek(*struct.unpack(f"{form.order}{form.number}", file.read(inline)))
        data = file.read(size)
        if len(data) < size:
            continue
        data = _swapped(data, entry.kind) if form.order == ">" else data
        yield Tag(entry.number, entry.kind, entry.length, data)


def _entries(file: File | Target, place: int, form: Form, *, is_whole: bool = False) -> tuple[list[Entry], int]:
    """The entries of a directory, and the place of the next one. This place may be missing unless the directory is whole."""
    file.seek(place)
    counter = f"{form.order}{form.counter}"
    (count,) = struct.unpack(counter, file.read(struct.calcsize(counter)))
    if count > MOST_ENTRIES:
        raise ValueError("too many entries")
    head, inline = struct.calcsize(form.entry), form.inline
    start = place + struct.calcsize(counter)
    entries = []
    for i in range(count):
        number, kind, values = struct.unpack(form.entry, file.read(head))
        file.seek(inline, io.SEEK_CUR)
        entries.append(Entry(number, kind, values, start + i * (head + inline) + head))
    following = file.read(inline)
    if len(following) < inline and not is_whole:
        return entries, 0
    return entries, struct.unpack(f"{form.order}{form.number}", following)[0]


def _form(file: File | Target) -> Form:
    file.seek(0)
    form = FORMS.get(file.read(4))
    if form is None:
        raise ValueError("not a TIFF structure")
    return form


def _first(file: File | Target, form: Form) -> int:
    file.seek(8 if form.is_big else 4)
    return struct.unpack(f"{form.order}{form.number}", file.read(form.inline))[0]


def _value(tag: Tag) -> int:
    return int.from_bytes(tag.data, "little")


def _shortened(tag: Tag) -> Tag:
    """A value of 64 bits as one of 32 bits, because EXIF data hold no others."""
    if tag.kind not in SHORTER:
        return tag
    data = b"".join(tag.data[i : i + 4] for i in range(0, len(tag.data), 8))
    return Tag(tag.number, SHORTER[tag.kind], tag.length, data)


def _swapped(data: bytes, kind: int) -> bytes:
    """The values in the other order of bytes."""
    unit = UNITS[kind]
    return b"".join(data[i : i + unit][::-1] for i in range(0, len(data), unit))
