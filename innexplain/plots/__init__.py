"""From arrays to pictures: heatmaps, overlays, galleries, and files written whole or not at all.

Red speaks for the explained score, blue against it, white is zero.  Pictures are scaled, arrays
never are: `save_array` stores what the analyzer returned.
"""

from innexplain.plots.class_colours import class_colours
from innexplain.plots.clear import binary_heatmap_image, binary_map_image, clear_image
from innexplain.plots.clear_axes import binary_heatmap, binary_map, clear_map
from innexplain.plots.clear_figures import clear_rows, response_strip
from innexplain.plots.colours import symmetric_scale
from innexplain.plots.evaluation import bars, boxes, curves
from innexplain.plots.gallery import gallery
from innexplain.plots.images import display_image, heatmap_image, overlay
from innexplain.plots.saving import save_array, save_figure, save_image, save_text

__all__ = [
    "bars",
    "binary_heatmap",
    "binary_heatmap_image",
    "binary_map",
    "binary_map_image",
    "boxes",
    "class_colours",
    "clear_image",
    "clear_map",
    "clear_rows",
    "curves",
    "display_image",
    "gallery",
    "heatmap_image",
    "overlay",
    "response_strip",
    "save_array",
    "save_figure",
    "save_image",
    "save_text",
    "symmetric_scale",
]
