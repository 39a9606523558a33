"""What other packages call their methods: Captum, SHAP, tf-keras-vis, tf-explain, Xplique and Zennit."""

from __future__ import annotations

from collections.abc import Iterable

from innexplain.errors import nearest

#: Names of the same methods, by the name here.  Upper case, dots and underscores do not count.
SAME = {
    "gradient": (
        "saliency", "grad", "gradients", "vanilla_gradient", "vanilla_gradients", "gradient.baseline",
    ),
    "sensitivity": ("sensitivity_analysis", "gradient_norm"),
    "input_t_gradient": (
        "input_x_gradient", "gradient_x_input", "gradient_input", "gradients_inputs", "gradient_times_input",
        "input_times_gradient",
    ),
    "integrated_gradients": ("ig", "int_grad", "integrated_grads"),
    "smoothgrad": ("noise_tunnel",),
    "deconvnet": ("deconv", "deconvolution"),
    "guided_backprop": ("guided_bp", "gbp", "guided_backpropagation", "guided_gradients"),
    "lrp": ("layer_wise_relevance_propagation",),
    "lrp.z_plus": ("z_plus",),
    "deep_taylor": ("dtd", "deep_taylor_decomposition"),
    "excitation_backprop": ("ebp", "excitation_backpropagation"),
    "clear": ("class_enhanced_attentive_response",),
}  # fmt: skip

#: Names of methods that are not here, by the one that comes nearest in purpose, and what that one does.
ABSENT = {
    ("clear", "shows which class each place of a layer's maps speaks for"): (
        "cam", "class_activation_map", "class_activation_mapping", "grad_cam", "grad_cam_pp",
        "grad_cam_plus_plus", "guided_grad_cam", "eigen_grad_cam", "score_cam", "layer_cam", "eigen_cam",
        "ablation_cam", "x_grad_cam", "hi_res_cam", "faster_score_cam", "layer_grad_cam",
    ),
    ("integrated_gradients", "compares with a baseline, and sums to the difference of the scores"): (
        "occlusion", "occlusion_sensitivity", "ablation", "feature_ablation", "anchors", "blur_ig",
        "guided_ig", "prediction_difference", "deep_lift",
        "deep_lift_shap", "deep_shap", "deep_explainer", "gradient_shap", "gradient_explainer",
        "expected_gradients", "shap", "kernel_shap", "kernel_explainer", "shapley_value_sampling", "lime",
        "rise", "xrai", "sobol_attribution_method", "hsic_attribution_method", "extremal_perturbation",
    ),
    ("smoothgrad", "is the mean where these are squares or variances"): (
        "vargrad", "square_grad", "smooth_grad_squared",
    ),
}  # fmt: skip


def meant(name: object, ours: Iterable[str]) -> str:
    """The sentence that tells what a name may stand for: a method of another package, or a misspelling.

    >>> meant("ig", ["input"]), meant("imput", ["input"])
    (" That is 'integrated_gradients' here.", " Did you mean 'input'?")
    """
    return known_elsewhere(name) or nearest(name, ours)


def known_elsewhere(name: object) -> str:
    """The sentence that tells what a method of another package is here, or nothing.

    >>> known_elsewhere("Saliency"), known_elsewhere("gradeint")
    (" That is 'gradient' here.", '')
    >>> known_elsewhere("grad_cam")
    " It is not here; nearest in purpose is 'clear', which shows which class each place of a layer's maps ..."
    """
    plain = _plain(str(name))
    for ours, names in SAME.items():
        if plain in map(_plain, names):
            return f" That is {ours!r} here."
    for (ours, what), names in ABSENT.items():
        if plain in map(_plain, names):
            return f" It is not here; nearest in purpose is {ours!r}, which {what}."
    return ""


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower().replace("++", "pp") if letter.isalnum())
