"""Stores of records: the images of a set as losslessly compressed tiles, from which windows are cut at random.

They are for sets that are too large for the memory, or as a pack for the disk. tiles.py says how an image is cut into tiles and
how a tile becomes bytes, parts.py writes them as ArrayRecord files, store.py prepares a set, and read.py cuts windows.
"""

from sr_jax.data.records.read import Records, cut
from sr_jax.data.records.store import PreparedSet, build

__all__ = ["PreparedSet", "Records", "build", "cut"]
