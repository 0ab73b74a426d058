"""A partition that has lived."""

import pytest
from lived import Lived, some_leads


@pytest.fixture
def lived() -> Lived:
    """Some leads: answered, waiting, huge, merged, erased."""
    return some_leads()
