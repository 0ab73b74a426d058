"""The laws of the core take longer than any other test when they are asked for at length."""

import pytest
from hypothesis import settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if settings.default is not None and settings.default.max_examples > settings.get_profile("quick").max_examples:
        for item in items:
            item.add_marker(pytest.mark.timeout(0))
