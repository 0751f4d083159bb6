"""Opens sets of images: named sets, folders, and the LR images beside them.

`open_set`, `open_folder`, `open_hr` and `open_lr` return an `ImageSet`. The files are found by catalog.py, locate.py and
folders.py, downloaded by download.py, and prepared as array_record by prepare.py. checksums.py and leaks.py compare pixels.
policy.py decides what happens to images that cannot be used.
"""

from sr_jax.data.sources.image_set import FileSet, ImageSet
from sr_jax.data.sources.open import open_folder, open_hr, open_lr, open_set
from sr_jax.data.sources.policy import handle_bad_images, split_usable, split_usable_pairs

__all__ = [
    "FileSet",
    "ImageSet",
    "handle_bad_images",
    "open_folder",
    "open_hr",
    "open_lr",
    "open_set",
    "split_usable",
    "split_usable_pairs",
]
