"""JSON from anywhere: what is no JSON says so, and nothing comes in that couldn't be written again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stan.common.json_values import Doubled, each_once, from_json, require, require_count


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "é"]}, "a dog 🐕", "\\ud83d", []])
def test_what_was_written_is_read(value):
    assert from_json(json.dumps(value)) == value == from_json(json.dumps(value, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting"),
        (b"\xff", "can't decode"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5000, "digits"),
        (r'{"a": ["\ud800"]}', "half a character"),
        (rb'{"\uDfff": 1}', "half a character"),
    ],
)
def test_what_is_no_json_is_a_value_error(text, message):
    with pytest.raises(ValueError, match=message):
        from_json(text)


def test_a_name_that_stands_twice_in_an_object_is_found():
    text = '{"a": {"b": 1, "c": 2}, "b": {"b": 3}}'
    assert from_json(text, object_pairs_hook=each_once) == json.loads(text)
    with pytest.raises(Doubled, match="'b' stands twice"):
        from_json('{"a": {"b": 1, "c": 2, "b": 1}}', object_pairs_hook=each_once)


@pytest.mark.parametrize(
    ("value", "annotation", "other"),
    [
        ("a", "str", "int"),
        (3, "int | None", "bool"),
        (None, "int | None", "int"),
        (3, "float", "str"),
        ([1, 2], "list[int] | None", "dict[str, Any]"),
        ({}, "dict[str, Any]", "list[int]"),
    ],
)
def test_values_that_fit_one_kind_and_not_another(value, annotation, other):
    require("setting", value, annotation)
    with pytest.raises(ValueError, match="setting is"):
        require("setting", value, other)


@pytest.mark.parametrize(
    ("value", "annotation", "words"),
    [
        (1, "str", "text"),
        ("\ud800", "str", "text"),
        (True, "int", "a whole number"),
        (2.0, "int | None", "a whole number or null"),
        (float("inf"), "float", "a finite number"),
        (0, "bool", "true or false"),
        ([1, 2.5], "list[int]", "a list of whole numbers"),
        ("ab", "Sequence[str]", "a list of texts"),
        ([], "dict[str, Any]", "an object"),
    ],
)
def test_values_that_do_not_fit(value, annotation, words):
    with pytest.raises(ValueError, match=f"setting is .*; it must be {words}$"):
        require("setting", value, annotation)


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", True, None, [1], np.float64(3), np.True_])
def test_what_is_no_count(value):
    with pytest.raises(ValueError, match="setting is .*; it must be a whole number of at least 1$"):
        require_count("setting", value)


def test_counts_of_python_and_numpy():
    refused = []
    for value in (1, 10**30, np.int64(3), np.uint8(1)):
        try:
            require_count("setting", value)
        except ValueError:
            refused.append(value)
    assert refused == []
