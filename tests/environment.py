"""The environment in which the tests run. It is set before anything imports JAX."""

import os
import signal
import tempfile
from importlib.metadata import version

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUM_CPU_DEVICES"] = "4"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"

# Most of the time of a cold test run goes into compiling, so programs are compiled without optimisation here. The tests marked
# `exact` compare bytes of compiled programs, and `make test-all` runs them as users' programs are compiled.
QUICK_TO_COMPILE = ["--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true"]
if [int(part) for part in version("jaxlib").split(".")[:2]] < [0, 11]:  # later versions do not know this flag
    QUICK_TO_COMPILE.append("--xla_cpu_use_fusion_emitters=false")
FULLY_OPTIMISED = bool(os.environ.get("SR_JAX_TEST_FULLY_OPTIMISED"))
if not FULLY_OPTIMISED and QUICK_TO_COMPILE[0] not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *QUICK_TO_COMPILE])

# A shell's background job ignores Ctrl-C, and so would the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The workers of one run, and the processes that tests start, share their compiled programs, and nothing with other runs.
if "PYTEST_XDIST_WORKER" not in os.environ:
    COMPILED = tempfile.TemporaryDirectory(prefix="compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = COMPILED.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
