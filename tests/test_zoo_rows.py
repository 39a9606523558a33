"""Whatever `keras.layers` exports has one row in the zoo, or a reason why not."""

import keras

from tests.zoo.layers import NOT_A_STEP, PLAIN, SPECIAL, exported_layer_names, layer_cases, layer_rows

KERAS = tuple(int(part) for part in keras.__version__.split(".")[:2])
# What Keras 3.0 did not have yet; any other name that misses is a stale row.
ADDED_LATER = {
    *("AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D"),
    *("AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D", "AugMix"),
    *("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix", "Equalization"),
    *("FlaxLayer", "JaxLayer", "MaxNumBoundingBoxes", "MelSpectrogram", "MixUp", "Pipeline"),
    *("RMSNormalization", "RandAugment", "RandomColorDegeneration", "RandomColorJitter"),
    *("RandomElasticTransform", "RandomErasing", "RandomGaussianBlur", "RandomGrayscale"),
    *("RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization"),
    *("RandomSaturation", "RandomSharpness", "RandomShear", "ReversibleEmbedding"),
    *("STFTSpectrogram", "Solarization", "TFSMLayer", "TorchModuleWrapper"),
}


def test_every_exported_name_has_a_case_or_a_reason():
    cases, exported = {case.name for case in layer_cases()}, set(exported_layer_names())
    assert len(exported) > 100
    assert not cases & set(NOT_A_STEP)
    assert cases | (set(NOT_A_STEP) & exported) == exported
    assert all(len(reason) > 10 for reason in NOT_A_STEP.values())


def test_no_name_has_two_rows():
    names = [name for row in (*PLAIN.values(), SPECIAL, NOT_A_STEP) for name in row]
    assert sorted(names) == sorted(set(names))


def test_no_row_is_stale():
    missing = {*layer_rows(), *NOT_A_STEP} - set(exported_layer_names())
    assert missing <= ADDED_LATER
    assert not missing or KERAS < (3, 15)
    assert {*layer_rows(), *NOT_A_STEP} >= ADDED_LATER
