"""Slow, independent numpy: brute force to test the library against; the certificate is `jaxrd.testing.certificate`."""

import numpy as np


def two_letter_optimum(p, d, s):
    """L(s) for two reproduction letters by one-dimensional minimisation: (value, log odds of the second)."""
    from scipy.optimize import minimize_scalar

    keep = np.asarray(p) > 0
    p, d = np.asarray(p, float)[keep], np.asarray(d, float)[keep]
    low = d.min(1)
    with np.errstate(invalid="ignore"):
        k = np.exp(-np.where(np.isinf(d), np.inf, s * (d - low[:, None])))

    def objective(u):  # the log odds of the second letter: tiny shares keep their digits
        with np.errstate(divide="ignore", over="ignore"):
            return -(p @ np.log(k[:, 0] / (1 + np.exp(u)) + k[:, 1] / (1 + np.exp(-u))))

    # Unimodal: a grid finds the valley, Brent its floor.
    grid = np.linspace(-90, 90, 361)
    start = int(np.argmin([objective(u) for u in grid]))
    around = grid[max(start - 1, 0)], grid[min(start + 1, 360)]
    inner = minimize_scalar(objective, bounds=around, method="bounded", options={"xatol": 1e-12})
    best = min((objective(u), u) for u in (-np.inf, np.inf, inner.x))
    return best[0] + s * (p @ low), best[1]


def two_letter_perception(p, d01, d10, d, bound, distance):
    """R(D, P) of two letters at P(X=1) = p: the least I over P(Xh=1) = r with distance(r) <= P and distortion <= D.

    At given r and distortion the channel is known; I is jointly convex in the two.
    """
    from scipy.optimize import brentq, minimize_scalar

    def information(a, b):  # P(1|0), P(0|1)
        r = (1 - p) * a + p * (1 - b)
        total = 0.0
        for weight, stays, out in ((1 - p, a, r), (p, 1 - b, r)):
            for w, q in ((stays, out), (1 - stays, 1 - out)):
                total += weight * w * np.log(w / q) if w > 0 else 0.0
        return total

    def rate(r, spent):  # (1-p) a - p b = r - p, (1-p) a d01 + p b d10 = spent
        b = (spent - (r - p) * d01) / (p * (d01 + d10))
        a = (r - p + p * b) / (1 - p)
        inside = -1e-12 <= a <= 1 + 1e-12 and -1e-12 <= b <= 1 + 1e-12
        return information(min(max(a, 0), 1), min(max(b, 0), 1)) if inside else np.inf

    def least(r):
        # The least distortion at this law, and the largest allowed.
        low = (r - p) * d01 if r > p else (p - r) * d10
        if low > d:
            return np.inf
        found = minimize_scalar(lambda s: rate(r, s), bounds=(low, d), method="bounded", options={"xatol": 1e-13})
        return min(found.fun, rate(r, d), rate(r, low))

    ends = []
    for side in (0.0, 1.0):
        edge = side if distance(side) <= bound else p
        if distance(side) > bound > 0:
            edge = brentq(lambda r: distance(r) - bound, p, side * (1 - 1e-15) + (1 - side) * 1e-300, xtol=1e-15)
        ends.append(edge)
    grid = np.linspace(*ends, 41)
    start = int(np.argmin([least(r) for r in grid]))
    around = grid[max(start - 1, 0)], grid[min(start + 1, 40)]
    if around[0] == around[1]:
        return least(p)
    inner = minimize_scalar(least, bounds=around, method="bounded", options={"xatol": 1e-12})
    return min(inner.fun, least(grid[start]))


def rdc_point(p, d, labels, reproduction, channel):
    """(I, E d, [H(S_k|U)]) of a channel to atoms U, summed term by term."""
    p, d = np.asarray(p, float), np.asarray(d, float)
    rate = mean = 0.0
    losses = [0.0] * len(labels)
    for u, xh in enumerate(reproduction):
        joint = p * channel[:, u]
        weight = joint.sum()
        for x in range(len(p)):
            if joint[x] > 0:
                rate += joint[x] * np.log(channel[x, u] / weight)
                mean += joint[x] * d[x, xh]
        for k, rows in enumerate(labels):
            t = joint @ np.asarray(rows) / weight if weight > 0 else np.zeros(np.shape(rows)[1])
            losses[k] -= weight * sum(v * np.log(v) for v in t if v > 0)
    return rate, mean, losses


def lifted_program(p, d, labels, distortion, classification, divisions):
    """The lifted R(D, C) over posteriors on a grid, by linear programming: an upper bound that tends to it."""
    import itertools

    from scipy.optimize import linprog

    n = len(p)
    grid = [c for c in itertools.product(range(divisions + 1), repeat=n - 1) if sum(c) <= divisions]
    posts = np.array([(*c, divisions - sum(c)) for c in grid]) / divisions

    def entropy(rows):
        return -np.where(rows > 0, rows * np.log(np.where(rows > 0, rows, 1)), 0).sum(1)

    cost = entropy(np.asarray(p)[None])[0] - entropy(posts)
    spent = [((posts @ d).min(1), distortion)]
    spent += [(entropy(posts @ rows), c) for rows, c in zip(labels, classification, strict=True)]
    used = [(a, b) for a, b in spent if np.isfinite(b)]
    options = {"A_ub": np.array([a for a, _ in used]), "b_ub": [b for _, b in used]} if used else {}
    solved = linprog(cost, A_eq=posts.T, b_eq=p, method="highs", **options)
    return solved.fun if solved.status == 0 else np.inf


def side_information_by_posteriors(joint, d, s, points=4001):
    """min I(X;U|S) + s E d(X, f(U, S)) for binary X, from above: a convex hull over the posteriors of X given U.

    No strategies here: with P(X = 1|U) = a, S follows p(s|x), the decoder takes the best letter for each (a, s).
    """
    joint, d = np.asarray(joint, float), np.asarray(d, float)
    channel = joint / joint.sum(1, keepdims=True)  # p(s|x)
    a = np.sin(np.linspace(0, np.pi / 2, points)) ** 2  # close together at the ends, where the entropy is steep
    at = np.stack([1 - a, a], 1)[:, :, None] * channel  # p(x, s | a)
    with np.errstate(divide="ignore", invalid="ignore"):
        known = np.where(at > 0, at * np.log(at / at.sum(1, keepdims=True)), 0).sum((1, 2))  # - H(X|S)
    cost = known + s * np.einsum("axs,xy->asy", at, d).min(2).sum(1)
    hull = []  # of the lower hull, by a monotone chain
    for point in zip(a, cost, strict=True):
        while len(hull) > 1 and (hull[-1][0] - hull[-2][0]) * (point[1] - hull[-2][1]) <= (
            hull[-1][1] - hull[-2][1]
        ) * (point[0] - hull[-2][0]):
            hull.pop()
        hull.append(point)
    value = np.interp(joint.sum(1)[1], *np.array(hull).T)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(joint > 0, joint * np.log(joint / joint.sum(0)), 0).sum()
    return float(entropy + value)


def side_information_by_channels(joint, d, s):
    """The same for any alphabet, from above: sequential quadratic programs over the channels from X to strategies."""
    from itertools import product

    from scipy.optimize import minimize

    joint, d = np.asarray(joint, float), np.asarray(d, float)
    n, values = joint.shape
    chosen = np.array(list(product(range(d.shape[1]), repeat=values)))
    channel = joint / joint.sum(1, keepdims=True)
    cost = np.einsum("xs,xts->xt", channel, d[:, chosen])

    def value(flat):
        w = np.maximum(flat.reshape(n, -1), 1e-14)
        share = np.einsum("xs,xt->ts", joint, w) / joint.sum(0)  # p(t|s)
        inner = np.log(w) - channel @ np.log(share).T + s * cost
        return (joint.sum(1)[:, None] * w * inner).sum(), (joint.sum(1)[:, None] * inner).ravel()

    sums = np.kron(np.eye(n), np.ones(len(chosen)))
    start = np.full(n * len(chosen), 1 / len(chosen))
    constraint = {"type": "eq", "fun": lambda w: sums @ w - 1, "jac": lambda w: sums}
    options = {"maxiter": 2000, "ftol": 1e-14}
    found = minimize(
        value,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(1e-14, 1)] * len(start),
        constraints=constraint,
        options=options,
    )
    w = np.maximum(found.x.reshape(n, -1), 0)
    return float(value((w / w.sum(1, keepdims=True)).ravel())[0])
