"""What a judging function says to an answer that fails."""

import pytest


def message(judge, *args, **kwargs) -> str:
    """Call a function that must refuse, and return what it says."""
    with pytest.raises(AssertionError) as caught:
        judge(*args, **kwargs)
    return str(caught.value)
