"""Everything that explaining might change and must not: in a model, and in what all callers share."""

import random

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state


def snapshot(model):
    """Everything of a model that explaining might change."""
    layers = model._flatten_layers()
    return {
        "weights": [(w.path, w.numpy().tolist()) for w in model.variables],
        "trainable": [w.path for w in model.trainable_weights],
        "json": model.to_json(),
        "names": [layer.name for layer in layers],
        "built": [layer.built for layer in layers],
        "nodes": [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in layers],
        "attributes": [sorted(vars(layer)) for layer in layers],
        "losses": [float(loss) for loss in model.losses],
        "own": [len(layer._losses) for layer in layers],
        "activations": [getattr(layer, "activation", None) for layer in layers],
    }


def global_snapshot():
    """Everything that Keras, TensorFlow, numpy and Python share between callers."""
    seeds = global_state.get_global_attribute("global_seed_generator")
    tf_seed = tf.random.get_global_generator().state.numpy().tolist()
    return {
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "format": keras.config.image_data_format(),
        "policy": keras.config.dtype_policy().name,
        "uids": dict(global_state.get_global_attribute("object_name_uids") or {}),
        "keras seed": None if seeds is None else seeds.state.numpy().tolist(),
        "numpy": repr(np.random.get_state()),  # noqa: NPY002
        "python": random.getstate(),
        "tf": tf_seed,
        "eager": (tf.executing_eagerly(), tf.config.functions_run_eagerly()),
        "default graph": tf.compat.v1.get_default_graph() is not None,
        "error mode": np.geterr(),
    }
