"""From arrays to pictures: heatmaps, overlays, galleries, and files written whole or not at all.

Red speaks for the explained score, blue against it, white is zero.  Pictures are scaled, arrays
never are: `save_array` stores what the analyzer returned.
"""

from innexplain.plots.colours import symmetric_scale
from innexplain.plots.evaluation import bars, boxes, curves
from innexplain.plots.gallery import gallery
from innexplain.plots.images import display_image, heatmap_image, overlay
from innexplain.plots.saving import save_array, save_figure, save_image, save_text

__all__ = [
    "bars",
    "boxes",
    "curves",
    "display_image",
    "gallery",
    "heatmap_image",
    "overlay",
    "save_array",
    "save_figure",
    "save_image",
    "save_text",
    "symmetric_scale",
]
