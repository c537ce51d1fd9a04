"""The state of every global random generator, as a safetensors file: Python's, NumPy's, torch's.

As numbers and not as pickles, in dtypes that the gateway takes.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from headway.contract.recipes import CheckpointUnusable

Arrays = dict[str, NDArray[np.int64 | np.float64 | np.uint8]]
_NUMPY_GENERATOR = "MT19937"


def save_random_state(path: Path, *, device: str, uses_torch: bool) -> None:
    """Write the state of this process's generators."""
    version, words, gauss = random.getstate()
    arrays: Arrays = {
        "python_version": np.array([version], dtype=np.int64),
        "python_words": np.array(words, dtype=np.int64),
        "python_gauss": np.array([] if gauss is None else [gauss], dtype=np.float64),
        **_numpy_state(),
    }
    if uses_torch:
        from trainer_host.executor.torch_runtime import random_states

        arrays |= {f"torch_{name}": state for name, state in random_states(device).items()}
    save_file(arrays, path)


@dataclass(frozen=True, slots=True)
class RandomState:
    """A state that was read and found whole; `apply` cannot fail half-way."""

    arrays: Arrays

    def apply(self, *, device: str, uses_torch: bool) -> None:
        """Put this process's generators where they were."""
        arrays = self.arrays
        gauss = [float(value) for value in arrays["python_gauss"].tolist()]
        words = tuple(int(word) for word in arrays["python_words"].tolist())
        random.setstate((int(arrays["python_version"][0]), words, gauss[0] if gauss else None))
        keys, rest = arrays["numpy_words"].astype(np.uint32), arrays["numpy_rest"].tolist()
        np.random.set_state((_NUMPY_GENERATOR, keys, int(rest[0]), int(rest[1]), float(arrays["numpy_gauss"][0])))  # noqa: NPY002
        if uses_torch:
            from trainer_host.executor.torch_runtime import set_random_states

            prefix = "torch_"
            states = {name.removeprefix(prefix): state for name, state in arrays.items() if name.startswith(prefix)}
            set_random_states(states, device)


def read_random_state(path: Path) -> RandomState:
    """Read a state.

    Raises:
        CheckpointUnusable: it is none.
    """
    try:
        arrays: Arrays = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointUnusable(f"its random state cannot be read ({type(error).__name__})") from error
    wanted = {"python_version", "python_words", "python_gauss", "numpy_words", "numpy_rest", "numpy_gauss"}
    if not wanted <= arrays.keys():
        raise CheckpointUnusable("its random state is not whole")
    return RandomState(arrays)


def _numpy_state() -> Arrays:
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    if name != _NUMPY_GENERATOR:
        raise ValueError(f"the global generator of NumPy is {name}, not {_NUMPY_GENERATOR}")
    return {
        "numpy_words": np.asarray(keys, dtype=np.int64),
        "numpy_rest": np.array([position, has_gauss], dtype=np.int64),
        "numpy_gauss": np.array([gauss], dtype=np.float64),
    }
