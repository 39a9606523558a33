"""Names of other packages lead to ours, and none of them is one of ours."""

import keras
import pytest

from innexplain import analyzer_names, create_analyzer
from innexplain.analyzers.other_names import ABSENT, SAME, known_elsewhere
from innexplain.errors import UnknownNameError, nearest


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("saliency", "gradient"), ("Saliency", "gradient"), ("vanilla_gradients", "gradient"),
        ("gradient_x_input", "input_t_gradient"), ("InputXGradient", "input_t_gradient"),
        ("deconvolution", "deconvnet"), ("guided_backpropagation", "guided_backprop"),
        ("ZPlus", "lrp.z_plus"), ("ig", "integrated_gradients"), ("NoiseTunnel", "smoothgrad"),
    ],
)  # fmt: skip
def test_the_same_method_is_named(name: str, ours: str) -> None:
    assert known_elsewhere(name) == f" That is {ours!r} here."


@pytest.mark.parametrize(
    "name",
    [
        "grad_cam",
        "GradCAM++",
        "occlusion",
        "DeepLift",
        "lime",
        "kernel_shap",
        "RISE",
        "EigenGradCAM",
        "ablation",
    ],
)
def test_a_method_that_is_not_here_is_told_plainly(name: str) -> None:
    assert known_elsewhere(name).startswith(" It is not here; nearest in purpose is ")
    assert nearest(name, analyzer_names()) == ""


def test_every_name_leads_to_one_of_ours_and_stands_once() -> None:
    names = [name for table in (SAME, ABSENT) for known in table.values() for name in known]
    assert {*SAME, *(ours for ours, _ in ABSENT)} <= set(analyzer_names())
    assert len({known_elsewhere(name) for name in names}) == len(SAME) + len(ABSENT)
    assert len(set(names)) == len(names)
    assert set(names).isdisjoint(analyzer_names()), "what is here now is no longer missing"


@pytest.mark.parametrize("name", ["gradeint", "", None, 3])
def test_other_words_are_left_alone(name: object) -> None:
    assert known_elsewhere(name) == ""


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("GRADIENT", "gradient"), ("SmoothGrad", "smoothgrad"), ("PatternNet", "pattern.net"),
        ("pattern_net", "pattern.net"), ("lrp_epsilon", "lrp.epsilon"), ("lrp.alphabeta", "lrp.alpha_beta"),
        ("EpsilonPlus", "lrp.epsilon_plus"), ("DeepTaylor", "deep_taylor"),
        ("guided_backprob", "guided_backprop"),
    ],
)  # fmt: skip
def test_other_spellings_of_ours_are_found(name: str, ours: str) -> None:
    assert nearest(name, analyzer_names()) == f" Did you mean {ours!r}?"


@pytest.mark.parametrize("name", ["grad_cam", "occlusion", "shap", "xyz", ""])
def test_what_is_no_misspelling_is_not_taken_for_one(name: str) -> None:
    assert nearest(name, analyzer_names()) == ""


def test_the_words_of_others_lead_on_wherever_a_name_is_taken() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    for given in ({"name": "saliency"}, {"name": "smoothgrad", "analyzer": "saliency"},
                  {"name": "clear", "response": "saliency"}):  # fmt: skip
        with pytest.raises(UnknownNameError, match="That is 'gradient' here"):
            create_analyzer(model=model, **given)
