"""What does nothing earns nothing: points for keeping arguments, or for zeros where zeros are right, need an answer."""

import contextlib
import io

import pytest

from autograder.problem_set.source import find_problem_sets, grade_id, is_test

STUBS = {
    "ps5-arrays": {
        "predict_proba": "def predict_proba(X, w, b): return np.full(len(X), 0.5)",
        "gradient_step": "def gradient_step(w, b, X, y, learning_rate): return np.zeros(len(w)), 0.0",
        "standardize": "def standardize(X): return np.zeros(np.shape(X))",
        "one_hot": "def one_hot(y, k): return np.zeros((len(y), k))",
        "confusion_matrix": "def confusion_matrix(y, y_hat, k): return np.zeros((k, k))",
        "pairwise_sq_distances": "def pairwise_sq_distances(A, B): return np.zeros((len(A), len(B)))",
        "log_sum_exp": "def log_sum_exp(Z, axis=-1): return np.zeros(np.shape(Z))[..., 0]",
        "broadcast_shape": "def broadcast_shape(*shapes): return ()",
        "unbroadcast": "def unbroadcast(gradient, shape): return np.zeros(shape)",
        "mean_squared_residual": "def mean_squared_residual(y, p): return 0.0",
    },
    "ps7-neural-networks": {
        "forward": "def forward(X, parameters): return np.full((len(X), 1), 0.5), {'A1': np.full((len(X), 1), 0.5)}",
        "cost": "def cost(parameters, X, Y): return 0.0",
        "backward": "def backward(parameters, cache, X, Y): return {f'd{n}': np.zeros_like(v) for n, v in parameters.items()}",
        "update": "def update(parameters, gradients, learning_rate): return {n: np.zeros_like(v) for n, v in parameters.items()}",
    },
}


@pytest.mark.parametrize("name", STUBS)
def test_a_stub_earns_nothing(course, name):
    (problem_set,) = find_problem_sets(course, [name])
    assert STUBS[name].keys() <= problem_set.items.keys()
    names: dict = {"__name__": "__main__"}
    earned: dict[str, float] = {}
    for cell in problem_set.notebook.cells:
        own = grade_id(cell)
        if cell.cell_type != "code" or not (own or cell.source.startswith("import ")):
            continue
        item = next((item for item in problem_set.items.values() if own in item.tests), None)
        if is_test(cell) and (item is None or item.name not in STUBS[name]):
            continue
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                exec(STUBS[name].get(own, cell.source), names)
            except AssertionError:
                continue
        if is_test(cell) and problem_set.tests[own]:
            earned[own] = problem_set.tests[own]
    assert earned == {}
