"""The depth of JSON, measured before parsing: correct for any text, and in linear time."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.nesting import is_nested_deeper

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def depth_of(value: object) -> int:
    """The depth of nested arrays and objects."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(VALUES, st.booleans())
def test_the_depth_is_that_of_the_value(value: object, ascii_only: bool) -> None:  # hypothesis gives it
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    depth = depth_of(value)

    assert not is_nested_deeper(text, depth)
    assert depth == 0 or is_nested_deeper(text, depth - 1)


@pytest.mark.parametrize(
    "text",
    [
        b"[]" * 500_000,
        b'"' + b'\\"' * 500_000,
        b'"' * 1_000_001,
        b'"\\' * 500_000,
        b'["' * 101 + b"\\" * 999_999,
        b'[{"a":1}]' * 100_000,
    ],
)
def test_any_megabyte_takes_little_time(text: bytes) -> None:
    # A text with few brackets is not looked at.
    text = b"[]" * 101 + text
    started = time.process_time()
    is_nested_deeper(text, 100)

    # A quadratic pass would take minutes.
    assert time.process_time() - started < 2
