import re

import numpy as np
import pytest

from cornac_mle.checks import (
    check_choice,
    check_count,
    check_different_names,
    check_flag,
    check_name,
    check_number,
    check_reals,
    check_seed,
    check_share,
    refusal,
)
from cornac_mle.randomness import children, cornac_seed, generator, repeatable_generator


def test_refusal_has_rule_value_context_and_advice():
    message = refusal("rating", "be above 0", -1, "Shift the scale.", context="user 'a'")
    assert message == "`rating` must be above 0; got -1 for user 'a'. Shift the scale."


def test_counts_are_integers_of_any_kind_and_not_booleans():
    assert check_count("k", np.int64(3)) == 3
    with pytest.raises(TypeError, match=r"`k` must be an integer; got 3\.0\."):
        check_count("k", 3.0)
    with pytest.raises(TypeError, match="got True"):
        check_count("k", True)
    with pytest.raises(ValueError, match=r"`k` must be at least 1; got 0\."):
        check_count("k", 0)


@pytest.mark.parametrize("value", [0, 1, -0.5, float("nan"), float("inf")])
def test_a_share_is_strictly_between_0_and_1(value):
    with pytest.raises(ValueError, match="`alpha` must be finite, above 0 and below 1; got"):
        check_share("alpha", value)


def test_numbers_and_choices():
    assert check_number("beta", 0.2, above=0) == 0.2
    with pytest.raises(TypeError, match="`beta` must be a number; got 'high'"):
        check_number("beta", "high")
    assert check_choice("latent", "prior", ("prior", "mixture")) == "prior"
    with pytest.raises(ValueError, match="`latent` must be one of 'prior', 'mixture'; got 'post'"):
        check_choice("latent", "post", ("prior", "mixture"))


@pytest.mark.parametrize(
    ("bounds", "rule"),
    [
        ({}, r"be finite;"),
        ({"above": 0}, r"be finite, above 0;"),
        ({"minimum": 0}, r"be finite, at least 0;"),
        ({"minimum": 0, "below": 1}, r"be finite, at least 0 and below 1;"),
    ],
)
def test_a_refused_number_is_told_the_bounds_there_are(bounds, rule):
    with pytest.raises(ValueError, match=f"`beta` must {rule} got nan"):
        check_number("beta", float("nan"), **bounds)


def test_names_differ():
    check_different_names("models", ["a", "b"])
    message = r"`models` must have different names; got 'b' twice\. Rename one\."
    with pytest.raises(ValueError, match=message):
        check_different_names("models", ["a", "b", "c", "b"], "Rename one.")


def test_a_minimum_is_allowed_and_less_is_not():
    assert check_number("beta", 0, minimum=0) == 0
    with pytest.raises(ValueError, match="got -1e-09"):
        check_number("beta", -1e-9, minimum=0)


@pytest.mark.parametrize("value", [["prior"], {}, None, 1])
def test_what_is_no_string_is_no_choice(value):
    with pytest.raises(ValueError, match="`latent` must be one of 'prior', 'mixture'; got "):
        check_choice("latent", value, {"prior": 1, "mixture": 2})


def test_a_seed_is_a_count_or_none():
    assert check_seed(None) is None
    assert check_seed(np.int64(0)) == 0
    with pytest.raises(ValueError, match="`seed` must be at least 0; got -1"):
        check_seed(-1)
    with pytest.raises(TypeError, match="`seed` must be an integer; got '1'"):
        check_seed("1")


def test_a_generator_is_advanced_and_a_seed_is_not():
    random = np.random.default_rng(1)
    assert generator(random).random() != generator(random).random()
    assert generator(1).random() == generator(1).random()
    sequence = np.random.SeedSequence(5)
    assert generator(sequence).random() == generator(np.random.SeedSequence(5)).random()


def test_without_a_seed_every_generator_is_another():
    assert generator(None).random() != generator(None).random()
    with pytest.raises(TypeError, match=r"`rng` must be an int, .*; got None\. Pass for"):
        repeatable_generator(None)


@pytest.mark.parametrize("wrong", [1.5, "1", True])
def test_anything_else_is_no_seed(wrong):
    for made_by in (generator, repeatable_generator):
        with pytest.raises(TypeError, match="`rng` must be an int, a numpy SeedSequence"):
            made_by(wrong)


def test_negative_seed():
    with pytest.raises(ValueError, match="`rng` must be at least 0; got -1"):
        generator(-1)


def test_children_do_not_depend_on_their_number():
    few, many = children(generator(1), 2), children(generator(1), 5)
    draws = [np.random.default_rng(seed).random() for seed in many]
    assert [np.random.default_rng(seed).random() for seed in few] == draws[:2]
    assert len(set(draws)) == 5


def test_cornac_seed_fits_32_bits():
    assert 0 <= cornac_seed(1) < 2**31
    assert cornac_seed(1) == cornac_seed(1) != cornac_seed(2)


@pytest.mark.parametrize("value", [10**400, -(10**400)])
def test_integers_that_no_float_reaches_are_refused_and_can_be_read(value):
    with pytest.raises(ValueError, match="`beta` must be finite; got an integer of 1,329 bits"):
        check_number("beta", value)


@pytest.mark.parametrize("value", [1e39, 1e-50])
def test_numbers_are_named_as_they_are_written(value):
    with pytest.raises(ValueError, match=f"got {re.escape(repr(value))}\\."):
        check_number("beta", np.float64(value), above=0.1, below=1)


def test_counts_and_seeds_have_32_bits():
    assert check_count("k", 2**32 - 1) == check_seed(2**32 - 1) == 2**32 - 1
    with pytest.raises(ValueError, match="`seed` must be at most 4294967295; got 4294967296"):
        check_seed(2**32)
    with pytest.raises(ValueError, match="`k` must be at most 5; got 6"):
        check_count("k", 6, maximum=5)
    with pytest.raises(ValueError, match="got an integer of 33,220 bits"):
        check_count("k", 10**10_000)


def test_what_is_refused_is_told_in_one_line():
    frame = np.eye(40)
    message = refusal("k", "be a number", frame)
    assert len(message.splitlines()) == 1
    assert len(message) < 600


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\r"])
def test_a_name_is_one_line(name):
    with pytest.raises(ValueError, match="`name` must be a word, or more, in one line"):
        check_name(name)


def test_flags_are_true_or_false():
    assert check_flag("verbose", np.True_) is True
    for wrong in ("yes", None, 2, np.ones(3)):
        with pytest.raises(TypeError, match="`verbose` must be True or False; got "):
            check_flag("verbose", wrong)


@pytest.mark.parametrize("wrong", [["x"], None, [[1], [1, 2]], [1j], [10**400], {}])
def test_arrays_hold_real_numbers(wrong):
    if wrong is None:
        assert np.isnan(check_reals("scores", wrong))
        return
    with pytest.raises(TypeError, match="`scores` must be an array of real numbers; got "):
        check_reals("scores", wrong)


def test_a_share_has_an_inverse():
    """Of 5e-324 it is infinite, and no integer."""
    with pytest.raises(ValueError, match="`alpha` must be at least 1e-12; got 5e-324"):
        check_share("alpha", 5e-324)
    assert check_share("alpha", 1e-12) == 1e-12
