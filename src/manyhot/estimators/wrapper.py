"""What classifiers of label sets share that wrap another estimator: metadata, tags, features."""

from typing import Any

from numpy.typing import NDArray
from sklearn.base import MetaEstimatorMixin
from sklearn.utils import get_tags

from manyhot.estimators.base import LabelClassifier
from manyhot.estimators.label_scores import gives, label_scores


def scored_by(*methods: str) -> Any:
    """For `available_if`: whether the wrapped estimator has one of the methods."""

    def check(self: Any) -> bool:
        return any(gives(getattr(self, "estimator_", self.estimator), method) for method in methods)

    return check


class LabelSetWrapper(MetaEstimatorMixin, LabelClassifier):
    """A classifier of label sets around any multi-output classifier.

    A subclass has the parameters `estimator` and `cv`, and sets `estimator_`.
    """

    estimator: Any
    estimator_: Any
    cv: Any

    def get_metadata_routing(self) -> Any:
        """Which metadata goes where: to `score`, to the estimator's fit, and to the splitter."""
        from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        router.add(estimator=self.estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        if hasattr(self.cv, "get_metadata_routing"):
            router.add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        return router

    def _routed(self, fit_params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arguments of the estimator's fit, and of the splitter's split."""
        from sklearn import get_config
        from sklearn.utils.metadata_routing import process_routing

        if get_config()["enable_metadata_routing"]:
            routed: Any = process_routing(self, "fit", **fit_params)
            splits = hasattr(self.cv, "get_metadata_routing")
            return dict(routed.estimator.fit), dict(routed.splitter.split) if splits else {}
        given = dict(fit_params)
        groups = given.pop("groups", None)
        return given, {} if groups is None else {"groups": groups}

    def _scores(self, X: Any, method: str) -> NDArray[Any]:
        return label_scores(self.estimator_, X, len(self.classes_), method)

    def _keep(self, fitted: Any) -> None:
        """The fitted estimator, and what it knows of the columns of X."""
        self.estimator_ = fitted
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        tags.target_tags.single_output = False
        tags.classifier_tags.multi_class = False
        return tags
