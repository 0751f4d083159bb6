"""The cache of compiled programs, and the time that compilation takes."""

import os
import warnings
from pathlib import Path
from typing import Any

import jax

from sr_jax.errors import writing


def use_compilation_cache(cache: Path) -> None:
    """Keeps compiled programs in `cache`, unless the environment variable JAX_COMPILATION_CACHE_DIR names another folder.

    Raises:
      InputError: if the folder cannot be written.
    """
    with writing(f"the cache folder (--cache_dir) {cache}"):
        cache.mkdir(parents=True, exist_ok=True)
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache / "compiled"))
    # On a full disk JAX warns once for each program. Nothing is lost, the next run only compiles again.
    warnings.filterwarnings("ignore", "Error writing persistent compilation cache entry")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


class CompileClock:
    """A context manager that measures how long JAX lowers and compiles, and counts the programs.

    For a program from the compilation cache, the time to read it counts.
    """

    def __init__(self) -> None:
        self.seconds, self.programs, self.cached = 0.0, 0, 0

    def __str__(self) -> str:
        return f"{self.programs} programs took {self.seconds:.1f} s, {self.cached} of them came from the cache"

    def __enter__(self) -> "CompileClock":
        jax.monitoring.register_event_duration_secs_listener(self._listen)
        jax.monitoring.register_event_listener(self._count)
        return self

    def __exit__(self, *error: object) -> None:
        jax.monitoring.unregister_event_duration_listener(self._listen)
        jax.monitoring.unregister_event_listener(self._count)

    def _count(self, event: str, **_: Any) -> None:
        self.cached += event == "/jax/compilation_cache/cache_hits"

    def _listen(self, event: str, duration_secs: float, **_: Any) -> None:
        is_compilation = event == "/jax/core/compile/backend_compile_duration"
        if is_compilation or event == "/jax/core/compile/jaxpr_to_mlir_module_duration":
            self.seconds += duration_secs
            self.programs += is_compilation
