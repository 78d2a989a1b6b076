"""The samples that `make test` takes of tests with many cases."""

from collections.abc import Iterable
from pathlib import Path

import pytest


def outside_the_samples(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Return the cases of tests marked `sampled(n)` but for n of them, spread evenly over the test's cases."""
    families: dict[tuple[Path, str], list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled"):
            families.setdefault((item.path, item.originalname), []).append(item)
    left_out: set[pytest.Item] = set()
    for cases in families.values():
        (size,) = cases[0].get_closest_marker("sampled").args
        chosen = {(2 * number + 1) * len(cases) // (2 * size) for number in range(size)}
        left_out.update(case for number, case in enumerate(cases) if number not in chosen)
    return left_out
