"""What a cache that is full lets go of."""

from __future__ import annotations

from convscope.core.cache import Cache


def test_what_was_used_longest_ago_goes_first():
    cache: Cache[str] = Cache(2)
    cache.put("a", "A", 1)
    cache.put("b", "B", 1)
    assert cache.get("a") == "A"
    cache.put("c", "C", 1)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == ("A", None, "C")
    assert (len(cache), cache.held) == (2, 2)


def test_what_is_larger_than_the_cache_is_not_kept():
    cache: Cache[str] = Cache(2)
    cache.put("a", "A", 1)
    cache.put("b", "B", 3)
    assert (cache.get("a"), cache.get("b"), cache.held) == ("A", None, 1)


def test_a_value_in_the_place_of_another_counts_once():
    cache: Cache[str] = Cache(3)
    cache.put("a", "A", 2)
    cache.put("a", "B", 3)
    assert (cache.get("a"), cache.held) == ("B", 3)
