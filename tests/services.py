"""What tests say when a service they need is absent: a skip that names it; with REQUIRE_SERVICES=1 a failure."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def not_run(what: str) -> NoReturn:
    """Skip the test, naming what is missing; with REQUIRE_SERVICES=1 (CI) that is a failure."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"REQUIRE_SERVICES=1 but not run: {what}", pytrace=False)
    pytest.skip(f"not run: {what}")
