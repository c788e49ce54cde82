"""Dense conditional random field: label maps and score maps refined to the edges of the photograph.

Krähenbühl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials", NIPS 2011.
Labels equal those of the published code (pydensecrf). The inference is C++ (`cpp/`), compiled when the
package is installed (`wsss.crf.build`) and called without Python's C interface, so that one build serves all
versions of Python.
"""

from wsss.crf.field import Field, Kernels, mean_field
from wsss.crf.refine import (
    DEEPLAB_KERNELS,
    LABEL_KERNELS,
    label_marginals,
    refine_deeplab,
    refine_labels,
    refine_mixed,
)
