"""Check the phrases that pages put together."""

from sbd.companion.words import list_names, tell_copy, with_sign


def test_a_difference_has_its_sign():
    told = [with_sign(v, 0.17) for v in (1.1149, -0.2345, 0.0)]
    assert told == ["+1.11 ± 0.17", "-0.23 ± 0.17", "+0.00 ± 0.17"]


def test_only_a_copy_without_the_files_speaks_of_a_stand_in():
    how = {"shown": "Theirs.", "missing": "ours is shown"}
    assert tell_copy(whole=True, **how).data == "Theirs."
    said = tell_copy(whole=False, **how).data
    assert "stand-in" in said
    assert "so ours is shown" in said


def test_names_become_a_phrase():
    told = [list_names(list(names)) for names in ("", "a", "abc")]
    assert told == ["none", "a", "a, b and c"]
