"""Faults in what computes maps: ground files, graph, rules, composites, backward, analyzers, patterns."""

from tests.faults.fault import Fault

METHODS = (
    # ground files
    Fault(
        "float16-derivatives-not-scaled",
        "numerics.py",
        'standardize_dtype(y.dtype) != "float16"',
        'standardize_dtype(y.dtype) != "bfloat16"',
    ),
    Fault(
        "opposite-of-a-probability-is-minus-p",
        "targets.py",
        "-flat if self.stripped else 1 - flat",
        "-flat",
    ),
    Fault(
        "noise-does-not-depend-on-the-sample",
        "randomness.py",
        'int.from_bytes(digest.digest(), "little"), *more',
        "*more",
    ),
    Fault(
        "region-as-long-as-the-input-refused",
        "regions.py",
        "any(s > d for",
        "any(s >= d for",
    ),
    Fault(
        "ends-of-a-range-refused",
        "arguments.py",
        "not low <= value <= high",
        "not low < value < high",
    ),
    Fault(
        "hint-at-a-name-that-is-not-alike",
        "errors.py",
        "n=1, cutoff=",
        "n=1, cutoff=0 * ",
    ),
    # graph
    Fault(
        "batch-norm-with-the-default-epsilon",
        "graph/folding.py",
        "variance + layer.epsilon",
        "variance + 1e-3",
    ),
    Fault(
        "shift-of-a-batch-norm-ahead-subtracted",
        "graph/folding.py",
        "bias + moved",
        "bias - moved",
    ),
    Fault(
        "leaky-relu-taken-for-one-that-rectifies",
        "graph/facts.py",
        "rectifies=_is_plain_relu(step)",
        "rectifies=step.kind == RELU",
    ),
    Fault(
        "odd-zero-of-same-padding-in-front",
        "graph/convolving.py",
        "[total // 2, total - total // 2]",
        "[total - total // 2, total // 2]",
    ),
    Fault(
        "first-of-two-layers-of-one-name-taken",
        "graph/step.py",
        "if len(paths) > 1:",
        "if len(paths) > 2:",
    ),
    # rules
    Fault(
        "guided-relu-lets-negative-values-pass",
        "rules/relu.py",
        "pullback(_positive(relevances))",
        "pullback(relevances)",
    ),
    Fault(
        "alpha-beta-with-the-wrong-bias-below-zero",
        "rules/lrp.py",
        "b_minus, -self.beta",
        "b_plus, -self.beta",
    ),
    Fault(
        "gamma-favours-the-wrong-sign-below-zero",
        "rules/lrp.py",
        "linear.pairs(down, up)",
        "linear.pairs(up, down)",
    ),
    Fault(
        "own-box-is-that-of-the-batch",
        "rules/lrp.py",
        "axes = tuple(range(1, len(x.shape)))",
        "axes = tuple(range(len(x.shape)))",
    ),
    Fault(
        "what-epsilon-keeps-is-not-told",
        "rules/linear.py",
        "q.s * (push + group.bias)",
        "q.s * group.bias",
    ),
    Fault(
        "pattern-of-positive-outputs-for-all",
        "rules/pattern.py",
        "(1 - above), self.negative",
        "(1 - above), self.positive",
    ),
    # composites
    Fault(
        "until-layer-not-included",
        "composites/predicates.py",
        "low <= step.facts.index <= high",
        "low <= step.facts.index < high",
    ),
    Fault(
        "flat-counts-as-heeding-its-input",
        "composites/lightening.py",
        "        return _heeds_input(rule)",
        "        return True",
    ),
    Fault(
        "registered-rule-before-the-callers-own",
        "composites/composite.py",
        "(*own, *self._registered_rows(registered), *self.rows)",
        "(*self._registered_rows(registered), *own, *self.rows)",
    ),
    # backward
    Fault(
        "compiled-pass-forgets-which-layers",
        "analyzers/walking.py",
        '("recorded", *slots)',
        '"recorded"',
    ),
    Fault(
        "relevance-rounded-to-half-precision",
        "backward/layer.py",
        "ops.cast(r, accumulation_dtype(values[slot].dtype))",
        "ops.cast(ops.cast(r, values[slot].dtype), accumulation_dtype(values[slot].dtype))",
    ),
    Fault(
        "last-classes-of-a-sweep-in-place-of-the-first",
        "backward/class_sweeps.py",
        "_by_sample(r, groups, together)[:, :k]",
        "_by_sample(r, groups, together)[:, -k:]",
    ),
    # analyzers
    Fault(
        "each-batch-of-a-dataset-gets-the-first-neurons",
        "analyzers/base.py",
        "selection[start : start + n]",
        "selection[:n]",
    ),
    Fault(
        "relevance-of-a-layers-input-returned",
        "network/network.py",
        "{str(step): step.outputs[0] for",
        "{str(step): step.inputs[0] for",
    ),
    Fault(
        "noise-of-the-first-sample-for-all",
        "analyzers/averages.py",
        "sample_rng(self.seed, rows, sample, number)",
        "sample_rng(self.seed, rows, 0, number)",
    ),
    Fault(
        "each-copy-explains-its-own-class",
        "analyzers/averages.py",
        "result, data = network.resolve(",
        "result, _ = network.resolve(",
    ),
    Fault(
        "trapezoid-counts-its-last-point-whole",
        "analyzers/averages.py",
        "weights[[0, -1]] /= 2",
        "weights[0] /= 2",
    ),
    Fault(
        "included-class-replaces-the-strongest",
        "analyzers/clear_analyzer.py",
        '["activations"][missing].argmin(axis=1)',
        '["activations"][missing].argmax(axis=1)',
    ),
    Fault(
        "presets-with-another-epsilon",
        "analyzers/lrp.py",
        "DenseAndRest(rest=_21, epsilon=0.1)",
        "DenseAndRest(rest=_21, epsilon=0.01)",
    ),
    Fault(
        "options-beside-an-analyzer-object-ignored",
        "analyzers/registry.py",
        "if options != Options():",
        "if options is None:",
    ),
    # patterns
    Fault(
        "merged-sums-forget-that-means-differ",
        "patterns/moments.py",
        'digits.covariance(own) + along(own["c"] - means[group]["c"], rank) * x',
        "digits.covariance(own)",
    ),
    Fault(
        "patterns-of-other-weights-accepted",
        "patterns/patterns.py",
        "if current[path] != self.prints[path]:",
        "if current[path] is None:",
    ),
    Fault(
        "mean-over-all-outputs-ignored",
        "patterns/computer.py",
        'self._groups, mean_y == "all")',
        "self._groups, False)",
    ),
    Fault(
        "rho-measured-on-what-it-was-fitted-on",
        "patterns/quality.py",
        "unexplained(field.x[:half], field.x[half:],",
        "unexplained(field.x[:half], field.x[:half],",
    ),
)
