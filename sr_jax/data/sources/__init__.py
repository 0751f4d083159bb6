"""Where images come from: named sets, folders, and the LR images beside them.

`open_set`, `open_folder`, `open_hr` and `open_lr` give an `ImageSet`, prepared as array_record (prepare.py) from files that
catalog.py, layouts.py and folders.py find, and download.py fetches. checksums.py and leaks.py look at the pixels; policy.py
says what is done about images that cannot be used.
"""

from sr_jax.data.sources.open import open_folder, open_hr, open_lr, open_set
from sr_jax.data.sources.policy import check_pair, handle_bad_images, usable
from sr_jax.data.sources.prepare import ImageSet

__all__ = ["ImageSet", "check_pair", "handle_bad_images", "open_folder", "open_hr", "open_lr", "open_set", "usable"]
