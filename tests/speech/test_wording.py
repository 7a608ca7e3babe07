"""Where the network is in doubt, what people say decides; where it is not, it is believed."""

from pathlib import Path

import pytest

from processors.runtime.errors import UserError
from processors.speech.hypotheses import alternatives_of, reworded, text_of, tokens_of
from processors.speech.recogniser import Grid, Piece
from processors.speech.wording import Wording, count, load_wording, options, write_wording

VOCABULARY = ("利", "息", "力", "日", "▁app", "好")
WORDING = Wording(count(["利息好", "利息", "日息好"] * 5))
GRID = Grid(9, 16, 2, 80, VOCABULARY, WORDING)


def pieces(*heard: tuple[int, float, tuple[int, ...]]) -> list[Piece]:
    return [Piece(token, 2 * place, 2 * place, sure, others) for place, (token, sure, others) in enumerate(heard)]


def test_the_more_usual_character_is_written_where_the_sound_leaves_room() -> None:
    heard = pieces((2, 0.5, (0, 3)), (1, 0.99, ()))
    assert text_of(heard, GRID) == "力息"
    chosen = reworded(heard, GRID)
    assert text_of(chosen, GRID) == "利息"
    assert alternatives_of(chosen, GRID) == ("力日", "")
    first, second = tokens_of(chosen, GRID, 0, 0, 5_000)
    assert (first.text, first.confidence, first.start_ms) == ("利", 0.5, 0) and second.text == "息"


def test_a_character_that_was_clearly_heard_stays() -> None:
    heard = pieces((2, 0.99, (0,)), (1, 0.99, ()))
    assert text_of(reworded(heard, GRID), GRID) == "力息"


def test_without_a_doubt_or_a_table_nothing_is_changed() -> None:
    sure, doubtful = pieces((2, 0.5, ()), (1, 0.5, ())), pieces((2, 0.5, (0,)), (1, 0.5, ()))
    assert reworded(sure, GRID) is sure
    assert reworded(doubtful, Grid(9, 16, 2, 80, VOCABULARY)) is doubtful


def test_words_of_letters_are_left_as_they_are() -> None:
    heard = pieces((4, 0.4, (0, 5)), (2, 0.5, (0, 4)), (1, 0.99, ()))
    assert text_of(reworded(heard, GRID), GRID) == "app利息"


def test_all_places_are_decided_together() -> None:
    """The likeliest way is no walk from one best to the next: each of the two alone would stay."""
    table = Wording({"^": {"甲": 50, "丙": 40}, "甲": {"乙": 1, "天": 60}, "丙": {"丁": 60}})
    places = [options("甲", 0.5, ["丙"]), options("乙", 0.5, ["丁"])]
    assert table.choose(places) == [1, 1]
    assert table.choose([]) == []


def test_seldom_pairs_are_not_kept_and_a_table_comes_back_as_written(tmp_path: Path) -> None:
    counts = count(["您好", "您好", "您坏"])
    assert counts == {"^": {"您": 3}, "您": {"好": 2}}
    write_wording(counts, tmp_path / "my.wording.json")
    loaded = load_wording(tmp_path / "my.nemo")
    assert loaded is not None and loaded.likelihood("您", "好") == Wording(counts).likelihood("您", "好")
    assert loaded.likelihood("您", "好") > loaded.likelihood("您", "坏")


def test_a_checkpoint_without_a_table_has_no_wording(tmp_path: Path) -> None:
    assert load_wording(tmp_path / "my.nemo") is None and load_wording(None) is None


@pytest.mark.parametrize("content", ["no json", "[1]", '{"a": 1}', '{"a": {"b": "x"}}'])
def test_a_damaged_table_is_one_clear_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "my.wording.json").write_text(content, "utf-8")
    with pytest.raises(UserError, match=r"my\.wording\.json is no table of `tingjian model wording`"):
        load_wording(tmp_path / "my.nemo")


def test_a_table_that_can_not_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"can not be written: No such file.*a folder that exists"):
        write_wording({}, tmp_path / "nowhere" / "my.wording.json")
