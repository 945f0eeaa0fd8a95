"""What each metric says, for a reader who meets it for the first time."""

from cornac_mle.report._numbers import number
from cornac_mle.report.summary import Metric, Value

EXPLANATIONS = {
    "UnrealisticUsers": (
        "A judge that was fitted on real users gives every user a plausibility. The share of "
        "synthetic users who are less plausible than nearly all real users are. It cannot see "
        "one good user who is repeated, nor kinds of users that are missing."
    ),
    "PlausibilityKS": (
        "The largest difference between the distributions of plausibility: .31 says that at least "
        "31% of the users are not as real ones are, too odd or too typical."
    ),
    "NeighbourCoverage": (
        "The share of real users who have a synthetic user about as near as their nearest real "
        "ones. Low where kinds of real users are missing. It cannot see copies, nor odd users as "
        "long as there are enough others."
    ),
    "NeighbourRecall": (
        "The share of real users who are near a synthetic one. Odd users raise it, so that "
        "NeighbourCoverage is the better guide."
    ),
    "NeighbourPrecision": "The share of synthetic users who are near a real one.",
    "NeighbourDensity": "How many real users a synthetic user is near, on average.",
    "MembershipInference": (
        "How often somebody who sees synthetic users alone, and other real users for comparison, "
        "puts a training user before a new one when asked which of the two was trained on: .5 is "
        "chance, 1 always. It is a lower bound on what leaks, by two attacks, and no guarantee: "
        "not differential privacy."
    ),
    "LikelihoodRatioAttack": (
        "The same for somebody who holds the model itself and asks it how probable each user is. "
        "No guarantee either."
    ),
    "CopiedUsers": (
        "How much more often than chance gives a synthetic user lies nearest to a training "
        "user: .31 is what a set gets of which 31% are copies, 1 is copies only. About 0, or "
        "below, is right. It says nothing about realism."
    ),
    "Authenticity": (
        "The share of synthetic users who are no copy, or near copy, of a training user."
    ),
    "PopularityJS": (
        "How far the popularity of items is from that among real users. It cannot see which items "
        "go together, so that popularity alone does well."
    ),
    "ProfileSizeKS": (
        "The largest difference between the distributions of the number of items. It cannot see "
        "which items are held; popularity has the sizes of real users by design."
    ),
    "PairError": "How far pairs of items are from being held together as often as by real users.",
    "MMD": "How much more alike users of the same group are than a real and a synthetic one.",
    "ClassifierTest": (
        "How often a classifier, shown a synthetic and a real user, knows which is which: .5 is "
        "chance, 1 always."
    ),
    "UnrealisticShare": (
        "At least so many synthetic users are unlike real ones; wrong at most 5 times in 100. "
        "0 certifies nothing."
    ),
    "MissingShare": (
        "At least so many real users are of kinds that the model does not make; wrong at most 5 "
        "times in 100. 0 certifies nothing."
    ),
    "FrontierUnrealistic": "About the share of synthetic users of kinds that no real user is.",
    "FrontierMissing": "About the share of real users of kinds that no synthetic user is.",
    "HeldOutLogLikelihood": (
        "The mean log-probability of real users under the model, in nats a user. Only differences "
        "between models mean something; it hardly notices unrealistic users."
    ),
    "NDCG": "How well the model ranks hidden items of real users; not about synthetic users.",
    "Recall": "The share of hidden items of real users ranked first; not about synthetic users.",
}
"""By the metric's name before the @; short, and no more than the docstrings of the metrics say."""
BEST = {
    "high": "the higher the better",
    "low": "the lower the better",
    "ceiling": "what real users get",
}


def explained(metric: Metric, values: list[Value]) -> list[str]:
    """Explain a metric in a few sentences: what it is, its best value, what the data can show."""
    stem = metric["name"].split("@")[0].split(" ")[0]
    lines = [f"{metric['meaning'][:1].upper()}{metric['meaning'][1:]}."]
    if stem in EXPLANATIONS:
        lines.append(EXPLANATIONS[stem])
    lines.append(f"Best: {BEST.get(metric['best'], metric['best'])}.")
    least = next((v["minimum_detectable"] for v in values if v["minimum_detectable"]), None)
    if least is not None:
        lines.append(f"Differences from real users of less than about {number(least)} are missed.")
    if metric["judge"] is not None:
        lines.append(f"Judge: {metric['judge']}.")
    if metric["caution"]:
        lines.append(f"Take care: {metric['caution']}.")
    return lines
