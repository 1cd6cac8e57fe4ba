"""A linear classifier that tells the region of a unit from its embedding, always of units that it was not fitted on.

Shapes: N units, F features.
"""

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from neds.evaluation.metrics import accuracy, balanced_accuracy


def held_out_predictions(
    features: np.ndarray, labels: np.ndarray, *, folds: int, penalty: float, groups: np.ndarray | None = None
) -> np.ndarray:
    """Predicted label (N,) of every unit by a linear support vector machine fitted on other folds.

    Features are standardised with the units that the machine is fitted on.

    Args:
        features: (N, F).
        labels: (N,) at least two different ones, each of at least `folds` units.
        folds: parts of the cross-validation.
        penalty: C of the support vector machine.
        groups: (N,) session of each unit. When given, whole sessions are held out: no unit of a session is predicted by
            a machine that saw another unit of it. At least two sessions.
    """
    if groups is None:
        splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
    else:
        splitter = GroupKFold(min(folds, len(np.unique(groups))))
    machine = make_pipeline(StandardScaler(), LinearSVC(C=penalty, random_state=0, max_iter=20_000))
    return cross_val_predict(machine, features, labels.astype(str), groups=groups, cv=splitter)


def region_scores(labels: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Accuracy and balanced accuracy, and what guessing gets: always the most frequent class, or any class alike."""
    labels, predicted = labels.astype(str), predicted.astype(str)
    _, numbers = np.unique(labels, return_counts=True)
    return {
        "n_units": len(labels),
        "n_classes": len(numbers),
        "accuracy": accuracy(labels, predicted),
        "balanced_accuracy": balanced_accuracy(labels, predicted),
        "chance_majority": float(numbers.max() / numbers.sum()),
        "chance_uniform": 1 / len(numbers),
    }
