from processors.commands.verdicts import Expectation, Verdict, compare, read_expectations


def test_a_call_is_right_when_all_it_must_break_came_and_nothing_else() -> None:
    verdict = compare([Expectation("c", frozenset({"a", "b"}))], {"c": {"b", "a"}})[0]

    assert verdict == Verdict("c", found=("a", "b"), missing=(), unexpected=())
    assert verdict.right


def test_a_missing_rule_makes_a_call_wrong_even_when_another_came() -> None:
    verdict = compare([Expectation("c", frozenset({"a"}), frozenset({"b"}))], {"c": {"b"}})[0]

    assert (verdict.missing, verdict.unexpected, verdict.right) == (("a",), (), False)


def test_a_rule_that_may_break_is_neither_missing_nor_unexpected() -> None:
    expectation = Expectation("c", frozenset(), frozenset({"b"}))

    assert compare([expectation], {"c": {"b"}})[0].right
    assert compare([expectation], {"c": set()})[0].right


def test_a_clean_call_with_a_violation_is_wrong() -> None:
    verdict = compare([Expectation("c", frozenset())], {"c": {"x"}})[0]

    assert (verdict.unexpected, verdict.right) == (("x",), False)


def test_a_call_that_never_came_misses_everything_it_must_break() -> None:
    assert compare([Expectation("c", frozenset({"a"}))], {})[0].missing == ("a",)


def test_expectations_are_read_from_the_entries_of_the_demo() -> None:
    entries = [{"call_id": "c", "expect": ["a"], "may": ["b"], "lines": []}]

    assert read_expectations(entries) == [Expectation("c", frozenset({"a"}), frozenset({"b"}))]
