"""The laws of the core take longer than any other test when they are asked for at length."""

from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if settings().max_examples > settings.get_profile("quick").max_examples:
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(pytest.mark.timeout(0))
