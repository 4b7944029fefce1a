"""What a class cannot say of itself: formula, use and traps of every loss, for `describe`. Tested as facts.

p = sigmoid(z), y the target value, P and N the positives and negatives of a row (or label, if that is the
unit), LSE the log-sum-exp, sp(x) = log(1 + exp(x)), k = |P|.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Note:
    """One loss in words.

    Args:
        formula: the cost of a unit.
        use: when to take it.
        trap: what goes wrong most easily; empty when nothing stands out.
        bounded: no gradient grows with the logit.
        dense: builds a dense matrix of targets from sparse ones.
        batch: the cost of a row depends on the other rows of the batch.
        calls: what a training loop has to do beside calling it, of "row_ids", "set_epoch", "parameters".
    """

    formula: str
    use: str
    trap: str = ""
    bounded: bool = True
    dense: bool = False
    batch: bool = False
    calls: tuple[str, ...] = ()


NOTES: Mapping[str, Note] = MappingProxyType(
    {
        "bce": Note(
            "y sp(-z) + (1 - y) sp(z)",
            "First, always: probabilities, any kind of target, any number of labels.",
        ),
        "poly1": Note(
            "BCE + epsilon (1 - p of the truth)",
            "BCE with one coefficient to tune.",
            "epsilon > 0 pulls harder on cells that are nearly right; probabilities lose their calibration.",
        ),
        "gce": Note(
            "(1 - t^q) / q, t the p of the truth",
            "Wrong labels in the training set: a cell that looks wrong pulls less.",
            "Gives rare labels up, whose positives look wrong: there q=0.3, or pos_weight='balanced'.",
        ),
        "focal": Note(
            "y (1 - p)^gamma sp(-z) + (1 - y) p^gamma sp(z)",
            "Many easy negatives, few hard cells.",
            "alpha=0.25 of object detection weighs positives down; probabilities lean towards 1/2.",
        ),
        "asl": Note(
            "y (1 - p)^gamma_pos sp(-z) - (1 - y) q^gamma_neg log(1 - q), q = max(p - clip, 0)",
            "Few positives among many labels, above all in images; some missing positives.",
            "Probabilities come out too high: tune the cuts. By default the slope is not the derivative "
            "(detach_focus).",
        ),
        "apl": Note(
            "ASL with -log p - e1 (1 - p) - e2 / 2 (1 - p)^2 on the positive side",
            "ASL with more to tune.",
            "A positive epsilon takes weight away, the opposite sign of poly1.",
        ),
        "ral": Note(
            "APL's positives; ASL's negatives times (lam - p) p^2 (lam - 1 + q)",
            "Long tails with missing positives.",
            "variant='paper' and the authors' code differ by two factors.",
        ),
        "hill": Note(
            "y (1 - p_m)^gamma sp(-(z - margin)) + (1 - y) (lam - p) p^2, p_m = sigmoid(z - margin)",
            "Missing positives, nothing known about which: needs no schedule and no state.",
            "A negative that the model is surely wrong about is given up, also where it is right.",
        ),
        "logit-adjusted": Note(
            "BCE of z + tau logit(prior)",
            "Long tails: the principled correction of the prior, one number.",
            "Scores are for balanced labels; tune cuts on rows with the true frequencies.",
        ),
        "ldam": Note(
            "y sp(-s (z - d)) + (1 - y) sp(s z), d = margin (n_min / n)^(1/4)",
            "Long tails, when rare labels overfit.",
            "scale=30 is for features of length 1: for others take 1, or lower the learning rate.",
        ),
        "cb": Note(
            "(1 - beta) / (1 - beta^n) times BCE or focal loss",
            "Long tails: the standard baseline.",
            "Which weight a row has is ambiguous for several labels; mode says it.",
        ),
        "db": Note(
            "w_ij times a focal loss of z - nu_j (positives) and lam (z - nu_j) / lam (negatives)",
            "Long tails with labels that occur together.",
            "mu and lam go with the data set: 0.3 and 5 for VOC, 0.2 and 2 for COCO.",
        ),
        "psp": Note(
            "y sp(-z) / propensity + (1 - y) sp(z)",
            "Extreme label sets, judged by precision@k in its propensity-scored form.",
            "Inverse propensities of rare labels are large; lower the learning rate.",
        ),
        "unbiased": Note(
            "y ((l+ - l-) / propensity + l-) + (1 - y) l-",
            "Missing positives with a known chance of being seen.",
            "Unbounded below: rare labels can diverge; form='upper-bound' cannot.",
        ),
        "squared-hinge": Note(
            "y max(0, 1 - z)^2 + (1 - y) max(0, 1 + z)^2",
            "Sparse linear models of extreme label sets.",
            "Scores are margins, not probabilities, and outliers pull without bound.",
            bounded=False,
        ),
        "brier": Note(
            "(p - y)^2",
            "Calibrated probabilities with bounded costs.",
            "No slope where the model is surely wrong: begin near 0.",
        ),
        "mse": Note(
            "(p - y)^2",
            "A baseline: brier under its other name.",
            "No slope where the model is surely wrong: begin near 0.",
        ),
        "mae": Note(
            "|p - y|",
            "A baseline that wrong labels hardly move.",
            "Trains slowly and gives rare labels up; pos_weight='balanced' helps.",
        ),
        "zlpr": Note(
            "sp(LSE over P of -z) + sp(LSE over N of z)",
            "No parameter to tune, robust to imbalance; decide z > 0.",
            "Not probabilities per label: calibrate before reading them as such.",
        ),
        "lsep": Note(
            "sp(LSE over N of z + LSE over P of -z)",
            "The order of labels in a row is all that counts.",
            "Gives no cut: a shift of a row is not seen.",
        ),
        "two-way": Note(
            "sp(T_n LSE over N of z / T_n + T_p LSE over P of -z / T_p), over rows and over labels",
            "Order of labels within rows and of rows within labels, in large batches.",
            "Small batches give the label part little to compare.",
            batch=True,
        ),
        "softmax": Note(
            "LSE(z) - mean over P of z",
            "Very many labels, few apply; recall@k.",
            "Several labels compete: none can be sure beyond 1/k.",
        ),
        "pal": Note(
            "k LSE(z) - sum over P of z",
            "Very many labels; precision@k.",
            "Rows with many labels dominate; several labels compete.",
        ),
        "kl": Note(
            "KL(y / sum y || softmax(z))",
            "Soft targets that say how much of each label.",
            "Says nothing of how many labels apply.",
        ),
        "dsm": Note(
            "mean over p in P of sp(LSE over N of z - z_p)",
            "Extreme label sets with several positives a row; dual encoders.",
            "Gives no cut.",
        ),
        "soft-topk": Note(
            "mean over P of sp(-alpha (z + t)), t such that the memberships sigmoid(alpha (z + t)) sum to k",
            "The first k of very many labels, k fixed in advance: precision@k, recall@k.",
            "k goes with what is shown; gives no cut.",
        ),
        "sparsemax": Note(
            "1/2 sum over the support (z^2 - tau^2) - q z + 1/2 |q|^2, q = y / sum y",
            "Label distributions with true zeros.",
            "Labels far behind have no gradient.",
        ),
        "atl": Note(
            "k sp(LSE over P of z) - sum over P of z + sp(LSE over N of z), z less the threshold logit",
            "A cut of its own for every row, learned with the labels.",
            "For a threshold output call it with the pair (logits, threshold).",
        ),
        "margin": Note(
            "sum over pairs of max(0, margin - z_p + z_n) / labels",
            "The values of torch's MultiLabelMarginLoss from 0/1 targets.",
            "Divided by labels, not by pairs: rows with many positives weigh more.",
            dense=True,
        ),
        "soft-margin": Note(
            "mean over labels of BCE",
            "The values of torch's MultiLabelSoftMarginLoss.",
            "Its unit is the row; sum is not the sum of bce.",
        ),
        "pairwise-hinge": Note(
            "mean over pairs of max(0, margin - z_p + z_n)",
            "Order of labels in a row, without caring about pairs that are apart.",
            "Gives no cut.",
            dense=True,
        ),
        "ranknet": Note(
            "mean over pairs of sp(z_n - z_p)",
            "Order of labels in a row, every pair alike.",
            "Takes time in proportion to positives times labels.",
            dense=True,
        ),
        "warp": Note(
            "sum over P of H(r) / r times the sum of hinges, r the negatives within the margin",
            "The top of the list: precision@k.",
            "The value jumps where a rank changes; one bad positive weighs most.",
            dense=True,
        ),
        "bp-mll": Note(
            "mean over pairs of exp(tanh z_n - tanh z_p)",
            "The classic baseline of neural multi-label papers.",
            "tanh fades: keep logits small at the start.",
        ),
        "count": Note(
            "KL(y / Z || softmax(z)) + weight times the cost of the count Z",
            "The number of labels is to be predicted beside their order.",
            "Scores are rates, not probabilities; `expected_counts` gives the number.",
        ),
        "gkl": Note(
            "sum of y log y - y z + exp(z) - y",
            "Rates: expected counts per label, whose sum is the expected number of labels.",
            "exp(z) is a rate; begin with logits of rare labels below 0.",
        ),
        "abs-kl": Note(
            "|(t - q) log(t / q)|, t = max(y, epsilon), q = max(p, epsilon)",
            "To compare with work that used it.",
            "epsilon changes costs and gradients; a positive below it learns nothing.",
        ),
        "soft-f1": Note(
            "1 - 2 sum y p / (sum p + sum y)",
            "Train on the F measure itself, in large batches.",
            "Labels without positives in the batch teach nothing; pretrain with BCE.",
            batch=True,
        ),
        "sigmoid-f1": Note(
            "soft F1 of sigmoid(beta (z + eta))",
            "Soft F1 nearer to decisions.",
            "A steep sigmoid has no gradient far from its middle.",
            batch=True,
        ),
        "soft-jaccard": Note(
            "1 - sum y p / (sum p + sum y - sum y p)",
            "Train on the Jaccard index itself, in large batches.",
            "As for soft-f1.",
            batch=True,
        ),
        "lovasz": Note(
            "sum over sorted hinges of max(0, 1 -+ z) times the step of the Jaccard loss",
            "Jaccard index of a row or label, convex in the logits.",
            "Scores are margins; works best after a start with BCE.",
            dense=True,
        ),
        "approx-ndcg": Note(
            "1 - sum over P of y / log2(1 + r) / its best, r = 1 + sum of sigmoid((z_j - z_p) / T)",
            "The top of a row's list, graded relevance.",
            "Takes time in proportion to positives times labels; gives no cut.",
        ),
        "smooth-ap": Note(
            "1 - mean over positive rows of (1 + sum over P of s) / (1 + sum of s), s = sigmoid(dz / T)",
            "Train on average precision, in large batches.",
            "At T = 0.01 most pairs have no gradient: start with a larger T or another loss.",
            dense=True,
            batch=True,
        ),
        "auc": Note(
            "mean over pairs of rows of max(0, margin - z_p + z_n)^2",
            "Train on the area under the ROC curve of each label.",
            "Labels without positives in the batch teach nothing; gives no cut.",
            bounded=False,
            dense=True,
            batch=True,
        ),
        "aucm": Note(
            "(1 - r) E[y (p - a)^2] + r E[(1 - y) (p - b)^2] + 2 alpha (r (1 - r) margin + ...) - r (1 - r) "
            "alpha^2",
            "The area under the ROC curve of each label, with small batches too.",
            "a, b and alpha have to be in the optimiser; p moves slowly until alpha has grown.",
            dense=True,
            batch=True,
            calls=("parameters",),
        ),
        "an": Note(
            "y sp(-z) + weight (1 - y) sp(z)",
            "The baseline for unlabelled cells: what nobody saw is not there.",
            "Teaches that missing positives are negatives.",
        ),
        "wan": Note(
            "y sp(-z) + (1 - y) sp(z) / (labels - 1)",
            "One known positive a row: it weighs as all unlabelled cells together.",
            "Probabilities come out far too high: tune the cuts.",
        ),
        "partial-bce": Note(
            "(alpha r^gamma + beta) BCE of known cells / labels, r the known share of the row",
            "Targets of which much is unknown, in rows of different shares.",
            "Divides by all labels: its size falls with what is known.",
        ),
        "csl": Note(
            "ASL, and alpha_unknown p^gamma_unknown sp(z) for unknown cells",
            "Partly labelled images, where most unknown cells are negative.",
            "Needs cells that are marked unknown; zeros count as seen.",
            batch=True,
        ),
        "em": Note(
            "BCE of known cells, -alpha (entropy of p) of unknown ones",
            "One known positive a row: the simplest thing that works.",
            "Zeros count as unknown: where they are known negatives, pass zeros='negative'.",
        ),
        "em-apl": Note(
            "EM; the least likely unknown cells cost beta times cross-entropy with the p that they once had",
            "One known positive a row; negatives are found step by step.",
            "Holds two numbers for every cell of the training set; epochs is to be that of the training.",
            dense=True,
            calls=("row_ids", "set_epoch"),
        ),
        "epr": Note(
            "BCE of known cells + ((mean row sum of p) - k)^2 / labels^2",
            "One known positive a row, and the mean number of labels is known.",
            "k of the training targets is too low if positives are missing; pass expected_positives. Zeros "
            "count as unknown.",
            dense=True,
            batch=True,
        ),
        "role": Note(
            "1/2 (BCE of known p and s + CE(p, stop s) + CE(s, stop p) + penalties), s learned per cell",
            "One known positive a row, small training sets.",
            "Holds a number for every cell of the training set.",
            dense=True,
            batch=True,
            calls=("row_ids", "parameters"),
        ),
        "splc": Note(
            "focal costs with a margin; unobserved cells with p > tau are positives from epoch 1 on",
            "Missing positives that the model can find.",
            "Without set_epoch it never corrects. Confirms what the model already believes.",
            calls=("set_epoch",),
        ),
        "large-loss": Note(
            "BCE; the ceil(epoch rate cells) likeliest unobserved cells are left out, or positives",
            "Missing or wrong positives, any model.",
            "Without set_epoch it is BCE with unknown as negative.",
            batch=True,
            calls=("set_epoch",),
        ),
        "nnpu": Note(
            "pi E+[l+] + max(0, Eu[l-] - pi E+[l-]) of a label, E over its positives (+) and other cells (u)",
            "Positives and unlabelled cells, with the share of missing positives known.",
            "Needs that share, prior; the training set's own is too low. Use large batches.",
            dense=True,
            batch=True,
        ),
        "gr": Note(
            "BCE of positives; v (k (1 - p^q2) / q2 + (1 - k) (1 - (1 - p)^q3) / q3) of unobserved cells",
            "One known positive a row; trusts the model more from epoch to epoch.",
            "Without set_epoch its schedule stays at the start.",
            calls=("set_epoch",),
        ),
        "ghm": Note(
            "BCE times cells / (cells with a gradient of that size)",
            "Many easy cells and some outliers.",
            "Weights depend on the batch and on those before.",
            dense=True,
            batch=True,
        ),
        "eqlv2": Note(
            "y w+ sp(-z) + (1 - y) w- sp(z), w from the label's summed gradients",
            "Long tails, when negatives drown rare labels.",
            "Remembers the whole training: save it with the model to go on.",
        ),
        "cdb": Note(
            "BCE times d^tau, d = 1 - F1 of the label in the epoch before",
            "Some labels are harder than others, whatever their frequency.",
            "Without set_epoch it is BCE. set_scores takes validation scores instead of training ones.",
            dense=True,
            calls=("set_epoch",),
        ),
        "plm": Note(
            "BCE of the cells that are kept: a positive with probability q / r, a negative with r / q",
            "Long tails: drops negatives of labels that are missed, positives of those seen everywhere.",
            "Without set_epoch it is BCE. Draws at random: the same seed draws the same.",
            dense=True,
            calls=("set_epoch",),
        ),
    }
)
