"""Faults in what judges and shows maps: samplers, evaluators, comparison, plots, the command line."""

from tests.faults.fault import Fault

JUDGING = (
    # samplers
    Fault(
        "noise-above-the-low-end-too-large",
        "samplers/simple.py",
        "low * (1 - noise) + high * noise",
        "low + high * noise",
    ),
    Fault(
        "blur-mixes-channels-that-come-first",
        "samplers/simple.py",
        "sigma[channels] = 0.0",
        "sigma[-1] = 0.0",
    ),
    # evaluators
    Fault(
        "aopc-divided-by-one-step-too-few",
        "evaluators/perturbation.py",
        "/ np.arange(1, scores.shape[1] + 1)",
        "/ np.maximum(np.arange(scores.shape[1]), 1)",
    ),
    Fault(
        "every-repetition-with-the-same-noise",
        "evaluators/perturbation.py",
        "image, repeat, _NOISE)",
        "image, _NOISE)",
    ),
    Fault(
        "ties-do-not-share-a-mean-rank",
        "evaluators/similarity.py",
        "rankdata(m, axis=1)",
        'rankdata(m, axis=1, method="min")',
    ),
    Fault(
        "layers-randomised-from-the-input-on",
        "evaluators/randomisation.py",
        "for step in reversed(steps)",
        "for step in steps",
    ),
    Fault(
        "predict-function-writes-into-the-inputs",
        "graph/functions.py",
        "np.array(leaf) for leaf",
        "np.asarray(leaf) for leaf",
    ),
    # comparison
    Fault(
        "kept-results-of-another-seed-reused",
        "comparison/running.py",
        "subject.seed, subject.channel_axis, label,",
        "subject.channel_axis, label,",
    ),
    Fault(
        "digest-of-a-kept-part-not-checked",
        "folders.py",
        "if head != (key + digest_of_bytes([body])).encode():",
        "if head[:LENGTH] != key.encode():",
    ),
    Fault(
        "arrow-of-the-least-relevant-first-order",
        "comparison/evaluations.py",
        '"lerf": "lower"',
        '"lerf": "higher"',
    ),
    # plots
    Fault(
        "scale-of-an-overlay-ignored",
        "plots/images.py",
        "np.abs(flat) / check_scale(scale, flat)",
        "np.abs(flat) / check_scale(None, flat)",
    ),
    Fault(
        "percentile-of-a-gallery-ignored",
        "plots/gallery.py",
        "symmetric_scale(drawn, percentile)",
        "symmetric_scale(drawn)",
    ),
    Fault(
        "failed-write-leaves-its-temporary-file",
        "files.py",
        "        _remove(temporary)",
        "        pass",
    ),
    # cli
    Fault(
        "channels-first-turns-height-and-width-over",
        "cli/images.py",
        "np.moveaxis(pixels, -1, 0)",
        "pixels.T",
    ),
    Fault(
        "second-class-of-one-sigmoid-unit-refused",
        "cli/explain.py",
        "last = max(units, 2) - 1",
        "last = max(units, 1) - 1",
    ),
    Fault(
        "synset-in-place-of-the-class-name",
        "cli/classes.py",
        "entry[-1] if isinstance(entry, list)",
        "entry[0] if isinstance(entry, list)",
    ),
)
