"""The few distribution functions monitoring needs, from their definitions, with the standard library alone."""

from math import exp, lgamma, log, sqrt
from statistics import NormalDist

NORMAL = NormalDist()
_TINY = 1e-300
_PRECISION = 1e-15
_EXACT_TRIALS = 5_000


def chi2_sf(statistic: float, degrees: int) -> float:
    """P(chi-square with `degrees` degrees of freedom > statistic)."""
    if degrees <= 0:
        return 1.0
    return gamma_upper(degrees / 2, statistic / 2)


def gamma_upper(shape: float, x: float) -> float:
    """The regularised upper incomplete gamma function Q(shape, x).

    A series below shape + 1 and Lentz's continued fraction above (Abramowitz and Stegun 6.5.29 and 6.5.31).
    """
    if x <= 0:
        return 1.0
    front = exp(shape * log(x) - x - lgamma(shape))
    return 1 - front * _series(shape, x) if x < shape + 1 else front * _fraction(shape, x)


def _series(shape: float, x: float) -> float:
    term = total = 1 / shape
    divisor = shape
    while abs(term) > abs(total) * _PRECISION:
        divisor += 1
        term *= x / divisor
        total += term
    return total


def _fraction(shape: float, x: float) -> float:
    b = x + 1 - shape
    c = 1 / _TINY
    d = 1 / b
    value = d
    for step in range(1, 10_000):
        a = -step * (step - shape)
        b += 2
        d = 1 / (_away_from_zero(a * d + b))
        c = _away_from_zero(b + a / c)
        value *= d * c
        if abs(d * c - 1) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def normal_quantile(probability: float) -> float:
    """The z with P(standard normal <= z) = probability."""
    return NORMAL.inv_cdf(probability)


def normal_cdf(z: float) -> float:
    """P(standard normal <= z)."""
    return NORMAL.cdf(z)


def wilson(successes: float, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a proportion (Wilson 1927); (0, 1) without trials."""
    if trials <= 0:
        return 0.0, 1.0
    z = normal_quantile(0.5 + confidence / 2)
    share = successes / trials
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    middle = share + z * z / (2 * trials)
    scale = 1 + z * z / trials
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def predictive_cdf(successes: int, trials: int, known_successes: int, known_trials: int) -> float:
    """P(X <= successes) for `trials` further draws, after `known_successes` of `known_trials` were seen.

    The beta-binomial distribution under Jeffreys' prior, so that the uncertainty of what is known counts too. Exact
    to 5,000 trials; a normal approximation with the same mean and variance beyond.
    """
    if successes < 0:
        return 0.0
    if successes >= trials:
        return 1.0
    a = known_successes + 0.5
    b = known_trials - known_successes + 0.5
    if trials > _EXACT_TRIALS:
        share = a / (a + b)
        variance = trials * share * (1 - share) * (a + b + trials) / (a + b + 1)
        return normal_cdf((successes + 0.5 - trials * share) / sqrt(variance))
    if successes > trials * a / (a + b):
        return 1 - _beta_binomial_below(trials - successes - 1, trials, b, a)
    return _beta_binomial_below(successes, trials, a, b)


def _beta_binomial_below(successes: int, trials: int, a: float, b: float) -> float:
    """P(X <= successes), summed upwards by the ratio of successive terms."""
    if successes < 0:
        return 0.0
    logarithm = lgamma(a + b) - lgamma(b) + lgamma(trials + b) - lgamma(trials + a + b)
    total, reference = 1.0, 0.0
    term = 0.0
    for x in range(successes):
        term += log((trials - x) / (x + 1)) + log((a + x) / (b + trials - x - 1))
        if term > reference:
            total = total * exp(reference - term) + 1
            reference = term
        else:
            total += exp(term - reference)
    return min(1.0, exp(logarithm + reference + log(total)))
