"""In the place of shap-cuda: its explainer, with shap's own extension for the CPU behind the call that aborts there."""

import numpy as np
from shap.explainers import TreeExplainer
from shap.explainers._tree import feature_perturbation_codes, output_transform_codes

from . import _cext_gpu


class GPUTreeExplainer(TreeExplainer):
    def shap_values(self, X, y=None, tree_limit=None, approximate=False, check_additivity=True, from_call=False):
        model = self.model
        rows, y, missing, flat, tree_limit, _ = self._validate_inputs(X, y, tree_limit, check_additivity)
        phi = np.zeros((rows.shape[0], rows.shape[1] + 1, model.num_outputs))
        _cext_gpu.dense_tree_shap(
            *(model.children_left, model.children_right, model.children_default, model.features, model.thresholds),
            *(model.threshold_types, model.values, model.node_sample_weight, model.max_depth, rows, missing, y),
            *(self.data, self.data_missing, tree_limit, model.base_offset, phi),
            *(feature_perturbation_codes[self.feature_perturbation], output_transform_codes[model.get_transform()]),
            False,
        )
        return self._get_shap_output(phi, flat)
